/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/identifier.h"

#include <errno.h>
#include <string.h>

static void test_valid(void **state) {
        static const char *const valid[] = { "SN19842256", "a", "_", "0", "CN-0X1.2", "a..b", "_-_" };
        char id[IDENTIFIER_MAX + 1];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(valid); i++) {
                assert_int_equal(identifier_parse(valid[i], strlen(valid[i]), id), 0);
                assert_string_equal(id, valid[i]);
        }
}

static void test_invalid(void **state) {
        static const char *const invalid[] = { "", ".", "..", "-x", ".x", "a/b", "../a", "a b", "a%2e",
                "a\n", "\xc3\xa4", "a\\b", "a:b" };
        char id[IDENTIFIER_MAX + 1] = "untouched";

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(invalid); i++)
                assert_int_equal(identifier_parse(invalid[i], strlen(invalid[i]), id), -EINVAL);
        assert_int_equal(identifier_parse("a\0b", 3, id), -EINVAL);
        assert_string_equal(id, "untouched");
}

static void test_length(void **state) {
        char text[IDENTIFIER_MAX + 1], id[IDENTIFIER_MAX + 1];

        (void) state;
        memset(text, 'x', sizeof(text));
        assert_int_equal(identifier_parse(text, IDENTIFIER_MAX, id), 0);
        assert_int_equal(strlen(id), IDENTIFIER_MAX);
        assert_int_equal(identifier_parse(text, IDENTIFIER_MAX + 1, id), -EINVAL);
}

/* Of every byte in each place. */
static void test_bytes(void **state) {
        (void) state;
        for (unsigned c = 0; c < 256; c++) {
                bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                c == '_';
                char first[] = { (char) c, 'x' }, later[] = { 'x', (char) c };

                assert_int_equal(identifier_is_valid(first, 2), word);
                assert_int_equal(identifier_is_valid(later, 2), word || c == '.' || c == '-');
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_valid),
                cmocka_unit_test(test_invalid),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
