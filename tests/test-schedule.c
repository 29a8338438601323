/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/schedule.h"
#include "base/time.h"

#include <stdlib.h>

static const RetryPolicy policy = {
        .interval_usec = 5 * USEC_PER_MINUTE,
        .first_period_usec = USEC_PER_HOUR,
        .later_interval_usec = USEC_PER_HOUR,
        .jitter_percent = 0,
};

/* RFC 8886 §4.3, as it is written: 12 times in the first hour, then once an hour, for years. */
static void test_rfc(void **state) {
        uint64_t first = 77 * USEC_PER_SEC, now = first;
        unsigned n = 0;

        (void) state;
        while (now < first + USEC_PER_HOUR) {
                uint64_t next = schedule_next(&policy, first, now, 12345);

                assert_true(next - now == 5 * USEC_PER_MINUTE);
                now = next;
                n++;
        }
        assert_int_equal(n, 12);
        for (n = 0; n < 24 * 365 * 10; n++) {
                uint64_t next = schedule_next(&policy, first, now, 12345);

                assert_true(next - now == USEC_PER_HOUR);
                now = next;
        }
}

/* Jitter only ever makes it later, by no more than it may, and uses all of that. */
static void test_jitter(void **state) {
        RetryPolicy jittery = policy;
        uint64_t latest = 0;

        (void) state;
        jittery.jitter_percent = 10;
        assert_true(schedule_next(&jittery, 0, 0, 0) == 5 * USEC_PER_MINUTE);
        assert_true(schedule_next(&jittery, 0, 0, UINT32_MAX) == 5 * USEC_PER_MINUTE + 30 * USEC_PER_SEC);
        for (uint64_t random = 0; random <= UINT32_MAX; random += 1000003) {
                uint64_t next = schedule_next(&jittery, 0, 0, (uint32_t) random);

                assert_true(next >= latest); /* monotone in the random number, so even over the range */
                latest = next;
        }
}

static void test_extremes(void **state) {
        RetryPolicy extreme = {
                .interval_usec = USEC_INFINITY - 1,
                .first_period_usec = USEC_INFINITY - 1,
                .later_interval_usec = 1,
                .jitter_percent = 100,
        };

        (void) state;
        assert_true(schedule_next(&extreme, USEC_PER_HOUR, USEC_PER_HOUR, UINT32_MAX) == USEC_INFINITY);
        extreme.first_period_usec = 1;
        assert_true(schedule_next(&extreme, 0, USEC_PER_HOUR, UINT32_MAX) == USEC_PER_HOUR + 1);
}

static void test_at_once(void **state) {
        uint64_t now = USEC_PER_HOUR;

        (void) state;
        assert_true(schedule_at_once(0, now) == now);
        assert_true(schedule_at_once(now - SCHEDULE_GAP_MIN, now) == now);
        assert_true(schedule_at_once(now - 1, now) == now - 1 + SCHEDULE_GAP_MIN);
        assert_true(schedule_at_once(now, now) == now + SCHEDULE_GAP_MIN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rfc),
                cmocka_unit_test(test_jitter),
                cmocka_unit_test(test_extremes),
                cmocka_unit_test(test_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
