/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"

static int n_calls;

static int call(int value) {
        n_calls++;
        return value;
}

/* A request to the kernel, for example, must not be sent twice. */
static void test_each_argument_is_evaluated_once(void **state) {
        (void) state;
        assert_int_equal(MIN(call(1), call(2)), 1);
        assert_int_equal(MIN(call(2), call(1)), 1);
        assert_int_equal(MAX(call(1), call(2)), 2);
        assert_int_equal(MAX(call(2), call(1)), 2);
        assert_int_equal(n_calls, 8);
        assert_int_equal(MIN(MAX(call(1), call(2)), MIN(call(4), call(3))), 2);
        assert_int_equal(n_calls, 12);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_argument_is_evaluated_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
