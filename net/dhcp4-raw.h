/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The packet socket through which ports without an address speak DHCP: one for all of them. A socket of its own for each
 * port would cost 20 ms apiece when it is closed, since the kernel waits until no processor looks at the port's receive
 * hook any more.
 */

#include "base/cursor.h"
#include "base/event.h"

#include <net/ethernet.h>
#include <netinet/in.h>

typedef struct Dhcp4Raw Dhcp4Raw;

/* A DHCP message for the port, and the neighbour whose frame it came in. An error ends the event loop. */
typedef int (*dhcp4_raw_handler_t)(const struct ether_addr *from, Cursor message, void *userdata);

int dhcp4_raw_new(Dhcp4Raw **ret, EventLoop *loop);
Dhcp4Raw *dhcp4_raw_free(Dhcp4Raw *raw);

/* Adds a port; one handler each. Removing is allowed in a handler. */
int dhcp4_raw_add(Dhcp4Raw *raw, int ifindex, dhcp4_raw_handler_t handler, void *userdata);
void dhcp4_raw_remove(Dhcp4Raw *raw, int ifindex);

extern const struct ether_addr dhcp4_raw_broadcast;

/* Sends a message as an IP packet of its own to a neighbour on the port, or to dhcp4_raw_broadcast. */
int dhcp4_raw_send(Dhcp4Raw *raw, int ifindex, const struct ether_addr *to, struct in_addr source,
                struct in_addr destination, const uint8_t *data, size_t size);
