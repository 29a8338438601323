/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netlink.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <linux/fib_rules.h>
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

        /* With IFA_LOCAL alone the kernel would delete any address that is equal but for its prefix length. */
        if (!request || put_address(request, IFA_LOCAL, &prefix->address) < 0 ||
                        put_address(request, IFA_ADDRESS, &prefix->address) < 0)
                return NULL;
        return TAKE_PTR(request);
}

static int new_address(Netlink *netlink, int flags, int ifindex, const IpPrefix *prefix,
                const AddressTimes *times, uint32_t address_flags) {
        const struct ifa_cacheinfo cache = { .ifa_prefered = times->preferred, .ifa_valid = times->valid };
        struct nl_msg *request = new_address_request(RTM_NEWADDR, NLM_F_CREATE | flags, ifindex, prefix);
        int r;

        if (!request)
                return -ENOMEM;
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
        int r = nla_put_u32(request, RTA_TABLE, route->table);

        if (r >= 0 && route->destination.length > 0)
                r = put_address(request, RTA_DST, &route->destination.address);
        if (r >= 0 && route->gateway.family != AF_UNSPEC)
                r = put_address(request, RTA_GATEWAY, &route->gateway);
        if (r >= 0 && route->source.family != AF_UNSPEC)
                r = put_address(request, RTA_PREFSRC, &route->source);
        if (r >= 0)
                r = nla_put_u32(request, RTA_OIF, (uint32_t) route->ifindex);
        return r < 0 ? r : put_metrics(request, route);
}

static unsigned char scope_of(const Route *route) {
        if (route->destination.address.family == AF_INET6)
                return RT_SCOPE_UNIVERSE;
        if (route->local)
                return RT_SCOPE_HOST;
        return route->gateway.family == AF_UNSPEC ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

static struct nl_msg *new_route_request(int type, int flags, const Route *route) {
        const struct rtmsg header = {
                .rtm_family = (uint8_t) route->destination.address.family,
                .rtm_dst_len = route->destination.length,
                .rtm_table = RT_TABLE_UNSPEC,
                .rtm_protocol = NETLINK_PROTOCOL,
                .rtm_scope = scope_of(route),
                .rtm_type = route->local ? RTN_LOCAL : RTN_UNICAST,
                .rtm_flags = route->on_link ? RTNH_F_ONLINK : 0,
        };

        return new_request(type, flags, &header, sizeof(header));
}

int netlink_add_route(Netlink *netlink, const Route *route) {
        struct nl_msg *request = new_route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);

        return request ? transact(netlink, request, put_route(request, route)) : -ENOMEM;
}

/* None there is success. */
static int remove_route(Netlink *netlink, struct nl_msg *request_take, const Route *route) {
        int r;

        if (!request_take)
                return -ENOMEM;
        r = transact(netlink, request_take, put_route(request_take, route));
        return r == -ESRCH || r == -ENODEV ? 0 : r;
}

int netlink_remove_route(Netlink *netlink, const Route *route) {
        return remove_route(netlink, new_route_request(RTM_DELROUTE, 0, route), route);
}

int netlink_remove_local(Netlink *netlink, int ifindex, const IpAddress *address) {
        const Route route = {
                .ifindex = ifindex,
                .table = RT_TABLE_LOCAL,
                .destination = { .address = *address, .length = (uint8_t) (8 * address_size(address)) },
        };
        const struct rtmsg header = {
                .rtm_family = (uint8_t) address->family,
                .rtm_dst_len = route.destination.length,
                .rtm_scope = RT_SCOPE_NOWHERE, /* any */
                .rtm_type = RTN_LOCAL,
        };

        return remove_route(netlink, new_request(RTM_DELROUTE, 0, &header, sizeof(header)), &route);
}

static int put_rule(struct nl_msg *request, const Rule *rule) {
        int r = nla_put_u32(request, FRA_PRIORITY, rule->priority);

        if (r >= 0)
                r = nla_put_u32(request, FRA_TABLE, rule->table);
        if (r >= 0)
                r = nla_put_u8(request, FRA_PROTOCOL, NETLINK_PROTOCOL);
        if (r >= 0 && rule->source.family != AF_UNSPEC)
                r = put_address(request, FRA_SRC, &rule->source);
        if (r >= 0 && rule->destination.family != AF_UNSPEC)
                r = put_address(request, FRA_DST, &rule->destination);
        if (r >= 0 && rule->input)
                r = nla_put_string(request, FRA_IIFNAME, rule->input);
        if (r >= 0 && rule->output)
                r = nla_put_string(request, FRA_OIFNAME, rule->output);
        return r;
}

static uint8_t rule_length(const IpAddress *address) {
        return address->family == AF_UNSPEC ? 0 : (uint8_t) (8 * address_size(address));
}

