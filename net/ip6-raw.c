/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip6-raw.h"

#include "base/cleanup.h"
#include "net/dhcp6-message.h"
#include "net/nd-message.h"
#include "net/packet-socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

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

/* Receives nothing. Where somebody else has the port, he does for us what this is for. */
static int open_udp(void) {
        struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_port = htons(DHCP6_CLIENT_PORT) };
        struct sock_fprog program = { .len = ELEMENTSOF(nothing_filter),
                .filter = (struct sock_filter *) nothing_filter };
        _cleanup_close_ int fd = -1;
        int on = 1;

        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
                        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
                        bind(fd, (struct sockaddr *) &local, sizeof(local)) < 0)
                return -1;
        return TAKE_FD(fd);
}

/* 1 and a packet, 0 when there is nothing to read, -EBADMSG for a packet to be dropped, or the socket's error. */
static int receive(int fd, uint8_t data[static IP6_RAW_PACKET_MAX], struct sockaddr_ll *ret_from,
                Ip6Packet *ret) {
        bool ready;
        size_t n;
        int r = packet_socket_receive(fd, data, IP6_RAW_PACKET_MAX, PACKET_MULTICAST, ret_from, &n, &ready);

        if (r <= 0)
                return r;
        r = ip6_packet_parse(ret, data, n, DHCP6_CLIENT_PORT, ready);
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
        for (unsigned i = 0; i < PACKET_SOCKET_BATCH; i++) {
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
        raw->fd = packet_socket_open(ETH_P_IPV6, packet_filter, ELEMENTSOF(packet_filter));
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
        struct ether_addr group = { { 0x33, 0x33 } };

        assert(buffer_status(packet) == 0 && packet->size >= IP6_HEADER_SIZE);
        memcpy(group.ether_addr_octet + 2, packet->p + DESTINATION_OFFSET + 12, 4);
        return packet_socket_send(raw->fd, ETH_P_IPV6, ifindex, to ? to : &group, packet);
}
