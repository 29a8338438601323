/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/enroll.h"
#include "base/time.h"

/* A second, then twice that, up to 5 minutes, and for ever. */
static void test_doubles(void **state) {
        uint64_t expected = USEC_PER_SEC;

        (void) state;
        for (unsigned n = 1; n <= 9; n++) {
                assert_int_equal(enroll_backoff(n, 0), expected);
                expected *= 2;
        }
        assert_int_equal(enroll_backoff(9, 0), 256 * USEC_PER_SEC);
        assert_int_equal(enroll_backoff(10, 0), 5 * USEC_PER_MINUTE);
        assert_int_equal(enroll_backoff(64, 0), 5 * USEC_PER_MINUTE);
        assert_int_equal(enroll_backoff(UINT32_MAX, 0), 5 * USEC_PER_MINUTE);
}

/* Chance only ever makes it later, by no more than a tenth, and uses all of that. */
static void test_spread(void **state) {
        (void) state;
        for (unsigned n = 1; n <= 12; n++) {
                uint64_t usec = enroll_backoff(n, 0), last = usec;

                for (unsigned i = 1; i <= 16; i++) {
                        uint64_t later = enroll_backoff(n, (uint32_t) (UINT32_MAX / UINT64_C(16) * i));

                        assert_true(later > last && later <= usec + usec / 10);
                        last = later;
                }
                assert_int_equal(enroll_backoff(n, UINT32_MAX), usec + usec / 10);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_doubles),
                cmocka_unit_test(test_spread),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
