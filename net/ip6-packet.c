/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip6-packet.h"

#include "net/checksum.h"

#include <errno.h>
#include <string.h>

#define ICMP_CHECKSUM_OFFSET 2
#define HOP_LIMIT_DHCP 64

/* RFC 8200 §8.1: addresses, length and protocol are summed too. */
static uint32_t checksum_pseudo_header(const struct in6_addr *source, const struct in6_addr *destination,
                uint8_t protocol, size_t size) {
        uint32_t sum = protocol + (uint32_t) size;

        sum = checksum_add(sum, source->s6_addr, sizeof(source->s6_addr));
        return checksum_add(sum, destination->s6_addr, sizeof(destination->s6_addr));
}

static bool checksum_is_good(const Ip6Packet *packet, Cursor upper) {
        return checksum_finish(checksum_add(checksum_pseudo_header(&packet->source, &packet->destination,
                                                            packet->protocol, upper.left),
                               upper.p, upper.left)) == 0;
}

static int parse_udp(Ip6Packet *packet, uint16_t udp_port, bool checksum_ready) {
        Cursor udp = packet->payload, rest = udp;
        uint16_t source, destination, length, checksum;

        if (cursor_be16(&rest, &source) < 0 || cursor_be16(&rest, &destination) < 0 ||
                        cursor_be16(&rest, &length) < 0 || cursor_be16(&rest, &checksum) < 0)
                return -EBADMSG;
        if (destination != udp_port || length != udp.left)
                return -EBADMSG;
        /* RFC 8200 §8.1: in IPv6 a UDP checksum is not optional. */
        if (checksum_ready && (checksum == 0 || !checksum_is_good(packet, udp)))
                return -EBADMSG;
        packet->payload = rest;
        return 0;
}

int ip6_packet_parse(
                Ip6Packet *ret, const uint8_t *packet, size_t size, uint16_t udp_port, bool checksum_ready) {
        Cursor cursor = CURSOR(packet, size);
        const uint8_t *source, *destination;
        Ip6Packet parsed = { 0 };
        uint32_t version;
        uint16_t length;
        int r = 0;

        if (cursor_be32(&cursor, &version) < 0 || cursor_be16(&cursor, &length) < 0 ||
                        cursor_u8(&cursor, &parsed.protocol) < 0 ||
                        cursor_u8(&cursor, &parsed.hop_limit) < 0 ||
                        cursor_take(&cursor, sizeof(parsed.source), &source) < 0 ||
                        cursor_take(&cursor, sizeof(parsed.destination), &destination) < 0 ||
                        cursor_sub(&cursor, length, &parsed.payload) < 0)
                return -EBADMSG;
        if (version >> 28 != 6)
                return -EBADMSG;
        memcpy(&parsed.source, source, sizeof(parsed.source));
        memcpy(&parsed.destination, destination, sizeof(parsed.destination));

        if (parsed.protocol == IPPROTO_UDP)
                r = parse_udp(&parsed, udp_port, checksum_ready);
        else if (parsed.protocol != IPPROTO_ICMPV6 || !checksum_is_good(&parsed, parsed.payload))
                r = -EBADMSG;
        if (r < 0)
                return r;
        *ret = parsed;
        return 0;
}

static void append_header(Buffer *buffer, const struct in6_addr *source, const struct in6_addr *destination,
                uint8_t protocol, uint8_t hop_limit, size_t size) {
        buffer_append_be32(buffer, 6u << 28);
        buffer_append_be16(buffer, (uint16_t) size);
        buffer_append_u8(buffer, protocol);
        buffer_append_u8(buffer, hop_limit);
        buffer_append(buffer, source, sizeof(*source));
        buffer_append(buffer, destination, sizeof(*destination));
}

void ip6_packet_build_icmp(Buffer *buffer, const struct in6_addr *source, const struct in6_addr *destination,
                const uint8_t *message, size_t size) {
        uint16_t sum = checksum_finish(checksum_add(
                        checksum_pseudo_header(source, destination, IPPROTO_ICMPV6, size), message, size));

        append_header(buffer, source, destination, IPPROTO_ICMPV6, ND_HOP_LIMIT, size);
        buffer_append(buffer, message, ICMP_CHECKSUM_OFFSET);
        buffer_append_be16(buffer, sum);
        buffer_append(buffer, message + ICMP_CHECKSUM_OFFSET + sizeof(sum),
                        size - ICMP_CHECKSUM_OFFSET - sizeof(sum));
}

void ip6_packet_build_udp(Buffer *buffer, const struct in6_addr *source, const struct in6_addr *destination,
                uint16_t source_port, uint16_t destination_port, const uint8_t *payload, size_t size) {
        uint16_t udp_size = (uint16_t) (IP6_UDP_HEADER_SIZE + size), sum;
        uint32_t partial = checksum_pseudo_header(source, destination, IPPROTO_UDP, udp_size);

        partial += (uint32_t) source_port + destination_port + udp_size;
        sum = checksum_finish(checksum_add(partial, payload, size));

        append_header(buffer, source, destination, IPPROTO_UDP, HOP_LIMIT_DHCP, udp_size);
        buffer_append_be16(buffer, source_port);
        buffer_append_be16(buffer, destination_port);
        buffer_append_be16(buffer, udp_size);
        buffer_append_be16(buffer, sum == 0 ? 0xffff : sum); /* RFC 768: 0 is "none" */
        buffer_append(buffer, payload, size);
}
