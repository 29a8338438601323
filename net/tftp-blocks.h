/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a transfer stands: which block is next, what a number on the wire means, and which ACK is due. Pure.
 *
 * A file may take several requests (net/tftp-client.c says why). The blocks that they have brought stay: a new one has
 * the server pass over the blocks that we hold until it has caught up.
 *
 * In a window a block may come while one before it is missing. It is kept: when that one has come, on a
 * second try, both are in sequence. So of what a window brings only what is lost comes again for a reason,
 * however many are lost. In the simulation 1 MB from atftpd at 10 ms takes 60 ms instead of 100 with 1 %
 * loss, and 90 ms instead of 410 with 5 %.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest window that may be asked for. */
#define TFTP_WINDOW_MAX 512

typedef struct TftpBlocks {
        uint64_t bytes; /* of the file that we hold, without a gap from its start */

        size_t block_size;
        unsigned window;
        uint64_t last;      /* block in sequence, counted without wrap-around; 0: none yet */
        uint64_t acked;     /* the last one acknowledged; while catching up it may be ahead of `last` */
        unsigned n_unacked; /* blocks that have come since */
        bool gap;           /* the one after `last` is missing and others have come */
        bool begun_again;   /* they have come for a second time: the missing one has been lost again */
        uint64_t latest;    /* of them */
        bool complete;      /* `last` is that of the file */
        bool wraps_to_one;  /* after 65535; else to 0 */
        unsigned n_ones_seen;

        uint64_t kept[TFTP_WINDOW_MAX / 64]; /* after a gap: a bit for each block modulo TFTP_WINDOW_MAX */
        uint64_t highest;                    /* block that has come */
        uint64_t end;                        /* the last of the file, when that is kept, else 0 */
        size_t end_size;
} TftpBlocks;

/* For a new request; the bytes that we hold, and how the server wraps around, stay. */
void tftp_blocks_begin(TftpBlocks *blocks, size_t block_size, unsigned window);

typedef enum TftpBlockKind {
        TFTP_BLOCK_NEXT,
        TFTP_BLOCK_BEYOND, /* of the window, and not the next: one is missing */
        TFTP_BLOCK_LAST,   /* the last one once more, and none has come since its ACK */
        TFTP_BLOCK_OTHER,  /* old, or nonsense */
} TftpBlockKind;

/*
 * What a block with this number is, and which one of the file it is, if it is NEXT or BEYOND. *ret_lost is
 * how many before it turn out to be lost. While we catch up any block that we have acknowledged ahead may be
 * NEXT.
 */
TftpBlockKind tftp_blocks_classify(
                TftpBlocks *blocks, uint16_t number, uint64_t *ret_block, unsigned *ret_lost);

/* Where a block belongs in the file. */
uint64_t tftp_blocks_offset(const TftpBlocks *blocks, uint64_t block);

/* The next block, of that size, has been stored; what was kept after it is in sequence now. */
void tftp_blocks_take(TftpBlocks *blocks, size_t size);

/* A block BEYOND has come. True when that is news: the first after the gap. */
bool tftp_blocks_gap(TftpBlocks *blocks, uint64_t block);

/* Whether a block BEYOND should be stored; it has been. */
bool tftp_blocks_wants(const TftpBlocks *blocks, uint64_t block);
void tftp_blocks_keep(TftpBlocks *blocks, uint64_t block, size_t size);

/* True until this request has come to where the last one ended, on a server without windows. */
bool tftp_blocks_catching_up(const TftpBlocks *blocks);

/*
 * The last block that is to be acknowledged now: `acked` if none is. Without windows each up to it gets an
 * ACK of its own; of blocks that we hold no more than `ahead` are acknowledged before the server is seen to
 * have come to them.
 */
uint64_t tftp_blocks_due(const TftpBlocks *blocks, unsigned ahead);

/* That block's ACK has been sent. Returns its number on the wire. */
uint16_t tftp_blocks_acknowledge(TftpBlocks *blocks, uint64_t block);
