/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nd-message.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

typedef enum NdOption {
        ND_OPTION_SOURCE_ADDRESS = 1,
        ND_OPTION_TARGET_ADDRESS = 2,
        ND_OPTION_PREFIX = 3,
        ND_OPTION_MTU = 5,
        ND_OPTION_NONCE = 14,   /* RFC 3971 §5.3.2 */
        ND_OPTION_ROUTE = 24,   /* RFC 4191 */
        ND_OPTION_DNS = 25,     /* RFC 8106 */
        ND_OPTION_DOMAINS = 31, /* RFC 8106 */
} NdOption;

#define FLAG_MANAGED 0x80
#define FLAG_OTHER 0x40
#define FLAG_ON_LINK 0x80
#define FLAG_AUTONOMOUS 0x40
#define FLAG_SOLICITED 0x40

/* RFC 8200 §5: every link carries as much in one piece. */
#define MTU_MIN 1280

/* Returns 1 and the body of an option, 0 at the end, or -EBADMSG. Lengths are in units of 8 bytes, with type and length. */
static int next_option(Cursor *options, uint8_t *ret_type, Cursor *ret_body) {
        uint8_t type, length;

        if (options->left == 0)
                return 0;
        if (cursor_u8(options, &type) < 0 || cursor_u8(options, &length) < 0 || length == 0 ||
                        cursor_sub(options, length * 8u - 2, ret_body) < 0)
                return -EBADMSG;
        *ret_type = type;
        return 1;
}

static int take_address(Cursor *cursor, struct in6_addr *ret) {
        const uint8_t *p;
        int r = cursor_take(cursor, sizeof(*ret), &p);

        if (r >= 0)
                memcpy(ret, p, sizeof(*ret));
        return r;
}

/* RFC 4191 §2.2: the reserved value means medium in a router's preference; an option with it is ignored. */
static int parse_preference(uint8_t flags, NdPreference *ret) {
        static const NdPreference preferences[] = { ND_PREFERENCE_MEDIUM, ND_PREFERENCE_HIGH,
                ND_PREFERENCE_MEDIUM, ND_PREFERENCE_LOW };
        unsigned bits = flags >> 3 & 3;

        *ret = preferences[bits];
        return bits == 2 ? -EBADMSG : 0;
}

static void parse_prefix(Cursor body, NdRouterAdvert *advert) {
        uint8_t length, flags;
        uint32_t valid, preferred, reserved;
        struct in6_addr prefix;

        if (advert->n_prefixes == ND_PREFIXES_MAX || cursor_u8(&body, &length) < 0 ||
                        cursor_u8(&body, &flags) < 0 || cursor_be32(&body, &valid) < 0 ||
                        cursor_be32(&body, &preferred) < 0 || cursor_be32(&body, &reserved) < 0 ||
                        take_address(&body, &prefix) < 0 || body.left != 0)
                return;
        prefix = length <= 128 ? ip6_network(&prefix, length) : in6addr_any;
        if (!ip6_is_global(&prefix) || preferred > valid)
                return;
        advert->prefixes[advert->n_prefixes++] = (NdPrefix){
                .prefix = { .address = IP_ADDRESS_V6(prefix), .length = length },
                .on_link = flags & FLAG_ON_LINK,
                .autonomous = flags & FLAG_AUTONOMOUS,
                .valid = valid,
                .preferred = preferred,
        };
}

/* RFC 4191 §2.3: the prefix is as long as it has to be, so 0, 8 or 16 bytes. */
static void parse_route(Cursor body, NdRouterAdvert *advert) {
        uint8_t length, flags;
        struct in6_addr prefix = IN6ADDR_ANY_INIT;
        NdPreference preference;
        uint32_t lifetime;
        const uint8_t *p;
        size_t n;

        if (advert->n_routes == ND_ROUTES_MAX || cursor_u8(&body, &length) < 0 || length > 128 ||
                        cursor_u8(&body, &flags) < 0 || cursor_be32(&body, &lifetime) < 0 ||
                        parse_preference(flags, &preference) < 0)
                return;
        n = body.left;
        if ((n != 0 && n != 8 && n != 16) || length > 8 * n || cursor_take(&body, n, &p) < 0)
                return;
        memcpy(&prefix, p, n);
        prefix = ip6_network(&prefix, length);
        if (length > 0 && !ip6_is_global(&prefix))
                return;
        advert->routes[advert->n_routes++] = (NdRoute){
                .destination = { .address = IP_ADDRESS_V6(prefix), .length = length },
                .preference = preference,
                .lifetime = lifetime,
        };
}

