/* SPDX-License-Identifier: Apache-2.0 */

/*
 *                 timer                                       advertisement
 *  no router      solicit again (RFC 7559), for ever          taken into the table; with a default router, no more solicitations
 *  a router       what has expired goes; after the last       taken into the table; lifetime 0: the router goes, and after the
 *                 router, solicit as at the start             last one, solicit as at the start
 *
 * Each kind of entry has a list of a fixed size. An entry that is known is brought up to date, a new one appended while there is
 * room. So a flood costs a list's length for each packet, and memory not at all.
 *
 * Deviation: no random delay of up to a second before the first solicitation (RFC 4861 §6.3.7): ports get their carrier one by one,
 * and a person waits.
 */

#include "net/router-discovery.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SOLICIT_FIRST (4 * USEC_PER_SEC) /* RFC 4861 §10: RTR_SOLICITATION_INTERVAL */
#define SOLICIT_MAX USEC_PER_HOUR        /* RFC 7559 §2 */

/* RFC 4862 §5.5.3 e): nobody can take an address from us at once by an unauthenticated advertisement. */
#define VALID_MIN (2 * USEC_PER_HOUR)

struct RouterDiscovery {
        RouterDiscoveryConfig config;
        RouterTable table;
        uint64_t solicit;       /* when to ask again; USEC_INFINITY: not now */
        uint64_t solicit_delay; /* between the last two times */
        uint64_t expiry;        /* of what expires first */
        uint64_t n_dropped;
};

uint64_t router_solicit_usec(uint64_t previous, uint32_t random) {
        uint64_t base = previous == 0 ? SOLICIT_FIRST : MIN(2 * previous, SOLICIT_MAX);

        return base - base / 10 + random % (base / 5 + 1);
}

static uint64_t after(uint64_t now, uint32_t seconds) {
        return seconds == ND_LIFETIME_INFINITY ? USEC_INFINITY : time_add(now, seconds * USEC_PER_SEC);
}

static void solicit(RouterDiscovery *discovery, uint64_t now) {
        discovery->solicit_delay = router_solicit_usec(
                        discovery->solicit_delay, discovery->config.random(discovery->config.userdata));
        discovery->solicit = time_add(now, discovery->solicit_delay);
        (void) discovery->config.solicit(discovery->config.userdata);
}

static void solicit_anew(RouterDiscovery *discovery, uint64_t now) {
        discovery->solicit_delay = 0;
        solicit(discovery, now);
}

/* Takes the i-th entry out of a list; the others keep their order. */
#define REMOVE(list, n, i) memmove((list) + (i), (list) + (i) + 1, (--(n) - (i)) * sizeof(*(list)))

#define REMOVE_EXPIRED(list, n, now)           \
        for (size_t i = (n); i-- > 0;)         \
                if ((list)[i].expiry <= (now)) \
        REMOVE((list), (n), i)

/* True when something has ended. */
static bool expire_time(uint64_t *until, uint64_t now) {
        bool ended = *until != 0 && *until <= now;

        if (ended)
                *until = 0;
        return ended;
}

static bool expire_prefixes(RouterTable *t, uint64_t now) {
        bool ended = false;

        for (size_t i = t->n_prefixes; i-- > 0;) {
                RouterPrefix *prefix = t->prefixes + i;

                ended = expire_time(&prefix->on_link_until, now) || ended;
                if (expire_time(&prefix->valid_until, now)) {
                        prefix->preferred_until = 0;
                        ended = true;
                }
                if (prefix->on_link_until == 0 && prefix->valid_until == 0)
                        REMOVE(t->prefixes, t->n_prefixes, i);
        }
        return ended;
}

static bool expire(RouterDiscovery *discovery, uint64_t now) {
        RouterTable *t = &discovery->table;
        size_t before = t->n_routers + t->n_routes + t->n_dns + t->n_domains;
        bool ended = expire_prefixes(t, now);

        REMOVE_EXPIRED(t->routers, t->n_routers, now);
        REMOVE_EXPIRED(t->routes, t->n_routes, now);
        REMOVE_EXPIRED(t->dns, t->n_dns, now);
        REMOVE_EXPIRED(t->domains, t->n_domains, now);
        return ended || t->n_routers + t->n_routes + t->n_dns + t->n_domains != before;
}

#define EARLIEST(first, list, n)         \
        for (size_t i = 0; i < (n); i++) \
        (first) = MIN((first), (list)[i].expiry)

