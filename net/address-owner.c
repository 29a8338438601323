/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address-owner.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/*
 * A dump during which something has changed may lack what was there all the time: it is read again, a few
 * times.
 */
#define DUMPS_MAX 5

#define NUD_VALID (NUD_PERMANENT | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

typedef struct Search {
        int ifindex;
        IpAddress address;
        AddressOwner found;
} Search;

static size_t address_size(const Search *search) {
        return search->address.family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

/* Whether these bytes of a message are the address. */
static bool matches(const Search *search, const void *bytes, size_t size) {
        return size == address_size(search) && memcmp(bytes, &search->address.v6, size) == 0;
}

static bool is_address(const Search *search, struct nlattr *attribute) {
        return attribute && matches(search, nla_data(attribute), (size_t) nla_len(attribute));
}

/* The first use is kept; one by another link counts more than one by the same. */
static void note(Search *search, AddressUse use, int ifindex) {
        if (ifindex == search->ifindex)
                use = use == ADDRESS_USE_OWN ? ADDRESS_USE_SAME_LINK : ADDRESS_USE_NONE;
        if (use != ADDRESS_USE_NONE && search->found.use <= ADDRESS_USE_SAME_LINK)
                search->found = (AddressOwner){ .use = use, .ifindex = ifindex };
}

/* IFA_ADDRESS is the other end of a point-to-point link, or the same again. */
static int on_address(struct nl_msg *message, void *userdata) {
        struct nlattr *attributes[IFA_MAX + 1];
        const struct ifaddrmsg *info;
        Search *search = userdata;

        if (nlmsg_parse(nlmsg_hdr(message), sizeof(*info), attributes, IFA_MAX, NULL) < 0)
                return NL_SKIP;
        info = nlmsg_data(nlmsg_hdr(message));
        if (is_address(search, attributes[IFA_LOCAL]) || is_address(search, attributes[IFA_ADDRESS]))
                note(search, ADDRESS_USE_OWN, (int) info->ifa_index);
        return NL_OK;
}

/* RTA_GATEWAY; or RTA_VIA, a next hop of another family than the route's. */
static bool is_next_hop(const Search *search, struct nlattr **attributes) {
        const struct rtvia *via;

        if (is_address(search, attributes[RTA_GATEWAY]))
                return true;
        if (!attributes[RTA_VIA] || nla_len(attributes[RTA_VIA]) < (int) sizeof(*via))
                return false;
        via = nla_data(attributes[RTA_VIA]);
        return via->rtvia_family == search->address.family &&
                        matches(search, via->rtvia_addr,
                                        (size_t) nla_len(attributes[RTA_VIA]) - sizeof(*via));
}

static void note_multipath(Search *search, struct nlattr *multipath) {
        struct nlattr *attributes[RTA_MAX + 1];
        const struct rtnexthop *hop = nla_data(multipath);
        int left = nla_len(multipath);

        while (left >= (int) sizeof(*hop) && RTNH_OK(hop, left)) {
                if (nla_parse(attributes, RTA_MAX, (struct nlattr *) RTNH_DATA(hop),
                                    hop->rtnh_len - (int) sizeof(*hop), NULL) >= 0 &&
                                is_next_hop(search, attributes))
                        note(search, ADDRESS_USE_GATEWAY, hop->rtnh_ifindex);
                left -= (int) NLMSG_ALIGN(hop->rtnh_len);
                hop = RTNH_NEXT(hop);
        }
}

static int on_route(struct nl_msg *message, void *userdata) {
        struct nlmsghdr *header = nlmsg_hdr(message);
        struct nlattr *attributes[RTA_MAX + 1];
        Search *search = userdata;
        uint32_t table;
        uint8_t protocol;

        if (netlink_get_owner(header, &table, &protocol) && protocol == NETLINK_PROTOCOL &&
                        netlink_table_to_ifindex(table) != 0)
                return NL_SKIP; /* what a server on another port says does not keep this one from its address */
        if (nlmsg_parse(header, sizeof(struct rtmsg), attributes, RTA_MAX, NULL) < 0)
                return NL_SKIP;
        if (attributes[RTA_OIF] && nla_len(attributes[RTA_OIF]) == sizeof(uint32_t) &&
                        is_next_hop(search, attributes))
                note(search, ADDRESS_USE_GATEWAY, (int) nla_get_u32(attributes[RTA_OIF]));
        if (attributes[RTA_MULTIPATH])
                note_multipath(search, attributes[RTA_MULTIPATH]);
        return NL_OK;
}

static int on_neighbour(struct nl_msg *message, void *userdata) {
        struct nlattr *attributes[NDA_MAX + 1];
        const struct ndmsg *info;
        Search *search = userdata;

        if (nlmsg_parse(nlmsg_hdr(message), sizeof(*info), attributes, NDA_MAX, NULL) < 0)
                return NL_SKIP;
        info = nlmsg_data(nlmsg_hdr(message));
        if ((info->ndm_state & NUD_VALID) && is_address(search, attributes[NDA_DST]))
                note(search, ADDRESS_USE_NEIGHBOUR, info->ndm_ifindex);
        return NL_OK;
}

static int dump(Search *search, Netlink *netlink, int type, netlink_handler_t handler) {
        int r = -EINTR;

        for (unsigned i = 0; i < DUMPS_MAX && r == -EINTR; i++)
                r = netlink_dump(netlink, type, search->address.family, handler, search);
        return r;
}

int address_owner_find(AddressOwner *ret, Netlink *netlink, int ifindex, const IpAddress *address) {
        Search search = { .ifindex = ifindex, .address = *address };
        int r;

        r = dump(&search, netlink, RTM_GETADDR, on_address);
        if (r >= 0)
                r = dump(&search, netlink, RTM_GETROUTE, on_route);
        if (r >= 0)
                r = dump(&search, netlink, RTM_GETNEIGH, on_neighbour);
        if (r < 0)
                return r;
        *ret = search.found;
        return 0;
}
