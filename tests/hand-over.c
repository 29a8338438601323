/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plays an attacker who has taken over sdi-agent or sdi-unwrap. Run it as that user.
 *
 *   hand-over give SOCKET FILE...    hands each file over, one after the other, and prints for each what an attacker learns:
 *                                    the microseconds until the verdict, the verdict, the reason (separated by tabs)
 *   hand-over flags SOCKET FILE N    to sdi-load, with these flags; prints as above
 *   hand-over full SOCKET FILE       to sdi-load, with a connection to answer on that has no room for an answer
 *   hand-over idle SOCKET N          connects N times and hands nothing over; then prints, for each line that it reads, how many of
 *                                    the connections are still there
 */

#include "agent/handover.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/time.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static int read_file(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint64_t size;

        fd = fd < 0 ? -1 : memfd_copy("file", fd, 1 << 20, &size);
        if (fd < 0)
                err(EXIT_FAILURE, "%s", path);
        return TAKE_FD(fd);
}

static int connect_to(const char *path) {
        int fd = handover_connect(path);

        if (fd < 0) {
                errno = -fd;
                err(EXIT_FAILURE, "%s", path);
        }
        return fd;
}

/* `fd_reply` is passed on, or -1. */
static void send_file(int fd, const char *path, uint32_t flags, int fd_reply) {
        _cleanup_close_ int fd_file = read_file(path);
        HandoverRequest request;
        int r;

        handover_request_init(&request, path, "port0");
        request.flags = flags;
        r = handover_send(fd, &request, fd_file, fd_reply);
        if (r < 0) {
                errno = -r;
                err(EXIT_FAILURE, "sending %s", path);
        }
}

static void print_answer(int fd, uint64_t start) {
        char reason[HANDOVER_REASON_MAX];
        Verdict verdict;
        int r;

        r = handover_receive_reply(fd, &verdict, reason);
        printf("%ju\t%s\t%s\n", (uintmax_t) (time_now_boottime() - start),
                        r < 0 ? strerror(-r) : verdict_to_string(verdict), r < 0 ? "" : reason);
        fflush(stdout);
}

static void give(const char *path, const char *file) {
        _cleanup_close_ int fd = connect_to(path);
        uint64_t start = time_now_boottime();

        send_file(fd, file, 0, -1);
        print_answer(fd, start);
}

static void give_to_load(const char *path, const char *file, uint32_t flags) {
        _cleanup_close_ int fd = connect_to(path);
        uint64_t start = time_now_boottime();
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                err(EXIT_FAILURE, "socketpair");
        send_file(fd, file, flags, fds[1]);
        close(fds[1]);
        print_answer(fds[0], start);
        close(fds[0]);
}

static void give_full(const char *path, const char *file) {
        _cleanup_close_ int fd = connect_to(path);
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                err(EXIT_FAILURE, "socketpair");
        while (send(fds[1], "x", 1, MSG_DONTWAIT) == 1)
                ;
        send_file(fd, file, 0, fds[1]);
        (void) handover_wait_taken(fd);
        (void) pause(); /* and the connection stays */
}

static void idle(const char *path, size_t n) {
        _cleanup_free_ struct pollfd *connections = calloc(n, sizeof(*connections));
        char line[16];

        if (!connections)
                err(EXIT_FAILURE, "calloc");
        for (size_t i = 0; i < n; i++)
                connections[i] = (struct pollfd){ .fd = connect_to(path), .events = 0 };
        while (puts("ready"), fflush(stdout), fgets(line, sizeof(line), stdin)) {
                size_t n_open = n;

                if (poll(connections, n, 0) < 0)
                        err(EXIT_FAILURE, "poll");
                for (size_t i = 0; i < n; i++)
                        n_open -= (connections[i].revents & POLLHUP) != 0;
                printf("%zu\n", n_open);
        }
}

int main(int argc, char **argv) {
        const char *what = argc > 3 ? argv[1] : "";

        if (strcmp(what, "give") == 0)
                for (int i = 3; i < argc; i++)
                        give(argv[2], argv[i]);
        else if (strcmp(what, "flags") == 0 && argc == 5)
                give_to_load(argv[2], argv[3], (uint32_t) strtoul(argv[4], NULL, 10));
        else if (strcmp(what, "full") == 0)
                give_full(argv[2], argv[3]);
        else if (strcmp(what, "idle") == 0)
                idle(argv[2], strtoul(argv[3], NULL, 10));
        else
                errx(EXIT_FAILURE, "usage: hand-over give|flags|full|idle SOCKET ...");
        return EXIT_SUCCESS;
}
