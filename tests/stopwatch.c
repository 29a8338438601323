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

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#define GIVE_UP (30 * USEC_PER_SEC)
#define PIDS_MAX 65536

static bool was_there[PIDS_MAX];
static const char *server; /* NULL: memory is not measured */

static void for_each_process(void (*f)(int pid, void *userdata), void *userdata) {
        DIR *directory = opendir("/proc");
        struct dirent *entry;

        while ((entry = readdir(directory)))
                if (isdigit((unsigned char) entry->d_name[0]) && atoi(entry->d_name) < PIDS_MAX)
                        f(atoi(entry->d_name), userdata);
        closedir(directory);
}

static void mark(int pid, void *userdata) {
        (void) userdata;
        was_there[pid] = true;
}

static bool counts(int pid) {
        _cleanup_free_ char *name = NULL;
        char path[64];

        if (pid == getpid())
                return false;
        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        if (file_read(AT_FDCWD, path, 64, &name, NULL) < 0)
                return false; /* it has just ended */
        name[strcspn(name, "\n")] = '\0';
        return strcmp(name, server) != 0 && (!was_there[pid] || strncmp(name, "sdi-", 4) == 0);
}

static void add_pss(int pid, void *userdata) {
        _cleanup_free_ char *text = NULL;
        uint64_t *sum = userdata, kb;
        const char *pss;
        char path[64];

        if (!counts(pid))
                return;
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
        if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return; /* it has just ended */
        pss = strstr(text, "Pss:");
        if (pss && sscanf(pss, "Pss: %" SCNu64, &kb) == 1)
                *sum += kb;
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

                        for_each_process(add_pss, &sum);
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
                for_each_process(mark, NULL);
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
