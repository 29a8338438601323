/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "tpm/ber.h"

#include <errno.h>
#include <string.h>

#define BYTES(...) CURSOR(((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_lengths(void **state) {
        Cursor content, cursor;

        (void) state;
        cursor = BYTES(0x04, 0x02, 1, 2, 3);
        assert_int_equal(ber_take(&cursor, BER_OCTET_STRING, &content), 0);
        assert_int_equal(content.left, 2);
        assert_int_equal(cursor.left, 1);
        /* not in the shortest form */
        cursor = BYTES(0x04, 0x88, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2);
        assert_int_equal(ber_take(&cursor, BER_OCTET_STRING, &content), 0);
        assert_int_equal(content.left, 2);
        assert_int_equal(cursor.left, 0);
}

static void test_refused(void **state) {
        const Cursor cases[] = {
                BYTES(0x04),
                BYTES(0x04, 0x01),
                BYTES(0x04, 0x81, 0x01),
                BYTES(0x04, 0x84, 0x7f, 0xff, 0xff, 0xff, 0),    /* 2 GiB */
                BYTES(0x04, 0x88, 0x80, 0, 0, 0, 0, 0, 0, 0, 0), /* 2^63 */
                BYTES(0x04, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0),
                BYTES(0x04, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0),
                BYTES(0x04, 0xff, 0),
                BYTES(0x04, 0x80, 0, 0), /* only constructed ones are indefinite */
                BYTES(0x02, 0x01, 0),
                BYTES(0x1f, 0x01, 0x00),
                BYTES(0x00, 0x00),
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Cursor cursor = cases[i], content = CURSOR(NULL, 99);

                assert_int_equal(ber_take(&cursor, BER_OCTET_STRING, &content), -EBADMSG);
                assert_ptr_equal(cursor.p, cases[i].p);
                assert_int_equal(cursor.left, cases[i].left);
                assert_int_equal(content.left, 99);
        }
}

static void test_enter_and_leave(void **state) {
        Cursor cursor = BYTES(0x30, 0x09, 0xa0, 0x80, 0x30, 0x03, 0x02, 0x01, 0x07, 0x00, 0x00, 0x55),
               number;
        BerFrame outer, middle, inner;

        (void) state;
        assert_int_equal(ber_enter(&cursor, BER_SEQUENCE, &outer), 0);
        assert_int_equal(ber_enter(&cursor, BER_CONTEXT(0) | BER_CONSTRUCTED, &middle), 0);
        assert_false(ber_at_end(&cursor, &middle));
        assert_int_equal(ber_leave(&cursor, &middle), -EBADMSG);
        assert_int_equal(ber_enter(&cursor, BER_SET, &inner), -EBADMSG);
        assert_int_equal(ber_enter(&cursor, BER_SEQUENCE, &inner), 0);
        assert_int_equal(ber_leave(&cursor, &inner), -EBADMSG);
        assert_int_equal(ber_take(&cursor, BER_INTEGER, &number), 0);
        assert_int_equal(ber_leave(&cursor, &inner), 0);
        assert_int_equal(ber_leave(&cursor, &middle), 0);
        assert_int_equal(cursor.left, 0);
        assert_int_equal(ber_leave(&cursor, &outer), 0);
        assert_int_equal(cursor.left, 1);
        assert_int_equal(cursor.p[0], 0x55);
}

static void test_skip(void **state) {
        static const uint8_t element[] = { 0x30, 0x80, 0xa0, 0x80, 0x02, 0x01, 0x00, 0x00, 0x00, 0x24, 0x80,
                0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x77 };
        Cursor cursor = CURSOR(element, sizeof(element)), skipped;

        (void) state;
        assert_int_equal(ber_skip(&cursor, &skipped), 0);
        assert_int_equal(skipped.left, sizeof(element) - 1);
        assert_ptr_equal(skipped.p, element);
        assert_int_equal(cursor.p[0], 0x77);
        for (size_t n = 0; n < sizeof(element) - 1; n++) {
                cursor = CURSOR(element, n);
                skipped = CURSOR(NULL, 99);
                assert_int_equal(ber_skip(&cursor, &skipped), -EBADMSG);
                assert_int_equal(cursor.left, n);
                assert_int_equal(skipped.left, 99);
        }
}

