/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-packet.h"

#include "net/checksum.h"
#include "net/dhcp4-message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define IP_HEADER_SIZE_MIN 20
#define UDP_HEADER_SIZE 8
#define IP_FRAGMENT_MASK 0x3fff /* "more fragments" and the offset */
#define IP_DONT_FRAGMENT 0x4000
#define TTL 64

/* RFC 768: addresses, protocol and UDP length are summed too. */
static uint32_t checksum_pseudo_header(const uint8_t *addresses, size_t udp_size) {
        return checksum_add(IPPROTO_UDP + (uint32_t) udp_size, addresses, 8);
}

static int parse_ip(Cursor *packet, const uint8_t **ret_addresses, Cursor *ret_udp) {
        Cursor ip = *packet, header;
        uint8_t version_ihl, tos, ttl, protocol;
        uint16_t total, id, fragment, checksum;
        size_t header_size;

        if (cursor_u8(&ip, &version_ihl) < 0 || cursor_u8(&ip, &tos) < 0 || cursor_be16(&ip, &total) < 0 ||
                        cursor_be16(&ip, &id) < 0 || cursor_be16(&ip, &fragment) < 0 ||
                        cursor_u8(&ip, &ttl) < 0 || cursor_u8(&ip, &protocol) < 0 ||
                        cursor_be16(&ip, &checksum) < 0 || cursor_take(&ip, 8, ret_addresses) < 0)
                return -EBADMSG;

        header_size = (version_ihl & 0xf) * 4u;
        if (version_ihl >> 4 != 4 || header_size < IP_HEADER_SIZE_MIN || total < header_size ||
                        (fragment & IP_FRAGMENT_MASK) != 0 || protocol != IPPROTO_UDP)
                return -EBADMSG;
        if (cursor_sub(packet, total, ret_udp) < 0 || cursor_sub(ret_udp, header_size, &header) < 0)
                return -EBADMSG;
        return checksum_finish(checksum_add(0, header.p, header.left)) == 0 ? 0 : -EBADMSG;
}

int dhcp4_packet_parse(const uint8_t *packet, size_t size, bool checksum_ready, Cursor *ret_payload) {
        Cursor cursor = CURSOR(packet, size), rest, udp;
        uint16_t source, destination, length, checksum;
        const uint8_t *addresses;
        int r;

        r = parse_ip(&cursor, &addresses, &rest);
        if (r < 0)
                return r;

        udp = rest;
        if (cursor_be16(&rest, &source) < 0 || cursor_be16(&rest, &destination) < 0 ||
                        cursor_be16(&rest, &length) < 0 || cursor_be16(&rest, &checksum) < 0)
                return -EBADMSG;
        /* Servers send from port 67, relays and NAT do not always: only where it goes counts. */
        if (destination != DHCP4_CLIENT_PORT || length < UDP_HEADER_SIZE ||
                        cursor_sub(&rest, length - UDP_HEADER_SIZE, ret_payload) < 0)
                return -EBADMSG;

        /* RFC 768: zero means that there is none. */
        if (checksum != 0 && checksum_ready &&
                        checksum_finish(checksum_add(
                                        checksum_pseudo_header(addresses, length), udp.p, length)) != 0)
                return -EBADMSG;
        return 0;
}

void dhcp4_packet_build(Buffer *buffer, struct in_addr source, struct in_addr destination,
                const uint8_t *payload, size_t size) {
        const struct in_addr addresses[] = { source, destination };
        uint16_t udp_size = (uint16_t) (UDP_HEADER_SIZE + size), sum;
        uint8_t ip_memory[IP_HEADER_SIZE_MIN], udp_memory[UDP_HEADER_SIZE];
        Buffer ip = BUFFER(ip_memory, sizeof(ip_memory)), udp = BUFFER(udp_memory, sizeof(udp_memory));

        buffer_append_u8(&ip, 4 << 4 | IP_HEADER_SIZE_MIN / 4);
        buffer_append_u8(&ip, 0);
        buffer_append_be16(&ip, IP_HEADER_SIZE_MIN + udp_size);
        buffer_append_be16(&ip, 0);
        buffer_append_be16(&ip, IP_DONT_FRAGMENT);
        buffer_append_u8(&ip, TTL);
        buffer_append_u8(&ip, IPPROTO_UDP);
        buffer_append_be16(&ip, 0);
        buffer_append(&ip, addresses, sizeof(addresses));
        sum = htons(checksum_finish(checksum_add(0, ip_memory, sizeof(ip_memory))));
        memcpy(ip_memory + 10, &sum, sizeof(sum));

        buffer_append_be16(&udp, DHCP4_CLIENT_PORT);
        buffer_append_be16(&udp, DHCP4_SERVER_PORT);
        buffer_append_be16(&udp, udp_size);
        buffer_append_be16(&udp, 0);
        sum = checksum_finish(checksum_add(checksum_add(checksum_pseudo_header(ip_memory + 12, udp_size),
                                                           udp_memory, sizeof(udp_memory)),
                        payload, size));
        sum = htons(sum == 0 ? 0xffff : sum); /* RFC 768: 0 is "none" */
        memcpy(udp_memory + 6, &sum, sizeof(sum));

        buffer_append(buffer, ip_memory, sizeof(ip_memory));
        buffer_append(buffer, udp_memory, sizeof(udp_memory));
        buffer_append(buffer, payload, size);
}
