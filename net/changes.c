/* SPDX-License-Identifier: Apache-2.0 */
#include "net/changes.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

struct Changes {
        uint32_t own; /* the port number of our request socket, which the kernel puts into the events that it causes */
        struct nl_sock *events;
        EventSource *source;
        ChangesHandlers handlers;
};

DEFINE_CLEANUP(Changes, changes_free)

static void on_address(Changes *changes, struct nlmsghdr *header) {
        struct nlattr *attributes[IFA_MAX + 1], *address;
        const struct ifaddrmsg *info;
        IpPrefix prefix = { 0 };

        if (nlmsg_parse(header, sizeof(*info), attributes, IFA_MAX, NULL) < 0)
                return;
        info = nlmsg_data(header);
        address = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
        if (!address || (size_t) nla_len(address) != (info->ifa_family == AF_INET ? 4 : 16))
                return;
        prefix.address.family = info->ifa_family;
        prefix.length = info->ifa_prefixlen;
        memcpy(&prefix.address.v6, nla_data(address), (size_t) nla_len(address));
        changes->handlers.removed((int) info->ifa_index, &prefix, changes->handlers.userdata);
}

static void on_new_route(Changes *changes, struct nlmsghdr *header) {
        const ChangesHandlers *handlers = &changes->handlers;
        struct nlattr *attributes[RTA_MAX + 1];
        const struct rtmsg *route;

        if (nlmsg_parse(header, sizeof(*route), attributes, RTA_MAX, NULL) < 0)
                return;
        route = nlmsg_data(header);
        if (route->rtm_family == AF_INET6 && route->rtm_type == RTN_LOCAL &&
                        route->rtm_table == RT_TABLE_LOCAL && attributes[RTA_DST] &&
                        nla_len(attributes[RTA_DST]) == sizeof(struct in6_addr))
                handlers->received_for(nla_data(attributes[RTA_DST]), handlers->userdata);
}

/* A route or a rule: the port is told by its table. */
static void on_removal(Changes *changes, struct nlmsghdr *header) {
        uint32_t table;
        uint8_t protocol;

        if (netlink_get_owner(header, &table, &protocol) && protocol == NETLINK_PROTOCOL &&
                        netlink_table_to_ifindex(table) != 0)
                changes->handlers.removed(netlink_table_to_ifindex(table), NULL, changes->handlers.userdata);
}

static int on_event(struct nl_msg *message, void *userdata) {
        struct nlmsghdr *header = nlmsg_hdr(message);
        Changes *changes = userdata;

        if (header->nlmsg_type == RTM_NEWROUTE)
                on_new_route(changes, header);
        if (header->nlmsg_pid == changes->own)
                return NL_OK;
        if (header->nlmsg_type == RTM_DELADDR)
                on_address(changes, header);
        else if (header->nlmsg_type == RTM_DELROUTE || header->nlmsg_type == RTM_DELRULE)
                on_removal(changes, header);
        return NL_OK;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        Changes *changes = userdata;
        int r = netlink_errno(nl_recvmsgs_default(changes->events));

        (void) fd;
        (void) events;
        if (r < 0 && r != -EAGAIN)
                changes->handlers.removed(0, NULL, changes->handlers.userdata);
        return 0;
}

int changes_new(Changes **ret, EventLoop *loop, Netlink *netlink, const ChangesHandlers *handlers) {
        _cleanup_(changes_freep) Changes *changes = calloc(1, sizeof(*changes));
        int r;

        if (!changes)
                return -ENOMEM;
        changes->own = nl_socket_get_local_port(netlink);
        changes->handlers = *handlers;
        r = netlink_open_events(&changes->events, on_event, changes);
        if (r >= 0)
                r = netlink_errno(nl_socket_add_memberships(changes->events, RTNLGRP_IPV4_IFADDR,
                                RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, 0));
        if (r >= 0)
                r = event_add_io(loop, &changes->source, nl_socket_get_fd(changes->events), EPOLLIN,
                                on_readable, changes);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(changes);
        return 0;
}

Changes *changes_free(Changes *changes) {
        if (!changes)
                return NULL;
        event_source_free(changes->source);
        if (changes->events)
                nl_socket_free(changes->events);
        free(changes);
        return NULL;
}
