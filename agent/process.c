/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

typedef struct Output {
        const ProcessConfig *config;
        char line[PROCESS_LINE_MAX];
        size_t n;
} Output;

static void flush_line(Output *output) {
        if (output->config->on_line)
                output->config->on_line(output->line, output->n, output->config->userdata);
        output->n = 0;
}

/* 1 when something was read, 0 at the end, -EAGAIN when there is nothing now. */
static int read_output(Output *output, int fd) {
        char data[4096];
        ssize_t n = read(fd, data, sizeof(data));

        if (n < 0)
                return -errno;
        for (ssize_t i = 0; i < n; i++) {
                if (data[i] == '\n') {
                        flush_line(output);
                        continue;
                }
                output->line[output->n++] = data[i];
                if (output->n == sizeof(output->line))
                        flush_line(output);
        }
        return n > 0;
}

/* In the parent's memory: it touches nothing but *error, by which the parent learns why it has ended. */
static void run_child(const ProcessConfig *config, int fd_stdin, int fd_output, volatile int *error) {
        sigset_t none;

        /* A session of its own, so that all it starts can be ended with it. */
        if (setsid() >= 0 && dup2(fd_stdin, STDIN_FILENO) >= 0 && dup2(fd_output, STDOUT_FILENO) >= 0 &&
                        dup2(fd_output, STDERR_FILENO) >= 0) {
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
                signal(SIGPIPE, SIG_DFL);
                execve(config->arguments[0], config->arguments, config->environment);
        }
        *error = errno;
        _exit(EXIT_FAILURE);
}

/*
 * Not fork(): the child has no use for a copy of our memory. Returns when it is the program, or with why it is not. In a function of
 * its own, whose variables the child and we use in turn.
 */
__attribute__((noinline)) static pid_t spawn(const ProcessConfig *config, int fd_stdin, int fd_output) {
        volatile int error = 0;
        pid_t pid;

        pid = vfork();
        if (pid == 0)
                run_child(config, fd_stdin, fd_output, &error);
        if (pid < 0)
                return -errno;
        if (error == 0)
                return pid;
        waitpid(pid, NULL, 0);
        return -error;
}

/* Starts the child; returns its pid, or the error with which it failed before it was the program. */
static pid_t start(const ProcessConfig *config, int *ret_output) {
        _cleanup_close_ int null = -1, output = -1, output_child = -1;
        int pipes[2];
        pid_t pid;

        null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        output = pipes[0];
        output_child = pipes[1];

        pid = spawn(config, config->fd_stdin >= 0 ? config->fd_stdin : null, output_child);
        if (pid < 0)
                return pid;
        *ret_output = TAKE_FD(output);
        return pid;
}

static struct timespec time_left(uint64_t deadline) {
        uint64_t now = time_now_boottime(), left = now >= deadline ? 0 : MIN(deadline - now, USEC_PER_HOUR);

        return (struct timespec){ .tv_sec = (time_t) (left / USEC_PER_SEC),
                .tv_nsec = (long) (left % USEC_PER_SEC * 1000) };
}

/* Reads output until the program has ended (1) or the deadline has passed (0). */
static int watch(Output *output, int fd_output, int fd_pid, uint64_t deadline) {
        struct pollfd fds[] = { { .fd = fd_pid, .events = POLLIN }, { .fd = fd_output, .events = POLLIN } };

        for (;;) {
                struct timespec left = time_left(deadline);
                int r = ppoll(fds, ELEMENTSOF(fds), &left, NULL);

                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0) {
                        if (time_now_boottime() >= deadline)
                                return 0;
                        continue;
                }
                if (fds[1].revents && read_output(output, fd_output) == 0)
                        fds[1].fd = -1; /* closed by the program, which may go on */
                if (fds[0].revents)
                        return 1;
        }
}

static int finish(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
}

int process_run(const ProcessConfig *config) {
        _cleanup_close_ int fd_output = -1, fd_pid = -1;
        Output output = { .config = config };
        bool timed_out = false;
        pid_t pid;
        int r;

        pid = start(config, &fd_output);
        if (pid < 0)
                return pid;
        (void) fcntl(fd_output, F_SETFL, O_NONBLOCK);
        fd_pid = (int) syscall(SYS_pidfd_open, pid, 0);
        r = fd_pid < 0 ? -errno
                       : watch(&output, fd_output, fd_pid,
                                         time_add(time_now_boottime(), config->timeout_usec));
        if (r == 0) {
                timed_out = true;
                if (!config->kill) {
                        kill(-pid, SIGTERM);
                        r = watch(&output, fd_output, fd_pid,
                                        time_add(time_now_boottime(), PROCESS_GRACE_USEC));
                }
        }

        /* The leader is not reaped yet, so the group is still this one. */
        kill(-pid, SIGKILL);
        while (read_output(&output, fd_output) > 0)
                ; /* what was still in the pipe */
        if (output.n > 0)
                flush_line(&output);
        r = r < 0 ? (finish(pid), r) : finish(pid);
        return timed_out ? -ETIMEDOUT : r;
}
