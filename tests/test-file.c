/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Each test runs in a folder of its own, with a space in its name. */
static int enter(void **state) {
        static char path[64];

        strcpy(path, "/tmp/sdi file.XXXXXX");
        *state = mkdtemp(path);
        return *state && chdir(path) == 0 ? 0 : -1;
}

static int leave(void **state) {
        const char *const names[] = { "file", "file.new", "other" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                unlink(names[i]);
        return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static void test_replace_and_read(void **state) {
        _cleanup_free_ char *data = NULL;
        struct stat st;
        size_t size;

        (void) state;
        assert_int_equal(file_replace("file", "one", 3, 0644, 0), 0);
        assert_int_equal(file_replace("file", "second", 6, 0600, FILE_DURABLE), 0);
        assert_int_equal(file_read(AT_FDCWD, "file", 6, &data, &size), 0);
        assert_int_equal(size, 6);
        assert_string_equal(data, "second");
        assert_int_equal(stat("file", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(access("file.new", F_OK), -1);
}

static void test_read_has_a_bound(void **state) {
        _cleanup_free_ char *data = NULL, *zero = NULL;
        char large[10000];
        size_t size;

        (void) state;
        memset(large, 'x', sizeof(large));
        assert_int_equal(file_replace("file", large, sizeof(large), 0644, 0), 0);
        assert_int_equal(file_read(AT_FDCWD, "file", sizeof(large) - 1, &data, &size), -E2BIG);
        assert_null(data);
        assert_int_equal(file_read(AT_FDCWD, "file", sizeof(large), &data, &size), 0);
        assert_int_equal(size, sizeof(large));
        assert_int_equal(file_read(AT_FDCWD, "/dev/zero", 100, &zero, &size), -E2BIG);
        assert_int_equal(file_read(AT_FDCWD, "none", 100, &zero, &size), -ENOENT);
}

static void test_replace_does_not_follow_links(void **state) {
        _cleanup_free_ char *data = NULL;

        (void) state;
        assert_int_equal(file_replace("other", "keep", 4, 0644, 0), 0);
        assert_int_equal(symlink("other", "file.new"), 0);
        assert_int_equal(file_replace("file", "new", 3, 0644, 0), 0);
        assert_int_equal(file_read(AT_FDCWD, "other", 100, &data, NULL), 0);
        assert_string_equal(data, "keep");
}

static void test_replace_that_fails_keeps_the_old(void **state) {
        (void) state;
        assert_int_equal(file_replace("none/file", "x", 1, 0644, 0), -ENOENT);
        assert_int_equal(mkdir("file", 0755), 0);
        assert_int_equal(file_replace("file", "x", 1, 0644, 0), -EISDIR);
        assert_int_equal(access("file.new", F_OK), -1);
        assert_int_equal(rmdir("file"), 0);
}

static void test_remove(void **state) {
        (void) state;
        assert_int_equal(file_replace("file", "x", 1, 0644, 0), 0);
        assert_int_equal(file_remove("file"), 0);
        assert_int_equal(file_remove("file"), -ENOENT);
        assert_int_equal(file_remove("none/file"), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_replace_and_read, enter, leave),
                cmocka_unit_test_setup_teardown(test_read_has_a_bound, enter, leave),
                cmocka_unit_test_setup_teardown(test_replace_does_not_follow_links, enter, leave),
                cmocka_unit_test_setup_teardown(test_replace_that_fails_keeps_the_old, enter, leave),
                cmocka_unit_test_setup_teardown(test_remove, enter, leave),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
