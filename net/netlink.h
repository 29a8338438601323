/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rtnetlink through libnl's messages (its objects, in libnl-route, would be half of the agent's memory). A Netlink is the
 * request socket: each call waits for the kernel's acknowledgement, which rtnetlink gives before send() returns. Events
 * have sockets of their own (netlink_open_events()).
 */

#include "net/ip-address.h"

#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct nl_sock Netlink;

int netlink_open(Netlink **ret);
Netlink *netlink_free(Netlink *netlink);

/*
 * Opens a socket on which `handler` gets each event of the groups that the caller adds. nl_recvmsgs_default() does not wait there.
 * Freed with nl_socket_free().
 */
int netlink_open_events(struct nl_sock **ret, nl_recvmsg_msg_cb_t handler, void *userdata);

/* The one place where libnl's errors become errno. */
int netlink_errno(int libnl_error);

/*
 * The protocol of each route and rule that we add, by which `ip route show table all proto 88`, `ip rule show proto 88` and
 * netlink_remove_leftovers() find them. No assigned number: those of routing daemons are 8 to 18, 42, 84 and from 186 on.
 */
#define NETLINK_PROTOCOL 88

/*
 * The routing table of a port has the number NETLINK_TABLE_BASE plus the port's interface index, so that two ports never share one. People
 * and other programs take small numbers. A table that somebody else uses all the same is not used by us (netlink_check_table()).
 */
#define NETLINK_TABLE_BASE 888600000u

/* The interface index of the port whose table it is; 0: a table of somebody else. */
int netlink_table_to_ifindex(uint32_t table);

/*
 * Gets each message of a dump (RTM_GETLINK, ...) and returns NL_OK, NL_SKIP, or one of libnl's errors, which ends the dump.
 * It must not use the socket.
 */
typedef int (*netlink_handler_t)(struct nl_msg *message, void *userdata);
int netlink_dump(Netlink *netlink, int type, int family, netlink_handler_t handler, void *userdata);

/* Sets a link up. The other flags stay. */
int netlink_link_up(Netlink *netlink, int ifindex);

/* Of an address, in seconds; UINT32_MAX for ever. */
typedef struct AddressTimes {
        uint32_t preferred, valid;
} AddressTimes;

/*
 * Of IPv6: who asks whether another host has the address. The kernel while the address is used (RFC 4429), which it does only where
 * optimistic_dad is set, or nobody.
 */
typedef enum AddressDetection {
        ADDRESS_DETECTION_NONE,
        ADDRESS_DETECTION_OPTIMISTIC,
} AddressDetection;

/* Adds an address; -EEXIST if it is there. The kernel adds no prefix route for it. */
int netlink_add_address(Netlink *netlink, int ifindex, const IpPrefix *prefix, const AddressTimes *times,
                AddressDetection detection);

/* Sets the lifetimes of an address anew, or adds it. */
int netlink_renew_address(Netlink *netlink, int ifindex, const IpPrefix *prefix, const AddressTimes *times);

/* Whether an IPv6 address on the link waits for the kernel's duplicate address detection, and cannot be used yet. */
bool netlink_address_is_tentative(Netlink *netlink, int ifindex, const struct in6_addr *address);

/* Removes an address that has this very prefix length; none there is success. */
int netlink_remove_address(Netlink *netlink, int ifindex, const IpPrefix *prefix);

typedef struct Route {
        int ifindex;
        uint32_t table;
        IpPrefix destination;
        IpAddress gateway; /* AF_UNSPEC: on link */
        IpAddress source;  /* preferred source */
        uint32_t mtu;      /* 0: the link's */
        bool on_link;      /* the gateway is on this link whatever the prefixes say */
        bool local;        /* the destination is this device */
} Route;

int netlink_add_route(Netlink *netlink, const Route *route);

/* Removes one of ours; none there is success. */
int netlink_remove_route(Netlink *netlink, const Route *route);

/* Removes the route of the table `local` by which the kernel has the whole device receive for an address; none there is success. */
int netlink_remove_local(Netlink *netlink, int ifindex, const IpAddress *address);

/* "from SOURCE to DESTINATION iif INPUT oif OUTPUT lookup TABLE": whatever is not set matches all. */
typedef struct Rule {
        int family;
        uint32_t priority, table;
        IpAddress source, destination;
        const char *input, *output; /* names of links */
} Rule;

/* One of ours that is there already is success. */
int netlink_add_rule(Netlink *netlink, const Rule *rule);

/* Removes one of ours; none there is success. */
int netlink_remove_rule(Netlink *netlink, const Rule *rule);

/* Removes every rule and route of ours from the tables of all ports. */
int netlink_remove_leftovers(Netlink *netlink);

/* Whose a route or a rule in a message of the kernel is. False when that cannot be told. */
bool netlink_get_owner(struct nlmsghdr *header, uint32_t *ret_table, uint8_t *ret_protocol);

/* 0, or -EBUSY when somebody else has a route in this table, or a rule that leads there. */
int netlink_check_table(Netlink *netlink, int family, uint32_t table);