static void test_skip_refuses(void **state) {
        const Cursor cases[] = {
                BYTES(0x30, 0x04, 0x30, 0x03, 0x02, 0x00), /* inner longer than outer */
                BYTES(0x30, 0x03, 0x02, 0x01, 0x00, 0x00) /* fine: what follows is not part of it */,
                BYTES(0x30, 0x02, 0x10, 0x00),                   /* a primitive SEQUENCE */
                BYTES(0x30, 0x80, 0x30, 0x02, 0x02, 0x01, 0, 0), /* inner longer than outer */
                BYTES(0x30, 0x01, 0x02),
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Cursor cursor = cases[i], skipped;

                assert_int_equal(ber_skip(&cursor, &skipped), i == 1 ? 0 : -EBADMSG);
        }
}

static void test_nesting_is_bounded(void **state) {
        enum { DEPTH = 20000 };
        _cleanup_free_ uint8_t *nested = malloc(4 * DEPTH);

        (void) state;
        assert_non_null(nested);
        for (size_t depth = 1; depth <= DEPTH; depth = depth < 100 ? depth + 1 : depth * 2) {
                Cursor cursor = CURSOR(nested, 4 * depth), skipped;

                for (size_t i = 0; i < depth; i++)
                        memcpy(nested + 2 * i, "\x30\x80", 2);
                memset(nested + 2 * depth, 0, 2 * depth);
                assert_int_equal(ber_skip(&cursor, &skipped), depth <= 32 ? 0 : -EBADMSG);
        }
}

/* Joins the pieces, and -EBADMSG when the string is broken. */
static int join(Cursor cursor, uint8_t tag, char *text, size_t *ret_left) {
        BerString string;
        Cursor piece;
        int r;

        if (ber_string_open(cursor, tag, &string) < 0)
                return -EBADMSG;
        while ((r = ber_string_next(&string, &piece)) > 0) {
                memcpy(text, piece.p, piece.left);
                text += piece.left;
        }
        *text = '\0';
        *ret_left = string.cursor.left;
        return r;
}

static void test_strings(void **state) {
        static const struct {
                Cursor cursor;
                const char *expected;
        } cases[] = {
                { { (const uint8_t *) "\x80\x03"
                                      "abc!",
                                  6 },
                                "abc" },
                { { (const uint8_t *) "\x80\x00!", 3 }, "" },
                { { (const uint8_t *) "\xa0\x05\x04\x03"
                                      "abc!",
                                  8 },
                                "abc" },
                { { (const uint8_t *) "\xa0\x80\x04\x01"
                                      "a\x04\x00\x24\x80\x04\x02"
                                      "bc\x00\x00\x24\x03\x04\x01"
                                      "d\x00\x00!",
                                  23 },
                                "abcd" },
                { { (const uint8_t *) "\xa0\x80\x00\x00!", 5 }, "" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[16];
                size_t left;

                assert_int_equal(join(cases[i].cursor, BER_CONTEXT(0), text, &left), 0);
                assert_string_equal(text, cases[i].expected);
                assert_int_equal(left, 1);
                for (size_t n = 0; n < cases[i].cursor.left - 1; n++)
                        assert_int_equal(join(CURSOR(cases[i].cursor.p, n), BER_CONTEXT(0), text, &left),
                                        -EBADMSG);
        }
}

static void test_strings_refused(void **state) {
        const Cursor cases[] = {
                BYTES(0x81, 0x00), BYTES(0xa0, 0x03, 0x02, 0x01, 0x00), BYTES(0xa0, 0x02, 0x80, 0x00),
                BYTES(0xa0, 0x80, 0x24, 0x80, 0x24, 0x80, 0x24, 0x80, 0x24, 0x80, 0x24, 0x80, 0, 0, 0, 0, 0,
                                0, 0, 0, 0, 0, 0, 0), /* six deep */
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[16];
                size_t left;

                assert_int_equal(join(cases[i], BER_CONTEXT(0), text, &left), -EBADMSG);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_enter_and_leave),
                cmocka_unit_test(test_skip),
                cmocka_unit_test(test_skip_refuses),
                cmocka_unit_test(test_nesting_is_bounded),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_strings_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
