/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A DHCP server or a router on a port can be anybody's. Its words count for our own sockets alone, which are
 * bound to the port and to our address on it:
 *
 *   table NETLINK_TABLE_BASE + ifindex   the routes that were given, and "local OUR-ADDRESS"
 *   rule 8886   from OUR-ADDRESS         for our sockets; and for the kernel's check of where an answer has
 *                                        come from (rp_filter), which is a look-up without the port
 *   rule 8886   to OUR-ADDRESS iif PORT  for packets that come in on the port and are for us
 *   rule 38886  oif PORT                 for sockets that are bound to the port and have no address yet
 *
 * The kernel's rules 32766 and 32767 (main, default) are between them. So the routes that another program
 * has in main for this port stay in force for its own sockets, even for one that is bound to the port.
 *
 * The kernel has the whole device receive for each address (table local, rule 0). A server that leases the
 * address of somebody whom the device talks to would cut the device off from him. So this one route is
 * withdrawn as soon as the kernel has set it; packets that come in on the port find "local" in our table. A
 * socket that binds to the address needs IP_FREEBIND then (socket_address_bind()).
 *
 * An IPv4 address is set as /32: from a shorter prefix the kernel would derive a broadcast address, again
 * for the whole device.
 *
 * A table that somebody else uses is not used: the port then has no address. Two ports never share a table,
 * as no two links have one index, and network namespaces have tables of their own.
 *
 * Nothing here is for a port that is enslaved to a VRF yet: its look-ups end in the table of the VRF, by
 * rule 1000 (l3mdev), before rule 8886.
 */

#include "net/port-table.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define PRIORITY_ADDRESS 8886
#define PRIORITY_PORT 38886

struct PortTable {
        Netlink *netlink; /* not ours */
        int family, ifindex;
        uint32_t number;
        char interface[IFNAMSIZ];

        bool open; /* nobody else uses the table, and the rule of the port is set */
        IpAddress addresses[PORT_TABLE_ADDRESSES_MAX];
        size_t n_addresses;
        PortRoute *routes; /* in the kernel */
        size_t n_routes;
};

int port_table_new(PortTable **ret, Netlink *netlink, int family, int ifindex, const char *interface) {
        PortTable *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        table->netlink = netlink;
        table->family = family;
        table->ifindex = ifindex;
        table->number = NETLINK_TABLE_BASE + (uint32_t) ifindex;
        snprintf(table->interface, sizeof(table->interface), "%s", interface);
        *ret = table;
        return 0;
}

static Rule port_rule(const PortTable *table) {
        return (Rule){
                .family = table->family,
                .priority = PRIORITY_PORT,
                .table = table->number,
                .output = table->interface,
        };
}

static Rule source_rule(const PortTable *table, const IpAddress *address) {
        return (Rule){
                .family = table->family,
                .priority = PRIORITY_ADDRESS,
                .table = table->number,
                .source = *address,
        };
}

static Rule destination_rule(const PortTable *table, const IpAddress *address) {
        return (Rule){
                .family = table->family,
                .priority = PRIORITY_ADDRESS,
                .table = table->number,
                .destination = *address,
                .input = table->interface,
        };
}

static Route local_route(const PortTable *table, const IpAddress *address) {
        return (Route){
                .ifindex = table->ifindex,
                .table = table->number,
                .destination = { .address = *address, .length = address->family == AF_INET ? 32 : 128 },
                .local = true,
        };
}

static Route to_route(const PortTable *table, const PortRoute *route) {
        return (Route){
                .ifindex = table->ifindex,
                .table = table->number,
                .destination = route->destination,
                .gateway = route->gateway,
                .source = route->source,
                .mtu = route->mtu,
                .on_link = route->on_link,
        };
}

static int open_table(PortTable *table) {
        Rule rule = port_rule(table);
        int r;

        if (table->open)
                return 0;
        r = netlink_check_table(table->netlink, table->family, table->number);
        if (r >= 0)
                r = netlink_add_rule(table->netlink, &rule);
        table->open = r >= 0;
        return r;
}

static void close_table(PortTable *table) {
        Rule rule = port_rule(table);

        if (table->open)
                (void) netlink_remove_rule(table->netlink, &rule);
        table->open = false;
}

static int set_address(PortTable *table, const IpAddress *address) {
        Rule source = source_rule(table, address), destination = destination_rule(table, address);
        Route local = local_route(table, address);
        int r;

        r = netlink_add_rule(table->netlink, &source);
        if (r >= 0)
                r = netlink_add_rule(table->netlink, &destination);
        if (r >= 0)
                r = netlink_add_route(table->netlink, &local);
        return r;
}

