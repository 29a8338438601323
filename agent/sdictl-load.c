/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/handover.h"
#include "agent/provisioned.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static int hash(int fd_file, uint8_t ret[static 32]) {
        uint64_t size;
        void *file;
        int r;

        r = memfd_check_sealed(fd_file, &size);
        if (r < 0)
                return r;
        if (size == 0)
                return EVP_Digest("", 0, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
        file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd_file, 0);
        if (file == MAP_FAILED)
                return -errno;
        r = EVP_Digest(file, size, ret, NULL, EVP_sha256(), NULL);
        munmap(file, size);
        return r == 1 ? 0 : -ENOMEM;
}

/* A connection to sdi-load with a ticket on it: what root asks for, and for which file. */
static int leave_ticket(const HandoverRequest *ticket) {
        _cleanup_close_ int fd = -1;
        char path[PATH_MAX];
        int r;

        fd = handover_connect(config_runtime_path(path, sizeof(path), "load-root.sock"));
        if (fd < 0)
                return fd;
        r = handover_send_ticket(fd, ticket);
        return r < 0 ? r : TAKE_FD(fd);
}

static int hand_over(const Config *config, const char *path, int fd_file, HandoverFlags flags,
                Verdict *ret_verdict, char ret_reason[static HANDOVER_REASON_MAX]) {
        char origin[HANDOVER_ORIGIN_MAX], socket_path[PATH_MAX], full[PATH_MAX];
        _cleanup_close_ int fd = -1, fd_load = -1;
        HandoverRequest request, ticket;
        int r;

        if (strcmp(path, "-") == 0 || !realpath(path, full))
                strcpy(full, "standard input");
        text_escape(origin, sizeof(origin), full, strlen(full));
        handover_request_init(&request, origin, "");
        ticket = request;
        ticket.flags = HANDOVER_ROOT | flags;
        r = hash(fd_file, ticket.sha256);
        if (r < 0)
                return r;

        fd_load = leave_ticket(&ticket);
        if (fd_load < 0)
                return fd_load;
        fd = handover_connect(config_runtime_path(socket_path, sizeof(socket_path), "unwrap-root.sock"));
        if (fd < 0)
                return fd;
        r = handover_send(fd, &request, fd_file, fd_load);
        if (r >= 0)
                r = handover_set_patience(fd,
                                time_add(HANDOVER_MARGIN_USEC,
                                                time_add(config->check_timeout_usec,
                                                                config->commit_timeout_usec)));
        close(TAKE_FD(fd_load)); /* from here on it is sdi-unwrap's */
        return r < 0 ? r : handover_receive_reply(fd, ret_verdict, ret_reason);
}

int sdictl_lock(int *ret) {
        int fd = provisioned_reserve();

        if (fd == -EWOULDBLOCK)
                return sdictl_fail(EX_TEMPFAIL,
                                "a configuration is being installed, or the device is being reset; try again when that has ended");
        if (fd == -EACCES || fd == -EPERM)
                return sdictl_fail(EX_NOPERM, "only root can do that");
        if (fd < 0)
                return sdictl_fail(EX_OSERR, "the lock of installations cannot be taken: %s", strerror(-fd));
        /* Reserved until this program ends: from here on at most the one installation that is under way is waited for. */
        fd = provisioned_lock(false);
        if (fd == -EWOULDBLOCK) {
                fprintf(stderr, "sdictl: waiting for the end of the installation that is under way\n");
                fd = provisioned_lock(true);
        }
        if (fd < 0)
                return sdictl_fail(EX_OSERR, "the lock of installations cannot be taken: %s", strerror(-fd));
        *ret = fd;
        return 0;
}

/* sdi-load takes the lock again for this file; nobody else gets it meanwhile. 0 or an exit status. */
static int wait_for_turn(void) {
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
        r = wait_for_turn();
        if (r != 0)
                return r;
        fd = read_to_memfd(path, config->maximum_size);
        if (fd == -EFBIG)
                return sdictl_fail(EX_DATAERR, "%s is larger than MaximumSize=", path);
        if (fd < 0)
                return sdictl_fail(EX_NOINPUT, "%s: %s", path, strerror(-fd));

        r = hand_over(config, path, fd, flags, &verdict, reason);
        if (r == -EACCES || r == -EPERM)
                return sdictl_fail(EX_NOPERM, "only root can load a configuration");
        if (r == -EAGAIN)
                return sdictl_fail(EX_TEMPFAIL,
                                "sdi-unwrap and sdi-load have not answered in time; `sdictl status` tells what has come of it");
        if (r < 0)
                return sdictl_fail(EX_TEMPFAIL,
                                "sdi-unwrap or sdi-load cannot be reached, are sdi-unwrap-root.socket and sdi-load-root.socket started? %s",
                                strerror(-r));
        if (verdict != VERDICT_INSTALLED)
                return sdictl_fail(verdict_is_refusal(verdict) ? EX_DATAERR : EX_TEMPFAIL, "%s: %s",
                                verdict_to_string(verdict), reason);
        printf("installed\n");
        return EXIT_SUCCESS;
}
