/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The network as one port of the device knows it, for one family: our addresses there, the routes that a
 * DHCP server or a router has given, and the rules by which our own sockets, and no others, use them. See
 * port-table.c for how that works.
 */

#include "net/netlink.h"

#define PORT_TABLE_ADDRESSES_MAX 16

typedef struct PortRoute {
        IpPrefix destination;
        IpAddress gateway; /* AF_UNSPEC: on link */
        IpAddress source;  /* preferred source, or AF_UNSPEC */
        uint32_t mtu;      /* 0: the link's */
        bool on_link;      /* the gateway is on this link whatever the routes say */
} PortRoute;

typedef struct PortTable PortTable;

/*
 * Sets nothing yet. `interface` is copied. The rules have this name: a link that gets another one needs a
 * new object.
 */
int port_table_new(PortTable **ret, Netlink *netlink, int family, int ifindex, const char *interface);

/* Removes all that was set, and frees. The addresses themselves are the caller's. */
PortTable *port_table_free(PortTable *table);

/*
 * Has the port receive for an address that the caller sets next, and our sockets that are bound to it use
 * this table. When the caller has set it, port_table_withdraw_local() takes it from everybody else. -EBUSY:
 * somebody else uses the table's number.
 */
int port_table_add_address(PortTable *table, const IpAddress *address);
void port_table_remove_address(PortTable *table, const IpAddress *address);

/*
 * To be called each time that the kernel has begun to receive for an address; one that was not added here is
 * left alone.
 */
void port_table_withdraw_local(const PortTable *table, const IpAddress *address);

/*
 * Makes the routes these: what is there and not in the list any more is removed, exactly as it was added. A
 * route that the kernel refuses does not keep us from the others; the last error is returned. Of routes to
 * one destination the first counts. -EBUSY as above.
 */
int port_table_set_routes(PortTable *table, const PortRoute *routes, size_t n);

/* Those that are set; *ret is the table's. */
size_t port_table_get_routes(const PortTable *table, const PortRoute **ret);

/* Removes addresses and routes. */
void port_table_clear(PortTable *table);

/*
 * Sets all of it again but the routes, which port_table_set_routes() does: somebody may have taken it away.
 */
int port_table_restore(PortTable *table);
