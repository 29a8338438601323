/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/buffer.h"

#include <errno.h>

static void test_appends(void **state) {
        static const uint8_t expected[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x00, 0x00, 'a' };
        uint8_t memory[sizeof(expected)];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        (void) state;
        buffer_append_u8(&buffer, 1);
        buffer_append_be16(&buffer, 0x0203);
        buffer_append_be32(&buffer, 0x04050607);
        buffer_append_zeros(&buffer, 2);
        buffer_append(&buffer, "a", 1);
        assert_int_equal(buffer_status(&buffer), 0);
        assert_int_equal(buffer.size, sizeof(expected));
        assert_memory_equal(memory, expected, sizeof(expected));
}

static void test_full_is_remembered(void **state) {
        uint8_t memory[4] = { 0, 0, 0, 0xee };
        Buffer buffer = BUFFER(memory, 3);

        (void) state;
        buffer_append_be32(&buffer, 1);
        assert_int_equal(buffer_status(&buffer), -ENOBUFS);
        buffer_append_u8(&buffer, 1); /* would fit, but the message already has a hole */
        assert_int_equal(buffer_status(&buffer), -ENOBUFS);
        assert_true(buffer.size <= 3);
        assert_int_equal(memory[3], 0xee);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_appends),
                cmocka_unit_test(test_full_is_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
