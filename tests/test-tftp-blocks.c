/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/tftp-blocks.h"

/* A request that has come to `last`, all of it acknowledged. */
static TftpBlocks blocks_at(uint64_t last, unsigned window) {
        TftpBlocks blocks = {};

        tftp_blocks_begin(&blocks, 8, window);
        blocks.last = blocks.acked = last;
        blocks.bytes = last * 8;
        return blocks;
}

static TftpBlockKind classify(TftpBlocks *blocks, uint16_t number) {
        uint64_t block;
        unsigned n_lost;

        return tftp_blocks_classify(blocks, number, &block, &n_lost);
}

static void test_kinds(void **state) {
        TftpBlocks blocks = blocks_at(10, 4);

        (void) state;
        assert_int_equal(classify(&blocks, 11), TFTP_BLOCK_NEXT);
        assert_int_equal(classify(&blocks, 12), TFTP_BLOCK_BEYOND);
        assert_int_equal(classify(&blocks, 14), TFTP_BLOCK_BEYOND);
        assert_int_equal(classify(&blocks, 15), TFTP_BLOCK_OTHER);
        assert_int_equal(classify(&blocks, 10), TFTP_BLOCK_LAST);
        assert_int_equal(classify(&blocks, 9), TFTP_BLOCK_OTHER);
        tftp_blocks_take(&blocks, 8);
        assert_int_equal(classify(&blocks, 11), TFTP_BLOCK_OTHER); /* its ACK is not due yet */

        blocks = blocks_at(10, 1);
        assert_int_equal(classify(&blocks, 11), TFTP_BLOCK_NEXT);
        assert_int_equal(classify(&blocks, 12), TFTP_BLOCK_OTHER);
}

/* Takes or keeps a block of a window; returns how many were found to be lost. */
static unsigned come(TftpBlocks *blocks, uint16_t number, TftpBlockKind kind, size_t size) {
        uint64_t block;
        unsigned n_lost;

        assert_int_equal(tftp_blocks_classify(blocks, number, &block, &n_lost), kind);
        if (kind == TFTP_BLOCK_NEXT)
                tftp_blocks_take(blocks, size);
        else if (kind == TFTP_BLOCK_BEYOND) {
                assert_true(tftp_blocks_wants(blocks, block));
                tftp_blocks_keep(blocks, block, size);
                assert_false(tftp_blocks_wants(blocks, block));
        }
        return n_lost;
}

static void test_kept_beyond_a_gap(void **state) {
        TftpBlocks blocks = blocks_at(10, 8);

        (void) state;
        assert_int_equal(come(&blocks, 11, TFTP_BLOCK_NEXT, 8), 0);
        assert_int_equal(come(&blocks, 13, TFTP_BLOCK_BEYOND, 8), 1); /* 12 is lost */
        assert_int_equal(come(&blocks, 14, TFTP_BLOCK_BEYOND, 8), 0);
        assert_int_equal(come(&blocks, 17, TFTP_BLOCK_BEYOND, 8), 2); /* so are 15 and 16 */
        assert_int_equal(blocks.bytes, 11 * 8);
        assert_int_equal(tftp_blocks_acknowledge(&blocks, blocks.last), 11);

        assert_int_equal(come(&blocks, 12, TFTP_BLOCK_NEXT, 8), 0); /* the next window */
        assert_int_equal(blocks.last, 14);
        assert_int_equal(blocks.bytes, 14 * 8);
        assert_int_equal(come(&blocks, 13, TFTP_BLOCK_OTHER, 8), 0);
        assert_int_equal(come(&blocks, 14, TFTP_BLOCK_OTHER, 8), 0);
        assert_int_equal(come(&blocks, 15, TFTP_BLOCK_NEXT, 8), 0);
        assert_int_equal(come(&blocks, 16, TFTP_BLOCK_NEXT, 8), 0);
        assert_int_equal(blocks.last, 17);
        assert_int_equal(tftp_blocks_due(&blocks, 1), 11);
        assert_int_equal(come(&blocks, 18, TFTP_BLOCK_NEXT, 8), 0);
        assert_int_equal(come(&blocks, 19, TFTP_BLOCK_NEXT, 8), 0);
        assert_int_equal(tftp_blocks_due(&blocks, 1), 19); /* eight after the last ACK, in whatever order */
        assert_false(blocks.complete);
}

