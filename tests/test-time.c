/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>

static void test_parse_span(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t usec;
        } rows[] = {
                { "5min", 0, 5 * USEC_PER_MINUTE },
                { "1h 30min", 0, 90 * USEC_PER_MINUTE },
                { " 90 ", 0, 90 * USEC_PER_SEC },
                { "250ms", 0, 250 * USEC_PER_MSEC },
                { "0", 0, 0 },
                { "2 d", 0, 48 * USEC_PER_HOUR },
                { "", -EINVAL, 0 },
                { "   ", -EINVAL, 0 },
                { "min", -EINVAL, 0 },
                { "5 parsecs", -EINVAL, 0 },
                { "-5s", -EINVAL, 0 },
                { "5min,", -EINVAL, 0 },
                { "99999999999999999999s", -ERANGE, 0 },
                { "9999999999999999999h", -ERANGE, 0 },
                { "18446744073709551615us", -ERANGE, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t usec = 0;

                assert_int_equal(time_parse_span(rows[i].text, &usec), rows[i].r);
                assert_int_equal(usec, rows[i].usec);
        }
}

static void test_format_span(void **state) {
        char text[TIME_SPAN_MAX];

        (void) state;
        assert_string_equal(time_format_span(text, sizeof(text), 90 * USEC_PER_MINUTE), "1h 30min");
        assert_string_equal(time_format_span(text, sizeof(text), 0), "0s");
        assert_string_equal(time_format_span(text, sizeof(text), 1500), "1ms 500us");
        assert_string_equal(time_format_span(text, sizeof(text), USEC_INFINITY), "infinity");
        assert_string_equal(time_format_span(text, 4, 90 * USEC_PER_MINUTE), "1h ");
}

static void test_format_utc(void **state) {
        char text[TIME_UTC_MAX];

        (void) state;
        assert_string_equal(time_format_utc(text, sizeof(text), 0), "1970-01-01T00:00:00Z");
        assert_string_equal(time_format_utc(text, sizeof(text), 1600000000 * USEC_PER_SEC),
                        "2020-09-13T12:26:40Z");
}

static void test_add(void **state) {
        (void) state;
        assert_int_equal(time_add(1, 2), 3);
        assert_true(time_add(USEC_INFINITY, 1) == USEC_INFINITY);
        assert_true(time_add(USEC_INFINITY - 1, 5) == USEC_INFINITY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse_span),
                cmocka_unit_test(test_format_span),
                cmocka_unit_test(test_format_utc),
                cmocka_unit_test(test_add),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