static int send_rule(Netlink *netlink, int type, int flags, const Rule *rule) {
        const struct fib_rule_hdr header = {
                .family = (uint8_t) rule->family,
                .src_len = rule_length(&rule->source),
                .dst_len = rule_length(&rule->destination),
                .table = RT_TABLE_UNSPEC,
                .action = FR_ACT_TO_TBL,
        };
        struct nl_msg *request = new_request(type, flags, &header, sizeof(header));

        return request ? transact(netlink, request, put_rule(request, rule)) : -ENOMEM;
}

int netlink_add_rule(Netlink *netlink, const Rule *rule) {
        int r = send_rule(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);

        return r == -EEXIST ? 0 : r;
}

int netlink_remove_rule(Netlink *netlink, const Rule *rule) {
        int r = send_rule(netlink, RTM_DELRULE, 0, rule);

        return r == -ESRCH ? 0 : r;
}

int netlink_table_to_ifindex(uint32_t table) {
        return table > NETLINK_TABLE_BASE && table - NETLINK_TABLE_BASE <= INT32_MAX
                        ? (int) (table - NETLINK_TABLE_BASE)
                        : 0;
}

bool netlink_get_owner(struct nlmsghdr *header, uint32_t *ret_table, uint8_t *ret_protocol) {
        struct nlattr *attributes[RTA_MAX + 1];
        int table;

        static_assert(FRA_MAX <= RTA_MAX, "more attributes in a rule than in a route");
        switch (header->nlmsg_type) {
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
                if (nlmsg_parse(header, sizeof(struct rtmsg), attributes, RTA_MAX, NULL) < 0)
                        return false;
                table = RTA_TABLE;
                *ret_protocol = ((const struct rtmsg *) nlmsg_data(header))->rtm_protocol;
                break;
        case RTM_NEWRULE:
        case RTM_DELRULE:
                if (nlmsg_parse(header, sizeof(struct fib_rule_hdr), attributes, FRA_MAX, NULL) < 0)
                        return false;
                table = FRA_TABLE;
                *ret_protocol = attributes[FRA_PROTOCOL] ? nla_get_u8(attributes[FRA_PROTOCOL]) : 0;
                break;
        default: /* the kernel's numbers, not ours */
                return false;
        }
        if (!attributes[table] || nla_len(attributes[table]) != sizeof(*ret_table))
                return false;
        *ret_table = nla_get_u32(attributes[table]);
        return true;
}

static int dump_rules_and_routes(Netlink *netlink, int family, netlink_handler_t handler, void *userdata) {
        int r = netlink_dump(netlink, RTM_GETRULE, family, handler, userdata);

        return r < 0 ? r : netlink_dump(netlink, RTM_GETROUTE, family, handler, userdata);
}

/* The rules and routes of ours that a dump has found: each is deleted by sending it back. */
typedef struct Leftovers {
        struct nl_msg **requests;
        size_t n;
} Leftovers;

static int on_leftover(struct nl_msg *message, void *userdata) {
        Leftovers *leftovers = userdata;
        struct nlmsghdr *header = nlmsg_hdr(message);
        struct nl_msg **more;
        uint32_t table;
        uint8_t protocol;

        if (!netlink_get_owner(header, &table, &protocol) || protocol != NETLINK_PROTOCOL ||
                        netlink_table_to_ifindex(table) == 0)
                return NL_SKIP;
        more = reallocarray(leftovers->requests, leftovers->n + 1, sizeof(*more));
        if (!more)
                return -NLE_NOMEM;
        leftovers->requests = more;
        more[leftovers->n] = new_request(header->nlmsg_type == RTM_NEWRULE ? RTM_DELRULE : RTM_DELROUTE, 0,
                        nlmsg_data(header), (size_t) nlmsg_datalen(header));
        if (!more[leftovers->n])
                return -NLE_NOMEM;
        leftovers->n++;
        return NL_OK;
}

int netlink_remove_leftovers(Netlink *netlink) {
        Leftovers leftovers = { 0 };
        int r;

        r = dump_rules_and_routes(netlink, AF_UNSPEC, on_leftover, &leftovers);
        for (size_t i = 0; i < leftovers.n; i++) {
                int q = transact(netlink, leftovers.requests[i], 0);

                if (q < 0 && q != -ESRCH && r == 0)
                        r = q; /* go on with the others, and say so at the end */
        }
        free(leftovers.requests);
        return r;
}

typedef struct TableSearch {
        uint32_t table;
        bool foreign;
} TableSearch;

static int on_table(struct nl_msg *message, void *userdata) {
        TableSearch *search = userdata;
        uint32_t table;
        uint8_t protocol;

        if (netlink_get_owner(nlmsg_hdr(message), &table, &protocol) && table == search->table &&
                        protocol != NETLINK_PROTOCOL)
                search->foreign = true;
        return NL_OK;
}

int netlink_check_table(Netlink *netlink, int family, uint32_t table) {
        TableSearch search = { .table = table };
        int r = dump_rules_and_routes(netlink, family, on_table, &search);

        if (r < 0)
                return r;
        return search.foreign ? -EBUSY : 0;
}
