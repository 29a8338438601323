/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One port of the device and all that goes on there: carrier, and what either family of addresses makes of it. Both start at once,
 * and neither waits for the other. Ports work beside each other; only the hand-over of what they have fetched is one at a time, and
 * the manager's.
 */

#include "agent/uplink.h"
#include "agent/verdict.h"

typedef struct Port Port;

/* What all ports share; the manager's. */
typedef struct PortContext {
        UplinkContext uplink;
        void (*on_carrier)(void *userdata);          /* soon there may be a file */
        void (*on_change)(void *userdata);           /* something that status shows */
        void (*on_file)(Port *port, void *userdata); /* a file waits in port_get_file() */
        void (*on_idle)(Port *port, void *userdata); /* an attempt has ended without success */
        void *userdata;
} PortContext;

int port_new(Port **ret, const PortContext *context, const Link *link);

/* Releases leases, removes addresses and routes, frees. The link stays as it is. */
Port *port_free(Port *port);

/* The link has changed: carrier, name, address, MTU. */
void port_set_link(Port *port, const Link *link);
const Link *port_get_link(const Port *port);

/* Tries to fetch a configuration now, with each family that has a lease and no attempt under way. */
void port_attempt(Port *port, uint64_t now);

/*
 * The same out of turn, for a person who waits: at once, or when the last attempt is SCHEDULE_GAP_MIN ago. Clients that pause ask
 * again, too.
 */
void port_retry(Port *port, uint64_t now);

/*
 * Somebody else has taken an address or a route from the port; then, in port_restore(), they are set again, and what could not be
 * fetched meanwhile is tried again soon.
 */
void port_set_robbed(Port *port);
void port_restore(Port *port);

/* The kernel receives for this IPv6 address, the port's or not. */
void port_set_received(Port *port, const struct in6_addr *address);

/* When port_dispatch_timer() is to be called for attempts that have been put off, or USEC_INFINITY. */
uint64_t port_get_deadline(const Port *port);
void port_dispatch_timer(Port *port, uint64_t now);

/* True from the start of an attempt to its end, hand-over included. */
bool port_is_busy(const Port *port);

/* A sealed file that waits for its hand-over, and its URL: the port's. -1 when there is none. */
int port_get_file(Port *port, const char **ret_url);

/* What became of the file that port_get_file() gave last. After a refusal the attempt goes on with the next server, or ends. */
void port_set_verdict(Port *port, Verdict verdict, const char *reason);

/* The weightiest result, and a printable line about it. */
PortResult port_get_result(const Port *port, const char **ret_text);

/* For status.json. NULL for want of memory. */
json_t *port_to_json(const Port *port);
