/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gives the machine of net/tftp-client.c a socket, a timer, the clock and a memfd. Each packet is received
 * and written by a call of its own: to receive 64 at a time, to write 16 KB at a time and to set the timer
 * only when it was too late made no difference that could be measured, neither to 1 MB in blocks of 1468
 * bytes without a delay nor to 32 MB in windows of 1 MB.
 */

#include "net/tftp-transfer.h"

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/time.h"
#include "net/tftp-client.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define MTU_DEFAULT 1500

/* A window comes in one burst: without this its tail is lost each time. */
#define RECEIVE_BUFFER (2 * 1024 * 1024)

/* Taken at one wake-up: a flood leaves time for other ports. */
#define PACKETS_MAX 1024

struct TftpTransfer {
        int family;
        SocketAddress source;
        char interface[IFNAMSIZ];
        char *file_name;
        tftp_transfer_done_t done;
        void *userdata;

        TftpClient *client;
        EventLoop *loop;
        EventSource *timer, *io;
        int fd; /* the socket */
        int fd_file;
        uint64_t started, ended;
        /* One byte more than a block may have, so that a larger one shows. */
        uint8_t packet[TFTP_DATA_MAX + 1];
};

DEFINE_CLEANUP(TftpTransfer, tftp_transfer_free)

static void close_socket(TftpTransfer *transfer) {
        transfer->io = event_source_free(transfer->io);
        cleanup_close(&transfer->fd);
        transfer->fd = -1;
}

static bool ended(const TftpTransfer *transfer) {
        return tftp_client_get_timeout(transfer->client) == USEC_INFINITY;
}

/* The last thing that is done with a transfer in a handler: the caller may free it. */
static void finish(TftpTransfer *transfer) {
        int error = tftp_client_get_error(transfer->client);

        close_socket(transfer);
        transfer->timer = event_source_free(transfer->timer);
        transfer->ended = time_now_boottime();
        transfer->done(transfer, error, error < 0 ? -1 : TAKE_FD(transfer->fd_file), transfer->userdata);
}

/* The end of each handler. */
static int proceed(TftpTransfer *transfer) {
        uint64_t timeout = tftp_client_get_timeout(transfer->client);

        if (timeout == USEC_INFINITY)
                finish(transfer);
        else
                event_timer_set(transfer->timer, timeout);
        return 0;
}

/*
 * ICMP errors, which the kernel gives to a socket that is not connected only when asked (IP_RECVERR), with
 * the address that the packet was sent to. Ours is not connected because the server answers from a port of
 * its choice.
 */
static void receive_errors(TftpTransfer *transfer, uint64_t now) {
        for (;;) {
                SocketAddress to = {};
                uint8_t control[512];
                struct msghdr message = {
                        .msg_name = &to,
                        .msg_namelen = sizeof(to),
                        .msg_control = control,
                        .msg_controllen = sizeof(control),
                };

                if (recvmsg(transfer->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
                        return;
                for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                        struct sock_extended_err error;

                        if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
                                        !(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
                                continue;
                        memcpy(&error, CMSG_DATA(c), sizeof(error));
                        if (error.ee_errno != EMSGSIZE) /* path MTU: what we send is smaller */
                                tftp_client_dispatch_unreachable(
                                                transfer->client, now, &to, -(int) error.ee_errno);
                }
        }
}

/* Takes one packet; false when there is none. */
static bool receive(TftpTransfer *transfer) {
        SocketAddress from;
        socklen_t n_from = sizeof(from);
        ssize_t n = recvfrom(transfer->fd, transfer->packet, sizeof(transfer->packet), MSG_DONTWAIT,
                        &from.sa, &n_from);

        if (n < 0) /* nothing; or an ICMP error, which has woken us and been read before */
                return false;
        tftp_client_dispatch_packet(
                        transfer->client, time_now_boottime(), &from, transfer->packet, (size_t) n);
        return true;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        TftpTransfer *transfer = userdata;

        (void) fd;
        if (events & EPOLLERR)
                receive_errors(transfer, time_now_boottime());
        for (unsigned i = 0; i < PACKETS_MAX && !ended(transfer) && receive(transfer); i++)
                ;
        return proceed(transfer);
}

static int on_timer(void *userdata) {
        TftpTransfer *transfer = userdata;

        tftp_client_dispatch_timer(transfer->client, time_now_boottime());
        return proceed(transfer);
}

static int open_socket(const TftpTransfer *transfer) {
        _cleanup_close_ int fd = -1;
        int family = transfer->family, r = 0;
        const int on = 1;

        fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (*transfer->interface &&
                        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, transfer->interface,
                                        (socklen_t) strlen(transfer->interface)) < 0)
                return -errno;
        if (setsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
                            family == AF_INET ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on)) < 0)
                return -errno;
        if (transfer->source.sa.sa_family != AF_UNSPEC)
                r = socket_address_bind(fd, &transfer->source);
        return r < 0 ? r : TAKE_FD(fd);
}

