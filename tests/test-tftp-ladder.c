/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/tftp-blocks.h"
#include "net/tftp-ladder.h"
#include "net/tftp-rtt.h"

#define MB 1000000
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define NOW USEC_PER_HOUR

static TftpLadder ladder_of(unsigned mtu) {
        TftpLadder ladder = tftp_ladder(mtu, false);

        ladder.receive_buffer = RECEIVE_BUFFER;
        return ladder;
}

/* The options that a server grants which has blocks and windows up to these sizes. */
static TftpPlan grant(TftpLadder *ladder, size_t block_max, unsigned window_max) {
        TftpPlan plan = tftp_ladder_plan(ladder);
        TftpOptions asked = {}, granted = {};

        tftp_options_set(&asked, TFTP_OPTION_BLKSIZE, plan.block_size);
        tftp_options_set(&granted, TFTP_OPTION_BLKSIZE, MIN(plan.block_size, block_max));
        if (plan.window > 1)
                tftp_options_set(&asked, TFTP_OPTION_WINDOWSIZE, plan.window);
        if (plan.window > 1 && window_max > 1)
                tftp_options_set(&granted, TFTP_OPTION_WINDOWSIZE, MIN(plan.window, window_max));
        return tftp_ladder_learn(ladder, &asked, &granted);
}

static void assert_plan(TftpPlan plan, size_t block_size, unsigned window) {
        assert_int_equal(plan.block_size, block_size);
        assert_int_equal(plan.window, window);
}

static void test_frame(void **state) {
        TftpLadder ladder = tftp_ladder(1500, false);

        (void) state;
        assert_int_equal(ladder.frame_block, 1468);
        assert_int_equal(tftp_ladder_frames(&ladder, 1468), 1);
        assert_int_equal(tftp_ladder_frames(&ladder, 1469), 2);
        assert_int_equal(tftp_ladder_frames(&ladder, 65464), 45);
        assert_int_equal(tftp_ladder(1500, true).frame_block, 1448);
        assert_int_equal(tftp_ladder(9100, false).frame_block,
                        1468); /* the path may carry less than the port */
        assert_int_equal(tftp_ladder(9100, true).frame_block, 1448);
        assert_int_equal(tftp_ladder(576, false).frame_block, 544);
        assert_int_equal(tftp_ladder(0, false).frame_block, 512);
}

static void test_first_request(void **state) {
        TftpLadder ladder = ladder_of(1500);

        (void) state;
        assert_plan(tftp_ladder_plan(&ladder), 65464, 16);
        ladder.receive_buffer = 425984; /* what a program without privileges gets */
        assert_in_range(tftp_ladder_plan(&ladder).window, 2, 3);
        ladder.receive_buffer = 0;
        assert_int_equal(tftp_ladder_plan(&ladder).window, 1);
}

static void test_without_windows(void **state) {
        TftpLadder ladder = ladder_of(1500);

        (void) state;
        assert_plan(grant(&ladder, 65464, 1), 65464, 1);
        assert_false(tftp_ladder_on_lost(&ladder, NOW, 65464, 0));
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 65464, 1)); /* the first, and none has come */
        assert_plan(tftp_ladder_plan(&ladder), 8 * 1480 - 12, 1);
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 8 * 1480 - 12, 1));
        assert_plan(tftp_ladder_plan(&ladder), 1468, 1);
        assert_false(tftp_ladder_on_lost(
                        &ladder, NOW, 1468, 1000)); /* that frames are lost says nothing of fragments */
        assert_plan(tftp_ladder_plan(&ladder), 1468, 1);
}

/* A rung that would ask for nothing smaller is left out. */
static void test_server_with_small_blocks(void **state) {
        TftpLadder ladder = ladder_of(1500);

        (void) state;
        assert_plan(grant(&ladder, 4096, 1), 4096, 1);
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 4096, 1));
        assert_plan(tftp_ladder_plan(&ladder), 1468, 1);
        ladder = ladder_of(1500);
        assert_plan(grant(&ladder, 1024, 1), 1024, 1);
        assert_false(tftp_ladder_on_lost(&ladder, NOW, 1024, 1));
}

/*
 * Blocks that come, and others that do not: that is chance, until what they leave behind fills the kernel's
 * memory.
 */
