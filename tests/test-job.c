/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "operator/job.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const JobOptions plain;

static int add(JobList *list, const char *path, const JobOptions *options) {
        char reason[JOB_REASON_MAX];

        return job_list_add_file(list, path, options, reason);
}

static void test_names(void **state) {
        static const JobOptions folder = { .folder = "/srv/tftp" }, device = { .device = "SN7" },
                                output = { .output = "x.bin" };
        JobList list = {};

        (void) state;
        assert_int_equal(add(&list, "SN19842256.cfg", &plain), 0);
        assert_string_equal(list.jobs[0].id, "SN19842256");
        assert_string_equal(list.jobs[0].output, "SN19842256.enc");
        assert_int_equal(add(&list, "a b/SN1.x.cfg", &plain), 0);
        assert_string_equal(list.jobs[1].id, "SN1.x");
        assert_string_equal(list.jobs[1].output, "a b/SN1.x.enc");
        assert_int_equal(add(&list, "a b/SN2.cfg", &folder), 0);
        assert_string_equal(list.jobs[2].output, "/srv/tftp/SN2.enc");
        assert_int_equal(add(&list, "any thing", &device), 0);
        assert_string_equal(list.jobs[3].id, "SN7");
        assert_string_equal(list.jobs[3].output, "SN7.enc");
        assert_int_equal(add(&list, "SN8", &output), 0);
        assert_string_equal(list.jobs[4].id, "SN8");
        assert_string_equal(list.jobs[4].output, "x.bin");
        assert_int_equal(list.n, 5);
        job_list_done(&list);
}

static void test_refused(void **state) {
        static const JobOptions device = { .device = "../x" };
        char reason[JOB_REASON_MAX], path[PATH_MAX + 1];
        JobList list = {};

        (void) state;
        assert_int_equal(add(&list, "a b.cfg", &plain), -EINVAL);
        assert_int_equal(add(&list, ".cfg", &plain), -EINVAL);
        assert_int_equal(add(&list, "", &plain), -EINVAL);
        assert_int_equal(add(&list, "SN1/", &plain), -EINVAL);
        assert_int_equal(
                        add(&list, "SN1.enc", &plain), -EINVAL); /* it would be replaced by its own output */
        assert_int_equal(add(&list, "SN1.cfg", &device), -EINVAL);
        memset(path, 'x', PATH_MAX);
        path[PATH_MAX] = '\0';
        assert_int_equal(add(&list, path, &plain), -EINVAL);
        assert_int_equal(job_list_add_file(&list, "a\nb/c d.cfg", &plain, reason), -EINVAL);
        assert_null(strchr(reason, '\n'));
        assert_int_equal(list.n, 0);
        job_list_done(&list);
}

static void test_lines(void **state) {
        static const char text[] = "# of the rack\nSN1.cfg\r\n\n/a b/SN2.cfg\nSN3.cfg";
        char reason[JOB_REASON_MAX];
        JobList list = {};

        (void) state;
        assert_int_equal(job_list_add_lines(&list, text, strlen(text), "list", &plain, reason), 0);
        assert_int_equal(list.n, 3);
        assert_string_equal(list.jobs[0].input, "SN1.cfg");
        assert_string_equal(list.jobs[1].input, "/a b/SN2.cfg");
        assert_string_equal(list.jobs[2].id, "SN3");
        job_list_done(&list);

        assert_int_equal(job_list_add_lines(&list, "SN1.cfg\n\nSN 2.cfg\n", 18, "list", &plain, reason),
                        -EINVAL);
        assert_int_equal(strncmp(reason, "list:3: SN 2.cfg: ", 18), 0);
        job_list_done(&list);
        assert_int_equal(job_list_add_lines(&list, "SN1\0.cfg\n", 9, "list", &plain, reason), -EINVAL);
        job_list_done(&list);
}

/* Of every prefix the lines that are whole are there. */
static void test_every_prefix(void **state) {
        static const char text[] = "SN1.cfg\nSN2.cfg\r\n#SN3\n\nSN4.cfg\n";

        (void) state;
        for (size_t n = 0; n <= strlen(text); n++) {
                char reason[JOB_REASON_MAX];
                JobList list = {};
                size_t n_lines = 0;

                for (size_t i = 0; i < n; i++)
                        n_lines += text[i] == '\n' && i > 0 && text[i - 1] != '\n' && i != 21;
                assert_int_equal(job_list_add_lines(&list, text, n, "list", &plain, reason), 0);
                assert_true(list.n >= n_lines && list.n <= n_lines + 1);
                job_list_done(&list);
        }
}

static void test_two_for_one_output(void **state) {
        char reason[JOB_REASON_MAX];
        JobList list = {};

        (void) state;
        assert_int_equal(add(&list, "SN1.cfg", &plain), 0);
        assert_int_equal(add(&list, "SN2.cfg", &plain), 0);
        assert_int_equal(job_list_check(&list, reason), 0);
        assert_int_equal(add(&list, "SN1.conf", &plain), 0);
        assert_int_equal(job_list_check(&list, reason), -EEXIST);
        assert_non_null(strstr(reason, "SN1.enc"));
        job_list_done(&list);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_two_for_one_output),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
