/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netlink.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

DEFINE_CLEANUP(struct nl_msg, nlmsg_free)
DEFINE_CLEANUP(struct nl_sock, nl_socket_free)

int netlink_errno(int libnl_error) {
        switch (libnl_error < 0 ? -libnl_error : libnl_error) {
        case NLE_SUCCESS:
                return 0;
        case NLE_NOMEM:
                return -ENOBUFS; /* libnl says so for ENOMEM and ENOBUFS alike: to us both mean "read again" */
        case NLE_AGAIN:
                return -EAGAIN;
        case NLE_INTR:
        case NLE_DUMP_INTR:
                return -EINTR;
        case NLE_EXIST:
                return -EEXIST;
        case NLE_NOADDR: /* EADDRNOTAVAIL */
                return -EADDRNOTAVAIL;
        case NLE_OBJ_NOTFOUND: /* ESRCH, ENOENT */
                return -ESRCH;
        case NLE_NODEV:
                return -ENODEV;
        case NLE_PERM:
        case NLE_NOACCESS:
                return -EPERM;
        case NLE_BUSY:
                return -EBUSY;
        case NLE_INVAL:
                return -EINVAL;
        case NLE_OPNOTSUPP:
                return -EOPNOTSUPP;
        case NLE_MSG_TRUNC:
                return -EBADMSG;
        default: /* libnl's numbers, not ours */
                return -EIO;
        }
}

int netlink_open(Netlink **ret) {
        _cleanup_(nl_socket_freep) struct nl_sock *netlink = nl_socket_alloc();
        int r;

        if (!netlink)
                return -ENOMEM;
        r = nl_connect(netlink, NETLINK_ROUTE);
        if (r < 0)
                return netlink_errno(r);
        *ret = TAKE_PTR(netlink);
        return 0;
}

int netlink_open_events(struct nl_sock **ret, nl_recvmsg_msg_cb_t handler, void *userdata) {
        _cleanup_(nl_socket_freep) struct nl_sock *events = nl_socket_alloc();
        int r;

        if (!events)
                return -ENOMEM;
        nl_socket_disable_seq_check(events);
        r = nl_socket_modify_cb(events, NL_CB_VALID, NL_CB_CUSTOM, handler, userdata);
        if (r >= 0)
                r = nl_connect(events, NETLINK_ROUTE);
        if (r >= 0)
                r = nl_socket_set_nonblocking(events);
        if (r < 0)
                return netlink_errno(r);
        *ret = TAKE_PTR(events);
        return 0;
}

Netlink *netlink_free(Netlink *netlink) {
        if (netlink)
                nl_socket_free(netlink);
        return NULL;
}

/* A request: its header, and the attributes that were put so far. */
static struct nl_msg *new_request(int type, int flags, const void *header, size_t n) {
        _cleanup_(nlmsg_freep) struct nl_msg *request = nlmsg_alloc_simple(type, flags);

        if (!request || nlmsg_append(request, (void *) header, n, NLMSG_ALIGNTO) < 0)
                return NULL;
        return TAKE_PTR(request);
}