/* More than the system's limit needs CAP_NET_ADMIN; what there is then is what we ask the server for. */
static int receive_buffer(int fd) {
        int size = RECEIVE_BUFFER;
        socklen_t n = sizeof(size);

        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
                        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
                return -errno;
        if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &n) < 0)
                return -errno;
        return size;
}

static int open_tid(void *userdata) {
        TftpTransfer *transfer = userdata;
        int r;

        close_socket(transfer);
        r = open_socket(transfer);
        if (r < 0)
                return r;
        transfer->fd = r;
        r = event_add_io(transfer->loop, &transfer->io, transfer->fd, EPOLLIN, on_readable, transfer);
        if (r < 0)
                return r;
        return receive_buffer(transfer->fd);
}

static int send_packet(const SocketAddress *to, const uint8_t *data, size_t size, void *userdata) {
        TftpTransfer *transfer = userdata;

        /* The first try may return, instead of sending, the ICMP error for an earlier packet. */
        for (unsigned i = 0; i < 2; i++)
                if (sendto(transfer->fd, data, size, MSG_NOSIGNAL, &to->sa, socket_address_size(to)) >= 0)
                        return 0;
        return -errno;
}

static int write_file(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        TftpTransfer *transfer = userdata;

        while (size > 0) {
                ssize_t n = pwrite(transfer->fd_file, data, size, (off_t) offset);

                if (n < 0)
                        return -errno;
                data += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

static int compare_file(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        TftpTransfer *transfer = userdata;
        uint8_t held[4096];

        while (size > 0) {
                ssize_t n = pread(transfer->fd_file, held, MIN(size, sizeof(held)), (off_t) offset);

                if (n < 0)
                        return -errno;
                if (n == 0 || memcmp(held, data, (size_t) n) != 0)
                        return 0;
                data += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 1;
}

int tftp_transfer_new(TftpTransfer **ret, EventLoop *loop, const TftpTransferConfig *config,
                tftp_transfer_done_t done, void *userdata) {
        _cleanup_(tftp_transfer_freep) TftpTransfer *transfer = calloc(1, sizeof(*transfer));
        TftpClientConfig client = {
                .server = config->server,
                .size_max = config->size_max,
                .mtu = config->mtu ? config->mtu : MTU_DEFAULT,
                .open = open_tid,
                .send = send_packet,
                .write = write_file,
                .compare = compare_file,
        };
        int r;

        if (!transfer)
                return -ENOMEM;
        transfer->fd = transfer->fd_file = -1;
        transfer->loop = loop;
        transfer->family = config->server.sa.sa_family;
        transfer->source = config->source;
        transfer->done = done;
        transfer->userdata = userdata;
        if (config->interface && strlen(config->interface) >= sizeof(transfer->interface))
                return -ENODEV;
        if (config->interface)
                strcpy(transfer->interface, config->interface);
        transfer->file_name = strdup(config->file_name);
        if (!transfer->file_name)
                return -ENOMEM;
        r = transfer->fd_file = memfd_new("tftp");
        if (r < 0)
                return r;

        client.file_name = transfer->file_name;
        client.userdata = transfer;
        r = tftp_client_new(&transfer->client, &client);
        if (r < 0)
                return r;
        r = event_add_timer(loop, &transfer->timer, on_timer, transfer);
        if (r < 0)
                return r;
        transfer->started = time_now_boottime();
        r = tftp_client_start(transfer->client, transfer->started);
        if (r < 0)
                return r;
        r = proceed(transfer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(transfer);
        return 0;
}

TftpTransfer *tftp_transfer_free(TftpTransfer *transfer) {
        if (!transfer)
                return NULL;
        if (transfer->client)
                tftp_client_stop(transfer->client);
        tftp_client_free(transfer->client);
        close_socket(transfer);
        event_source_free(transfer->timer);
        cleanup_close(&transfer->fd_file);
        free(transfer->file_name);
        free(transfer);
        return NULL;
}

TftpProgress tftp_transfer_get_progress(const TftpTransfer *transfer) {
        uint64_t end = transfer->ended ? transfer->ended : time_now_boottime();
        uint64_t bytes = tftp_client_get_bytes(transfer->client);

        return (TftpProgress){
                .bytes = bytes,
                .size = tftp_client_get_size(transfer->client),
                /* more than enough bits: a file is in memory */
                .rate = bytes * USEC_PER_SEC / MAX(end - transfer->started, 1u),
        };
}

const char *tftp_transfer_get_reason(const TftpTransfer *transfer) {
        return tftp_client_get_reason(transfer->client);
}
