/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * All of IPv6 on one port: drives router discovery, the port's own addresses and the DHCPv6 client with packets, a timer, the clock and
 * random numbers, on the event loop; and has each of them do what another one has heard of.
 */

#include "base/event.h"
#include "net/dhcp6-client.h"
#include "net/ip6-addresses.h"
#include "net/ip6-raw.h"
#include "net/router-discovery.h"
#include "net/slaac.h"

typedef enum Ip6Event {
        IP6_EVENT_ROUTERS,          /* the table of ip6_runner_get_table() has changed */
        IP6_EVENT_LEASE,            /* DHCPv6 has given something, for the first time or again */
        IP6_EVENT_LEASE_LOST,       /* and its addresses are gone */
        IP6_EVENT_ADDRESS_READY,    /* `address` can be used from now on */
        IP6_EVENT_ADDRESS_LOST,     /* not any more */
        IP6_EVENT_ADDRESS_CONFLICT, /* another host has it */
        IP6_EVENT_LINK_LOCAL_CONFLICT, /* another host has our link-local address: IPv6 ends here (RFC 4862 §5.4.5) */
} Ip6Event;

typedef struct Ip6RunnerConfig {
        Ip6Raw *raw; /* must outlive the runner */
        int ifindex;
        struct ether_addr address;
        bool stable; /* SLAAC by RFC 7217 with the secret, else by EUI-64 */
        uint8_t secret[SLAAC_SECRET_SIZE];
        uint64_t conflict_wait; /* as in Ip6AddressesConfig */

        /* All but send, notify, random and userdata, which are the runner's. */
        Dhcp6ClientConfig dhcp;

        int (*set_address)(const Ip6Address *address, uint64_t now, void *userdata);
        void (*remove_address)(const Ip6Address *address, void *userdata);
        /* `address` is set where the event is about one. The runner must not be freed in the call. */
        void (*notify)(Ip6Event event, const Ip6Address *address, void *userdata);
        void *userdata;
} Ip6RunnerConfig;

typedef struct Ip6Runner Ip6Runner;

/* Sends the first solicitations, to routers and to DHCPv6 servers. */
int ip6_runner_new(Ip6Runner **ret, EventLoop *loop, const Ip6RunnerConfig *config);

/* Releases the lease, removes the addresses, and frees. No event is raised. Must not be called from a handler. */
Ip6Runner *ip6_runner_free(Ip6Runner *runner);

/* Asks again for what is not there yet, at once. */
void ip6_runner_retry(Ip6Runner *runner);

/* The kernel receives for this address, ours or not. */
void ip6_runner_set_received(Ip6Runner *runner, const struct in6_addr *address);

/* dhcp6_client_renew(). */
void ip6_runner_renew(Ip6Runner *runner);

const RouterTable *ip6_runner_get_table(const Ip6Runner *runner);
const Ip6Addresses *ip6_runner_get_addresses(const Ip6Runner *runner);
const Dhcp6Client *ip6_runner_get_dhcp(const Ip6Runner *runner);
