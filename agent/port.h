/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One port of the device and all that goes on there: carrier, lease, the address and routes that it gives, and the attempts
 * to fetch a configuration. Ports work beside each other; only the hand-over of what they have fetched is one at a time, and
 * the manager's.
 */

#include "agent/config.h"
#include "agent/identity.h"
#include "agent/ledger.h"
#include "agent/verdict.h"
#include "base/event.h"
#include "net/dhcp4-raw.h"
#include "net/links.h"

#include <jansson.h>

/* Why a port has not provisioned the device, the weightiest last: of several ports the weightiest reason is told. */
typedef enum PortResult {
        PORT_RESULT_NO_CARRIER,
        PORT_RESULT_NO_LEASE,
        PORT_RESULT_NO_TARGET, /* the lease names no configuration server that we can use */
        PORT_RESULT_NOT_FETCHED,
        PORT_RESULT_NOT_INSTALLED, /* a file was fetched, and refused or put off */
        _PORT_RESULT_MAX,
} PortResult;

typedef struct Port Port;

/* What all ports share; the manager's. */
typedef struct PortContext {
        EventLoop *loop;
        Netlink *netlink;
        Ledger *ledger;
        Dhcp4Raw *dhcp4;
        const Config *config;
        const Identity *identity;

        void (*on_change)(void *userdata);           /* something that status shows */
        void (*on_file)(Port *port, void *userdata); /* a file waits in port_get_file() */
        void (*on_idle)(Port *port, void *userdata); /* an attempt has ended without success */
        void *userdata;
} PortContext;

int port_new(Port **ret, const PortContext *context, const Link *link);

/* Releases the lease, removes address and routes, frees. The link stays as it is. */
Port *port_free(Port *port);

/* The link has changed: carrier, name, address, MTU. */
void port_set_link(Port *port, const Link *link);
const Link *port_get_link(const Port *port);

/* Tries to fetch a configuration now, if there is a lease and no attempt is under way. */
void port_attempt(Port *port, uint64_t now);

/*
 * The same out of turn, for a person who waits: at once, or when the last attempt is SCHEDULE_GAP_MIN ago. A DHCP client that
 * pauses asks again, too.
 */
void port_retry(Port *port, uint64_t now);

/* When port_attempt() is to be called for an attempt that has been put off, or USEC_INFINITY. */
uint64_t port_get_deadline(const Port *port);

/* True from the start of an attempt to its end, hand-over included. */
bool port_is_busy(const Port *port);

/* The sealed file that waits for its hand-over, and its URL: the port's. -1 when there is none. */
int port_get_file(const Port *port, const char **ret_url);

/* What became of that file. After a refusal the attempt goes on with the next server, or ends. */
void port_set_verdict(Port *port, Verdict verdict, const char *reason);

/* The last result, and a printable line about it. */
PortResult port_get_result(const Port *port, const char **ret_text);

/* For status.json. NULL for want of memory. */
json_t *port_to_json(const Port *port);
