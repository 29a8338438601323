/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-raw.h"

#include "base/cleanup.h"
#include "net/arp-packet.h"
#include "net/dhcp4-message.h"
#include "net/dhcp4-packet.h"
#include "net/packet-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX (DHCP4_MESSAGE_MAX + 60 + 8)

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

/* 1 and a message, 0 when there is nothing to read, -EBADMSG for a packet to be dropped, or the socket's error. */
static int receive(int fd, uint8_t packet[static PACKET_MAX], struct sockaddr_ll *ret_from, Cursor *ret) {
        bool ready;
        size_t n;
        int r = packet_socket_receive(fd, packet, PACKET_MAX, PACKET_BROADCAST, ret_from, &n, &ready);

        if (r <= 0)
                return r;
        r = dhcp4_packet_parse(packet, n, ready, ret);
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
        for (unsigned i = 0; i < PACKET_SOCKET_BATCH; i++) {
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
        for (unsigned i = 0; i < PACKET_SOCKET_BATCH; i++) {
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
        raw->fd = packet_socket_open(ETH_P_IP, dhcp_filter, ELEMENTSOF(dhcp_filter));
        if (raw->fd < 0)
                return raw->fd;
        raw->fd_arp = packet_socket_open(ETH_P_ARP, arp_filter, ELEMENTSOF(arp_filter));
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

int dhcp4_raw_send(Dhcp4Raw *raw, int ifindex, const struct ether_addr *to, struct in_addr source,
                struct in_addr destination, const uint8_t *data, size_t size) {
        uint8_t memory[PACKET_MAX];
        Buffer packet = BUFFER(memory, sizeof(memory));

        dhcp4_packet_build(&packet, source, destination, data, size);
        return packet_socket_send(raw->fd, ETH_P_IP, ifindex, to, &packet);
}

int dhcp4_raw_send_probe(Dhcp4Raw *raw, int ifindex, const struct ether_addr *own, struct in_addr address) {
        uint8_t memory[ARP_PACKET_SIZE];
        Buffer packet = BUFFER(memory, sizeof(memory));

        arp_packet_build_probe(&packet, own, address);
        return packet_socket_send(raw->fd_arp, ETH_P_ARP, ifindex, &dhcp4_raw_broadcast, &packet);
}
