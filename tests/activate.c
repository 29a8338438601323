/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A systemd of one socket, for tests of programs that end and are started again: systemd-socket-activate starts its program once.
 *
 *   activate PATH GROUP USER COMMAND...
 *
 * Listens on an AF_UNIX SOCK_SEQPACKET socket, mode 0660 of that group, and runs COMMAND with it (sd_listen_fds(3)) whenever somebody
 * has connected and it does not run: as that user, without a capability and other groups; or as root, with all of them.
 */

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static int listen_at(const char *path, const char *group) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const struct group *entry = getgrnam(group);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

        if (fd < 0 || !entry || text_copy(address.sun_path, sizeof(address.sun_path), path) < 0 ||
                        bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
                        chown(path, 0, entry->gr_gid) < 0 || chmod(path, 0660) < 0 || listen(fd, 64) < 0)
                return -1;
        return fd;
}

static int become(const struct passwd *user) {
        if (user->pw_uid == 0)
                return 0;
        for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability) == 0; capability++)
                ;
        return setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
                                        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0
                        ? -errno
                        : 0;
}

static void run(int fd, const struct passwd *user, char **command) {
        char pid[16];

        if (become(user) < 0) {
                fprintf(stderr, "activate: cannot run as %s\n", user->pw_name);
                _exit(EXIT_FAILURE);
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten when the user changes */
        if (dup2(fd, 3) < 0)
                _exit(EXIT_FAILURE);
        snprintf(pid, sizeof(pid), "%d", getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "1", 1);
        execvp(command[0], command);
        perror(command[0]);
        _exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
        const struct passwd *user;
        int fd;

        if (argc < 5) {
                fprintf(stderr, "usage: activate PATH GROUP USER COMMAND...\n");
                return EXIT_FAILURE;
        }
        fd = listen_at(argv[1], argv[2]);
        user = getpwnam(argv[3]);
        if (fd < 0 || !user) {
                fprintf(stderr, "activate: %s, as %s: %s\n", argv[1], argv[3],
                                user ? strerror(errno) : "no such user");
                return EXIT_FAILURE;
        }
        for (;;) {
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
                pid_t pid;

                if (poll(&poll_fd, 1, -1) < 0)
                        return EXIT_FAILURE;
                pid = fork();
                if (pid < 0)
                        return EXIT_FAILURE;
                if (pid == 0)
                        run(fd, user, argv + 4);
                while (waitpid(pid, NULL, 0) < 0)
                        if (errno != EINTR)
                                return EXIT_FAILURE;
        }
}
