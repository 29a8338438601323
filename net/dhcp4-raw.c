/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-raw.h"

#include "base/cleanup.h"
#include "net/arp-packet.h"
#include "net/dhcp4-message.h"
#include "net/dhcp4-packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX (DHCP4_MESSAGE_MAX + 60 + 8)

/* Answers for all ports of a large switch at once. */
#define RECEIVE_BUFFER_SIZE (4 * 1024 * 1024)

/* Packets read at one wake-up: a flood leaves time for all else. */
#define BATCH 64

typedef struct RawPort {
        int ifindex;
        Dhcp4RawHandlers handlers;
} RawPort;

struct Dhcp4Raw {
        int fd, fd_arp;
        EventSource *source, *source_arp;
        RawPort *ports;
        size_t n_ports, n_allocated;
};

DEFINE_CLEANUP(Dhcp4Raw, dhcp4_raw_free)

const struct ether_addr dhcp4_raw_broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

/*
 * Accepts unfragmented UDP to port 68 whose payload begins with BOOTREPLY. Offsets are from the IP header, as the socket is
 * SOCK_DGRAM. A load beyond the packet's end rejects it.
 */
static const struct sock_filter dhcp_filter[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 8),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* fragment */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 6, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* X = IP header size */
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),  /* destination port */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP4_CLIENT_PORT, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8), /* op */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
};

/* Accepts replies that are sent to us alone: none of the broadcasts of a large network wakes us. */
static const struct sock_filter arp_filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t) (SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* operation */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPOP_REPLY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
};

static int open_socket(uint16_t protocol, const struct sock_filter *filter, size_t n_filter) {
        struct sockaddr_ll all_ports = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
        struct sock_fprog program = { .len = (unsigned short) n_filter,
                .filter = (struct sock_filter *) filter };
        int on = 1, size = RECEIVE_BUFFER_SIZE;
        _cleanup_close_ int fd = -1;

        /*
         * Protocol 0 receives nothing, so no packet gets in before the filter is there; and it spares the 16 ms that the kernel
         * takes to change a receive hook that is already in place.
         */
        fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
                        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
                        bind(fd, (struct sockaddr *) &all_ports, sizeof(all_ports)) < 0)
                return -errno;
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

/* 1 and a message, 0 when there is nothing to read, -EBADMSG for a packet to be dropped, or the socket's error. */
static int receive(int fd, uint8_t packet[static PACKET_MAX], struct sockaddr_ll *ret_from, Cursor *ret) {
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        } control;
        struct msghdr message = {
                .msg_name = ret_from,
                .msg_namelen = sizeof(*ret_from),
                .msg_iov = &(struct iovec){ packet, PACKET_MAX },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &message, 0);
        int r;

        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        /* Frames for others are seen on a port that somebody has made promiscuous, or with a VLAN tag that nobody asked for. */
        if ((message.msg_flags & MSG_TRUNC) ||
                        (ret_from->sll_pkttype != PACKET_HOST && ret_from->sll_pkttype != PACKET_BROADCAST))
                return -EBADMSG;
        r = dhcp4_packet_parse(packet, (size_t) n, checksum_ready(&message), ret);
        return r < 0 ? r : 1;
}

