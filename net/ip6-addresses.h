/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The IPv6 addresses of ours on one port, and whether another host has them (RFC 4862 §5.4), as a machine: it is told the time and
 * what arrived.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IP6_ADDRESSES_MAX 16

typedef enum Ip6Origin {
        IP6_ORIGIN_DHCP,
        IP6_ORIGIN_SLAAC,
} Ip6Origin;

typedef struct Ip6Address {
        struct in6_addr address;
        Ip6Origin origin;
        uint64_t preferred_until, valid_until;
        uint64_t probed;                   /* when it was first asked whether somebody has it */
        bool used;                         /* set in the kernel */
        bool refused;                      /* must not be had: the device uses it elsewhere */
        bool ready;                        /* and can be used: the kernel receives for it */
        uint64_t ready_latest;             /* when it is no longer waited for that */
        uint64_t set_preferred, set_valid; /* with these times */
} Ip6Address;

typedef enum Ip6AddressEvent {
        IP6_ADDRESS_READY,    /* can be used from now on */
        IP6_ADDRESS_LOST,     /* its time is over, or it is not wanted any more: it must not be used */
        IP6_ADDRESS_CONFLICT, /* another host has it, or it is refused; lost if it was in use */
} Ip6AddressEvent;

typedef struct Ip6AddressesConfig {
        uint64_t conflict_wait; /* microseconds from the probe until it is used */
        /* Sends a probe. An error is a lost packet. */
        int (*probe)(const struct in6_addr *address, void *userdata);
        /*
         * Sets it in the kernel, or sets its lifetimes anew. Returns 0 when the kernel receives for it, 1 when
         * ip6_addresses_dispatch_received() will say so. -EADDRINUSE refuses the address: a conflict. On another error it is not
         * used, and tried again at the next want, or on -EAGAIN after a while.
         */
        int (*set)(const Ip6Address *address, uint64_t now, void *userdata);
        void (*remove)(const Ip6Address *address, void *userdata);
        /* Called last, when all is as it is told. */
        void (*notify)(Ip6AddressEvent event, const Ip6Address *address, void *userdata);
        void *userdata;
} Ip6AddressesConfig;

typedef struct Ip6Addresses Ip6Addresses;

int ip6_addresses_new(Ip6Addresses **ret, const Ip6AddressesConfig *config);

/* Removes what is set, without an event. */
Ip6Addresses *ip6_addresses_free(Ip6Addresses *addresses);

/*
 * Gives the port an address, or one that it has other lifetimes. The times are absolute. -E2BIG when there are IP6_ADDRESSES_MAX
 * already.
 */
int ip6_addresses_want(Ip6Addresses *addresses, uint64_t now, const struct in6_addr *address,
                Ip6Origin origin, uint64_t preferred_until, uint64_t valid_until);

/* Takes it away again. None there is fine. */
void ip6_addresses_drop(Ip6Addresses *addresses, const struct in6_addr *address);

/*
 * Somebody has the address (advertised), or wants it for himself, which counts while we do not use it yet. Heeded until
 * IP6_CONFLICT_HEEDED after the probe; an address that has been ours for longer is defended by the kernel.
 */
void ip6_addresses_dispatch_conflict(
                Ip6Addresses *addresses, uint64_t now, const struct in6_addr *address, bool advertised);

/* The kernel receives for this address, ours or not. */
void ip6_addresses_dispatch_received(Ip6Addresses *addresses, const struct in6_addr *address);

/* RFC 4861 §10: RETRANS_TIMER, and a second more for a host that is slow. */
#define IP6_CONFLICT_HEEDED (2 * UINT64_C(1000000))

uint64_t ip6_addresses_get_timeout(const Ip6Addresses *addresses);
void ip6_addresses_dispatch_timer(Ip6Addresses *addresses, uint64_t now);

size_t ip6_addresses_count(const Ip6Addresses *addresses);
const Ip6Address *ip6_addresses_get(const Ip6Addresses *addresses, size_t i);

/* NULL when it is none of ours. */
const Ip6Address *ip6_addresses_find(const Ip6Addresses *addresses, const struct in6_addr *address);

/* The one to speak from: of those that are ready a preferred one first, one of DHCP first. NULL: none. */
const Ip6Address *ip6_addresses_choose(const Ip6Addresses *addresses, uint64_t now);
