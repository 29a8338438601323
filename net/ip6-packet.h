/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * IPv6 around neighbour discovery and DHCPv6: what the kernel does for everybody else is done here, on packets that anybody on the
 * link can send, since an address of ours may not be the kernel's yet.
 */

#include "base/buffer.h"
#include "base/cursor.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define IP6_HEADER_SIZE 40
#define IP6_UDP_HEADER_SIZE 8

#define ND_HOP_LIMIT 255 /* RFC 4861: no router has forwarded it */

typedef struct Ip6Packet {
        struct in6_addr source, destination;
        uint8_t hop_limit;
        uint8_t protocol; /* IPPROTO_ICMPV6 or IPPROTO_UDP */
        Cursor payload;   /* the whole ICMPv6 message, or the UDP payload */
} Ip6Packet;

/*
 * Takes a packet apart; the payload points into it. Refused with -EBADMSG: wrong version, lengths that contradict each other or
 * the packet, wrong checksums, UDP to any port but `udp_port`, and every extension header: neighbour discovery must not be
 * fragmented (RFC 6980 §5), no fragment can hide the rest of the headers then (RFC 7112), and nobody has a use for another one.
 * `checksum_ready` is false for packets whose UDP checksum the sender on this very machine has left to hardware.
 */
int ip6_packet_parse(
                Ip6Packet *ret, const uint8_t *packet, size_t size, uint16_t udp_port, bool checksum_ready);

/* Appends an IPv6 packet with an ICMPv6 message, whose checksum is 0 as given. At most 1280 bytes in all. */
void ip6_packet_build_icmp(Buffer *buffer, const struct in6_addr *source, const struct in6_addr *destination,
                const uint8_t *message, size_t size);

/* The same with UDP. */
void ip6_packet_build_udp(Buffer *buffer, const struct in6_addr *source, const struct in6_addr *destination,
                uint16_t source_port, uint16_t destination_port, const uint8_t *payload, size_t size);
