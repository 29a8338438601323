/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/handover.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

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

static int hand_over(const char *path, int fd_file, Verdict *ret_verdict,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        char origin[HANDOVER_ORIGIN_MAX], socket_path[PATH_MAX], full[PATH_MAX];
        _cleanup_close_ int fd = -1;
        HandoverRequest request;
        int r;

        if (strcmp(path, "-") == 0 || !realpath(path, full))
                strcpy(full, "standard input");
        text_escape(origin, sizeof(origin), full, strlen(full));
        handover_request_init(&request, origin, "");
        request.flags = HANDOVER_REINSTALL;

        fd = handover_connect(config_runtime_path(socket_path, sizeof(socket_path), "unwrap.sock"));
        if (fd < 0)
                return fd;
        r = handover_send(fd, &request, fd_file, -1);
        if (r < 0)
                return r;
        return handover_receive_reply(fd, ret_verdict, ret_reason);
}

int sdictl_load(const Config *config, int argc, char **argv) {
        char reason[HANDOVER_REASON_MAX];
        _cleanup_close_ int fd = -1;
        Verdict verdict;
        int r;

        if (argc != 2)
                return sdictl_fail(EX_USAGE, "one FILE, or - for standard input");
        fd = read_to_memfd(argv[1], config->maximum_size);
        if (fd == -EFBIG)
                return sdictl_fail(EX_DATAERR, "%s is larger than MaximumSize=", argv[1]);
        if (fd < 0)
                return sdictl_fail(EX_NOINPUT, "%s: %s", argv[1], strerror(-fd));

        r = hand_over(argv[1], fd, &verdict, reason);
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
