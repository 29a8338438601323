/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip-address.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *ip_address_format(char text[static IP_ADDRESS_TEXT_MAX], const IpAddress *address) {
        if (address->family == AF_UNSPEC ||
                        !inet_ntop(address->family, &address->v6, text, IP_ADDRESS_TEXT_MAX))
                snprintf(text, IP_ADDRESS_TEXT_MAX, "-");
        return text;
}

int ip_address_parse(const char *text, IpAddress *ret) {
        static const int families[] = { AF_INET, AF_INET6 };

        for (size_t i = 0; i < 2; i++) {
                IpAddress address = { .family = families[i] };

                if (inet_pton(families[i], text, &address.v6) == 1) {
                        *ret = address;
                        return 0;
                }
        }
        return -EINVAL;
}

bool ip_address_equal(const IpAddress *a, const IpAddress *b) {
        if (a->family != b->family)
                return false;
        if (a->family == AF_UNSPEC)
                return true;
        if (a->family == AF_INET)
                return a->v4.s_addr == b->v4.s_addr;
        return IN6_ARE_ADDR_EQUAL(&a->v6, &b->v6);
}

bool ip4_is_host(struct in_addr address) {
        uint32_t a = ntohl(address.s_addr);

        return a >> 24 != 0 && a >> 24 != IN_LOOPBACKNET && !IN_MULTICAST(a) && !IN_BADCLASS(a);
}

struct in_addr ip4_mask(uint8_t prefix_length) {
        return (struct in_addr){ htonl(prefix_length == 0 ? 0 : UINT32_MAX << (32 - prefix_length)) };
}

int ip4_prefix_length(struct in_addr mask, uint8_t *ret) {
        uint8_t length = (uint8_t) __builtin_popcount(mask.s_addr);

        if (ip4_mask(length).s_addr != mask.s_addr)
                return -EINVAL;
        *ret = length;
        return 0;
}

uint8_t ip4_class_prefix_length(struct in_addr address) {
        uint32_t a = ntohl(address.s_addr);

        return IN_CLASSA(a) ? 8 : IN_CLASSB(a) ? 16 : 24;
}

bool ip6_is_host(const struct in6_addr *address) {
        return !IN6_IS_ADDR_MULTICAST(address) && !IN6_IS_ADDR_V4MAPPED(address) &&
                        memcmp(address, &in6addr_any, 12) !=
                        0; /* ::/96 has ::, ::1 and the compatible ones */
}

bool ip6_is_global(const struct in6_addr *address) {
        return ip6_is_host(address) && !IN6_IS_ADDR_LINKLOCAL(address);
}

struct in6_addr ip6_network(const struct in6_addr *address, uint8_t length) {
        struct in6_addr network = *address;

        for (unsigned i = 0; i < sizeof(network.s6_addr); i++) {
                unsigned bits = length > 8 * i ? MIN(length - 8 * i, 8u) : 0;

                network.s6_addr[i] &= (uint8_t) (0xff00 >> bits);
        }
        return network;
}

struct in6_addr ip6_solicited_node(const struct in6_addr *address) {
        struct in6_addr group = { .s6_addr = { 0xff, 2, [11] = 1, [12] = 0xff } };

        memcpy(group.s6_addr + 13, address->s6_addr + 13, 3);
        return group;
}

SocketAddress socket_address(const IpAddress *address, uint16_t port, uint32_t scope) {
        if (address->family == AF_INET)
                return (SocketAddress){
                        .in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address->v4 },
                };
        return (SocketAddress){
                .in6 = {
                        .sin6_family = AF_INET6,
                        .sin6_port = htons(port),
                        .sin6_addr = address->v6,
                        .sin6_scope_id = scope,
                },
        };
}

socklen_t socket_address_size(const SocketAddress *address) {
        return address->sa.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

int socket_address_bind(int fd, const SocketAddress *address) {
        const int on = 1;

        if (address->sa.sa_family == AF_INET && setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
                return -errno;
        return bind(fd, &address->sa, socket_address_size(address)) < 0 ? -errno : 0;
}

bool socket_address_same_host(const SocketAddress *a, const SocketAddress *b) {
        if (a->sa.sa_family != b->sa.sa_family)
                return false;
        if (a->sa.sa_family == AF_INET)
                return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
        return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

bool socket_address_same_port(const SocketAddress *a, const SocketAddress *b) {
        /* at the same place in both kinds */
        static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
                        "");

        return a->in.sin_port == b->in.sin_port;
}