static void test_end_kept_beyond_a_gap(void **state) {
        TftpBlocks blocks = blocks_at(10, 8);
        unsigned n_lost;
        uint64_t block;

        (void) state;
        come(&blocks, 13, TFTP_BLOCK_BEYOND, 3);
        assert_int_equal(tftp_blocks_classify(&blocks, 14, &block, &n_lost), TFTP_BLOCK_BEYOND);
        assert_false(tftp_blocks_wants(&blocks, block)); /* after the end */
        come(&blocks, 12, TFTP_BLOCK_BEYOND, 8);
        come(&blocks, 11, TFTP_BLOCK_NEXT, 8);
        assert_true(blocks.complete);
        assert_int_equal(blocks.last, 13);
        assert_int_equal(blocks.bytes, 12 * 8 + 3);

        /* Not what another request has kept. */
        blocks = blocks_at(10, 8);
        come(&blocks, 12, TFTP_BLOCK_BEYOND, 3);
        tftp_blocks_begin(&blocks, 8, 8);
        for (uint16_t i = 1; i <= 11; i++)
                come(&blocks, i, TFTP_BLOCK_NEXT, 8);
        assert_int_equal(blocks.last, 11);
        assert_false(blocks.complete);
}

/* What an earlier request has brought ends where these begin: the file has them without a gap, though this request has one. */
static void test_kept_where_an_earlier_request_ended(void **state) {
        TftpBlocks blocks = blocks_at(10, 8);

        (void) state;
        tftp_blocks_begin(&blocks, 16, 8);
        come(&blocks, 1, TFTP_BLOCK_NEXT, 16);
        come(&blocks, 4, TFTP_BLOCK_BEYOND, 16);
        assert_int_equal(blocks.bytes, 10 * 8); /* held already */
        come(&blocks, 8, TFTP_BLOCK_BEYOND, 5);
        come(&blocks, 7, TFTP_BLOCK_BEYOND, 16);
        assert_int_equal(blocks.bytes, 10 * 8);
        come(&blocks, 6, TFTP_BLOCK_BEYOND, 16);
        assert_int_equal(blocks.bytes, 7 * 16 + 5);
        assert_int_equal(blocks.last, 1);
        assert_false(blocks.complete);
}

/* All of the largest window but its first block, across the place where the bits of the blocks are used again. */
static void test_largest_window(void **state) {
        TftpBlocks blocks = blocks_at(TFTP_WINDOW_MAX / 2, TFTP_WINDOW_MAX);

        (void) state;
        for (uint16_t i = 2; i <= TFTP_WINDOW_MAX; i++)
                come(&blocks, TFTP_WINDOW_MAX / 2 + i, TFTP_BLOCK_BEYOND, 8);
        assert_int_equal(classify(&blocks, TFTP_WINDOW_MAX / 2 + TFTP_WINDOW_MAX + 1), TFTP_BLOCK_OTHER);
        come(&blocks, TFTP_WINDOW_MAX / 2 + 1, TFTP_BLOCK_NEXT, 8);
        assert_int_equal(blocks.last, TFTP_WINDOW_MAX / 2 + TFTP_WINDOW_MAX);
        for (unsigned i = 0; i < ELEMENTSOF(blocks.kept); i++)
                assert_int_equal(blocks.kept[i], 0);
}

static void test_acks_of_a_window(void **state) {
        TftpBlocks blocks = blocks_at(0, 3);

        (void) state;
        for (unsigned i = 1; i <= 2; i++) {
                tftp_blocks_take(&blocks, 8);
                assert_int_equal(tftp_blocks_due(&blocks, 64), 0);
        }
        tftp_blocks_take(&blocks, 8);
        assert_int_equal(tftp_blocks_due(&blocks, 64), 3);
        assert_int_equal(tftp_blocks_acknowledge(&blocks, 3), 3);
        assert_int_equal(tftp_blocks_due(&blocks, 64), 3);
}

static void test_wrap_without_windows(void **state) {
        (void) state;
        for (unsigned first = 0; first <= 1; first++) {
                TftpBlocks blocks = blocks_at(65535, 1);

                assert_int_equal(classify(&blocks, (uint16_t) first), TFTP_BLOCK_NEXT);
                tftp_blocks_take(&blocks, 8);
                assert_int_equal(tftp_blocks_acknowledge(&blocks, 65536), first);
                assert_int_equal(classify(&blocks, (uint16_t) first), TFTP_BLOCK_LAST);
                assert_int_equal(classify(&blocks, (uint16_t) (first + 1)), TFTP_BLOCK_NEXT);

                /* The second time around, and what the next request makes of it. */
                tftp_blocks_begin(&blocks, 8, 1);
                assert_int_equal(blocks.wraps_to_one, first);
                blocks.last = blocks.acked = 65535 + (first ? 65535 : 65536);
                blocks.bytes = blocks.last * 8;
                assert_int_equal(classify(&blocks, 65535), TFTP_BLOCK_LAST);
                assert_int_equal(classify(&blocks, (uint16_t) first), TFTP_BLOCK_NEXT);
                assert_int_equal(classify(&blocks, (uint16_t) (1 - first)), TFTP_BLOCK_OTHER);
        }
}

