/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The packet sockets through which ports without an address speak DHCP, and ask by ARP whether an address is free: two for all of
 * them. Sockets of its own for each port would cost 20 ms apiece when they are closed, since the kernel waits until no processor
 * looks at the port's receive hook any more.
 */

#include "base/cursor.h"
#include "base/event.h"

#include <net/ethernet.h>
#include <netinet/in.h>

typedef struct Dhcp4Raw Dhcp4Raw;

/* An error of a handler ends the event loop. */
typedef struct Dhcp4RawHandlers {
        /* A DHCP message for the port, and the neighbour whose frame it came in. */
        int (*message)(const struct ether_addr *from, Cursor message, void *userdata);
        /* An ARP reply sent to the port itself: a host that has `address`. */
        int (*arp_reply)(const struct ether_addr *from, struct in_addr address, void *userdata);
        void *userdata;
} Dhcp4RawHandlers;

int dhcp4_raw_new(Dhcp4Raw **ret, EventLoop *loop);
Dhcp4Raw *dhcp4_raw_free(Dhcp4Raw *raw);

/* Adds a port, once. Removing is allowed in a handler. */
int dhcp4_raw_add(Dhcp4Raw *raw, int ifindex, const Dhcp4RawHandlers *handlers);
void dhcp4_raw_remove(Dhcp4Raw *raw, int ifindex);

extern const struct ether_addr dhcp4_raw_broadcast;

/* Sends a message as an IP packet of its own to a neighbour on the port, or to dhcp4_raw_broadcast. */
int dhcp4_raw_send(Dhcp4Raw *raw, int ifindex, const struct ether_addr *to, struct in_addr source,
                struct in_addr destination, const uint8_t *data, size_t size);

/* Sends an ARP probe: does anybody on the port's link have `address`? `own` is the port's Ethernet address. */
int dhcp4_raw_send_probe(Dhcp4Raw *raw, int ifindex, const struct ether_addr *own, struct in_addr address);
