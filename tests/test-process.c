/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/process.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct Output {
        char text[8192];
        unsigned n_lines;
} Output;

static void on_line(const char *line, size_t n, void *userdata) {
        Output *output = userdata;
        size_t used = strlen(output->text);

        output->n_lines++;
        snprintf(output->text + used, sizeof(output->text) - used, "[%.*s]", (int) n, line);
}

static int run(const char *script, int fd_stdin, uint64_t timeout_usec, Output *output) {
        *output = (Output){ 0 };
        return process_run(&(ProcessConfig){
                        .arguments = (char *[]){ (char *) "/bin/sh", (char *) "-c", (char *) script, NULL },
                        .environment = (char *[]){ (char *) "PATH=/usr/bin:/bin", (char *) "ONLY=this",
                                        NULL },
                        .fd_stdin = fd_stdin,
                        .timeout_usec = timeout_usec,
                        .on_line = on_line,
                        .userdata = output,
        });
}

static void test_output_and_status(void **state) {
        Output output;

        (void) state;
        assert_int_equal(run("echo one; echo two >&2; printf three; exit 7", -1, USEC_PER_MINUTE, &output),
                        7);
        assert_string_equal(output.text, "[one][two][three]");
        assert_int_equal(run("exit 0", -1, USEC_PER_MINUTE, &output), 0);
        assert_string_equal(output.text, "");
}

static void test_input_and_environment(void **state) {
        _cleanup_close_ int fd = memfd_new("test");
        Output output;

        (void) state;
        assert_int_equal(file_write_all(fd, "hello\n", 6), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(run("cat; env | grep -v ^_= | grep -v ^PWD= | sort", fd, USEC_PER_MINUTE, &output),
                        0);
        assert_string_equal(output.text, "[hello][ONLY=this][PATH=/usr/bin:/bin]");
        assert_int_equal(run("cat", -1, USEC_PER_MINUTE, &output), 0); /* /dev/null */
        assert_string_equal(output.text, "");
}

static void test_no_descriptor_is_inherited(void **state) {
        _cleanup_close_ int fd = memfd_new("test");
        Output output;

        (void) state;
        assert_true(fd >= 0);
        assert_int_equal(run("for f in /proc/self/fd/*; do readlink $f; done | grep -c memfd", -1,
                                         USEC_PER_MINUTE, &output),
                        1);
        assert_string_equal(output.text, "[0]");
}

static void test_long_lines_come_in_parts(void **state) {
        Output output;

        (void) state;
        assert_int_equal(run("head -c 1200 /dev/zero | tr '\\0' x; echo; echo end", -1, USEC_PER_MINUTE,
                                         &output),
                        0);
        assert_int_equal(output.n_lines, 4);
        assert_int_equal(strlen(output.text), 1200 + 3 + 8);
}

static void test_much_output(void **state) {
        Output output;

        (void) state;
        assert_int_equal(run("yes | head -n 300000", -1, USEC_PER_MINUTE, &output), 0);
        assert_int_equal(output.n_lines, 300000);
}

static void test_signal(void **state) {
        Output output;

        (void) state;
        assert_int_equal(run("echo before; kill -9 $$", -1, USEC_PER_MINUTE, &output), -ECANCELED);
        assert_string_equal(output.text, "[before]");
}

static void test_timeout(void **state) {
        uint64_t before = time_now_boottime();
        Output output;

        (void) state;
        assert_int_equal(run("echo start; exec sleep 1000", -1, 50 * USEC_PER_MSEC, &output), -ETIMEDOUT);
        assert_string_equal(output.text, "[start]");
        assert_true(time_now_boottime() - before >= 50 * USEC_PER_MSEC);
}

/* SIGTERM gives it a chance; SIGKILL does not. */
static void test_kill(void **state) {
        ProcessConfig config = {
                .arguments = (char *[]){ (char *) "/bin/sh", (char *) "-c",
                                (char *) "trap 'echo asked; exit' TERM; echo start; sleep 1000 & wait",
                                NULL },
                .environment = (char *[]){ (char *) "PATH=/usr/bin:/bin", NULL },
                .fd_stdin = -1,
                .timeout_usec = 200 * USEC_PER_MSEC,
                .on_line = on_line,
        };
        Output output = { 0 };

        (void) state;
        config.userdata = &output;
        assert_int_equal(process_run(&config), -ETIMEDOUT);
        assert_string_equal(output.text, "[start][asked]");
        output = (Output){ 0 };
        config.kill = true;
        assert_int_equal(process_run(&config), -ETIMEDOUT);
        assert_string_equal(output.text, "[start]");
}

/* What the program leaves behind in its session does not keep us, and ends. */
static void test_background_is_ended(void **state) {
        Output output;
        pid_t pid;

        (void) state;
        assert_int_equal(run("sleep 1000 & echo $!", -1, USEC_PER_MINUTE, &output), 0);
        assert_int_equal(sscanf(output.text, "[%d]", &pid), 1);
        for (unsigned i = 0; i < 1000 && kill(pid, 0) == 0; i++) {
                char path[64], *stat = NULL;

                snprintf(path, sizeof(path), "/proc/%d/stat", pid);
                if (file_read(AT_FDCWD, path, 4096, &stat, NULL) < 0)
                        break;
                if (strstr(stat, ") Z ")) { /* killed; its new parent has not reaped it yet */
                        free(stat);
                        return;
                }
                free(stat);
                usleep(1000);
        }
        assert_int_equal(kill(pid, 0), -1);
}

static void test_cannot_be_run(void **state) {
        ProcessConfig config = {
                .arguments = (char *[]){ (char *) "/nonexistent/loader", NULL },
                .environment = (char *[]){ NULL },
                .fd_stdin = -1,
                .timeout_usec = USEC_PER_MINUTE,
        };

        (void) state;
        assert_int_equal(process_run(&config), -ENOENT);
        config.arguments = (char *[]){ (char *) "/etc/passwd", NULL };
        assert_int_equal(process_run(&config), -EACCES);
        config.arguments = (char *[]){ (char *) "/tmp", NULL };
        assert_int_equal(process_run(&config), -EACCES);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_output_and_status),
                cmocka_unit_test(test_input_and_environment),
                cmocka_unit_test(test_no_descriptor_is_inherited),
                cmocka_unit_test(test_long_lines_come_in_parts),
                cmocka_unit_test(test_much_output),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_timeout),
                cmocka_unit_test(test_kill),
                cmocka_unit_test(test_background_is_ended),
                cmocka_unit_test(test_cannot_be_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