static void parse_dns(Cursor body, NdRouterAdvert *advert) {
        struct in6_addr server;
        uint16_t reserved;
        uint32_t lifetime;

        if (cursor_be16(&body, &reserved) < 0 || cursor_be32(&body, &lifetime) < 0 ||
                        body.left % sizeof(server) != 0)
                return;
        while (advert->n_dns < ND_DNS_MAX && take_address(&body, &server) >= 0)
                if (ip6_is_host(&server))
                        advert->dns[advert->n_dns++] = (NdDns){ .server = server, .lifetime = lifetime };
}

/* The names, then zeros up to the end. One that is malformed ends the list. */
static void parse_domains(Cursor body, NdRouterAdvert *advert) {
        uint16_t reserved;
        uint32_t lifetime;

        if (cursor_be16(&body, &reserved) < 0 || cursor_be32(&body, &lifetime) < 0)
                return;
        while (advert->n_domains < ND_DOMAINS_MAX) {
                NdDomain *domain = advert->domains + advert->n_domains;

                if (domain_name_parse(&body, domain->name) < 0)
                        break;
                domain->lifetime = lifetime;
                advert->n_domains++;
        }
}

static void parse_mtu(Cursor body, NdRouterAdvert *advert) {
        uint16_t reserved;
        uint32_t mtu;

        if (cursor_be16(&body, &reserved) == 0 && cursor_be32(&body, &mtu) == 0 && body.left == 0 &&
                        mtu >= MTU_MIN)
                advert->mtu = mtu;
}

static int parse_options(Cursor options, NdRouterAdvert *advert) {
        uint8_t type;
        Cursor body;
        int r;

        while ((r = next_option(&options, &type, &body)) > 0)
                switch (type) {
                case ND_OPTION_PREFIX:
                        parse_prefix(body, advert);
                        break;
                case ND_OPTION_MTU:
                        parse_mtu(body, advert);
                        break;
                case ND_OPTION_ROUTE:
                        parse_route(body, advert);
                        break;
                case ND_OPTION_DNS:
                        parse_dns(body, advert);
                        break;
                case ND_OPTION_DOMAINS:
                        parse_domains(body, advert);
                        break;
                default: /* RFC 4861 §6.1.2: unknown options are ignored */
                        break;
                }
        return r;
}

/* What holds for each of them: RFC 4861 §6.1.2, §7.1. */
static int parse_header(const Ip6Packet *packet, Cursor *message, uint8_t *ret_type) {
        uint16_t checksum;
        uint8_t code;

        if (packet->protocol != IPPROTO_ICMPV6 || packet->hop_limit != ND_HOP_LIMIT ||
                        cursor_u8(message, ret_type) < 0 || cursor_u8(message, &code) < 0 || code != 0 ||
                        cursor_be16(message, &checksum) < 0)
                return -EBADMSG;
        return 0;
}

