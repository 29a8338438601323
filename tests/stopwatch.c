/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Times a command from its start to the moment at which somebody writes to a FIFO:
 *
 *   stopwatch [--memory SERVER] FIFO COMMAND...
 *
 * Prints the microseconds. With --memory, samples meanwhile how much memory all processes have together that are new since
 * the start or whose name begins with "sdi-", but for those that the program SERVER starts, and prints the peak in KB (PSS:
 * shared pages by their share) instead. The
 * command goes on until it is terminated here; its session with it.
 */

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "tests/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#define GIVE_UP (30 * USEC_PER_SEC)

static const char *server; /* NULL: memory is not measured */

static bool counts(int pid) {
        _cleanup_free_ char *name = NULL;
        char path[64];

        if (pid == getpid())
                return false;
        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        if (file_read(AT_FDCWD, path, 64, &name, NULL) < 0)
                return false; /* it has just ended */
        name[strcspn(name, "\n")] = '\0';
        return strcmp(name, server) != 0 && (process_is_new(pid) || strncmp(name, "sdi-", 4) == 0);
}

static void add_memory(int pid, void *userdata) {
        uint64_t *sum = userdata;

        if (counts(pid))
                *sum += process_memory(pid);
}

static pid_t start(char **command) {
        pid_t pid = fork();

        if (pid == 0) {
                setsid();
                execvp(command[0], command);
                perror(command[0]);
                _exit(EXIT_FAILURE);
        }
        return pid;
}

/* Waits for a byte; returns the time from `begin`, or samples memory into *peak. */
static int watch(int fd, uint64_t begin, bool memory, uint64_t *ret_usec, uint64_t *peak) {
        struct pollfd fds = { .fd = fd, .events = POLLIN };

        for (;;) {
                int r = poll(&fds, 1, memory ? 0 : 1000);

                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r > 0) {
                        *ret_usec = time_now_boottime() - begin;
                        return 0;
                }
                if (time_now_boottime() - begin > GIVE_UP)
                        return -ETIMEDOUT;
                if (memory) {
                        uint64_t sum = 0;

                        processes_for_each(add_memory, &sum);
                        *peak = MAX(*peak, sum);
                }
        }
}

int main(int argc, char **argv) {
        uint64_t begin, usec = 0, peak = 0;
        _cleanup_close_ int fd = -1;
        pid_t pid;
        int r;

        if (argc > 2 && strcmp(argv[1], "--memory") == 0) {
                server = argv[2];
                argv += 2;
                argc -= 2;
        }
        if (argc < 3) {
                fprintf(stderr, "usage: stopwatch [--memory SERVER] FIFO COMMAND...\n");
                return EXIT_FAILURE;
        }
        fd = open(argv[1], O_RDWR | O_CLOEXEC);
        if (fd < 0) {
                perror(argv[1]);
                return EXIT_FAILURE;
        }
        if (server)
                processes_mark();
        begin = time_now_boottime();
        pid = start(argv + 2);
        r = watch(fd, begin, server, &usec, &peak);
        kill(-pid, SIGTERM);
        waitpid(pid, NULL, 0);
        if (r < 0) {
                fprintf(stderr, "stopwatch: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        printf("%" PRIu64 "\n", server ? peak : usec);
        return EXIT_SUCCESS;
}
