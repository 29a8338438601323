/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/secrecy.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* At a limit of 0 the kernel would still start a core handler. */
static void test_no_core_dump(void **state) {
        struct rlimit limit;

        (void) state;
        assert_int_equal(secrecy_begin(), 0);
        assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
        assert_int_equal(limit.rlim_cur, 1);
        assert_int_equal(limit.rlim_max, 1);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
        assert_int_equal(secrecy_begin(), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_core_dump),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
