/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a transfer stands: which block is next, what a number on the wire means, and which ACK is due. Pure.
 *
 * A file may take several requests (net/tftp-client.c says why). What they have brought stays: a new one has the server pass
 * over the blocks that we hold until it has caught up.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct TftpBlocks {
        uint64_t bytes; /* of the file that we hold, without a gap from its start */

        size_t block_size;
        unsigned window;
        uint64_t last;      /* block in sequence, counted without wrap-around; 0: none yet */
        uint64_t acked;     /* the last one acknowledged; while catching up it may be ahead of `last` */
        unsigned n_unacked; /* blocks that have come since */
        bool gap;           /* the one after `last` is missing and others have come */
        bool wraps_to_one;  /* after 65535; else to 0 */
        unsigned n_ones_seen;
} TftpBlocks;

/* For a new request; the bytes that we hold, and how the server wraps around, stay. */
void tftp_blocks_begin(TftpBlocks *blocks, size_t block_size, unsigned window);

typedef enum TftpBlockKind {
        TFTP_BLOCK_NEXT,
        TFTP_BLOCK_BEYOND, /* of the window, but not the next: one is missing */
        TFTP_BLOCK_LAST,   /* the last one once more, and none has come since its ACK */
        TFTP_BLOCK_OTHER,  /* old, or nonsense */
} TftpBlockKind;

/*
 * What a block with this number is. While we catch up any block that we have acknowledged ahead may be NEXT; *ret_skipped
 * is how many that we hold were then lost on the way.
 */
TftpBlockKind tftp_blocks_classify(TftpBlocks *blocks, uint16_t number, unsigned *ret_skipped);

/* Where the next block belongs in the file. */
uint64_t tftp_blocks_offset(const TftpBlocks *blocks);

/* The next block, of that size, has been stored. */
void tftp_blocks_take(TftpBlocks *blocks, size_t size);

/* True until this request has come to where the last one ended, on a server without windows. */
bool tftp_blocks_catching_up(const TftpBlocks *blocks);

/*
 * The last block that is to be acknowledged now: `acked` if none is. Without windows each up to it gets an ACK of its own; of
 * blocks that we hold no more than `ahead` are acknowledged before the server is seen to have come to them.
 */
uint64_t tftp_blocks_due(const TftpBlocks *blocks, unsigned ahead);

/* That block's ACK has been sent. Returns its number on the wire. */
uint16_t tftp_blocks_acknowledge(TftpBlocks *blocks, uint64_t block);
