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

static int open_as(const char *path, uid_t owner, FileOpenFlags flags) {
        int fd = file_open(AT_FDCWD, path, owner, flags);

        if (fd < 0)
                return fd;
        close(fd);
        return 0;
}

static void test_open_looks_at_what_it_is(void **state) {
        _cleanup_free_ char *data = NULL;

        (void) state;
        assert_int_equal(open_as("file", 0, 0), -ENOENT);
        assert_int_equal(file_replace("file", "text", 4, 0644, 0), 0);
        assert_int_equal(open_as("file", 0, 0), 0);
        assert_int_equal(file_read_foreign(AT_FDCWD, "file", 0, 0, 3, &data, NULL), -E2BIG);
        assert_int_equal(file_read_foreign(AT_FDCWD, "file", 0, 0, 4, &data, NULL), 0);
        assert_string_equal(data, "text");
        assert_int_equal(open_as("file", 0, FILE_FOLDER), -ENOTDIR);
        assert_int_equal(open_as(".", 0, FILE_FOLDER), 0);
        assert_int_equal(open_as(".", 0, 0), -EISDIR);

        assert_int_equal(symlink("file", "other"), 0);
        assert_int_equal(open_as("other", 0, 0), -ELOOP);
        assert_int_equal(open_as("other", 0, FILE_FOLLOW), 0);
        assert_int_equal(unlink("other"), 0);
        assert_int_equal(symlink("/dev/null", "other"), 0);
        assert_int_equal(open_as("other", 0, FILE_FOLLOW), -ENODATA);
        assert_int_equal(open_as("/dev/null", 0, 0), -EBADFD);
        assert_int_equal(open_as("/dev/zero", 0, FILE_FOLLOW), -EBADFD);
        assert_int_equal(unlink("other"), 0);
        assert_int_equal(mkfifo("other", 0644), 0);
        assert_int_equal(open_as("other", 0, 0), -EBADFD);
}

static void test_open_looks_at_whose_it_is(void **state) {
        (void) state;
        assert_int_equal(file_replace("file", "text", 4, 0644, 0), 0);
        assert_int_equal(chown("file", 64001, (gid_t) -1), 0);
        assert_int_equal(open_as("file", 0, 0), -EPERM);
        assert_int_equal(open_as("file", 64002, 0), -EPERM);
        assert_int_equal(open_as("file", 64001, 0), 0);
        assert_int_equal(open_as("file", 0, FILE_ANYBODYS), 0);
        assert_int_equal(chmod("file", 0664), 0);
        assert_int_equal(open_as("file", 64001, 0), -EPERM);
        assert_int_equal(open_as("file", 0, FILE_ANYBODYS), 0);
}

/* In two halves, over what somebody has left there. */
static void test_prepare_and_commit(void **state) {
        _cleanup_free_ char *data = NULL, *other = NULL;

        (void) state;
        assert_int_equal(file_replace("other", "other", 5, 0600, 0), 0);
        assert_int_equal(file_replace("file", "old", 3, 0600, 0), 0);
        assert_int_equal(link("other", "file.new"), 0);
        assert_int_equal(file_prepare("file", "new", 3, 0644, 0), 0);
        assert_int_equal(file_read(AT_FDCWD, "file", 9, &data, NULL), 0);
        assert_string_equal(data, "old");
        assert_int_equal(file_commit("file", FILE_DURABLE), 0);
        free(TAKE_PTR(data));
        assert_int_equal(file_read(AT_FDCWD, "file", 9, &data, NULL), 0);
        assert_string_equal(data, "new");
        assert_int_equal(file_read(AT_FDCWD, "other", 9, &other, NULL), 0);
        assert_string_equal(other, "other");
        assert_int_equal(file_commit("file", 0), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_replace_and_read, enter, leave),
                cmocka_unit_test_setup_teardown(test_prepare_and_commit, enter, leave),
                cmocka_unit_test_setup_teardown(test_read_has_a_bound, enter, leave),
                cmocka_unit_test_setup_teardown(test_replace_does_not_follow_links, enter, leave),
                cmocka_unit_test_setup_teardown(test_replace_that_fails_keeps_the_old, enter, leave),
                cmocka_unit_test_setup_teardown(test_remove, enter, leave),
                cmocka_unit_test_setup_teardown(test_open_looks_at_what_it_is, enter, leave),
                cmocka_unit_test_setup_teardown(test_open_looks_at_whose_it_is, enter, leave),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
