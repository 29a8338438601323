/* SPDX-License-Identifier: Apache-2.0 */

/*
 *            want                   timer                         conflict              drop
 *  (none)    probe, PROBING         -                             -                     -
 *  PROBING   other times            (conflict_wait) set; when     CONFLICT, (none)      (none)
 *                                   refused CONFLICT, (none)
 *  USED      other times, set       (valid_until) LOST, (none)    (heeded) LOST,        LOST, (none)
 *                                                                 CONFLICT, (none)
 *
 * READY is told of an address in USED as soon as the kernel receives for it, or when SET_INTERVAL has passed without a word of that.
 *
 * RFC 4862 has a host wait a second for an answer to its probe before it uses an address, and RFC 4429 has it use the address
 * meanwhile. This is the latter, with a short wait: whoever has the address already answers in a round trip of the link. It goes on
 * listening for what is left of the second, and gives the address up when an answer comes then.
 */

#include "net/ip6-addresses.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The kernel is told of lifetimes when they have become shorter, or so much longer: not for each router advertisement. */
#define REFRESH_STEP (10 * USEC_PER_SEC)

/* How long it is waited for the kernel to be done with an address. */
#define SET_INTERVAL (200 * USEC_PER_MSEC)

struct Ip6Addresses {
        Ip6AddressesConfig config;
        Ip6Address list[IP6_ADDRESSES_MAX];
        size_t n;
};

int ip6_addresses_new(Ip6Addresses **ret, const Ip6AddressesConfig *config) {
        Ip6Addresses *addresses;

        assert(config->probe && config->set && config->remove && config->notify);
        addresses = calloc(1, sizeof(*addresses));
        if (!addresses)
                return -ENOMEM;
        addresses->config = *config;
        *ret = addresses;
        return 0;
}

Ip6Addresses *ip6_addresses_free(Ip6Addresses *addresses) {
        if (!addresses)
                return NULL;
        for (size_t i = 0; i < addresses->n; i++)
                if (addresses->list[i].used)
                        addresses->config.remove(addresses->list + i, addresses->config.userdata);
        free(addresses);
        return NULL;
}

static Ip6Address *find(Ip6Addresses *addresses, const struct in6_addr *address) {
        for (size_t i = 0; i < addresses->n; i++)
                if (IN6_ARE_ADDR_EQUAL(&addresses->list[i].address, address))
                        return addresses->list + i;
        return NULL;
}

static void notify(Ip6Addresses *addresses, Ip6AddressEvent event, const Ip6Address *entry) {
        addresses->config.notify(event, entry, addresses->config.userdata);
}

static uint64_t use_at(const Ip6Addresses *addresses, const Ip6Address *entry) {
        return time_add(entry->probed, addresses->config.conflict_wait);
}

/* Tells the kernel. */
static int set(Ip6Addresses *addresses, Ip6Address *entry, uint64_t now) {
        int r = addresses->config.set(entry, now, addresses->config.userdata);

        if (r == -EADDRINUSE)
                entry->refused = true; /* told from the timer: the caller still needs the list as it is */
        if (r < 0)
                return r;
        entry->set_preferred = entry->preferred_until;
        entry->set_valid = entry->valid_until;
        return r;
}

static void be_ready(Ip6Addresses *addresses, Ip6Address *entry) {
        if (!entry->used || entry->ready)
                return;
        entry->ready = true;
        notify(addresses, IP6_ADDRESS_READY, entry);
}

static void use(Ip6Addresses *addresses, Ip6Address *entry, uint64_t now) {
        int r = set(addresses, entry, now);

        if (entry->refused)
                return;
        if (r < 0) {
                entry->probed = r == -EAGAIN ? time_add(now, SET_INTERVAL) : USEC_INFINITY;
                return;
        }
        entry->used = true;
        entry->ready_latest = time_add(now, SET_INTERVAL);
        if (r == 0)
                be_ready(addresses, entry);
}

static bool has_changed(uint64_t before, uint64_t after) {
        return after < before || after > time_add(before, REFRESH_STEP);
}