static RawPort *find(Dhcp4Raw *raw, int ifindex) {
        for (size_t i = 0; i < raw->n_ports; i++)
                if (raw->ports[i].ifindex == ifindex)
                        return raw->ports + i;
        return NULL;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        Dhcp4Raw *raw = userdata;

        (void) events;
        for (unsigned i = 0; i < BATCH; i++) {
                uint8_t packet[PACKET_MAX];
                struct sockaddr_ll from;
                struct ether_addr sender;
                RawPort *port;
                Cursor message;
                int r;

                r = receive(fd, packet, &from, &message);
                if (r == 0)
                        break;
                if (r < 0)
                        continue; /* malformed; or an error of one port (ENETDOWN), which reading has cleared */
                port = find(raw, from.sll_ifindex);
                if (!port)
                        continue;
                memcpy(&sender, from.sll_addr, sizeof(sender));
                r = port->handlers.message(&sender, message, port->handlers.userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_arp_readable(int fd, uint32_t events, void *userdata) {
        Dhcp4Raw *raw = userdata;

        (void) events;
        for (unsigned i = 0; i < BATCH; i++) {
                uint8_t packet[ARP_PACKET_SIZE];
                struct sockaddr_ll from;
                socklen_t from_size = sizeof(from);
                struct ether_addr sender;
                struct in_addr address;
                RawPort *port;
                ssize_t n;
                int r;

                n = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *) &from,
                                &from_size); /* cuts the padding */
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0 || arp_packet_parse_reply(packet, (size_t) n, &sender, &address) < 0)
                        continue;
                port = find(raw, from.sll_ifindex);
                if (!port)
                        continue;
                r = port->handlers.arp_reply(&sender, address, port->handlers.userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int dhcp4_raw_new(Dhcp4Raw **ret, EventLoop *loop) {
        _cleanup_(dhcp4_raw_freep) Dhcp4Raw *raw = calloc(1, sizeof(*raw));
        int r;

        if (!raw)
                return -ENOMEM;
        raw->fd_arp = -1;
        raw->fd = open_socket(ETH_P_IP, dhcp_filter, ELEMENTSOF(dhcp_filter));
        if (raw->fd < 0)
                return raw->fd;
        raw->fd_arp = open_socket(ETH_P_ARP, arp_filter, ELEMENTSOF(arp_filter));
        if (raw->fd_arp < 0)
                return raw->fd_arp;
        r = event_add_io(loop, &raw->source, raw->fd, EPOLLIN, on_readable, raw);
        if (r >= 0)
                r = event_add_io(loop, &raw->source_arp, raw->fd_arp, EPOLLIN, on_arp_readable, raw);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(raw);
        return 0;
}

Dhcp4Raw *dhcp4_raw_free(Dhcp4Raw *raw) {
        if (!raw)
                return NULL;
        event_source_free(raw->source);
        event_source_free(raw->source_arp);
        cleanup_close(&raw->fd);
        cleanup_close(&raw->fd_arp);
        free(raw->ports);
        free(raw);
        return NULL;
}

int dhcp4_raw_add(Dhcp4Raw *raw, int ifindex, const Dhcp4RawHandlers *handlers) {
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
        raw->ports[raw->n_ports++] = (RawPort){ .ifindex = ifindex, .handlers = *handlers };
        return 0;
}

void dhcp4_raw_remove(Dhcp4Raw *raw, int ifindex) {
        RawPort *port = find(raw, ifindex);

        if (port)
                *port = raw->ports[--raw->n_ports];
}

static int send_frame(
                int fd, uint16_t protocol, int ifindex, const struct ether_addr *to, const Buffer *packet) {
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET,
                .sll_protocol = htons(protocol),
                .sll_ifindex = ifindex,
                .sll_halen = ETH_ALEN,
        };
        int r = buffer_status(packet);

        if (r < 0)
                return r;
        memcpy(address.sll_addr, to, sizeof(*to));
        return sendto(fd, packet->p, packet->size, 0, (struct sockaddr *) &address, sizeof(address)) < 0
                        ? -errno
                        : 0;
}

int dhcp4_raw_send(Dhcp4Raw *raw, int ifindex, const struct ether_addr *to, struct in_addr source,
                struct in_addr destination, const uint8_t *data, size_t size) {
        uint8_t memory[PACKET_MAX];
        Buffer packet = BUFFER(memory, sizeof(memory));

        dhcp4_packet_build(&packet, source, destination, data, size);
        return send_frame(raw->fd, ETH_P_IP, ifindex, to, &packet);
}

int dhcp4_raw_send_probe(Dhcp4Raw *raw, int ifindex, const struct ether_addr *own, struct in_addr address) {
        uint8_t memory[ARP_PACKET_SIZE];
        Buffer packet = BUFFER(memory, sizeof(memory));

        arp_packet_build_probe(&packet, own, address);
        return send_frame(raw->fd_arp, ETH_P_ARP, ifindex, &dhcp4_raw_broadcast, &packet);
}
