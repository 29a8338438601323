/* SPDX-License-Identifier: Apache-2.0 */
#include "net/removals.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

struct Removals {
        uint32_t own; /* the port number of our request socket, which the kernel puts into the events that it causes */
        struct nl_sock *events;
        EventSource *source;
        removals_handler_t handler;
        void *userdata;
};

DEFINE_CLEANUP(Removals, removals_free)

static void on_address(Removals *removals, struct nlmsghdr *header) {
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
        removals->handler((int) info->ifa_index, &prefix, removals->userdata);
}

static void on_route(Removals *removals, struct nlmsghdr *header) {
        struct nlattr *attributes[RTA_MAX + 1];
        const struct rtmsg *route;

        if (nlmsg_parse(header, sizeof(*route), attributes, RTA_MAX, NULL) < 0)
                return;
        route = nlmsg_data(header);
        if (route->rtm_protocol == NETLINK_ROUTE_PROTOCOL && attributes[RTA_OIF] &&
                        nla_len(attributes[RTA_OIF]) == sizeof(uint32_t))
                removals->handler((int) nla_get_u32(attributes[RTA_OIF]), NULL, removals->userdata);
}

static int on_event(struct nl_msg *message, void *userdata) {
        struct nlmsghdr *header = nlmsg_hdr(message);
        Removals *removals = userdata;

        if (header->nlmsg_pid == removals->own)
                return NL_OK;
        if (header->nlmsg_type == RTM_DELADDR)
                on_address(removals, header);
        else if (header->nlmsg_type == RTM_DELROUTE)
                on_route(removals, header);
        return NL_OK;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        Removals *removals = userdata;
        int r = netlink_errno(nl_recvmsgs_default(removals->events));

        (void) fd;
        (void) events;
        if (r < 0 && r != -EAGAIN)
                removals->handler(0, NULL, removals->userdata);
        return 0;
}

static int open_events(Removals *removals) {
        int r;

        removals->events = nl_socket_alloc();
        if (!removals->events)
                return -ENOMEM;
        nl_socket_disable_seq_check(removals->events);
        r = nl_socket_modify_cb(removals->events, NL_CB_VALID, NL_CB_CUSTOM, on_event, removals);
        if (r >= 0)
                r = nl_connect(removals->events, NETLINK_ROUTE);
        if (r >= 0)
                r = nl_socket_set_nonblocking(removals->events);
        if (r >= 0)
                r = nl_socket_add_memberships(removals->events, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0);
        return netlink_errno(r);
}

int removals_new(Removals **ret, EventLoop *loop, Netlink *netlink, removals_handler_t handler,
                void *userdata) {
        _cleanup_(removals_freep) Removals *removals = calloc(1, sizeof(*removals));
        int r;

        if (!removals)
                return -ENOMEM;
        removals->own = nl_socket_get_local_port(netlink);
        removals->handler = handler;
        removals->userdata = userdata;
        r = open_events(removals);
        if (r >= 0)
                r = event_add_io(loop, &removals->source, nl_socket_get_fd(removals->events), EPOLLIN,
                                on_readable, removals);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(removals);
        return 0;
}

Removals *removals_free(Removals *removals) {
        if (!removals)
                return NULL;
        event_source_free(removals->source);
        if (removals->events)
                nl_socket_free(removals->events);
        free(removals);
        return NULL;
}
