/* SPDX-License-Identifier: Apache-2.0 */
#include "base/event.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LETTER(text) ((char[]){ text })

/* What has run, a letter each. */
static char trace[256];
static EventLoop *loop;
static EventSource *sources[4];
static int pipes[2][2];

static int setup(void **state) {
        (void) state;
        memset(trace, 0, sizeof(trace));
        memset(sources, 0, sizeof(sources));
        if (pipe2(pipes[0], O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(pipes[1], O_CLOEXEC | O_NONBLOCK) < 0)
                return -1;
        return event_loop_new(&loop);
}

static int teardown(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(sources); i++)
                event_source_free(sources[i]);
        loop = event_loop_free(loop);
        for (size_t i = 0; i < 4; i++)
                close(pipes[i / 2][i % 2]);
        return 0;
}

static void note(char letter) {
        size_t n = strlen(trace);

        if (n + 1 < sizeof(trace))
                trace[n] = letter;
}

static int on_letter(void *userdata) {
        note(*(const char *) userdata);
        return 0;
}

static int on_exit_letter(void *userdata) {
        note(*(const char *) userdata);
        event_loop_exit(loop, 7);
        return 0;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        char byte;

        assert_int_equal(events, EPOLLIN);
        assert_int_equal(read(fd, &byte, 1), 1);
        note(*(const char *) userdata);
        return 0;
}

static int on_broken(void *userdata) {
        (void) userdata;
        return -EIO;
}

static int on_free_others(int fd, uint32_t events, void *userdata) {
        (void) fd;
        (void) events;
        note(*(const char *) userdata);
        for (size_t i = 0; i < 3; i++)
                sources[i] = event_source_free(sources[i]);
        event_deferred_set(sources[3]);
        return 0;
}

static int on_timer_again(void *userdata) {
        (void) userdata;
        note('t');
        event_timer_set(sources[0], 1); /* due already, for ever */
        return 0;
}

static int on_deferred_again(void *userdata) {
        (void) userdata;
        note('d');
        if (strlen(trace) < 5)
                event_deferred_set(sources[0]);
        else
                event_loop_exit(loop, 0);
        return 0;
}

static int on_endless(int fd, uint32_t events, void *userdata) {
        (void) fd;
        (void) events;
        (void) userdata;
        note('i');
        return 0;
}

static void add_timer(size_t i, uint64_t when, event_handler_t handler, const char *letter) {
        assert_int_equal(event_add_timer(loop, &sources[i], handler, (void *) letter), 0);
        event_timer_set(sources[i], when);
}

static void timers_run_by_their_deadlines(void **state) {
        uint64_t now = time_now_boottime();

        (void) state;
        add_timer(0, now + 3000, on_letter, "c");
        add_timer(1, now + 5000, on_exit_letter, "d");
        add_timer(2, now - 1, on_letter, "a");
        add_timer(3, now + 1000, on_letter, "b");
        assert_int_equal(event_loop_run(loop), 7);
        assert_string_equal(trace, "abcd");
        assert_true(time_now_boottime() >= now + 5000);
}

static void timers_are_moved_and_taken_back(void **state) {
        uint64_t now = time_now_boottime();

        (void) state;
        add_timer(0, now + 1000, on_letter, "a");
        add_timer(1, now + 2000, on_letter, "b");
        add_timer(2, now + 3000, on_exit_letter, "c");
        event_timer_set(sources[0], now + 2500);
        event_timer_set(sources[1], USEC_INFINITY);
        assert_int_equal(event_loop_run(loop), 7);
        assert_string_equal(trace, "ac");
}

static void timer_that_was_met_rests(void **state) {
        uint64_t now = time_now_boottime();

        (void) state;
        add_timer(0, 0, on_letter, "a");
        add_timer(1, now + 2000, on_exit_letter, "b");
        assert_int_equal(event_loop_run(loop), 7);
        assert_string_equal(trace, "ab");
}

static void what_is_read_runs_before_what_is_deferred(void **state) {
        (void) state;
        assert_int_equal(event_add_deferred(loop, &sources[0], on_exit_letter, LETTER("z")), 0);
        assert_int_equal(event_add_io(loop, &sources[1], pipes[0][0], EPOLLIN, on_readable, LETTER("a")), 0);
        assert_int_equal(event_add_io(loop, &sources[2], pipes[1][0], EPOLLIN, on_readable, LETTER("a")), 0);
        event_deferred_set(sources[0]);
        event_deferred_set(sources[0]);
        assert_int_equal(write(pipes[0][1], "xx", 2), 2);
        assert_int_equal(write(pipes[1][1], "x", 1), 1);
        assert_int_equal(event_loop_run(loop), 7);
        assert_string_equal(trace, "aaaz");
}

