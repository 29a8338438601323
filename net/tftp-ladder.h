/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What to ask a TFTP server for: a ladder that is only gone down. Pure; the reasons stand at the top of the
 * .c file.
 */

#include "net/tftp-packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a request is carried out, or would be. */
typedef struct TftpPlan {
        size_t block_size;
        unsigned window;
        uint64_t utimeout; /* after which the server repeats a block; 0: it does not let us set that */
} TftpPlan;

typedef enum TftpRung {
        TFTP_RUNG_LARGE,  /* blocks of 64 KB */
        TFTP_RUNG_MEDIUM, /* blocks of eight frames */
        TFTP_RUNG_FRAME,  /* blocks of one frame */
        TFTP_RUNG_PLAIN,  /* no options */
        _TFTP_RUNG_MAX,
} TftpRung;

const char *tftp_rung_to_string(TftpRung rung);

typedef struct TftpLadder {
        TftpRung rung;
        size_t frame_block;    /* the largest block that fits into one frame of any path */
        size_t receive_buffer; /* the socket's, as the kernel counts it */

        size_t block_max;    /* the most that the server grants */
        unsigned window_max; /* likewise; 1: it has no windows */

        bool fragments_come;  /* a block of several frames has come */
        unsigned n_fragments; /* that lost blocks have left in the kernel; when that was counted */
        uint64_t lost_at;
} TftpLadder;

/* A path of which only the link is known. */
TftpLadder tftp_ladder(unsigned mtu, bool ipv6);

/* How many frames a block takes. */
unsigned tftp_ladder_frames(const TftpLadder *ladder, size_t block_size);

/* The next request asks for this. */
TftpPlan tftp_ladder_plan(const TftpLadder *ladder);

/*
 * What the server has made of it (RFC 2347: what it has not granted is not in the OACK; without an OACK that
 * is all).
 */
TftpPlan tftp_ladder_learn(TftpLadder *ladder, const TftpOptions *asked, const TftpOptions *granted);

/*
 * The server has windows, and a larger one brings the `left` bytes earlier, the round trip of a new request
 * included.
 */
bool tftp_ladder_has_more(const TftpLadder *ladder, const TftpPlan *granted, uint64_t left);

/* A block has come. */
void tftp_ladder_on_block(TftpLadder *ladder, size_t size);

/* So many blocks have not. True when the ladder has gone down: what is under way is no longer the best. */
bool tftp_ladder_on_lost(TftpLadder *ladder, uint64_t now, size_t block_size, unsigned n_blocks);

/* Requests with such blocks have brought nothing new, twice in a row. */
void tftp_ladder_on_fruitless(TftpLadder *ladder, size_t block_size);

/* The server cannot do what it has granted. False when it was asked for nothing. */
bool tftp_ladder_on_refused(TftpLadder *ladder);

/*
 * How many blocks that we have already may be acknowledged ahead of the server, where a new request catches
 * up.
 */
unsigned tftp_ladder_ahead(const TftpLadder *ladder, size_t block_size);
