/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/handover.h"
#include "agent/provisioned.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* The file, or standard input, as a sealed memfd: from here on it is handled as one that came from the network. */
static int read_to_memfd(const char *path, uint64_t size_max) {
        _cleanup_close_ int fd = -1;
        uint64_t size;

        if (strcmp(path, "-") == 0)
                return memfd_copy("sdi-file", STDIN_FILENO, size_max, &size);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        return memfd_copy("sdi-file", fd, size_max, &size);
}

static int hand_over(const char *path, int fd_file, HandoverFlags flags, Verdict *ret_verdict,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        char origin[HANDOVER_ORIGIN_MAX], socket_path[PATH_MAX], full[PATH_MAX];
        _cleanup_close_ int fd = -1;
        HandoverRequest request;
        int r;

        if (strcmp(path, "-") == 0 || !realpath(path, full))
                strcpy(full, "standard input");
        text_escape(origin, sizeof(origin), full, strlen(full));
        handover_request_init(&request, origin, "");
        request.flags = HANDOVER_REINSTALL | flags;

        fd = handover_connect(config_runtime_path(socket_path, sizeof(socket_path), "unwrap.sock"));
        if (fd < 0)
                return fd;
        r = handover_send(fd, &request, fd_file, -1);
        if (r < 0)
                return r;
        return handover_receive_reply(fd, ret_verdict, ret_reason);
}

int sdictl_lock(int *ret) {
        int fd = provisioned_lock(false);

        if (fd == -EWOULDBLOCK)
                return sdictl_fail(EX_TEMPFAIL,
                                "a configuration is being installed, or the device is being reset; try again when that has ended");
        if (fd == -EACCES || fd == -EPERM)
                return sdictl_fail(EX_NOPERM, "only root can do that");
        if (fd < 0)
                return sdictl_fail(EX_OSERR, "the lock of installations cannot be taken: %s", strerror(-fd));
        *ret = fd;
        return 0;
}

/* Else this one would be installed after the one that is being installed now, which nobody can mean. 0 or an exit status. */
static int check_idle(void) {
        int fd, r;

        r = sdictl_lock(&fd);
        if (r == 0)
                close(fd);
        return r;
}

/* Where FILE stands in argv, or 0 after a usage error. */
static int parse(int argc, char **argv, HandoverFlags *ret_flags) {
        static const struct option options[] = {
                { "replace", no_argument, NULL, 'r' },
                { "merge", no_argument, NULL, 'm' },
                { NULL, 0, NULL, 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'r':
                        *ret_flags = 0;
                        break;
                case 'm':
                        *ret_flags = HANDOVER_MERGE;
                        break;
                default:
                        return 0;
                }
        if (optind + 1 != argc) {
                sdictl_fail(EX_USAGE, "one FILE, or - for standard input");
                return 0;
        }
        return optind;
}

int sdictl_load(const Config *config, int argc, char **argv) {
        char reason[HANDOVER_REASON_MAX];
        _cleanup_close_ int fd = -1;
        HandoverFlags flags = 0;
        const char *path;
        Verdict verdict;
        int r;

        r = parse(argc, argv, &flags);
        if (r == 0)
                return EX_USAGE;
        path = argv[r];
        r = check_idle();
        if (r != 0)
                return r;
        fd = read_to_memfd(path, config->maximum_size);
        if (fd == -EFBIG)
                return sdictl_fail(EX_DATAERR, "%s is larger than MaximumSize=", path);
        if (fd < 0)
                return sdictl_fail(EX_NOINPUT, "%s: %s", path, strerror(-fd));

        r = hand_over(path, fd, flags, &verdict, reason);
        if (r == -EACCES || r == -EPERM)
                return sdictl_fail(EX_NOPERM, "only root can load a configuration");
        if (r < 0)
                return sdictl_fail(EX_TEMPFAIL,
                                "sdi-unwrap cannot be reached, is sdi-unwrap.socket started? %s",
                                strerror(-r));
        if (verdict != VERDICT_INSTALLED)
                return sdictl_fail(verdict_is_refusal(verdict) ? EX_DATAERR : EX_TEMPFAIL, "%s: %s",
                                verdict_to_string(verdict), reason);
        printf("installed\n");
        return EXIT_SUCCESS;
}