static void deferred_runs_once_for_each_time(void **state) {
        (void) state;
        assert_int_equal(event_add_deferred(loop, &sources[0], on_deferred_again, NULL), 0);
        event_deferred_set(sources[0]);
        assert_int_equal(event_loop_run(loop), 0);
        assert_string_equal(trace, "ddddd");
}

/* Both pipes are readable: whichever comes first frees the other. */
static void freed_source_does_not_run(void **state) {
        (void) state;
        assert_int_equal(event_add_io(loop, &sources[0], pipes[0][0], EPOLLIN, on_free_others, LETTER("a")),
                        0);
        assert_int_equal(event_add_io(loop, &sources[1], pipes[1][0], EPOLLIN, on_free_others, LETTER("a")),
                        0);
        add_timer(2, time_now_boottime() + USEC_PER_HOUR, on_letter, "b");
        assert_int_equal(event_add_deferred(loop, &sources[3], on_exit_letter, LETTER("z")), 0);
        assert_int_equal(write(pipes[0][1], "x", 1), 1);
        assert_int_equal(write(pipes[1][1], "x", 1), 1);
        assert_int_equal(event_loop_run(loop), 7);
        assert_string_equal(trace, "az");
}

static void flood_does_not_hold_up_for_ever(void **state) {
        (void) state;
        assert_int_equal(write(pipes[0][1], "x", 1), 1);
        assert_int_equal(event_add_io(loop, &sources[1], pipes[0][0], EPOLLIN, on_endless, NULL), 0);
        assert_int_equal(event_add_deferred(loop, &sources[2], on_exit_letter, LETTER("z")), 0);
        event_deferred_set(sources[2]);
        assert_int_equal(event_loop_run(loop), 7);
        assert_non_null(strstr(trace, "iz"));
}

static void timer_that_is_always_due_lets_others_run(void **state) {
        (void) state;
        assert_int_equal(write(pipes[0][1], "x", 1), 1);
        assert_int_equal(event_add_io(loop, &sources[1], pipes[0][0], EPOLLIN, on_readable, LETTER("a")), 0);
        assert_int_equal(event_add_deferred(loop, &sources[2], on_exit_letter, LETTER("z")), 0);
        add_timer(0, 1, on_timer_again, NULL);
        event_deferred_set(sources[2]);
        assert_int_equal(event_loop_run(loop), 7);
        assert_non_null(strchr(trace, 'a'));
}

static void error_of_a_handler_ends_the_loop(void **state) {
        (void) state;
        add_timer(0, 0, on_broken, NULL);
        assert_int_equal(event_loop_run(loop), -EIO);
}

static void signals_arrive(void **state) {
        (void) state;
        assert_int_equal(event_add_signal(loop, SIGHUP, on_letter, LETTER("h")), 0);
        assert_int_equal(event_add_signal(loop, SIGUSR1, NULL, NULL), 0);
        assert_int_equal(raise(SIGHUP), 0);
        assert_int_equal(event_add_deferred(loop, &sources[0], on_exit_letter, LETTER("z")), 0);
        event_deferred_set(sources[0]);
        assert_int_equal(event_loop_run(loop), 7);
        assert_string_equal(trace, "hz");

        assert_int_equal(raise(SIGUSR1), 0);
        assert_int_equal(event_loop_run(loop), 0);
}

static void what_cannot_be_watched_is_an_error(void **state) {
        (void) state;
        assert_int_equal(event_add_io(loop, &sources[0], -1, EPOLLIN, on_readable, LETTER("a")), -EBADF);
        assert_null(sources[0]);
        assert_int_equal(event_add_signal(loop, 1000, NULL, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(timers_run_by_their_deadlines, setup, teardown),
                cmocka_unit_test_setup_teardown(timers_are_moved_and_taken_back, setup, teardown),
                cmocka_unit_test_setup_teardown(timer_that_was_met_rests, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_read_runs_before_what_is_deferred, setup, teardown),
                cmocka_unit_test_setup_teardown(deferred_runs_once_for_each_time, setup, teardown),
                cmocka_unit_test_setup_teardown(freed_source_does_not_run, setup, teardown),
                cmocka_unit_test_setup_teardown(flood_does_not_hold_up_for_ever, setup, teardown),
                cmocka_unit_test_setup_teardown(timer_that_is_always_due_lets_others_run, setup, teardown),
                cmocka_unit_test_setup_teardown(error_of_a_handler_ends_the_loop, setup, teardown),
                cmocka_unit_test_setup_teardown(signals_arrive, setup, teardown),
                cmocka_unit_test_setup_teardown(what_cannot_be_watched_is_an_error, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
