/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tftp-blocks.h"

#include "base/cleanup.h"

/*
 * RFC 1350 has no word on block 65536; most servers go on with 0, some with 1. Without windows a 1 after
 * 65535 is plain. In a window the 0 before it may be lost: there only a server that begins with 1 again and
 * again means it.
 */
#define ONES_SEEN 3

void tftp_blocks_begin(TftpBlocks *blocks, size_t block_size, unsigned window) {
        *blocks = (TftpBlocks){
                .bytes = blocks->bytes,
                .block_size = block_size,
                .window = window,
                .wraps_to_one = blocks->wraps_to_one,
        };
}

static uint16_t wire_number(const TftpBlocks *blocks, uint64_t block) {
        if (blocks->wraps_to_one && block > UINT16_MAX)
                return (uint16_t) ((block - 1) % UINT16_MAX + 1);
        return (uint16_t) block;
}

static uint64_t n_held(const TftpBlocks *blocks) {
        return blocks->bytes / blocks->block_size;
}

bool tftp_blocks_catching_up(const TftpBlocks *blocks) {
        return blocks->window == 1 && blocks->last < n_held(blocks);
}

/*
 * How far a block is ahead of the last one in sequence: 1 is the next; what is old is far ahead, as numbers
 * wrap around.
 */
static unsigned blocks_ahead(TftpBlocks *blocks, uint16_t number) {
        uint16_t last = wire_number(blocks, blocks->last);

        if (blocks->last == UINT16_MAX && number == 1 && !blocks->wraps_to_one &&
                        !tftp_blocks_catching_up(blocks) &&
                        (blocks->window == 1 || ++blocks->n_ones_seen >= ONES_SEEN))
                blocks->wraps_to_one = true;

        if (blocks->wraps_to_one && blocks->last >= UINT16_MAX) /* there is no 0 */
                return number == 0 ? UINT16_MAX : (unsigned) (number + UINT16_MAX - last) % UINT16_MAX;
        return (uint16_t) (number - last);
}

static TftpBlockKind kind(TftpBlocks *blocks, unsigned ahead) {
        if (ahead == 1)
                return TFTP_BLOCK_NEXT;
        if (ahead == 0)
                return blocks->n_unacked == 0 ? TFTP_BLOCK_LAST : TFTP_BLOCK_OTHER;
        if (blocks->last + ahead <= blocks->acked + 1) {
                blocks->last += ahead - 1;
                return TFTP_BLOCK_NEXT;
        }
        return ahead <= blocks->window ? TFTP_BLOCK_BEYOND : TFTP_BLOCK_OTHER;
}

TftpBlockKind tftp_blocks_classify(
                TftpBlocks *blocks, uint16_t number, uint64_t *ret_block, unsigned *ret_lost) {
        unsigned ahead = blocks_ahead(blocks, number);
        uint64_t block = blocks->last + ahead, known = MAX(blocks->highest, blocks->last);
        TftpBlockKind k = kind(blocks, ahead);

        *ret_block = block;
        *ret_lost = 0;
        if ((k == TFTP_BLOCK_NEXT || k == TFTP_BLOCK_BEYOND) && block > known) {
                *ret_lost = (unsigned) (block - known - 1);
                blocks->highest = block;
        }
        return k;
}

uint64_t tftp_blocks_offset(const TftpBlocks *blocks, uint64_t block) {
        return (block - 1) * blocks->block_size;
}

static void hold(TftpBlocks *blocks, uint64_t block, size_t size) {
        blocks->bytes = MAX(blocks->bytes, tftp_blocks_offset(blocks, block) + size);
}

static void next(TftpBlocks *blocks, size_t size) {
        blocks->last++;
        blocks->n_unacked++;
        hold(blocks, blocks->last, size);
        blocks->complete = size < blocks->block_size;
}

static uint64_t kept_bit(uint64_t block) {
        return UINT64_C(1) << block % 64;
}

static uint64_t *kept_word(TftpBlocks *blocks, uint64_t block) {
        return &blocks->kept[block % TFTP_WINDOW_MAX / 64];
}

static bool is_kept(const TftpBlocks *blocks, uint64_t block) {
        return blocks->kept[block % TFTP_WINDOW_MAX / 64] & kept_bit(block);
}

static size_t kept_size(const TftpBlocks *blocks, uint64_t block) {
        return block == blocks->end ? blocks->end_size : blocks->block_size;
}

void tftp_blocks_take(TftpBlocks *blocks, size_t size) {
        blocks->gap = blocks->begun_again = false;
        next(blocks, size);
        for (uint64_t block = blocks->last + 1; is_kept(blocks, block); block++) {
                *kept_word(blocks, block) &= ~kept_bit(block);
                next(blocks, kept_size(blocks, block));
        }
}

bool tftp_blocks_gap(TftpBlocks *blocks, uint64_t block) {
        bool news = !blocks->gap;

        blocks->begun_again |= !news && block <= blocks->latest;
        blocks->latest = block;
        blocks->gap = true;
        return news;
}

bool tftp_blocks_wants(const TftpBlocks *blocks, uint64_t block) {
        if (blocks->window > TFTP_WINDOW_MAX || (blocks->end > 0 && block > blocks->end))
                return false;
        /* Which one it is nobody knows, until the first after 65535 has come. */
        if (block > UINT16_MAX && blocks->last <= UINT16_MAX)
                return false;
        return !is_kept(blocks, block);
}

void tftp_blocks_keep(TftpBlocks *blocks, uint64_t block, size_t size) {
        *kept_word(blocks, block) |= kept_bit(block);
        if (size < blocks->block_size) {
                blocks->end = block;
                blocks->end_size = size;
        }
        /* It may be where an earlier request has ended, though this one has not come there. */
        for (; tftp_blocks_offset(blocks, block) <= blocks->bytes && is_kept(blocks, block); block++)
                hold(blocks, block, kept_size(blocks, block));
}

uint64_t tftp_blocks_due(const TftpBlocks *blocks, unsigned ahead) {
        if (blocks->window > 1)
                return blocks->n_unacked >= blocks->window ? blocks->last : blocks->acked;
        /* When it has caught up the ACKs for what we held may still be ahead. */
        return MAX(MAX(blocks->last, MIN(n_held(blocks), blocks->last + ahead)), blocks->acked);
}

uint16_t tftp_blocks_acknowledge(TftpBlocks *blocks, uint64_t block) {
        blocks->acked = block;
        blocks->n_unacked = 0;
        return wire_number(blocks, block);
}
