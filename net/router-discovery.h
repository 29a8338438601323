/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Router discovery on one port as a machine (RFC 4861 §6.3): asks for routers, and keeps what they have said until its time is over. It
 * is told the time and what arrived; it owns no socket and reads no clock.
 */

#include "net/nd-message.h"

#include <stddef.h>
#include <stdint.h>

/* Of all routers of a link. What more there is, a flood, is not taken: RFC 4861 §6.3.4 asks for two routers at least. */
#define ROUTERS_MAX 8
#define ROUTER_PREFIXES_MAX 16
#define ROUTER_ROUTES_MAX 16
#define ROUTER_DNS_MAX 8
#define ROUTER_DOMAINS_MAX 8

typedef struct Router {
        struct in6_addr address;
        NdPreference preference;
        uint64_t expiry; /* as a default router */
} Router;

typedef struct RouterPrefix {
        IpPrefix prefix;
        uint64_t on_link_until; /* 0: not on this link, as far as this option says */
        /* Of an address of our own in it; valid_until 0: there is to be none. RFC 4862 §5.5.3 e) is in them. */
        uint64_t valid_until, preferred_until;
} RouterPrefix;

typedef struct RouterRoute {
        IpPrefix destination;
        struct in6_addr router;
        NdPreference preference;
        uint64_t expiry;
} RouterRoute;

typedef struct RouterDns {
        struct in6_addr server;
        uint64_t expiry;
} RouterDns;

typedef struct RouterDomain {
        char name[DOMAIN_NAME_MAX];
        uint64_t expiry;
} RouterDomain;

/* What is known of a link. */
typedef struct RouterTable {
        Router routers[ROUTERS_MAX]; /* the best one first, of equal ones the first to be heard of */
        RouterPrefix prefixes[ROUTER_PREFIXES_MAX];
        RouterRoute routes[ROUTER_ROUTES_MAX];
        RouterDns dns[ROUTER_DNS_MAX];
        RouterDomain domains[ROUTER_DOMAINS_MAX];
        size_t n_routers, n_prefixes, n_routes, n_dns, n_domains;
        uint32_t mtu; /* 0: not told */
        bool heard;   /* an advertisement has come; the flags are those of the last one */
        bool managed, other;
} RouterTable;

typedef struct RouterDiscoveryConfig {
        /* Sends a router solicitation. An error is a lost packet. */
        int (*solicit)(void *userdata);
        /* The table has changed: something has come, gone, or got another lifetime. */
        void (*notify)(void *userdata);
        uint32_t (*random)(void *userdata);
        void *userdata;
} RouterDiscoveryConfig;

typedef struct RouterDiscovery RouterDiscovery;

int router_discovery_new(RouterDiscovery **ret, const RouterDiscoveryConfig *config);
RouterDiscovery *router_discovery_free(RouterDiscovery *discovery);

/* Sends the first solicitation in the call. Once. */
void router_discovery_start(RouterDiscovery *discovery, uint64_t now);

/* While no router is known, asks at once and not when its timer says. */
void router_discovery_retry(RouterDiscovery *discovery, uint64_t now);

uint64_t router_discovery_get_timeout(const RouterDiscovery *discovery);
void router_discovery_dispatch_timer(RouterDiscovery *discovery, uint64_t now);

void router_discovery_dispatch_advert(
                RouterDiscovery *discovery, uint64_t now, const NdRouterAdvert *advert);

const RouterTable *router_discovery_get_table(const RouterDiscovery *discovery);
uint64_t router_discovery_get_dropped(const RouterDiscovery *discovery); /* entries that found no room */

/* RFC 7559 §2: 4 s, doubled up to an hour, each up to a tenth more or less. `previous` is 0 for the first. Pure. */
uint64_t router_solicit_usec(uint64_t previous, uint32_t random);