int nd_parse_router_advert(NdRouterAdvert *ret, const Ip6Packet *packet) {
        NdRouterAdvert advert = { .router = packet->source };
        Cursor message = packet->payload;
        uint8_t type, hop_limit, flags;
        uint32_t reachable, retransmit;
        int r;

        if (parse_header(packet, &message, &type) < 0 || type != ND_TYPE_ROUTER_ADVERT ||
                        !IN6_IS_ADDR_LINKLOCAL(&packet->source) || cursor_u8(&message, &hop_limit) < 0 ||
                        cursor_u8(&message, &flags) < 0 || cursor_be16(&message, &advert.lifetime) < 0 ||
                        cursor_be32(&message, &reachable) < 0 || cursor_be32(&message, &retransmit) < 0)
                return -EBADMSG;
        advert.managed = flags & FLAG_MANAGED;
        advert.other = flags & FLAG_OTHER;
        (void) parse_preference(flags, &advert.preference);
        r = parse_options(message, &advert);
        if (r < 0)
                return r;
        *ret = advert;
        return 0;
}

int nd_parse_neighbour(NdNeighbour *ret, const Ip6Packet *packet) {
        Cursor message = packet->payload, body;
        NdNeighbour neighbour = { 0 };
        bool has_source_address = false;
        uint8_t type, option;
        uint32_t flags;
        int r;

        if (parse_header(packet, &message, &type) < 0 || cursor_be32(&message, &flags) < 0 ||
                        take_address(&message, &neighbour.target) < 0 || !ip6_is_host(&neighbour.target))
                return -EBADMSG;
        while ((r = next_option(&message, &option, &body)) > 0) {
                has_source_address = has_source_address || option == ND_OPTION_SOURCE_ADDRESS;
                if (option == ND_OPTION_NONCE && body.left == ND_NONCE_SIZE)
                        memcpy(neighbour.nonce, body.p, ND_NONCE_SIZE);
        }
        if (r < 0)
                return r;

        if (type == ND_TYPE_NEIGHBOUR_SOLICIT) {
                struct in6_addr group = ip6_solicited_node(&neighbour.target);

                neighbour.detecting = IN6_IS_ADDR_UNSPECIFIED(&packet->source);
                if (neighbour.detecting &&
                                (has_source_address || !IN6_ARE_ADDR_EQUAL(&packet->destination, &group)))
                        return -EBADMSG;
        } else if (type == ND_TYPE_NEIGHBOUR_ADVERT) {
                if (IN6_IS_ADDR_MULTICAST(&packet->destination) && (flags >> 24 & FLAG_SOLICITED))
                        return -EBADMSG;
        } else
                return -EBADMSG;
        neighbour.type = type;
        *ret = neighbour;
        return 0;
}

static void append_header(Buffer *buffer, NdType type, uint32_t flags) {
        buffer_append_u8(buffer, (uint8_t) type);
        buffer_append_u8(buffer, 0);
        buffer_append_be16(buffer, 0); /* the checksum is the packet's */
        buffer_append_be32(buffer, flags);
}

static void append_address(Buffer *buffer, NdOption option, const struct ether_addr *address) {
        buffer_append_u8(buffer, (uint8_t) option);
        buffer_append_u8(buffer, 1);
        buffer_append(buffer, address, sizeof(*address));
}

void nd_build_router_solicit(Buffer *buffer, const struct ether_addr *own) {
        append_header(buffer, ND_TYPE_ROUTER_SOLICIT, 0);
        if (own)
                append_address(buffer, ND_OPTION_SOURCE_ADDRESS, own);
}

void nd_build_probe(
                Buffer *buffer, const struct in6_addr *target, const uint8_t nonce[static ND_NONCE_SIZE]) {
        append_header(buffer, ND_TYPE_NEIGHBOUR_SOLICIT, 0);
        buffer_append(buffer, target, sizeof(*target));
        buffer_append_u8(buffer, ND_OPTION_NONCE);
        buffer_append_u8(buffer, 1);
        buffer_append(buffer, nonce, ND_NONCE_SIZE);
}

void nd_build_neighbour_advert(Buffer *buffer, const struct in6_addr *target, const struct ether_addr *own,
                bool solicited) {
        append_header(buffer, ND_TYPE_NEIGHBOUR_ADVERT, solicited ? (uint32_t) FLAG_SOLICITED << 24 : 0);
        buffer_append(buffer, target, sizeof(*target));
        append_address(buffer, ND_OPTION_TARGET_ADDRESS, own);
}