static uint64_t first_expiry(const RouterTable *t) {
        uint64_t first = USEC_INFINITY;

        EARLIEST(first, t->routers, t->n_routers);
        EARLIEST(first, t->routes, t->n_routes);
        EARLIEST(first, t->dns, t->n_dns);
        EARLIEST(first, t->domains, t->n_domains);
        for (size_t i = 0; i < t->n_prefixes; i++) {
                if (t->prefixes[i].on_link_until != 0)
                        first = MIN(first, t->prefixes[i].on_link_until);
                if (t->prefixes[i].valid_until != 0)
                        first = MIN(first, t->prefixes[i].valid_until);
        }
        return first;
}

/* After whatever has happened: what has expired goes, and whether there is somebody to be asked. */
static bool settle(RouterDiscovery *discovery, uint64_t now) {
        bool gone = expire(discovery, now);

        discovery->expiry = first_expiry(&discovery->table);
        if (discovery->table.n_routers > 0)
                discovery->solicit = USEC_INFINITY;
        else if (discovery->solicit == USEC_INFINITY)
                solicit_anew(discovery, now);
        return gone;
}

static bool prefix_equal(const IpPrefix *a, const IpPrefix *b) {
        return a->length == b->length && ip_address_equal(&a->address, &b->address);
}

/* The entry for a router, a new one if need be and possible. */
static void take_router(RouterDiscovery *discovery, const NdRouterAdvert *advert, uint64_t now) {
        RouterTable *t = &discovery->table;
        Router router = {
                .address = advert->router,
                .preference = advert->preference,
                .expiry = time_add(now, advert->lifetime * USEC_PER_SEC),
        };
        size_t i = 0;

        while (i < t->n_routers && !IN6_ARE_ADDR_EQUAL(&t->routers[i].address, &advert->router))
                i++;
        if (i == t->n_routers && (advert->lifetime == 0 || t->n_routers == ROUTERS_MAX)) {
                discovery->n_dropped += advert->lifetime != 0;
                return;
        }
        if (i < t->n_routers && t->routers[i].preference == router.preference) {
                t->routers[i] = router; /* keeps its place; when its lifetime is 0, it expires now */
                return;
        }
        if (i < t->n_routers)
                REMOVE(t->routers, t->n_routers, i);
        for (i = 0; i < t->n_routers && t->routers[i].preference >= router.preference; i++)
                ;
        memmove(t->routers + i + 1, t->routers + i, (t->n_routers++ - i) * sizeof(router));
        t->routers[i] = router;
}

/* RFC 4862 §5.5.3 e). */
static void set_address_times(RouterPrefix *entry, const NdPrefix *prefix, uint64_t now) {
        uint64_t valid = after(now, prefix->valid);

        if (entry->valid_until == 0 || valid > time_add(now, VALID_MIN) || valid > entry->valid_until)
                entry->valid_until = valid;
        else if (entry->valid_until > time_add(now, VALID_MIN))
                entry->valid_until = time_add(now, VALID_MIN);
        entry->preferred_until = MIN(after(now, prefix->preferred), entry->valid_until);
}

static void take_prefix(RouterDiscovery *discovery, const NdPrefix *prefix, uint64_t now) {
        RouterTable *t = &discovery->table;
        RouterPrefix *entry;
        size_t i = 0;

        while (i < t->n_prefixes && !prefix_equal(&t->prefixes[i].prefix, &prefix->prefix))
                i++;
        if (i == t->n_prefixes) {
                if (prefix->valid == 0)
                        return;
                if (t->n_prefixes == ROUTER_PREFIXES_MAX) {
                        discovery->n_dropped++;
                        return;
                }
                t->prefixes[t->n_prefixes++] = (RouterPrefix){ .prefix = prefix->prefix };
        }
        entry = t->prefixes + i;
        /* RFC 4861 §6.3.4: an option without the flag says nothing about it. */
        if (prefix->on_link)
                entry->on_link_until = after(now, prefix->valid);
        /* RFC 4862 §5.5.3 d): Ethernet's interface identifiers have 64 bits (RFC 2464 §4). */
        if (prefix->autonomous && prefix->prefix.length == 64)
                set_address_times(entry, prefix, now);
}