static void unset_address(PortTable *table, const IpAddress *address) {
        Rule source = source_rule(table, address), destination = destination_rule(table, address);
        Route local = local_route(table, address);

        (void) netlink_remove_rule(table->netlink, &source);
        (void) netlink_remove_rule(table->netlink, &destination);
        (void) netlink_remove_route(table->netlink, &local);
}

static IpAddress *find(const PortTable *table, const IpAddress *address) {
        for (size_t i = 0; i < table->n_addresses; i++)
                if (ip_address_equal(table->addresses + i, address))
                        return (IpAddress *) table->addresses + i;
        return NULL;
}

int port_table_add_address(PortTable *table, const IpAddress *address) {
        int r;

        if (find(table, address))
                return 0;
        if (table->n_addresses == PORT_TABLE_ADDRESSES_MAX)
                return -E2BIG;
        r = open_table(table);
        if (r < 0)
                return r;
        table->addresses[table->n_addresses++] = *address;
        r = set_address(table, address);
        if (r < 0)
                port_table_remove_address(table, address);
        return r;
}

void port_table_remove_address(PortTable *table, const IpAddress *address) {
        IpAddress *found = find(table, address);

        if (!found)
                return;
        unset_address(table, address);
        *found = table->addresses[--table->n_addresses];
}

void port_table_withdraw_local(const PortTable *table, const IpAddress *address) {
        if (find(table, address))
                (void) netlink_remove_local(table->netlink, table->ifindex, address);
}

static bool same_destination(const PortRoute *a, const PortRoute *b) {
        return a->destination.length == b->destination.length &&
                        ip_address_equal(&a->destination.address, &b->destination.address);
}

static bool route_equal(const PortRoute *a, const PortRoute *b) {
        return same_destination(a, b) && ip_address_equal(&a->gateway, &b->gateway) &&
                        ip_address_equal(&a->source, &b->source) && a->mtu == b->mtu &&
                        a->on_link == b->on_link;
}

static bool has_destination(const PortRoute *routes, size_t n, const PortRoute *route) {
        for (size_t i = 0; i < n; i++)
                if (same_destination(routes + i, route))
                        return true;
        return false;
}

static bool has_route(const PortRoute *routes, size_t n, const PortRoute *route) {
        for (size_t i = 0; i < n; i++)
                if (route_equal(routes + i, route))
                        return true;
        return false;
}

/* It would take the place of the route by which the port receives for this address. */
static bool is_to_us(const PortTable *table, const PortRoute *route) {
        Route local = local_route(table, &route->destination.address);

        return route->destination.length == local.destination.length &&
                        find(table, &route->destination.address);
}

static void remove_route(const PortTable *table, const PortRoute *route) {
        Route removed = to_route(table, route);

        (void) netlink_remove_route(table->netlink, &removed);
}

static int add_route(const PortTable *table, const PortRoute *route) {
        Route added = to_route(table, route);

        return has_route(table->routes, table->n_routes, route) ? 0
                                                                : netlink_add_route(table->netlink, &added);
}

int port_table_set_routes(PortTable *table, const PortRoute *routes, size_t n) {
        PortRoute *set;
        size_t n_set = 0;
        int r, q;

        if (n == 0 && table->n_routes == 0)
                return 0;
        r = open_table(table);
        if (r < 0)
                return r;
        set = calloc(n + 1, sizeof(*set));
        if (!set)
                return -ENOMEM;
        /*
         * First what is not wanted any more: a route to the same destination would take it for itself and be
         * removed with it.
         */
        for (size_t i = 0; i < table->n_routes; i++)
                if (!has_route(routes, n, table->routes + i))
                        remove_route(table, table->routes + i);
        for (size_t i = 0; i < n; i++) {
                if (has_destination(set, n_set, routes + i) || is_to_us(table, routes + i))
                        continue;
                q = add_route(table, routes + i);
                if (q < 0)
                        r = q;
                else
                        set[n_set++] = routes[i];
        }
        free(table->routes);
        table->routes = set;
        table->n_routes = n_set;
        return r;
}

size_t port_table_get_routes(const PortTable *table, const PortRoute **ret) {
        *ret = table->routes;
        return table->n_routes;
}

void port_table_clear(PortTable *table) {
        while (table->n_routes > 0)
                remove_route(table, table->routes + --table->n_routes);
        while (table->n_addresses > 0)
                unset_address(table, table->addresses + --table->n_addresses);
        close_table(table);
}

int port_table_restore(PortTable *table) {
        Rule rule = port_rule(table);
        int r;

        table->n_routes = 0;
        if (!table->open)
                return 0;
        r = netlink_add_rule(table->netlink, &rule);
        for (size_t i = 0; r >= 0 && i < table->n_addresses; i++)
                r = set_address(table, table->addresses + i);
        return r;
}

PortTable *port_table_free(PortTable *table) {
        if (!table)
                return NULL;
        port_table_clear(table);
        free(table->routes);
        free(table);
        return NULL;
}
