/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tftp-timer.h"

#include "base/cleanup.h"
#include "base/time.h"

/*
 * An RRQ is repeated after 250 ms, or the timer of RFC 6298 when there was an answer before, doubled each
 * time. After a while it asks for nothing: a server that drops options instead of ignoring them (RFC 2347)
 * still answers that. A server that looks up who asks (tcp wrappers, with a name server that is silent)
 * answers each request, but only after 10 s or so: it has 15 s, and some for a machine that is busy.
 */
#define REQUEST_INTERVAL (250 * USEC_PER_MSEC)
#define REQUEST_INTERVAL_MAX (4 * USEC_PER_SEC)
#define REQUEST_PLAIN_AFTER (3500 * USEC_PER_MSEC)
#define REQUEST_MAX (17 * USEC_PER_SEC)

/*
 * Without a new block for this long the server is dead; the slowest we know of (atftpd) repeats itself every
 * 5 s.
 */
#define SILENCE_MAX (10 * USEC_PER_SEC)

/*
 * So long a block is waited for before something else than its ACK is repeated. A server that is only slow
 * has this time, and one (busybox) repeats a block itself after 100 ms.
 */
#define PATIENCE (120 * USEC_PER_MSEC)

/* Between two ACKs for the same block, where the round trip is shorter. */
#define REPEAT_INTERVAL_MIN (5 * USEC_PER_MSEC)

/* After the first minute, that many bytes a second on the whole. */
#define RATE_MIN 256
#define RATE_GRACE USEC_PER_MINUTE

void tftp_timer_on_request(TftpTimer *timer, uint64_t now) {
        timer->requested = now;
        timer->n_timeouts = 0;
}

void tftp_timer_on_sent(TftpTimer *timer, uint64_t now, bool once) {
        timer->sent = now;
        timer->sent_once = once;
}

/* A round trip longer than any silence that is borne: the machine slept meanwhile. */
static void sample(TftpTimer *timer, uint64_t usec) {
        if (usec < SILENCE_MAX)
                tftp_rtt_sample(&timer->rtt, usec);
}

void tftp_timer_on_answer(TftpTimer *timer, uint64_t now) {
        if (timer->sent_once && timer->rtt.smoothed == 0) {
                sample(timer, now - timer->sent);
                timer->rtt_rough = true;
        }
        timer->answered_within = now - timer->requested;
        timer->sent_once = false;
        timer->progress = now;
        timer->n_timeouts = 0;
}

void tftp_timer_on_round_trip(TftpTimer *timer, uint64_t usec) {
        if (timer->rtt_rough)
                timer->rtt = (TftpRtt){};
        timer->rtt_rough = false;
        sample(timer, usec);
}

uint64_t tftp_timer_request_deadline(const TftpTimer *timer, uint64_t now) {
        uint64_t usec = REQUEST_INTERVAL << MIN(timer->n_timeouts, 8u);

        if (timer->rtt.smoothed > 0)
                usec = tftp_rtt_timeout(&timer->rtt, timer->n_timeouts);
        return MIN(now + MIN(usec, REQUEST_INTERVAL_MAX), timer->requested + REQUEST_MAX);
}

bool tftp_timer_request_is_over(const TftpTimer *timer, uint64_t now) {
        return now - timer->requested >= REQUEST_MAX;
}

bool tftp_timer_request_is_plain(const TftpTimer *timer, uint64_t now) {
        return now - timer->requested >= REQUEST_PLAIN_AFTER;
}

uint64_t tftp_timer_receive_deadline(const TftpTimer *timer, uint64_t now, unsigned n_expected) {
        unsigned n = timer->n_timeouts - MIN(timer->n_timeouts, n_expected);
        TftpRtt rtt = timer->rtt;
        uint64_t usec;

        /*
         * A request that was repeated has been answered, and which of them is not known. But a round trip
         * takes no longer than since the first one: the timer is half as long again, and a second and a half
         * at most.
         */
        if (rtt.smoothed == 0)
                tftp_rtt_sample(&rtt, MIN(timer->answered_within, USEC_PER_SEC) / 2);
        usec = tftp_rtt_timeout(&rtt, n);
        if (timer->n_timeouts == n_expected)
                usec = MAX(usec, PATIENCE);
        return MIN(now + usec, timer->progress + SILENCE_MAX);
}

bool tftp_timer_is_silent(const TftpTimer *timer, uint64_t now) {
        return now - timer->progress >= SILENCE_MAX;
}

bool tftp_timer_is_too_slow(const TftpTimer *timer, uint64_t now, uint64_t bytes) {
        uint64_t usec = now - timer->started;

        return usec > RATE_GRACE && bytes / RATE_MIN < (usec - RATE_GRACE) / USEC_PER_SEC;
}

bool tftp_timer_may_repeat(const TftpTimer *timer, uint64_t now) {
        return now - timer->sent >= MAX(timer->rtt.smoothed, REPEAT_INTERVAL_MIN);
}

bool tftp_timer_may_be_answer(const TftpTimer *timer, uint64_t now) {
        return now - timer->sent >= timer->rtt.smoothed / 2;
}
