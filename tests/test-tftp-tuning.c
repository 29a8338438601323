/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/tftp-blocks.h"
#include "net/tftp-rtt.h"
#include "net/tftp-tuning.h"

#define MB 1000000
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/* What a path looks like after an OACK. */
static TftpPath path_to(size_t block_max, unsigned window_max, uint64_t rtt, uint64_t size) {
        TftpPath path = tftp_path(1500, false);

        path.receive_buffer = RECEIVE_BUFFER;
        path.block_max = block_max;
        path.window_max = window_max;
        path.rtt = rtt;
        path.size = size;
        return path;
}

static void test_frame(void **state) {
        TftpPath path = tftp_path(1500, false);

        (void) state;
        assert_int_equal(path.frame_block, 1468);
        assert_int_equal(tftp_path_frames(&path, 1468), 1);
        assert_int_equal(tftp_path_frames(&path, 1469), 2);
        assert_int_equal(tftp_path_frames(&path, 65464), 45);
        assert_int_equal(tftp_path(1500, true).frame_block, 1448);
        assert_int_equal(tftp_path(9000, false).frame_block, 8968);
        assert_int_equal(tftp_path(65536, false).frame_block, 65464);
        assert_int_equal(tftp_path(0, false).frame_block, 512);
}

static void test_first_request(void **state) {
        TftpPath path = tftp_path(1500, false);
        TftpPlan plan;

        (void) state;
        path.receive_buffer = RECEIVE_BUFFER;
        plan = tftp_tuning_first(&path);
        assert_int_equal(plan.block_size, 65464);
        assert_int_equal(plan.window, 16);

        path.receive_buffer = 425984; /* what a program without privileges gets */
        assert_in_range(tftp_tuning_first(&path).window, 2, 3);
        path.receive_buffer = 0;
        assert_int_equal(tftp_tuning_first(&path).window, 1);
}

static void test_learning(void **state) {
        TftpPath path = tftp_path(1500, false);
        TftpOptions asked = {}, granted = {};
        TftpPlan plan;

        (void) state;
        tftp_options_set(&asked, TFTP_OPTION_BLKSIZE, 65464);
        tftp_options_set(&asked, TFTP_OPTION_WINDOWSIZE, 16);
        tftp_options_set(&granted, TFTP_OPTION_BLKSIZE, 65464);
        plan = tftp_path_learn(&path, &asked, &granted); /* tftpd-hpa */
        assert_int_equal(plan.block_size, 65464);
        assert_int_equal(plan.window, 1);
        assert_int_equal(path.block_max, 65464);
        assert_int_equal(path.window_max, 1);
        assert_true(path.has_utimeout); /* not asked */

        tftp_options_set(&asked, TFTP_OPTION_UTIMEOUT, 20000);
        tftp_options_set(&granted, TFTP_OPTION_BLKSIZE, 1468);
        plan = tftp_path_learn(&path, &asked, &granted); /* dnsmasq */
        assert_int_equal(path.block_max, 1468);
        assert_false(path.has_utimeout);

        plan = tftp_path_learn(&path, &(TftpOptions){}, &(TftpOptions){}); /* RFC 1350 */
        assert_int_equal(plan.block_size, 512);
        assert_int_equal(path.block_max, 512);
}

static void test_no_new_request_without_need(void **state) {
        static const TftpPlan rows[] = { { 65464, 1, 0 }, { 65464, 16, 0 }, { 1468, 1, 0 } };
        TftpPlan plan;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (uint64_t rtt = 100; rtt <= USEC_PER_SEC; rtt *= 10)
                        for (uint64_t size = 0; size <= 10 * MB; size = size * 10 + 100) {
                                TftpPath path = path_to(rows[i].block_size, rows[i].window, rtt, size);

                                assert_false(tftp_tuning_better(&path, &rows[i], 0, &plan));
                        }
}

