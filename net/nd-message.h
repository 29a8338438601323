/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Neighbour discovery on the wire: router solicitations and advertisements, neighbour solicitations and advertisements (RFC 4861 §4),
 * route information (RFC 4191), DNS servers and search domains (RFC 8106). Knows nothing of sockets or states.
 */

#include "base/buffer.h"
#include "net/domain-name.h"
#include "net/ip-address.h"
#include "net/ip6-packet.h"

#include <net/ethernet.h>

typedef enum NdType {
        ND_TYPE_ROUTER_SOLICIT = 133,
        ND_TYPE_ROUTER_ADVERT = 134,
        ND_TYPE_NEIGHBOUR_SOLICIT = 135,
        ND_TYPE_NEIGHBOUR_ADVERT = 136,
} NdType;

/* Of one advertisement; more are left out. */
#define ND_PREFIXES_MAX 8
#define ND_ROUTES_MAX 8
#define ND_DNS_MAX 4
#define ND_DOMAINS_MAX 4

#define ND_LIFETIME_INFINITY UINT32_MAX /* of what has its lifetime in seconds */

/* RFC 4191 §2.1, so that the better one is the greater one. */
typedef enum NdPreference {
        ND_PREFERENCE_LOW = -1,
        ND_PREFERENCE_MEDIUM = 0,
        ND_PREFERENCE_HIGH = 1,
} NdPreference;

typedef struct NdPrefix {
        IpPrefix prefix;
        bool on_link, autonomous;
        uint32_t valid, preferred;
} NdPrefix;

typedef struct NdRoute {
        IpPrefix destination;
        NdPreference preference;
        uint32_t lifetime;
} NdRoute;

typedef struct NdDns {
        struct in6_addr server;
        uint32_t lifetime;
} NdDns;

typedef struct NdDomain {
        char name[DOMAIN_NAME_MAX];
        uint32_t lifetime;
} NdDomain;

typedef struct NdRouterAdvert {
        struct in6_addr router;
        uint16_t lifetime; /* as a default router; 0: it is none */
        NdPreference preference;
        bool managed, other; /* M and O: DHCPv6 gives addresses, or the rest */
        uint32_t mtu;        /* 0: not told */

        NdPrefix prefixes[ND_PREFIXES_MAX];
        NdRoute routes[ND_ROUTES_MAX];
        NdDns dns[ND_DNS_MAX];
        NdDomain domains[ND_DOMAINS_MAX];
        size_t n_prefixes, n_routes, n_dns, n_domains;
} NdRouterAdvert;

#define ND_NONCE_SIZE 6

/* What matters of a neighbour's message to duplicate address detection. */
typedef struct NdNeighbour {
        NdType type;
        struct in6_addr target;
        bool detecting;               /* a solicitation from ::, of somebody who wants the address himself */
        uint8_t nonce[ND_NONCE_SIZE]; /* RFC 7527; zeros: none */
} NdNeighbour;

/*
 * A router advertisement, with the checks of RFC 4861 §6.1.2: -EBADMSG where one fails, or where an option's length is 0 or too
 * long. An option that is malformed in itself, or says what cannot be (a preferred lifetime above the valid one, RFC 4862 §5.5.3), is
 * left out.
 */
int nd_parse_router_advert(NdRouterAdvert *ret, const Ip6Packet *packet);

/* A neighbour solicitation or advertisement, with the checks of RFC 4861 §7.1. */
int nd_parse_neighbour(NdNeighbour *ret, const Ip6Packet *packet);

#define ND_MESSAGE_MAX 64

/* A solicitation to all routers; from :: without our Ethernet address (RFC 4861 §4.1), which is NULL then. */
void nd_build_router_solicit(Buffer *buffer, const struct ether_addr *own);

/*
 * Does anybody have this address? Goes from :: to ip6_solicited_node() (RFC 4862 §5.4.2). By the nonce we know our own solicitation,
 * should the network send it back to us (RFC 7527).
 */
void nd_build_probe(
                Buffer *buffer, const struct in6_addr *target, const uint8_t nonce[static ND_NONCE_SIZE]);

/* That we have it; it does not override what others know (RFC 4429 §3.3). */
void nd_build_neighbour_advert(
                Buffer *buffer, const struct in6_addr *target, const struct ether_addr *own, bool solicited);
