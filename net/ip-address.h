/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An IPv4 or IPv6 address, and a prefix of one. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct IpAddress {
        int family; /* AF_INET, AF_INET6, or AF_UNSPEC for none */
        union {
                struct in_addr v4;
                struct in6_addr v6;
        };
} IpAddress;

typedef struct IpPrefix {
        IpAddress address;
        uint8_t length;
} IpPrefix;

#define IP_ADDRESS_V4(in) ((IpAddress){ .family = AF_INET, .v4 = (in) })
#define IP_ADDRESS_V6(in6) ((IpAddress){ .family = AF_INET6, .v6 = (in6) })

/* A sockaddr of either family. */
typedef union SocketAddress {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
} SocketAddress;

#define IP_ADDRESS_TEXT_MAX INET6_ADDRSTRLEN

/* Writes the usual text form; returns `text`. */
const char *ip_address_format(char text[static IP_ADDRESS_TEXT_MAX], const IpAddress *address);

/* Dotted quad or IPv6 text, nothing around it: 0 or -EINVAL. */
int ip_address_parse(const char *text, IpAddress *ret);

bool ip_address_equal(const IpAddress *a, const IpAddress *b);

/* An address that a host can have or that a server can answer from: not 0.0.0.0/8, loopback, multicast, 240/4. */
bool ip4_is_host(struct in_addr address);

/* /24 -> 255.255.255.0 */
struct in_addr ip4_mask(uint8_t prefix_length);

/* 255.255.255.0 -> 24: 0 and the length, or -EINVAL for a mask with holes. */
int ip4_prefix_length(struct in_addr mask, uint8_t *ret);

/* What a mask was before there were masks (RFC 950): 8, 16 or 24. */
uint8_t ip4_class_prefix_length(struct in_addr address);

/*
 * An address that a host can have or that a server can answer from: not unspecified, loopback, multicast, IPv4-mapped or
 * -compatible; link-local addresses are.
 */
bool ip6_is_host(const struct in6_addr *address);

/* The same, and good beyond the link. */
bool ip6_is_global(const struct in6_addr *address);

/* The network of a prefix: what is behind its length becomes zero. */
struct in6_addr ip6_network(const struct in6_addr *address, uint8_t length);

/* ff02::1:ffXX:XXXX (RFC 4291 §2.7.1), at which a neighbour with this address is asked for. */
struct in6_addr ip6_solicited_node(const struct in6_addr *address);

/* `scope` is the interface index for link-local addresses, else 0. */
SocketAddress socket_address(const IpAddress *address, uint16_t port, uint32_t scope);
socklen_t socket_address_size(const SocketAddress *address);

/*
 * Binds a socket to an address of ours on a port. The kernel does not take such an address for one of the device's (net/port-table.c), so
 * it must not insist on that (IP_FREEBIND; IPv6 does not need it).
 */
int socket_address_bind(int fd, const SocketAddress *address);

/* The same family and address; the same port. */
bool socket_address_same_host(const SocketAddress *a, const SocketAddress *b);
bool socket_address_same_port(const SocketAddress *a, const SocketAddress *b);