static void test_chance(void **state) {
        TftpLadder ladder = ladder_of(1500);

        (void) state;
        grant(&ladder, 65464, 1);
        tftp_ladder_on_block(&ladder, 1468); /* the last block of a file says nothing */
        assert_false(ladder.fragments_come);
        tftp_ladder_on_block(&ladder, 65464);
        assert_false(tftp_ladder_on_lost(&ladder, NOW, 65464, 5));
        assert_false(tftp_ladder_on_lost(&ladder, NOW, 65464, 5));
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 65464, 1));
        assert_int_equal(ladder.rung, TFTP_RUNG_MEDIUM);
        assert_false(tftp_ladder_on_lost(&ladder, NOW, 8 * 1480 - 12, 56));
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 8 * 1480 - 12, 1));
        assert_int_equal(ladder.rung, TFTP_RUNG_FRAME);

        /* In half a minute the kernel forgets them. */
        ladder = ladder_of(1500);
        grant(&ladder, 65464, 1);
        tftp_ladder_on_block(&ladder, 65464);
        for (unsigned i = 1; i < 10; i++)
                assert_false(tftp_ladder_on_lost(&ladder, NOW + i * 30 * USEC_PER_SEC, 65464, 10));
        assert_false(tftp_ladder_on_lost(&ladder, NOW + 285 * USEC_PER_SEC, 65464, 5)); /* half of them */
        assert_true(tftp_ladder_on_lost(&ladder, NOW + 285 * USEC_PER_SEC, 65464, 1));
}

/* With windows, frames are as fast. */
static void test_windows_and_loss(void **state) {
        TftpLadder ladder = ladder_of(1500);

        (void) state;
        assert_plan(grant(&ladder, 65464, 65535), 65464, 16);
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 65464, 1));
        assert_plan(tftp_ladder_plan(&ladder), 1468, TFTP_WINDOW_MAX);

        ladder = ladder_of(9100);
        assert_plan(grant(&ladder, 9068, 65535), 9068, 16);
        assert_true(tftp_ladder_on_lost(&ladder, NOW, 9068, 1));
        assert_plan(tftp_ladder_plan(&ladder), 1468, TFTP_WINDOW_MAX);
}

/* Frames are all that the server has, but more of them at once. */
static void test_larger_window_of_frames(void **state) {
        TftpLadder ladder = ladder_of(1500);
        TftpPlan plan = grant(&ladder, 1468, 65535);

        (void) state;
        assert_plan(plan, 1468, 16);
        assert_true(tftp_ladder_has_more(&ladder, &plan, MB));
        assert_false(tftp_ladder_has_more(&ladder, &plan, 20000)); /* one window anyway */
        assert_false(tftp_ladder_has_more(
                        &ladder, &plan, 40000)); /* two, and the new request would be one */
        plan = grant(&ladder, 1468, 65535);
        assert_plan(plan, 1468, TFTP_WINDOW_MAX);
        assert_false(tftp_ladder_has_more(&ladder, &plan, 100 * MB));

        ladder = ladder_of(1500); /* no more are granted */
        plan = grant(&ladder, 1468, 8);
        assert_plan(plan, 1468, 8);
        assert_false(tftp_ladder_has_more(&ladder, &plan, MB));

        ladder = ladder_of(1500); /* what fits into the buffer */
        ladder.receive_buffer = 425984;
        plan = grant(&ladder, 1468, 65535);
        assert_in_range(tftp_ladder_plan(&ladder).window, 32, 100);
}

/* A server without windows is asked for what it has granted, and a new request would bring nothing. */
static void test_no_new_request_without_need(void **state) {
        static const size_t block_max[] = { 65464, 9068, 1468, 512, 8 };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(block_max); i++)
                for (uint64_t size = 0; size <= 100 * MB; size = size * 10 + 100) {
                        TftpLadder ladder = ladder_of(1500);
                        TftpPlan plan = grant(&ladder, block_max[i], 1);

                        assert_plan(plan, block_max[i], 1);
                        assert_false(tftp_ladder_has_more(&ladder, &plan, size));
                }
}