int ip6_addresses_want(Ip6Addresses *addresses, uint64_t now, const struct in6_addr *address,
                Ip6Origin origin, uint64_t preferred_until, uint64_t valid_until) {
        Ip6Address *entry = find(addresses, address);

        if (!entry) {
                if (addresses->n == IP6_ADDRESSES_MAX)
                        return -E2BIG;
                entry = addresses->list + addresses->n++;
                *entry = (Ip6Address){ .address = *address, .probed = USEC_INFINITY };
        }
        entry->origin = origin;
        entry->preferred_until = preferred_until;
        entry->valid_until = valid_until;
        if (entry->used &&
                        (has_changed(entry->set_preferred, preferred_until) ||
                                        has_changed(entry->set_valid, valid_until)))
                (void) set(addresses, entry, now); /* what it has is good for a while */
        if (!entry->used && entry->probed == USEC_INFINITY) {
                entry->probed = now;
                (void) addresses->config.probe(address, addresses->config.userdata);
                if (use_at(addresses, entry) <= now)
                        use(addresses, entry, now);
        }
        return 0;
}

/* Forgets it, and says so when it was in use. */
static void lose(Ip6Addresses *addresses, Ip6Address *entry) {
        Ip6Address lost = *entry;

        *entry = addresses->list[--addresses->n];
        if (!lost.used)
                return;
        addresses->config.remove(&lost, addresses->config.userdata);
        notify(addresses, IP6_ADDRESS_LOST, &lost);
}

static void lose_to_conflict(Ip6Addresses *addresses, Ip6Address *entry) {
        Ip6Address conflict = *entry;

        lose(addresses, entry);
        notify(addresses, IP6_ADDRESS_CONFLICT, &conflict);
}

void ip6_addresses_drop(Ip6Addresses *addresses, const struct in6_addr *address) {
        Ip6Address *entry = find(addresses, address);

        if (entry)
                lose(addresses, entry);
}

void ip6_addresses_dispatch_conflict(
                Ip6Addresses *addresses, uint64_t now, const struct in6_addr *address, bool advertised) {
        Ip6Address *entry = find(addresses, address);

        if (!entry || entry->probed == USEC_INFINITY || now > time_add(entry->probed, IP6_CONFLICT_HEEDED) ||
                        (entry->used && !advertised))
                return;
        lose_to_conflict(addresses, entry);
}

void ip6_addresses_dispatch_received(Ip6Addresses *addresses, const struct in6_addr *address) {
        Ip6Address *entry = find(addresses, address);

        if (entry)
                be_ready(addresses, entry);
}

static uint64_t deadline(const Ip6Addresses *addresses, const Ip6Address *entry) {
        if (entry->refused)
                return entry->probed; /* at once */
        if (entry->ready)
                return entry->valid_until;
        return MIN(entry->used ? entry->ready_latest : use_at(addresses, entry), entry->valid_until);
}

uint64_t ip6_addresses_get_timeout(const Ip6Addresses *addresses) {
        uint64_t first = USEC_INFINITY;

        for (size_t i = 0; i < addresses->n; i++)
                first = MIN(first, deadline(addresses, addresses->list + i));
        return first;
}

void ip6_addresses_dispatch_timer(Ip6Addresses *addresses, uint64_t now) {
        /* From the end: what is lost is replaced by the last one, which has been looked at. */
        for (size_t i = addresses->n; i-- > 0;) {
                Ip6Address *entry = addresses->list + i;

                if (i >= addresses->n)
                        continue; /* a handler has dropped others */
                if (entry->refused)
                        lose_to_conflict(addresses, entry);
                else if (entry->valid_until <= now)
                        lose(addresses, entry);
                else if (!entry->used && use_at(addresses, entry) <= now)
                        use(addresses, entry, now);
                else if (entry->used && entry->ready_latest <= now)
                        be_ready(addresses, entry);
        }
}

size_t ip6_addresses_count(const Ip6Addresses *addresses) {
        return addresses->n;
}

const Ip6Address *ip6_addresses_get(const Ip6Addresses *addresses, size_t i) {
        assert(i < addresses->n);
        return addresses->list + i;
}

const Ip6Address *ip6_addresses_find(const Ip6Addresses *addresses, const struct in6_addr *address) {
        return find((Ip6Addresses *) addresses, address);
}

const Ip6Address *ip6_addresses_choose(const Ip6Addresses *addresses, uint64_t now) {
        const Ip6Address *best = NULL;
        unsigned best_weight = 0;

        for (size_t i = 0; i < addresses->n; i++) {
                const Ip6Address *entry = addresses->list + i;
                unsigned weight =
                                1 + 2 * (entry->preferred_until > now) + (entry->origin == IP6_ORIGIN_DHCP);

                if (entry->ready && weight > best_weight) {
                        best = entry;
                        best_weight = weight;
                }
        }
        return best;
}
