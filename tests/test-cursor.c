/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cursor.h"

#include <errno.h>

static const uint8_t message[] = { 1, 2, 3, 4, 5, 6, 7 };

static void test_reads(void **state) {
        Cursor cursor = CURSOR(message, sizeof(message));
        uint8_t u8;
        uint16_t be16;
        uint32_t be32;

        (void) state;
        assert_int_equal(cursor_u8(&cursor, &u8), 0);
        assert_int_equal(u8, 1);
        assert_int_equal(cursor_be16(&cursor, &be16), 0);
        assert_int_equal(be16, 0x0203);
        assert_int_equal(cursor_be32(&cursor, &be32), 0);
        assert_int_equal(be32, 0x04050607);
        assert_int_equal(cursor.left, 0);
}

static void test_too_short_touches_nothing(void **state) {
        (void) state;
        for (size_t size = 0; size < 4; size++) {
                Cursor cursor = CURSOR(message, size), sub = CURSOR(NULL, 99);
                const uint8_t *p = NULL;
                uint32_t be32 = 77;

                assert_int_equal(cursor_be32(&cursor, &be32), -EBADMSG);
                assert_int_equal(cursor_take(&cursor, SIZE_MAX, &p), -EBADMSG);
                assert_int_equal(cursor_sub(&cursor, size + 1, &sub), -EBADMSG);
                assert_int_equal(be32, 77);
                assert_null(p);
                assert_int_equal(sub.left, 99);
                assert_ptr_equal(cursor.p, message);
                assert_int_equal(cursor.left, size);
        }
}

static void test_sub_stays_in_its_frame(void **state) {
        Cursor cursor = CURSOR(message, sizeof(message)), sub;
        uint16_t be16;
        uint8_t u8;

        (void) state;
        assert_int_equal(cursor_sub(&cursor, 3, &sub), 0);
        assert_int_equal(cursor_be16(&sub, &be16), 0);
        assert_int_equal(cursor_be16(&sub, &be16), -EBADMSG);
        assert_int_equal(cursor_u8(&sub, &u8), 0);
        assert_int_equal(cursor_u8(&sub, &u8), -EBADMSG);
        assert_int_equal(cursor.left, 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads),
                cmocka_unit_test(test_too_short_touches_nothing),
                cmocka_unit_test(test_sub_stays_in_its_frame),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