static void test_larger_window_of_frames(void **state) {
        TftpPlan granted = { .block_size = 1468, .window = 16 }, plan;
        TftpPath path = path_to(1468, UINT16_MAX, 10 * USEC_PER_MSEC, MB);

        (void) state;
        assert_true(tftp_tuning_better(&path, &granted, 0, &plan));
        assert_int_equal(plan.block_size, 1468);
        assert_in_range(plan.window, 64, TFTP_WINDOW_MAX);
        path.size = 20000; /* one window anyway */
        assert_false(tftp_tuning_better(&path, &granted, 0, &plan));
}

static void test_window_fits_into_the_buffer(void **state) {
        TftpPath path = path_to(1468, UINT16_MAX, 10 * USEC_PER_MSEC, 10 * MB);

        (void) state;
        path.receive_buffer = 425984;
        assert_in_range(tftp_tuning_best(&path).window, 32, 100);
        path.receive_buffer = 0;
        assert_int_equal(tftp_tuning_best(&path).window, 1);
        path.receive_buffer = RECEIVE_BUFFER;
        path.window_max = 8;
        assert_int_equal(tftp_tuning_best(&path).window, 8);
}

/* Without windows: the more is lost, the smaller the blocks. */
static void test_smaller_blocks_with_loss(void **state) {
        TftpPath path = path_to(65464, 1, 10 * USEC_PER_MSEC, MB);
        size_t before = SIZE_MAX;

        (void) state;
        path.n_frames = 10000;
        for (path.n_lost = 0; path.n_lost <= 2000; path.n_lost = path.n_lost * 2 + 10) {
                TftpPlan plan = tftp_tuning_best(&path);

                assert_true(plan.block_size <= before);
                before = plan.block_size;
        }
        assert_true(before < 10000);
        assert_true(before >= 1468);
}

/* Large blocks leave more behind in the kernel, when they are lost, than a large file may. */
static void test_frames_with_windows_and_loss(void **state) {
        TftpPath path = path_to(65464, UINT16_MAX, 10 * USEC_PER_MSEC, MB);
        TftpPlan granted = { .block_size = 65464, .window = 16 }, plan;

        (void) state;
        path.n_frames = 2000;
        path.n_lost = 20;
        assert_false(tftp_tuning_better(&path, &granted, 0, &plan));
        path.size = 100 * MB;
        assert_true(tftp_tuning_better(&path, &granted, 0, &plan));
        assert_int_equal(plan.block_size, 1468);
        assert_true(plan.window >= 64);
        path.size = MB;
        path.fragments.n = 600; /* and what was there before counts, too */
        assert_true(tftp_tuning_better(&path, &granted, 0, &plan));
        assert_true(plan.block_size < 65464);
}

static void test_fragments_lost(void **state) {
        TftpPath path = path_to(65464, 1, 10 * USEC_PER_MSEC, MB);
        TftpPlan plan = { .block_size = 65464, .window = 1 }, better;

        (void) state;
        for (unsigned i = 0; i < 3; i++) {
                assert_false(path.fragments_lost);
                tftp_path_on_lost(&path, 0, &plan, 1);
        }
        assert_true(path.fragments_lost);
        assert_true(tftp_tuning_better(&path, &plan, 0, &better));
        assert_int_equal(better.block_size, 1468);

        /* They come through, but what is left of those that do not fills the kernel's memory. */
        path = path_to(65464, 1, 10 * USEC_PER_MSEC, MB);
        tftp_path_on_block(&path, 65464);
        tftp_path_on_lost(&path, 0, &plan, 10);
        assert_false(path.fragments_lost);
        tftp_path_on_lost(&path, 0, &plan, 10);
        assert_true(path.fragments_lost);

        /* In half a minute the kernel forgets them. */
        path = path_to(65464, 1, 10 * USEC_PER_MSEC, MB);
        tftp_path_on_block(&path, 65464);
        for (unsigned i = 1; i < 10; i++)
                tftp_path_on_lost(&path, i * TFTP_FRAGMENTS_USEC, &plan, 7);
        assert_false(path.fragments_lost);
        tftp_path_on_lost(&path, 10 * TFTP_FRAGMENTS_USEC, &plan, 10);
        assert_true(path.fragments_lost);

        /* That frames are lost says nothing of fragments. */
        path = path_to(1468, 1, 10 * USEC_PER_MSEC, MB);
        plan.block_size = 1468;
        tftp_path_on_lost(&path, 0, &plan, 100);
        assert_false(path.fragments_lost);
}

