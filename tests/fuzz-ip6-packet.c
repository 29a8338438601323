/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "net/nd-message.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORT 546

/* A packet from the wire; what is taken for neighbour discovery has gone through all of RFC 4861's checks, and is built again alike. */
static void check_nd(const Ip6Packet *packet) {
        static NdRouterAdvert advert;
        NdNeighbour neighbour;

        if (nd_parse_router_advert(&advert, packet) >= 0 &&
                        (packet->hop_limit != 255 || !IN6_IS_ADDR_LINKLOCAL(&packet->source)))
                abort();
        if (nd_parse_neighbour(&neighbour, packet) >= 0 &&
                        (packet->hop_limit != 255 || IN6_IS_ADDR_MULTICAST(&neighbour.target)))
                abort();
}

static void check_built(const Ip6Packet *packet) {
        static uint8_t memory[70000];
        Buffer buffer = BUFFER(memory, sizeof(memory));
        Ip6Packet again;

        if (packet->payload.left < 4 || packet->payload.left > 60000)
                return;
        if (packet->protocol == IPPROTO_UDP)
                ip6_packet_build_udp(&buffer, &packet->source, &packet->destination, 547, PORT,
                                packet->payload.p, packet->payload.left);
        else {
                uint8_t message[60000];

                memcpy(message, packet->payload.p, packet->payload.left);
                memset(message + 2, 0, 2);
                ip6_packet_build_icmp(&buffer, &packet->source, &packet->destination, message,
                                packet->payload.left);
        }
        if (buffer_status(&buffer) < 0 || ip6_packet_parse(&again, memory, buffer.size, PORT, true) < 0 ||
                        again.payload.left != packet->payload.left)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Ip6Packet packet;

        for (unsigned ready = 0; ready < 2; ready++) {
                if (ip6_packet_parse(&packet, data, size, PORT, ready) < 0)
                        continue;
                if (packet.payload.left > size ||
                                (packet.protocol != IPPROTO_UDP && packet.protocol != IPPROTO_ICMPV6))
                        abort();
                check_nd(&packet);
                check_built(&packet);
        }
        return 0;
}
