/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/time.h"
#include "net/ip6-addresses.h"
#include "net/router-discovery.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Hostile routers and neighbours: each step of the input lets time pass, or is an ICMPv6 message, from one of a few hosts of the link. What is
 * advertised becomes addresses, as on a port. Whatever they say, there is a bound to what is kept, set and sent.
 */

typedef struct World {
        RouterDiscovery *discovery;
        Ip6Addresses *addresses;
        uint64_t now;
        uint32_t random;
        unsigned n_solicits, n_probes, n_set, n_used;
        struct in6_addr last;
} World;

static int on_solicit(void *userdata) {
        World *world = userdata;

        world->n_solicits++;
        return 0;
}

static uint32_t on_random(void *userdata) {
        World *world = userdata;

        return world->random = world->random * 1664525 + 1013904223;
}

static void on_routers(void *userdata) {
        World *world = userdata;
        const RouterTable *table = router_discovery_get_table(world->discovery);

        for (size_t i = 0; i < table->n_prefixes; i++) {
                const RouterPrefix *prefix = table->prefixes + i;

                if (prefix->valid_until <= world->now)
                        continue;
                world->last = prefix->prefix.address.v6;
                world->last.s6_addr[15] = 1;
                (void) ip6_addresses_want(world->addresses, world->now, &world->last, IP6_ORIGIN_SLAAC,
                                prefix->preferred_until, prefix->valid_until);
        }
}

static int on_probe(const struct in6_addr *address, void *userdata) {
        World *world = userdata;

        if (!ip6_is_global(address))
                abort();
        world->n_probes++;
        return 0;
}

static int on_set(const Ip6Address *address, uint64_t now, void *userdata) {
        World *world = userdata;

        if (address->valid_until <= now || address->preferred_until > address->valid_until)
                abort();
        world->n_set++;
        return world->n_set % 7 == 0 ? -ENOBUFS : 0;
}

static void on_remove(const Ip6Address *address, void *userdata) {
        World *world = userdata;

        if (!address->used || world->n_used-- == 0)
                abort();
}

static void on_address(Ip6AddressEvent event, const Ip6Address *address, void *userdata) {
        World *world = userdata;

        (void) address;
        world->n_used += event == IP6_ADDRESS_READY;
}

static void check(const World *world) {
        const RouterTable *t = router_discovery_get_table(world->discovery);

        if (t->n_routers > ROUTERS_MAX || t->n_prefixes > ROUTER_PREFIXES_MAX ||
                        t->n_routes > ROUTER_ROUTES_MAX || t->n_dns > ROUTER_DNS_MAX ||
                        t->n_domains > ROUTER_DOMAINS_MAX || (t->mtu != 0 && t->mtu < 1280))
                abort();
        for (size_t i = 1; i < t->n_routers; i++)
                if (t->routers[i - 1].preference < t->routers[i].preference)
                        abort();
        for (size_t i = 0; i < t->n_routers; i++)
                if (t->routers[i].expiry <= world->now)
                        abort();
        for (size_t i = 0; i < t->n_prefixes; i++)
                if (t->prefixes[i].prefix.length > 128 ||
                                !ip6_is_global(&t->prefixes[i].prefix.address.v6) ||
                                t->prefixes[i].preferred_until >
                                                MAX(t->prefixes[i].valid_until, (uint64_t) 1))
                        abort();
        for (size_t i = 0; i < t->n_routes; i++)
                if (t->routes[i].destination.length > 128)
                        abort();
        for (size_t i = 0; i < t->n_domains; i++)
                if (!domain_name_is_valid(t->domains[i].name))
                        abort();
        if (world->n_used > IP6_ADDRESSES_MAX || ip6_addresses_count(world->addresses) > IP6_ADDRESSES_MAX)
                abort();
}

static void fire(World *world) {
        router_discovery_dispatch_timer(world->discovery, world->now);
        ip6_addresses_dispatch_timer(world->addresses, world->now);
}

static void give_message(World *world, uint8_t what, Cursor *input) {
        static NdRouterAdvert advert;
        Ip6Packet packet = { .hop_limit = 255, .protocol = IPPROTO_ICMPV6 };
        NdNeighbour neighbour;
        uint8_t n;

        packet.source = (struct in6_addr){ .s6_addr = { 0xfe, 0x80, [15] = what >> 4 } };
        packet.destination = (struct in6_addr){ .s6_addr = { 0xff, 2, [15] = 1 } };
        if (cursor_u8(input, &n) < 0 || cursor_sub(input, n, &packet.payload) < 0)
                return;
        if (nd_parse_router_advert(&advert, &packet) >= 0)
                router_discovery_dispatch_advert(world->discovery, world->now, &advert);
        if (nd_parse_neighbour(&neighbour, &packet) >= 0)
                ip6_addresses_dispatch_conflict(world->addresses, world->now, &neighbour.target,
                                neighbour.type == ND_TYPE_NEIGHBOUR_ADVERT);
}

static void step(World *world, Cursor *input) {
        uint64_t timeout = MIN(router_discovery_get_timeout(world->discovery),
                        ip6_addresses_get_timeout(world->addresses));
        uint16_t seconds;
        uint8_t what;

        if (cursor_u8(input, &what) < 0)
                return;
        switch (what % 8) {
        case 0:
                if (cursor_be16(input, &seconds) < 0)
                        return;
                world->now += seconds * (USEC_PER_SEC / 4);
                fire(world);
                break;
        case 1:
                if (timeout == USEC_INFINITY)
                        return;
                world->now = MAX(timeout, world->now);
                fire(world);
                break;
        case 2:
                router_discovery_retry(world->discovery, world->now);
                break;
        case 3:
                ip6_addresses_dispatch_conflict(world->addresses, world->now, &world->last, what & 0x80);
                break;
        case 4:
                ip6_addresses_drop(world->addresses, &world->last);
                break;
        default:
                give_message(world, what, input);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        World world = { .now = USEC_PER_HOUR };
        Cursor input = CURSOR(data, size);
        unsigned n_steps = 0;

        if (router_discovery_new(&world.discovery,
                            &(RouterDiscoveryConfig){ .solicit = on_solicit,
                                            .notify = on_routers,
                                            .random = on_random,
                                            .userdata = &world }) < 0)
                return 0;
        if (ip6_addresses_new(&world.addresses,
                            &(Ip6AddressesConfig){ .conflict_wait = size % 2 * USEC_PER_MSEC,
                                            .probe = on_probe,
                                            .set = on_set,
                                            .remove = on_remove,
                                            .notify = on_address,
                                            .userdata = &world }) < 0)
                abort();
        router_discovery_start(world.discovery, world.now);
        while (input.left > 0) {
                step(&world, &input);
                n_steps++;
                fire(&world); /* what is over is gone before anybody looks */
                check(&world);
        }
        /* One solicitation at most for each that happens, and one probe for each address. */
        if (world.n_solicits > 3 * n_steps + 1 || world.n_probes > IP6_ADDRESSES_MAX * (n_steps + 1))
                abort();
        ip6_addresses_free(world.addresses);
        router_discovery_free(world.discovery);
        return 0;
}