/* A server that does not repeat a lost block: another request, unless that would take longer to come to where we are. */
static void test_stall(void **state) {
        TftpPlan plan = { .block_size = 1468, .window = 1 }, better;
        TftpPath path = path_to(1468, 1, 10 * USEC_PER_MSEC, 100 * MB);

        (void) state;
        path.has_utimeout = false;
        path.n_frames = 1000;
        path.n_lost = 1;
        path.bytes = MB;
        assert_true(tftp_tuning_better(&path, &plan, USEC_PER_SEC, &better));
        assert_int_equal(better.block_size, 1468);
        assert_true(tftp_tuning_cost(&path, &plan) < 300 * USEC_PER_MSEC);
        path.bytes = 30 * MB;
        assert_false(tftp_tuning_better(&path, &plan, USEC_PER_SEC, &better));
        path.bytes = MB;
        assert_false(tftp_tuning_better(&path, &plan, 50 * USEC_PER_MSEC, &better));
        assert_true(tftp_tuning_better(&path, &plan, USEC_INFINITY, &better));
}

static void test_utimeout(void **state) {
        TftpPath path = path_to(65464, 1, 10 * USEC_PER_MSEC, MB);

        (void) state;
        path.n_frames = 1000;
        path.n_lost = 10;
        assert_int_equal(tftp_tuning_best(&path).utimeout, 20 * USEC_PER_MSEC);
        path.rtt = 100 * USEC_PER_MSEC;
        assert_int_equal(tftp_tuning_best(&path).utimeout, 200 * USEC_PER_MSEC);
        path.has_utimeout = false;
        assert_int_equal(tftp_tuning_best(&path).utimeout, 0);
}

/* No path, however odd, leads to a request that cannot be sent. */
static void test_extremes(void **state) {
        static const uint64_t numbers[] = { 0, 1, 511, 512, 65464, 1 << 20, UINT32_MAX, INT64_MAX };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                for (size_t j = 0; j < ELEMENTSOF(numbers); j++)
                        for (size_t k = 0; k < ELEMENTSOF(numbers); k++) {
                                TftpPath path = path_to(65464, 65535, numbers[i], numbers[j]);
                                TftpPlan plan;

                                path.bytes = numbers[k];
                                path.n_lost = numbers[j] / 2;
                                path.n_frames = numbers[k];
                                plan = tftp_tuning_best(&path);
                                assert_in_range(plan.block_size, 8, 65464);
                                assert_in_range(plan.window, 1, 65535);
                                path.size = TFTP_SIZE_UNKNOWN;
                                plan = tftp_tuning_best(&path);
                                assert_in_range(plan.block_size, 8, 65464);
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
                cmocka_unit_test(test_learning),
                cmocka_unit_test(test_no_new_request_without_need),
                cmocka_unit_test(test_larger_window_of_frames),
                cmocka_unit_test(test_window_fits_into_the_buffer),
                cmocka_unit_test(test_smaller_blocks_with_loss),
                cmocka_unit_test(test_frames_with_windows_and_loss),
                cmocka_unit_test(test_fragments_lost),
                cmocka_unit_test(test_stall),
                cmocka_unit_test(test_utimeout),
                cmocka_unit_test(test_extremes),
                cmocka_unit_test(test_rtt),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
