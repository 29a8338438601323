/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/handover.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void give(int fd, const uint8_t *data, size_t size, int fd_file) {
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS,
                                      .cmsg_len = CMSG_LEN(sizeof(int)) } };
        struct iovec iov = { (void *) data, size };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        memcpy(CMSG_DATA(&control.header), &fd_file, sizeof(int));
        if (sendmsg(fd, &message, 0) < 0)
                abort();
}

/* Both ends of a hand-over, from a peer that may send anything; the file is a good one of five bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char reason[HANDOVER_REASON_MAX];
        HandoverRequest request;
        int fds[2], fd_file, fd = -1;
        Verdict verdict;

        if (size == 0 || size > 4096)
                return 0;
        fd_file = memfd_new("file");
        if (fd_file < 0 || file_write_all(fd_file, "hello", 5) < 0 || memfd_seal(fd_file) < 0 ||
                        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                abort();
        give(fds[0], data, size, fd_file);
        if (handover_receive(fds[1], &request, &fd, NULL) == 0) {
                if (fd < 0 || request.size != 5 || strlen(request.origin) >= sizeof(request.origin) ||
                                !*request.origin)
                        abort();
                close(fd);
        } else if (fd != -1)
                abort();

        if (send(fds[1], data, size, 0) < 0)
                abort();
        if (handover_receive_reply(fds[0], &verdict, reason) == 0 &&
                        (verdict >= _VERDICT_MAX || strlen(reason) >= sizeof(reason)))
                abort();
        close(fd_file);
        close(fds[0]);
        close(fds[1]);
        return 0;
}
