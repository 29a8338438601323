/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Looks up the addresses of one name (c-ares, on our event loop) with the DNS servers that a lease or a router has given, through the
 * port on which it did, and no others: neither resolv.conf nor hosts is read.
 */

#include "base/event.h"
#include "net/ip-address.h"

#include <stddef.h>

#define RESOLVER_SERVERS_MAX 12
#define RESOLVER_DOMAINS_MAX 12
#define RESOLVER_ADDRESSES_MAX 8

typedef struct ResolverConfig {
        const char *interface;      /* all names for the time of the call */
        IpAddress source4, source6; /* ours; AF_UNSPEC: servers of that family are left out */
        IpAddress servers[RESOLVER_SERVERS_MAX];
        size_t n_servers;
        const char *domains
                        [RESOLVER_DOMAINS_MAX]; /* in which a name without a dot is looked up first, others last */
        size_t n_domains;
        int family; /* AF_INET or AF_INET6: whose addresses are to come first */
} ResolverConfig;

typedef struct Resolver Resolver;

/*
 * Called once, from the event loop, unless the resolver is freed before. error 0: 1 to RESOLVER_ADDRESSES_MAX addresses, none twice.
 * Else none, and `reason` is a sentence: -ENOENT (there is no such name, or it has no address), -ETIMEDOUT, -EHOSTUNREACH (a
 * server refuses, or fails), -EBADMSG, -ENOMEM. The resolver may be freed in the call.
 */
typedef void (*resolver_done_t)(
                int error, const char *reason, const IpAddress *addresses, size_t n, void *userdata);

/* -EDESTADDRREQ where there is no server that can be asked. */
int resolver_new(Resolver **ret, EventLoop *loop, const ResolverConfig *config, const char *name,
                resolver_done_t done, void *userdata);
Resolver *resolver_free(Resolver *resolver);
