/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/handover.h"

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static const char request_magic[8] = "SDI-REQ1", ticket_magic[8] = "SDI-TKT1", reply_magic[8] = "SDI-RPL1";

/* Both are sent as they lie in memory: no hole may carry what lay there before. */
static_assert(sizeof(HandoverRequest) == 24 + HANDOVER_ORIGIN_MAX + IFNAMSIZ + 32 + 72,
                "hole in the request");
static_assert(sizeof(HandoverReply) == 16 + HANDOVER_REASON_MAX, "hole in the reply");

void handover_request_init(HandoverRequest *request, const char *origin, const char *interface) {
        memset(request, 0, sizeof(*request));
        memcpy(request->magic, request_magic, sizeof(request->magic));
        snprintf(request->origin, sizeof(request->origin), "%s", origin);
        snprintf(request->interface, sizeof(request->interface), "%s", interface);
}

static int set_timeout(int fd, int option, uint64_t usec) {
        struct timeval timeout = { .tv_sec = (time_t) (usec / USEC_PER_SEC),
                .tv_usec = (suseconds_t) (usec % USEC_PER_SEC) };

        return setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof(timeout)) < 0 ? -errno : 0;
}

int handover_set_patience(int fd, uint64_t usec) {
        return set_timeout(fd, SO_RCVTIMEO, usec);
}

int handover_connect(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        struct ucred peer;
        int r;

        r = text_copy(address.sun_path, sizeof(address.sun_path), path);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        r = set_timeout(fd, SO_SNDTIMEO, HANDOVER_PATIENCE_USEC); /* of connect(), too */
        if (r < 0)
                return r;
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        /* Of a listening socket these are the credentials of who called listen(): systemd. */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) < 0)
                return -errno;
        return peer.uid == 0 ? TAKE_FD(fd) : -EPERM;
}

static bool still_awaited(const HandoverAhead *ahead) {
        return ahead->fd >= 0 && time_now_boottime() - ahead->since < HANDOVER_PATIENCE_USEC / 2;
}

void handover_prepare(HandoverAhead *ahead, const char *path) {
        if (still_awaited(ahead))
                return;
        cleanup_close(&ahead->fd);
        ahead->since = time_now_boottime();
        ahead->fd = handover_connect(path);
}

int handover_take(HandoverAhead *ahead, const char *path) {
        if (still_awaited(ahead))
                return TAKE_FD(ahead->fd);
        cleanup_close(&ahead->fd);
        ahead->fd = -1;
        return handover_connect(path);
}

#define DESCRIPTORS_MAX 2

int handover_send(int fd, HandoverRequest *request, int fd_file, int fd_connection) {
        const int descriptors[DESCRIPTORS_MAX] = { fd_file, fd_connection };
        size_t n = fd_connection >= 0 ? 2 : 1;
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(descriptors))];
        } control = { 0 };
        struct msghdr message = {
                .msg_iov = &(struct iovec){ request, sizeof(*request) },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(n * sizeof(int)),
        };
        int r;

        r = memfd_check_sealed(fd_file, &request->size);
        if (r < 0)
                return r;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), descriptors, n * sizeof(int));
        return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int handover_wait_taken(int fd) {
        uint8_t byte;
        ssize_t n = recv(fd, &byte, sizeof(byte), 0);

        if (n < 0)
                return -errno;
        return n == 0 ? 0 : -EPROTO;
}

static void close_all(struct msghdr *message) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                        close(fd);
                }
        }
}

/* Exactly n descriptors, else none: whatever came is closed. */
static int take_descriptors(struct msghdr *message, int *ret, size_t n) {
        struct cmsghdr *c = CMSG_FIRSTHDR(message);

        if ((message->msg_flags & MSG_CTRUNC) || !c || CMSG_NXTHDR(message, c) ||
                        c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
                        c->cmsg_len != CMSG_LEN(n * sizeof(int))) {
                close_all(message);
                return -EBADMSG;
        }
        memcpy(ret, CMSG_DATA(c), n * sizeof(int));
        return 0;
}

static bool is_text(const char *field, size_t size) {
        if (!memchr(field, '\0', size))
                return false;
        for (; *field; field++)
                if (*field < 0x20 || *field >= 0x7f)
                        return false;
        return true;
}