static void test_wrap_in_a_window(void **state) {
        TftpBlocks blocks = blocks_at(65534, 4);
        unsigned n_lost;
        uint64_t block;

        (void) state;
        tftp_blocks_take(&blocks, 8);
        assert_int_equal(classify(&blocks, 1), TFTP_BLOCK_BEYOND); /* 0 is missing */
        assert_int_equal(classify(&blocks, 0), TFTP_BLOCK_NEXT);
        tftp_blocks_take(&blocks, 8);
        assert_int_equal(classify(&blocks, 1), TFTP_BLOCK_NEXT);

        blocks = blocks_at(65534, 4); /* before one of these has come nobody knows what the others are */
        assert_int_equal(tftp_blocks_classify(&blocks, 1, &block, &n_lost), TFTP_BLOCK_BEYOND);
        assert_false(tftp_blocks_wants(&blocks, block));

        blocks = blocks_at(65535, 4); /* it never comes: the server has none */
        assert_int_equal(classify(&blocks, 1), TFTP_BLOCK_BEYOND);
        assert_int_equal(classify(&blocks, 1), TFTP_BLOCK_BEYOND);
        assert_int_equal(classify(&blocks, 1), TFTP_BLOCK_NEXT);
        tftp_blocks_take(&blocks, 8);
        assert_int_equal(classify(&blocks, 2), TFTP_BLOCK_NEXT);
}

static void test_catching_up(void **state) {
        TftpBlocks blocks = blocks_at(100, 1);
        unsigned n_lost;
        uint64_t block;

        (void) state;
        tftp_blocks_begin(&blocks, 8, 1);
        assert_true(tftp_blocks_catching_up(&blocks));
        assert_int_equal(tftp_blocks_due(&blocks, 10), 10);
        for (uint64_t i = 0; i <= 10; i++)
                tftp_blocks_acknowledge(&blocks, i);
        assert_int_equal(tftp_blocks_due(&blocks, 10), 10);

        assert_int_equal(tftp_blocks_classify(&blocks, 4, &block, &n_lost), TFTP_BLOCK_NEXT);
        assert_int_equal(n_lost, 3);
        assert_int_equal(tftp_blocks_offset(&blocks, block), 24);
        tftp_blocks_take(&blocks, 8);
        assert_int_equal(blocks.bytes, 800); /* no more and no less than before */
        assert_int_equal(tftp_blocks_due(&blocks, 10), 14);
        assert_int_equal(tftp_blocks_classify(&blocks, 12, &block, &n_lost),
                        TFTP_BLOCK_OTHER); /* nobody has asked for that */
        assert_int_equal(tftp_blocks_classify(&blocks, 11, &block, &n_lost), TFTP_BLOCK_NEXT);
        assert_int_equal(n_lost, 6);

        blocks.last = 95;
        assert_int_equal(tftp_blocks_due(&blocks, 10), 100); /* not beyond what we have */
        for (uint64_t i = 95; i <= 100; i++)
                tftp_blocks_acknowledge(&blocks, i);
        assert_int_equal(tftp_blocks_classify(&blocks, 101, &block, &n_lost), TFTP_BLOCK_NEXT);
        assert_false(tftp_blocks_catching_up(&blocks));
        assert_int_equal(tftp_blocks_due(&blocks, 10), 100);
        tftp_blocks_take(&blocks, 5);
        assert_int_equal(blocks.bytes, 805);
        assert_int_equal(tftp_blocks_due(&blocks, 10), 101);
}

static void test_catching_up_with_windows(void **state) {
        TftpBlocks blocks = blocks_at(100, 1);
        unsigned n_lost;
        uint64_t block;

        (void) state;
        tftp_blocks_begin(&blocks, 8,
                        4); /* nothing is acknowledged ahead: an ACK says where the server goes on */
        assert_false(tftp_blocks_catching_up(&blocks));
        assert_int_equal(tftp_blocks_due(&blocks, 10), 0);
        assert_int_equal(tftp_blocks_classify(&blocks, 2, &block, &n_lost), TFTP_BLOCK_BEYOND);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_kept_beyond_a_gap),
                cmocka_unit_test(test_end_kept_beyond_a_gap),
                cmocka_unit_test(test_kept_where_an_earlier_request_ended),
                cmocka_unit_test(test_largest_window),
                cmocka_unit_test(test_acks_of_a_window),
                cmocka_unit_test(test_wrap_without_windows),
                cmocka_unit_test(test_wrap_in_a_window),
                cmocka_unit_test(test_catching_up),
                cmocka_unit_test(test_catching_up_with_windows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