static size_t address_size(const IpAddress *address) {
        return address->family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static int put_address(struct nl_msg *request, int attribute, const IpAddress *address) {
        return nla_put(request, attribute, (int) address_size(address), &address->v6);
}

/* Sends, waits for the acknowledgement, and frees; `r` is what the puts before have returned, in libnl's numbers. */
static int transact(Netlink *netlink, struct nl_msg *request_take, int r) {
        if (r < 0) {
                nlmsg_free(request_take);
                return netlink_errno(r);
        }
        return netlink_errno(nl_send_sync(netlink, request_take));
}

int netlink_link_up(Netlink *netlink, int ifindex) {
        const struct ifinfomsg header = { .ifi_index = ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
        struct nl_msg *request = new_request(RTM_NEWLINK, 0, &header, sizeof(header));

        return request ? transact(netlink, request, 0) : -ENOMEM;
}

static struct nl_msg *new_address_request(int type, int flags, int ifindex, const IpPrefix *prefix) {
        const struct ifaddrmsg header = {
                .ifa_family = (uint8_t) prefix->address.family,
                .ifa_prefixlen = prefix->length,
                .ifa_index = (uint32_t) ifindex,
        };
        _cleanup_(nlmsg_freep) struct nl_msg *request = new_request(type, flags, &header, sizeof(header));

        if (!request || put_address(request, IFA_LOCAL, &prefix->address) < 0)
                return NULL;
        return TAKE_PTR(request);
}

static int put_broadcast(struct nl_msg *request, const IpPrefix *prefix) {
        IpAddress last = prefix->address;

        if (last.family != AF_INET || prefix->length > 30)
                return 0;
        last.v4.s_addr |= ~ip4_mask(prefix->length).s_addr;
        return put_address(request, IFA_BROADCAST, &last);
}

static int new_address(Netlink *netlink, int flags, int ifindex, const IpPrefix *prefix,
                const AddressTimes *times, uint32_t address_flags) {
        const struct ifa_cacheinfo cache = { .ifa_prefered = times->preferred, .ifa_valid = times->valid };
        struct nl_msg *request = new_address_request(RTM_NEWADDR, NLM_F_CREATE | flags, ifindex, prefix);
        int r;

        if (!request)
                return -ENOMEM;
        r = put_broadcast(request, prefix);
        if (r >= 0)
                r = nla_put_u32(request, IFA_FLAGS, IFA_F_NOPREFIXROUTE | address_flags);
        if (r >= 0)
                r = nla_put(request, IFA_CACHEINFO, sizeof(cache), &cache);
        return transact(netlink, request, r);
}

int netlink_add_address(Netlink *netlink, int ifindex, const IpPrefix *prefix, const AddressTimes *times,
                AddressDetection detection) {
        uint32_t flags = detection == ADDRESS_DETECTION_OPTIMISTIC ? IFA_F_OPTIMISTIC : IFA_F_NODAD;

        return new_address(netlink, NLM_F_EXCL, ifindex, prefix, times,
                        prefix->address.family == AF_INET6 ? flags : 0);
}

int netlink_renew_address(Netlink *netlink, int ifindex, const IpPrefix *prefix, const AddressTimes *times) {
        return new_address(netlink, NLM_F_REPLACE, ifindex, prefix, times,
                        prefix->address.family == AF_INET6 ? IFA_F_NODAD : 0);
}

int netlink_remove_address(Netlink *netlink, int ifindex, const IpPrefix *prefix) {
        struct nl_msg *request = new_address_request(RTM_DELADDR, 0, ifindex, prefix);
        int r;

        if (!request)
                return -ENOMEM;
        r = transact(netlink, request, 0);
        return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}

int netlink_dump(Netlink *netlink, int type, int family, netlink_handler_t handler, void *userdata) {
        struct nl_cb *original = nl_socket_get_cb(netlink), *cb = nl_cb_clone(original);
        int r;

        nl_cb_put(original);
        if (!cb)
                return -ENOMEM;
        r = nl_send_simple(netlink, type, NLM_F_DUMP, &(struct rtgenmsg){ .rtgen_family = (uint8_t) family },
                        sizeof(struct rtgenmsg));
        if (r >= 0)
                r = nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, handler, userdata);
        if (r >= 0)
                r = nl_recvmsgs(netlink, cb);
        nl_cb_put(cb);
        return netlink_errno(r);
}

typedef struct AddressSearch {
        int ifindex;
        const struct in6_addr *address;
        bool tentative;
} AddressSearch;

static int on_address(struct nl_msg *message, void *userdata) {
        AddressSearch *search = userdata;
        struct nlmsghdr *header = nlmsg_hdr(message);
        struct nlattr *attributes[IFA_MAX + 1];
        const struct ifaddrmsg *info;

        if (header->nlmsg_type != RTM_NEWADDR ||
                        nlmsg_parse(header, sizeof(*info), attributes, IFA_MAX, NULL) < 0)
                return NL_SKIP;
        info = nlmsg_data(header);
        if ((int) info->ifa_index == search->ifindex && attributes[IFA_ADDRESS] &&
                        nla_len(attributes[IFA_ADDRESS]) == sizeof(*search->address) &&
                        memcmp(nla_data(attributes[IFA_ADDRESS]), search->address,
                                        sizeof(*search->address)) == 0)
                search->tentative =
                                (info->ifa_flags & IFA_F_TENTATIVE) && !(info->ifa_flags & IFA_F_OPTIMISTIC);
        return NL_OK;
}

bool netlink_address_is_tentative(Netlink *netlink, int ifindex, const struct in6_addr *address) {
        AddressSearch search = { .ifindex = ifindex, .address = address };

        return netlink_dump(netlink, RTM_GETADDR, AF_INET6, on_address, &search) >= 0 && search.tentative;
}

static int put_metrics(struct nl_msg *request, const Route *route) {
        struct nlattr *metrics;
        int r;

        if (route->mtu == 0)
                return 0;
        metrics = nla_nest_start(request, RTA_METRICS);
        if (!metrics)
                return -NLE_NOMEM;
        r = nla_put_u32(request, RTAX_MTU, route->mtu);
        nla_nest_end(request, metrics);
        return r;
}

static int put_route(struct nl_msg *request, const Route *route) {
        int r = 0;

        if (route->destination.length > 0)
                r = put_address(request, RTA_DST, &route->destination.address);
        if (r >= 0 && route->gateway.family != AF_UNSPEC)
                r = put_address(request, RTA_GATEWAY, &route->gateway);
        if (r >= 0 && route->source.family != AF_UNSPEC)
                r = put_address(request, RTA_PREFSRC, &route->source);
        if (r >= 0)
                r = nla_put_u32(request, RTA_OIF, (uint32_t) route->ifindex);
        if (r >= 0)
                r = nla_put_u32(request, RTA_PRIORITY, route->metric);
        return r < 0 ? r : put_metrics(request, route);
}

static struct nl_msg *new_route_request(int type, int flags, const Route *route) {
        bool local = route->gateway.family == AF_UNSPEC && route->destination.address.family == AF_INET;
        const struct rtmsg header = {
                .rtm_family = (uint8_t) route->destination.address.family,
                .rtm_dst_len = route->destination.length,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = NETLINK_ROUTE_PROTOCOL,
                .rtm_scope = local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
                .rtm_type = RTN_UNICAST,
                .rtm_flags = route->on_link ? RTNH_F_ONLINK : 0,
        };

        return new_request(type, flags, &header, sizeof(header));
}

int netlink_add_route(Netlink *netlink, const Route *route) {
        struct nl_msg *request = new_route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);

        return request ? transact(netlink, request, put_route(request, route)) : -ENOMEM;
}

