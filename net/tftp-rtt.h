/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Round-trip time and retransmission timer as RFC 6298 computes them, in microseconds. */

#include <stdint.h>

typedef struct TftpRtt {
        uint64_t smoothed; /* SRTT; 0: nothing measured yet */
        uint64_t variation;
} TftpRtt;

/* A round trip that was measured on a packet sent once (Karn's algorithm is the caller's). */
void tftp_rtt_sample(TftpRtt *rtt, uint64_t usec);

/* How long to wait for an answer; `n_timeouts` in a row before this one double it. */
uint64_t tftp_rtt_timeout(const TftpRtt *rtt, unsigned n_timeouts);