static void take_route(RouterDiscovery *discovery, const struct in6_addr *router, const NdRoute *route,
                uint64_t now) {
        RouterTable *t = &discovery->table;
        size_t i = 0;

        while (i < t->n_routes &&
                        !(prefix_equal(&t->routes[i].destination, &route->destination) &&
                                        IN6_ARE_ADDR_EQUAL(&t->routes[i].router, router)))
                i++;
        if (i == t->n_routes) {
                if (route->lifetime == 0)
                        return;
                if (t->n_routes == ROUTER_ROUTES_MAX) {
                        discovery->n_dropped++;
                        return;
                }
                t->n_routes++;
        }
        t->routes[i] = (RouterRoute){
                .destination = route->destination,
                .router = *router,
                .preference = route->preference,
                .expiry = after(now, route->lifetime),
        };
}

static void take_dns(RouterDiscovery *discovery, const NdDns *dns, uint64_t now) {
        RouterTable *t = &discovery->table;
        size_t i = 0;

        while (i < t->n_dns && !IN6_ARE_ADDR_EQUAL(&t->dns[i].server, &dns->server))
                i++;
        if (i == t->n_dns) {
                if (dns->lifetime == 0)
                        return;
                if (t->n_dns == ROUTER_DNS_MAX) {
                        discovery->n_dropped++;
                        return;
                }
                t->n_dns++;
        }
        t->dns[i] = (RouterDns){ .server = dns->server, .expiry = after(now, dns->lifetime) };
}

static void take_domain(RouterDiscovery *discovery, const NdDomain *domain, uint64_t now) {
        RouterTable *t = &discovery->table;
        size_t i = 0;

        while (i < t->n_domains && strcmp(t->domains[i].name, domain->name) != 0)
                i++;
        if (i == t->n_domains) {
                if (domain->lifetime == 0)
                        return;
                if (t->n_domains == ROUTER_DOMAINS_MAX) {
                        discovery->n_dropped++;
                        return;
                }
                t->n_domains++;
        }
        memcpy(t->domains[i].name, domain->name, sizeof(domain->name));
        t->domains[i].expiry = after(now, domain->lifetime);
}

void router_discovery_dispatch_advert(
                RouterDiscovery *discovery, uint64_t now, const NdRouterAdvert *advert) {
        RouterTable *t = &discovery->table;

        t->heard = true;
        t->managed = advert->managed;
        t->other = advert->other;
        if (advert->mtu != 0)
                t->mtu = advert->mtu;
        take_router(discovery, advert, now);
        for (size_t i = 0; i < advert->n_prefixes; i++)
                take_prefix(discovery, advert->prefixes + i, now);
        for (size_t i = 0; i < advert->n_routes; i++)
                take_route(discovery, &advert->router, advert->routes + i, now);
        for (size_t i = 0; i < advert->n_dns; i++)
                take_dns(discovery, advert->dns + i, now);
        for (size_t i = 0; i < advert->n_domains; i++)
                take_domain(discovery, advert->domains + i, now);
        (void) settle(discovery, now);
        discovery->config.notify(discovery->config.userdata);
}

void router_discovery_dispatch_timer(RouterDiscovery *discovery, uint64_t now) {
        if (now >= discovery->solicit)
                solicit(discovery, now);
        if (now >= discovery->expiry && settle(discovery, now))
                discovery->config.notify(discovery->config.userdata);
}

int router_discovery_new(RouterDiscovery **ret, const RouterDiscoveryConfig *config) {
        RouterDiscovery *discovery;

        assert(config->solicit && config->notify && config->random);
        discovery = calloc(1, sizeof(*discovery));
        if (!discovery)
                return -ENOMEM;
        discovery->config = *config;
        discovery->solicit = discovery->expiry = USEC_INFINITY;
        *ret = discovery;
        return 0;
}

RouterDiscovery *router_discovery_free(RouterDiscovery *discovery) {
        free(discovery);
        return NULL;
}

void router_discovery_start(RouterDiscovery *discovery, uint64_t now) {
        solicit_anew(discovery, now);
}

void router_discovery_retry(RouterDiscovery *discovery, uint64_t now) {
        if (discovery->table.n_routers == 0)
                solicit_anew(discovery, now);
}

uint64_t router_discovery_get_timeout(const RouterDiscovery *discovery) {
        return MIN(discovery->solicit, discovery->expiry);
}

const RouterTable *router_discovery_get_table(const RouterDiscovery *discovery) {
        return &discovery->table;
}

uint64_t router_discovery_get_dropped(const RouterDiscovery *discovery) {
        return discovery->n_dropped;
}
