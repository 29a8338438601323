/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/allowance.h"
#include "base/time.h"

#define INTERVAL USEC_PER_HOUR
#define START (3 * INTERVAL) /* the time since the boot */

static int setup(void **state) {
        Allowance *allowance;

        if (allowance_open(&allowance) < 0)
                return -1;
        *state = allowance;
        return 0;
}

static int teardown(void **state) {
        allowance_free(*state);
        return 0;
}

static void assert_wait(const Allowance *allowance, uint64_t now, uint64_t wait) {
        assert_int_equal(allowance_get_wait(allowance, INTERVAL, now), wait);
}

static void take(Allowance *allowance, uint64_t now) {
        assert_wait(allowance, now, 0);
        allowance_take(allowance, INTERVAL, now);
}

/* Three at once, then one in each interval. */
static void test_burst_and_rate(void **state) {
        Allowance *allowance = *state;
        uint64_t now = START;

        for (unsigned i = 0; i < ALLOWANCE_BURST; i++)
                take(allowance, now);
        for (unsigned i = 0; i < 5; i++) {
                assert_wait(allowance, now, INTERVAL);
                assert_wait(allowance, now + INTERVAL - 1, 1);
                now += INTERVAL;
                take(allowance, now);
        }
        assert_int_equal(allowance_get_full_time(allowance), now + 3 * INTERVAL);
}

/* Files spread over the intervals cost no more than the burst: at no time have more than 3 + n been opened after n intervals. */
static void test_spread(void **state) {
        Allowance *allowance = *state;
        unsigned n_taken = 0;

        for (uint64_t now = START; now < START + 10 * INTERVAL; now += INTERVAL / 7)
                if (allowance_get_wait(allowance, INTERVAL, now) == 0) {
                        allowance_take(allowance, INTERVAL, now);
                        n_taken++;
                        assert_true(n_taken <= ALLOWANCE_BURST + (now - START) / INTERVAL);
                }
        assert_int_equal(n_taken, ALLOWANCE_BURST + 9);
}

static void test_regained_in_quiet(void **state) {
        Allowance *allowance = *state;

        for (unsigned i = 0; i < ALLOWANCE_BURST; i++)
                take(allowance, START);
        for (unsigned i = 0; i < ALLOWANCE_BURST; i++)
                take(allowance, START + 3 * INTERVAL);
        assert_wait(allowance, START + 3 * INTERVAL, INTERVAL);
}

static void test_give_back_and_reset(void **state) {
        Allowance *allowance = *state;

        for (unsigned i = 0; i < ALLOWANCE_BURST; i++)
                take(allowance, START);
        allowance_give_back(allowance, INTERVAL);
        take(allowance, START);
        assert_wait(allowance, START, INTERVAL);
        allowance_reset(allowance);
        assert_wait(allowance, START, 0);
        assert_int_equal(allowance_get_full_time(allowance), 0);
        allowance_give_back(allowance, INTERVAL);
        assert_int_equal(allowance_get_full_time(allowance), 0);
}

/* The longest interval that sdi.conf can hold does not wrap around to "now". */
static void test_endless_interval(void **state) {
        Allowance *allowance = *state;

        assert_int_equal(allowance_get_wait(allowance, USEC_INFINITY, START), 0);
        allowance_take(allowance, USEC_INFINITY, START);
        assert_int_equal(allowance_get_full_time(allowance), USEC_INFINITY);
        assert_int_equal(allowance_get_wait(allowance, USEC_INFINITY, START), USEC_INFINITY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_burst_and_rate, setup, teardown),
                cmocka_unit_test_setup_teardown(test_spread, setup, teardown),
                cmocka_unit_test_setup_teardown(test_regained_in_quiet, setup, teardown),
                cmocka_unit_test_setup_teardown(test_give_back_and_reset, setup, teardown),
                cmocka_unit_test_setup_teardown(test_endless_interval, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
