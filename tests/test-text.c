/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

static void test_escape(void **state) {
        char text[64], small[12];

        (void) state;
        assert_string_equal(text_escape(text, sizeof(text), "plain text", 10), "plain text");
        assert_string_equal(
                        text_escape(text, sizeof(text), "a\n\\\x1b[2J\xff", 8), "a\\x0a\\x5c\\x1b[2J\\xff");
        assert_string_equal(text_escape(text, sizeof(text), "", 0), "");
        assert_string_equal(text_escape(small, sizeof(small), "0123456789abcdef", 16), "01234567...");
        assert_string_equal(text_escape(small, sizeof(small), "\n\n\n\n\n", 5), "\\x0a\\x0a...");
        for (size_t size = 4; size < 40; size++) {
                char exact[40];

                text_escape(exact, size, "\x01ordinary\x02text\x03", 15);
                assert_true(strlen(exact) < size);
        }
}

static void test_escape_again(void **state) {
        char text[64];

        (void) state;
        assert_string_equal(text_escape_again(text, sizeof(text), "a\\x0a\x1b[2J\xc2\x9b", 11),
                        "a\\x0a\\x1b[2J\\xc2\\x9b");
}

static void test_hex(void **state) {
        char text[9];

        (void) state;
        assert_string_equal(text_hex(text, "\x00\x7f\x80\xff", 4), "007f80ff");
}

static void test_graphic(void **state) {
        (void) state;
        assert_true(text_is_graphic("SN-1._~"));
        assert_false(text_is_graphic("a b"));
        assert_false(text_is_graphic("a\x7f"));
        assert_false(text_is_graphic("a\xc3\xa4"));
}

static void test_copy(void **state) {
        char text[4] = "old";

        (void) state;
        assert_int_equal(text_copy(text, sizeof(text), "four"), -E2BIG);
        assert_string_equal(text, "old");
        assert_int_equal(text_copy(text, sizeof(text), "new"), 0);
        assert_string_equal(text, "new");
}

static void test_parse_u64(void **state) {
        uint64_t value = 7;

        (void) state;
        assert_int_equal(text_parse_u64("", 9, &value), -EINVAL);
        assert_int_equal(text_parse_u64("-1", 9, &value), -EINVAL);
        assert_int_equal(text_parse_u64("1 ", 9, &value), -EINVAL);
        assert_int_equal(text_parse_u64("10", 9, &value), -ERANGE);
        assert_int_equal(text_parse_u64("18446744073709551616", UINT64_MAX, &value), -ERANGE);
        assert_int_equal(value, 7);
        assert_int_equal(text_parse_u64("18446744073709551615", UINT64_MAX, &value), 0);
        assert_true(value == UINT64_MAX);
}

static void test_parse_boolean(void **state) {
        bool value = false;

        (void) state;
        assert_int_equal(text_parse_boolean("Yes", &value), 0);
        assert_true(value);
        assert_int_equal(text_parse_boolean("0", &value), 0);
        assert_false(value);
        assert_int_equal(text_parse_boolean("ye", &value), -EINVAL);
        assert_int_equal(text_parse_boolean("", &value), -EINVAL);
}

static void test_hex_digit(void **state) {
        static const char digits[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
        unsigned n_valid = 0;

        (void) state;
        for (int i = 0; i < 16; i++) {
                assert_int_equal(text_parse_hex_digit(digits[i]), i);
                assert_int_equal(text_parse_hex_digit(upper[i]), i);
        }
        for (int c = -128; c < 128; c++)
                n_valid += text_parse_hex_digit((char) c) >= 0;
        assert_int_equal(n_valid, 22);
        assert_int_equal(text_parse_hex_digit('\0'), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hex_digit),
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_escape_again),
                cmocka_unit_test(test_hex),
                cmocka_unit_test(test_graphic),
                cmocka_unit_test(test_copy),
                cmocka_unit_test(test_parse_u64),
                cmocka_unit_test(test_parse_boolean),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
