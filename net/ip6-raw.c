/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip6-raw.h"

#include "base/cleanup.h"
#include "net/dhcp6-message.h"
#include "net/nd-message.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

/* As in net/dhcp4-raw.c. */
#define RECEIVE_BUFFER_SIZE (4 * 1024 * 1024)
#define BATCH 64

#define DESTINATION_OFFSET 24

typedef struct RawPort {
        int ifindex;
        ip6_raw_handler_t handler;
        void *userdata;
} RawPort;

struct Ip6Raw {
        int fd;
        int fd_udp; /* keeps the kernel from telling servers that nobody listens */
        EventSource *source;
        RawPort *ports;
        size_t n_ports, n_allocated;
};

DEFINE_CLEANUP(Ip6Raw, ip6_raw_free)

/*
 * Accepts, without any extension header: UDP to port 546; and ICMPv6 that has come from this link (hop limit 255) with the types 134 to
 * 136. Offsets are from the IPv6 header, as the socket is SOCK_DGRAM. A load beyond the packet's end rejects it.
 */
static const struct sock_filter packet_filter[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* next header */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 8),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 42), /* destination port */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP6_CLIENT_PORT, 5, 6),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 7), /* hop limit */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_HOP_LIMIT, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40), /* type */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ND_TYPE_ROUTER_ADVERT, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, ND_TYPE_NEIGHBOUR_ADVERT, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
};

static const struct sock_filter nothing_filter[] = {
        BPF_STMT(BPF_RET | BPF_K, 0),
};

static int set_filter(int fd, const struct sock_filter *filter, size_t n) {
        struct sock_fprog program = { .len = (unsigned short) n, .filter = (struct sock_filter *) filter };

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int open_socket(void) {
        struct sockaddr_ll all_ports = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6) };
        int on = 1, size = RECEIVE_BUFFER_SIZE, r;
        _cleanup_close_ int fd = -1;

        /* Protocol 0 and then bind: as in net/dhcp4-raw.c. */
        fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        r = set_filter(fd, packet_filter, ELEMENTSOF(packet_filter));
        if (r < 0)
                return r;
        if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
                        bind(fd, (struct sockaddr *) &all_ports, sizeof(all_ports)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* Receives nothing. Where somebody else has the port, he does for us what this is for. */
static int open_udp(void) {
        struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_port = htons(DHCP6_CLIENT_PORT) };
        _cleanup_close_ int fd = -1;
        int on = 1;

        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || set_filter(fd, nothing_filter, ELEMENTSOF(nothing_filter)) < 0 ||
                        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
                        bind(fd, (struct sockaddr *) &local, sizeof(local)) < 0)
                return -1;
        return TAKE_FD(fd);
}

static bool checksum_ready(struct msghdr *message) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
                if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA &&
                                c->cmsg_len == CMSG_LEN(sizeof(struct tpacket_auxdata))) {
                        struct tpacket_auxdata auxiliary;

                        memcpy(&auxiliary, CMSG_DATA(c), sizeof(auxiliary));
                        return !(auxiliary.tp_status & TP_STATUS_CSUMNOTREADY);
                }
        return true;
}

/* 1 and a packet, 0 when there is nothing to read, -EBADMSG for a packet to be dropped, or the socket's error. */
static int receive(int fd, uint8_t data[static IP6_RAW_PACKET_MAX], struct sockaddr_ll *ret_from,
                Ip6Packet *ret) {
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        } control;
        struct msghdr message = {
                .msg_name = ret_from,
                .msg_namelen = sizeof(*ret_from),
                .msg_iov = &(struct iovec){ data, IP6_RAW_PACKET_MAX },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &message, 0);
        int r;

        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        /* Not what a promiscuous port sees of others, nor what comes with a VLAN tag that nobody asked for. */
        if ((message.msg_flags & MSG_TRUNC) ||
                        (ret_from->sll_pkttype != PACKET_HOST && ret_from->sll_pkttype != PACKET_MULTICAST))
                return -EBADMSG;
        r = ip6_packet_parse(ret, data, (size_t) n, DHCP6_CLIENT_PORT, checksum_ready(&message));
        return r < 0 ? r : 1;
}

static RawPort *find(Ip6Raw *raw, int ifindex) {
        for (size_t i = 0; i < raw->n_ports; i++)
                if (raw->ports[i].ifindex == ifindex)
                        return raw->ports + i;
        return NULL;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        Ip6Raw *raw = userdata;

        (void) events;
        for (unsigned i = 0; i < BATCH; i++) {
                uint8_t data[IP6_RAW_PACKET_MAX];
                struct sockaddr_ll from;
                struct ether_addr sender;
                Ip6Packet packet;
                RawPort *port;
                int r;

                r = receive(fd, data, &from, &packet);
                if (r == 0)
                        break;
                if (r < 0)
                        continue; /* malformed; or an error of one port (ENETDOWN), which reading has cleared */
                port = find(raw, from.sll_ifindex);
                if (!port)
                        continue;
                memcpy(&sender, from.sll_addr, sizeof(sender));
                r = port->handler(&sender, &packet, port->userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int ip6_raw_new(Ip6Raw **ret, EventLoop *loop) {
        _cleanup_(ip6_raw_freep) Ip6Raw *raw = calloc(1, sizeof(*raw));
        int r;

        if (!raw)
                return -ENOMEM;
        raw->fd_udp = open_udp();
        raw->fd = open_socket();
        if (raw->fd < 0)
                return raw->fd;
        r = event_add_io(loop, &raw->source, raw->fd, EPOLLIN, on_readable, raw);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(raw);
        return 0;
}

Ip6Raw *ip6_raw_free(Ip6Raw *raw) {
        if (!raw)
                return NULL;
        event_source_free(raw->source);
        cleanup_close(&raw->fd);
        cleanup_close(&raw->fd_udp);
        free(raw->ports);
        free(raw);
        return NULL;
}

int ip6_raw_add(Ip6Raw *raw, int ifindex, ip6_raw_handler_t handler, void *userdata) {
        if (find(raw, ifindex))
                return -EEXIST;
        if (raw->n_ports == raw->n_allocated) {
                size_t n = MAX(raw->n_allocated * 2, (size_t) 8);
                RawPort *more = realloc(raw->ports, n * sizeof(*more));

                if (!more)
                        return -ENOMEM;
                raw->ports = more;
                raw->n_allocated = n;
        }
        raw->ports[raw->n_ports++] =
                        (RawPort){ .ifindex = ifindex, .handler = handler, .userdata = userdata };
        return 0;
}

void ip6_raw_remove(Ip6Raw *raw, int ifindex) {
        RawPort *port = find(raw, ifindex);

        if (port)
                *port = raw->ports[--raw->n_ports];
}

int ip6_raw_send(Ip6Raw *raw, int ifindex, const struct ether_addr *to, const Buffer *packet) {
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_IPV6),
                .sll_ifindex = ifindex,
                .sll_halen = ETH_ALEN,
                .sll_addr = { 0x33, 0x33 },
        };

        assert(buffer_status(packet) == 0 && packet->size >= IP6_HEADER_SIZE);
        if (to)
                memcpy(address.sll_addr, to, sizeof(*to));
        else
                memcpy(address.sll_addr + 2, packet->p + DESTINATION_OFFSET + 12, 4);
        return sendto(raw->fd, packet->p, packet->size, 0, (struct sockaddr *) &address, sizeof(address)) < 0
                        ? -errno
                        : 0;
}