static void test_refused(void **state) {
        TftpLadder ladder = ladder_of(1500);

        (void) state;
        assert_true(tftp_ladder_on_refused(&ladder));
        assert_int_equal(tftp_ladder_plan(&ladder).block_size, 1468);
        assert_true(tftp_ladder_on_refused(&ladder));
        assert_plan(tftp_ladder_plan(&ladder), 512, 1);
        assert_false(tftp_ladder_on_refused(&ladder));
        assert_int_equal(ladder.rung, TFTP_RUNG_PLAIN);
}

static void test_no_options(void **state) {
        TftpLadder ladder = ladder_of(1500);
        TftpOptions asked = {}, none = {};

        (void) state;
        tftp_options_set(&asked, TFTP_OPTION_BLKSIZE, 65464);
        assert_plan(tftp_ladder_learn(&ladder, &asked, &none), 512, 1); /* RFC 1350 */
        assert_plan(tftp_ladder_plan(&ladder), 512, 1);
        assert_string_equal(tftp_rung_to_string(ladder.rung), "plain");
}

/* No path, however odd, leads to a request that cannot be sent. */
static void test_extremes(void **state) {
        static const uint64_t numbers[] = { 0, 1, 8, 511, 512, 1468, 65464, 1 << 20, UINT32_MAX };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                for (size_t j = 0; j < ELEMENTSOF(numbers); j++)
                        for (size_t k = 0; k < ELEMENTSOF(numbers); k++) {
                                TftpLadder ladder = ladder_of((unsigned) numbers[i]);

                                ladder.receive_buffer = (size_t) numbers[j];
                                for (unsigned n = 0; n < 8; n++) {
                                        TftpPlan plan = grant(&ladder, MAX(MIN(numbers[k], 65464u), 8u), 16);

                                        assert_in_range(plan.block_size, 8, 65464);
                                        assert_in_range(plan.window, 1, TFTP_WINDOW_MAX);
                                        tftp_ladder_has_more(&ladder, &plan, numbers[k]);
                                        tftp_ladder_on_lost(&ladder, numbers[k] * n, plan.block_size,
                                                        (unsigned) numbers[j] % 1000);
                                }
                        }
}

static void test_rtt(void **state) {
        TftpRtt rtt = {};

        (void) state;
        assert_int_equal(tftp_rtt_timeout(&rtt, 0), USEC_PER_SEC); /* RFC 6298 §2.1 */
        tftp_rtt_sample(&rtt, 100 * USEC_PER_MSEC);
        assert_int_equal(tftp_rtt_timeout(&rtt, 0), 300 * USEC_PER_MSEC); /* §2.2 */
        assert_int_equal(tftp_rtt_timeout(&rtt, 1), 600 * USEC_PER_MSEC); /* §5.5 */
        assert_int_equal(tftp_rtt_timeout(&rtt, 60), USEC_PER_SEC);
        tftp_rtt_sample(&rtt, 180 * USEC_PER_MSEC); /* §2.3: SRTT 110 ms, RTTVAR 57.5 ms */
        assert_int_equal(tftp_rtt_timeout(&rtt, 0), 340 * USEC_PER_MSEC);
        for (unsigned i = 0; i < 100; i++)
                tftp_rtt_sample(&rtt, 100 * USEC_PER_MSEC);
        assert_in_range(tftp_rtt_timeout(&rtt, 0), 100 * USEC_PER_MSEC, 106 * USEC_PER_MSEC);

        rtt = (TftpRtt){};
        tftp_rtt_sample(&rtt, 0); /* a clock that has not moved is a measurement too */
        assert_int_equal(rtt.smoothed, 1);
        rtt = (TftpRtt){};
        tftp_rtt_sample(&rtt, 3 * USEC_PER_SEC); /* two satellites: never below the round trip */
        assert_int_equal(tftp_rtt_timeout(&rtt, 0), 6 * USEC_PER_SEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frame),
                cmocka_unit_test(test_first_request),
                cmocka_unit_test(test_without_windows),
                cmocka_unit_test(test_server_with_small_blocks),
                cmocka_unit_test(test_chance),
                cmocka_unit_test(test_windows_and_loss),
                cmocka_unit_test(test_larger_window_of_frames),
                cmocka_unit_test(test_no_new_request_without_need),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_no_options),
                cmocka_unit_test(test_extremes),
                cmocka_unit_test(test_rtt),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
