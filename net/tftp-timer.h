/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When a TFTP client repeats what it has said, and when it gives up. Pure: the time is told, in
 * microseconds.
 */

#include "net/tftp-rtt.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct TftpTimer {
        uint64_t started;         /* the transfer */
        uint64_t requested;       /* when the request was begun */
        uint64_t answered_within; /* how long after that the answer came */
        uint64_t progress;        /* when the last new block, or the answer to the request, came */
        uint64_t sent;            /* when the last RRQ or ACK was sent */
        bool sent_once;           /* and whether its answer can be told from that to an earlier one (Karn) */
        unsigned n_timeouts;      /* in a row */
        TftpRtt rtt;
        bool rtt_rough; /* from the request: ARP and the start of a process are in it too */
} TftpTimer;

void tftp_timer_on_request(TftpTimer *timer, uint64_t now);
void tftp_timer_on_sent(TftpTimer *timer, uint64_t now, bool once);

/* The first answer to a request. */
void tftp_timer_on_answer(TftpTimer *timer, uint64_t now);

/* An answer to an ACK, `usec` after it. */
void tftp_timer_on_round_trip(TftpTimer *timer, uint64_t usec);

/*
 * Until when an answer to the request is waited for; whether all is in vain; whether it is time to ask for
 * no options.
 */
uint64_t tftp_timer_request_deadline(const TftpTimer *timer, uint64_t now);
bool tftp_timer_request_is_over(const TftpTimer *timer, uint64_t now);
bool tftp_timer_request_is_plain(const TftpTimer *timer, uint64_t now);

/*
 * Until when the next block is waited for. The timer grows from the timeout after `n_expected` of them on;
 * for the first one after that something else than the ACK may be what was lost.
 */
uint64_t tftp_timer_receive_deadline(const TftpTimer *timer, uint64_t now, unsigned n_expected);

/* The server has died; or it keeps sending next to nothing, so far `bytes`. */
bool tftp_timer_is_silent(const TftpTimer *timer, uint64_t now);
bool tftp_timer_is_too_slow(const TftpTimer *timer, uint64_t now, uint64_t bytes);

/* An ACK for a block may be repeated because the block has been: once in a round trip. */
bool tftp_timer_may_repeat(const TftpTimer *timer, uint64_t now);

/* What arrives now may be the answer to what was sent last: it is no rest of what came before. */
bool tftp_timer_may_be_answer(const TftpTimer *timer, uint64_t now);