int netlink_remove_route(Netlink *netlink, const Route *route) {
        struct nl_msg *request = new_route_request(RTM_DELROUTE, 0, route);
        int r;

        if (!request)
                return -ENOMEM;
        r = transact(netlink, request, put_route(request, route));
        return r == -ESRCH || r == -ENODEV ? 0 : r;
}

/* The routes of ours that a dump has found: each is deleted by sending it back. */
typedef struct Leftovers {
        int ifindex; /* 0: of all links */
        struct nl_msg **requests;
        size_t n;
} Leftovers;

static int on_route(struct nl_msg *message, void *userdata) {
        Leftovers *leftovers = userdata;
        struct nlmsghdr *header = nlmsg_hdr(message);
        struct nlattr *attributes[RTA_MAX + 1];
        const struct rtmsg *route;
        struct nl_msg **more;

        if (header->nlmsg_type != RTM_NEWROUTE ||
                        nlmsg_parse(header, sizeof(*route), attributes, RTA_MAX, NULL) < 0)
                return NL_SKIP;
        route = nlmsg_data(header);
        if (route->rtm_protocol != NETLINK_ROUTE_PROTOCOL || route->rtm_table != RT_TABLE_MAIN)
                return NL_SKIP;
        if (leftovers->ifindex != 0 &&
                        (!attributes[RTA_OIF] || nla_len(attributes[RTA_OIF]) != sizeof(uint32_t) ||
                                        (int) nla_get_u32(attributes[RTA_OIF]) != leftovers->ifindex))
                return NL_SKIP;

        more = reallocarray(leftovers->requests, leftovers->n + 1, sizeof(*more));
        if (!more)
                return -NLE_NOMEM;
        leftovers->requests = more;
        more[leftovers->n] =
                        new_request(RTM_DELROUTE, 0, nlmsg_data(header), (size_t) nlmsg_datalen(header));
        if (!more[leftovers->n])
                return -NLE_NOMEM;
        leftovers->n++;
        return NL_OK;
}

int netlink_remove_routes(Netlink *netlink, int family, int ifindex) {
        Leftovers leftovers = { .ifindex = ifindex };
        int r;

        r = netlink_dump(netlink, RTM_GETROUTE, family, on_route, &leftovers);
        for (size_t i = 0; i < leftovers.n; i++) {
                int q = transact(netlink, leftovers.requests[i], 0);

                if (q < 0 && q != -ESRCH && r == 0)
                        r = q; /* go on with the others, and say so at the end */
        }
        free(leftovers.requests);
        return r;
}
