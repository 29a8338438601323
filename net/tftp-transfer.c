/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tftp-transfer.h"

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/time.h"
#include "net/tftp-client.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MTU_DEFAULT 1500

/* What is received at a time: two of the largest blocks, or as many of one frame as fit. */
#define SLOTS_SIZE (2 * (TFTP_DATA_MAX + 1))
#define SLOT_SIZE_MIN 1536 /* an OACK or an error message */
#define SLOTS_MAX 64

/* Small blocks are written so many bytes at a time: a call for a part of a page costs as much as one for four of them. */
#define GATHER_SIZE 16384

#define MEMORY_SIZE (GATHER_SIZE + SLOTS_SIZE)

#define RECEIVE_BUFFER (2 * 1024 * 1024)

/* Batches taken at one wake-up: a flood leaves time for other ports. */
#define BATCHES_MAX 16

/* Room for the packets that are received at a time, each in its slot. */
typedef struct Batch {
        struct mmsghdr messages[SLOTS_MAX];
        struct iovec parts[SLOTS_MAX];
        SocketAddress from[SLOTS_MAX];
        size_t slot_size;
        unsigned n_slots;
} Batch;

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
        uint64_t armed;     /* when the timer runs out */
        int fd;             /* the socket */
        unsigned n_sockets; /* that there have been: the descriptor may have the same number again */
        int fd_file;
        uint64_t started, ended;
        Batch batch;

        /* Mapped, both at once, as the allocator would keep them for the next one. */
        uint8_t *gathered, *slots;
        uint64_t gathered_at; /* where in the file */
        size_t n_gathered;
};

DEFINE_CLEANUP(TftpTransfer, tftp_transfer_free)

/* What the first packets need is there before they come. */
static int map_memory(TftpTransfer *transfer) {
        void *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return -ENOMEM;
        (void) madvise(memory, GATHER_SIZE + SLOT_SIZE_MIN, MADV_POPULATE_WRITE);
        transfer->gathered = memory;
        transfer->slots = transfer->gathered + GATHER_SIZE;
        return 0;
}

static void unmap_memory(TftpTransfer *transfer) {
        if (transfer->gathered)
                (void) munmap(transfer->gathered, MEMORY_SIZE);
        transfer->gathered = NULL;
}

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
        unmap_memory(transfer);
        transfer->timer = event_source_free(transfer->timer);
        transfer->ended = time_now_boottime();
        transfer->done(transfer, error, error < 0 ? -1 : TAKE_FD(transfer->fd_file), transfer->userdata);
}

/*
 * The end of each handler. The client moves its deadline with every packet; the timer is only set anew when it has run out or
 * would run out too late, which saves two system calls a packet.
 */
static int proceed(TftpTransfer *transfer) {
        uint64_t timeout = tftp_client_get_timeout(transfer->client);

        if (timeout == USEC_INFINITY) {
                finish(transfer);
                return 0;
        }
        if (timeout >= transfer->armed)
                return 0;
        transfer->armed = timeout;
        event_timer_set(transfer->timer, timeout);
        return 0;
}

/*
 * ICMP errors, which the kernel gives to a socket that is not connected only when asked (IP_RECVERR), with the address that the
 * packet was sent to. Ours is not connected because the server answers from a port of its choice.
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

/* The slots are made anew when the blocks have another size, and not for each packet. */
static void make_slots(TftpTransfer *transfer) {
        Batch *batch = &transfer->batch;
        /* One byte more than a block may have, so that a larger one shows. */
        size_t size = MAX(tftp_client_get_block_size(transfer->client) + TFTP_HEADER_SIZE + 1,
                        (size_t) SLOT_SIZE_MIN);

        if (size == batch->slot_size)
                return;
        batch->slot_size = size;
        batch->n_slots = (unsigned) MIN(SLOTS_SIZE / size, (size_t) SLOTS_MAX);
        for (unsigned i = 0; i < batch->n_slots; i++) {
                batch->parts[i] = (struct iovec){ .iov_base = transfer->slots + i * size, .iov_len = size };
                batch->messages[i].msg_hdr = (struct msghdr){
                        .msg_name = &batch->from[i],
                        .msg_namelen = sizeof(batch->from[i]),
                        .msg_iov = &batch->parts[i],
                        .msg_iovlen = 1,
                };
        }
}

/* Takes what has come, up to a batch; false when there is no more. */
static bool receive(TftpTransfer *transfer) {
        Batch *batch = &transfer->batch;
        unsigned n_sockets = transfer->n_sockets;
        uint64_t now;
        int n;

        make_slots(transfer);
        n = recvmmsg(transfer->fd, batch->messages, batch->n_slots, MSG_DONTWAIT, NULL);
        if (n <= 0) /* nothing; or an ICMP error, which has woken us and been read before */
                return false;
        now = time_now_boottime();
        for (int i = 0; i < n; i++) {
                batch->messages[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
                if (transfer->n_sockets > n_sockets) /* what is left was for an earlier request */
                        continue;
                tftp_client_dispatch_packet(transfer->client, now, &batch->from[i], batch->parts[i].iov_base,
                                batch->messages[i].msg_len);
        }
        return n == (int) batch->n_slots;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        TftpTransfer *transfer = userdata;

        (void) fd;
        if (events & EPOLLERR)
                receive_errors(transfer, time_now_boottime());
        for (unsigned i = 0; i < BATCHES_MAX && !ended(transfer) && receive(transfer); i++)
                ;
        return proceed(transfer);
}

static int on_timer(void *userdata) {
        TftpTransfer *transfer = userdata;

        transfer->armed = USEC_INFINITY;
        tftp_client_dispatch_timer(transfer->client, time_now_boottime());
        return proceed(transfer);
}

static int open_socket(const TftpTransfer *transfer) {
        _cleanup_close_ int fd = -1;
        int family = transfer->family;
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
        if (transfer->source.sa.sa_family != AF_UNSPEC &&
                        bind(fd, &transfer->source.sa, socket_address_size(&transfer->source)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* Room for a burst. More than the system's limit needs CAP_NET_ADMIN; what there is then is what we ask the server for. */
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
        transfer->n_sockets++;
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

static int write_at(const TftpTransfer *transfer, uint64_t offset, const uint8_t *data, size_t size) {
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

static int flush_file(void *userdata) {
        TftpTransfer *transfer = userdata;
        int r = write_at(transfer, transfer->gathered_at, transfer->gathered, transfer->n_gathered);

        transfer->n_gathered = 0;
        return r;
}

static int write_file(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        TftpTransfer *transfer = userdata;
        int r;

        if (offset != transfer->gathered_at + transfer->n_gathered ||
                        size > GATHER_SIZE - transfer->n_gathered) {
                r = flush_file(transfer);
                if (r < 0)
                        return r;
                transfer->gathered_at = offset;
        }
        if (size > GATHER_SIZE) {
                transfer->gathered_at = offset + size;
                return write_at(transfer, offset, data, size);
        }
        memcpy(transfer->gathered + transfer->n_gathered, data, size);
        transfer->n_gathered += size;
        return 0;
}

static int compare_file(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        TftpTransfer *transfer = userdata;
        uint8_t held[4096];
        int r = flush_file(transfer);

        if (r < 0)
                return r;
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
                .flush = flush_file,
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
        transfer->armed = USEC_INFINITY;
        if (config->interface && strlen(config->interface) >= sizeof(transfer->interface))
                return -ENODEV;
        if (config->interface)
                strcpy(transfer->interface, config->interface);
        r = map_memory(transfer);
        if (r < 0)
                return r;
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
        make_slots(transfer);
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
        unmap_memory(transfer);
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
