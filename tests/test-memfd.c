/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"

#include <errno.h>
#include <fcntl.h>

static void test_sealed_cannot_change(void **state) {
        _cleanup_close_ int fd = -1;
        uint64_t size = 0;

        (void) state;
        fd = memfd_new("test");
        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, "hello", 5), 0);
        assert_int_equal(memfd_check_sealed(fd, &size), -EPERM);
        assert_int_equal(memfd_seal(fd), 0);
        assert_int_equal(memfd_check_sealed(fd, &size), 0);
        assert_int_equal(size, 5);
        assert_int_equal(file_write_all(fd, "x", 1), -EPERM);
        assert_int_equal(ftruncate(fd, 0), -1);
        assert_int_equal(ftruncate(fd, 100), -1);
}

static void test_half_sealed_is_refused(void **state) {
        _cleanup_close_ int fd = -1;
        uint64_t size;

        (void) state;
        fd = memfd_new("test");
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
        assert_int_equal(memfd_check_sealed(fd, &size), -EPERM);
}

static void test_others_are_refused(void **state) {
        _cleanup_close_ int null = -1, end = -1;
        uint64_t size;
        int pipes[2];

        (void) state;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        end = pipes[0];
        close(pipes[1]);
        assert_int_equal(memfd_check_sealed(null, &size), -EPERM);
        assert_int_equal(memfd_check_sealed(end, &size), -EPERM);
        assert_int_equal(memfd_check_sealed(-1, &size), -EPERM);
}

static void test_reopened_has_its_own_offset(void **state) {
        _cleanup_close_ int fd = -1, one = -1, two = -1;
        char text[5];

        (void) state;
        fd = memfd_new("test");
        assert_int_equal(file_write_all(fd, "hello", 5), 0);
        one = memfd_reopen(fd);
        two = memfd_reopen(fd);
        assert_int_equal(read(one, text, sizeof(text)), 5);
        assert_int_equal(read(two, text, sizeof(text)), 5);
        assert_memory_equal(text, "hello", 5);
        assert_int_equal(file_write_all(one, "x", 1), -EBADF);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sealed_cannot_change),
                cmocka_unit_test(test_half_sealed_is_refused),
                cmocka_unit_test(test_others_are_refused),
                cmocka_unit_test(test_reopened_has_its_own_offset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
