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
 * The rtm_protocol of each route that we add, by which `ip route show proto 88` and netlink_remove_routes() find them.
 * No assigned number: those of routing daemons are 8 to 18, 42, 84 and from 186 on.
 */
#define NETLINK_ROUTE_PROTOCOL 88

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

/*
 * Adds an address; -EEXIST if it is there. The kernel adds no prefix route for it: routes are ours, marked, and carry our metric.
 */
int netlink_add_address(Netlink *netlink, int ifindex, const IpPrefix *prefix, const AddressTimes *times,
                AddressDetection detection);

/* Sets the lifetimes of an address anew, or adds it. */
int netlink_renew_address(Netlink *netlink, int ifindex, const IpPrefix *prefix, const AddressTimes *times);

/* Whether an IPv6 address on the link waits for the kernel's duplicate address detection, and cannot be used yet. */
bool netlink_address_is_tentative(Netlink *netlink, int ifindex, const struct in6_addr *address);

/* Removes an address; none there is success. */
int netlink_remove_address(Netlink *netlink, int ifindex, const IpPrefix *prefix);

typedef struct Route {
        int ifindex;
        IpPrefix destination;
        IpAddress gateway; /* AF_UNSPEC: on link */
        IpAddress source;  /* preferred source */
        uint32_t metric;
        uint32_t mtu; /* 0: the link's */
        bool on_link; /* the gateway is on this link whatever the prefixes say */
} Route;

int netlink_add_route(Netlink *netlink, const Route *route);

/* Removes one of ours; none there is success. (Those with a source go with that address, but in IPv6.) */
int netlink_remove_route(Netlink *netlink, const Route *route);

/* Removes every route of ours in the main table, of one family or both (AF_UNSPEC), on this link, or on all links if ifindex is 0. */
int netlink_remove_routes(Netlink *netlink, int family, int ifindex);