static bool is_hex(const char *field, size_t size) {
        return is_text(field, size) && (field[0] == '\0' || strspn(field, "0123456789abcdef") == size - 1);
}

static int check_request(const HandoverRequest *request, const char magic[static 8], uint32_t flags) {
        if (memcmp(request->magic, magic, sizeof(request->magic)) != 0 || request->reserved != 0 ||
                        (request->flags & ~flags) != 0 ||
                        !is_text(request->origin, sizeof(request->origin)) || request->origin[0] == '\0' ||
                        !is_text(request->interface, sizeof(request->interface)) ||
                        !is_hex(request->key_fingerprint, sizeof(request->key_fingerprint)))
                return -EBADMSG;
        return 0;
}

static int check_file(const HandoverRequest *request, int fd_file) {
        uint64_t size;

        return memfd_check_sealed(fd_file, &size) < 0 || size != request->size ? -EBADMSG : 0;
}

int handover_receive(int fd, HandoverRequest *ret, int *ret_file, int *ret_connection) {
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(4 * sizeof(int))];
        } control;
        HandoverRequest request;
        struct msghdr message = {
                .msg_iov = &(struct iovec){ &request, sizeof(request) },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        int descriptors[DESCRIPTORS_MAX] = { -1, -1 }, r;
        _cleanup_close_ int fd_file = -1, fd_connection = -1;
        ssize_t n;

        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;
        if (n == 0 && message.msg_controllen == 0)
                return -ENODATA;
        r = take_descriptors(&message, descriptors, ret_connection ? 2 : 1);
        if (r < 0)
                return r;
        fd_file = descriptors[0];
        fd_connection = descriptors[1];
        if (n != sizeof(request) || (message.msg_flags & MSG_TRUNC))
                return -EBADMSG;
        r = check_request(&request, request_magic, _HANDOVER_FLAGS_REQUEST);
        if (r >= 0)
                r = check_file(&request, fd_file);
        if (r < 0)
                return r;

        *ret = request;
        *ret_file = TAKE_FD(fd_file);
        if (ret_connection)
                *ret_connection = TAKE_FD(fd_connection);
        return 0;
}

int handover_send_ticket(int fd, const HandoverRequest *ticket) {
        HandoverRequest message = *ticket;

        memcpy(message.magic, ticket_magic, sizeof(message.magic));
        return send(fd, &message, sizeof(message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int handover_receive_ticket(int fd, HandoverRequest *ret) {
        HandoverRequest ticket;
        ssize_t n = recv(fd, &ticket, sizeof(ticket),
                        MSG_TRUNC); /* descriptors that come with it are dropped */
        int r;

        if (n < 0)
                return -errno;
        if (n == 0)
                return -ENODATA;
        if (n != sizeof(ticket))
                return -EBADMSG;
        r = check_request(&ticket, ticket_magic, _HANDOVER_FLAGS_TICKET);
        if (r < 0 || !(ticket.flags & HANDOVER_ROOT))
                return -EBADMSG;
        *ret = ticket;
        return 0;
}

int handover_reply(int fd, Verdict verdict, const char *reason) {
        HandoverReply reply = { .verdict = verdict };

        memcpy(reply.magic, reply_magic, sizeof(reply.magic));
        snprintf(reply.reason, sizeof(reply.reason), "%s", reason);
        return send(fd, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int handover_receive_reply(int fd, Verdict *ret, char ret_reason[static HANDOVER_REASON_MAX]) {
        HandoverReply reply;
        ssize_t n = recv(fd, &reply, sizeof(reply), MSG_TRUNC);

        if (n < 0)
                return -errno;
        if (n == 0)
                return -ECONNRESET;
        if (n != sizeof(reply) || memcmp(reply.magic, reply_magic, sizeof(reply.magic)) != 0 ||
                        reply.verdict >= _VERDICT_MAX || reply.reserved != 0 ||
                        !is_text(reply.reason, sizeof(reply.reason)))
                return -EBADMSG;
        *ret = reply.verdict;
        memcpy(ret_reason, reply.reason, sizeof(reply.reason));
        return 0;
}
