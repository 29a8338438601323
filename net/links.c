/* SPDX-License-Identifier: Apache-2.0 */
#include "net/links.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* No device has more; a flood of interfaces made by somebody else must not grow us without bound. */
#define LINKS_MAX 4096

#define EVENT_BUFFER_SIZE (1024 * 1024)

typedef struct KnownLink {
        Link link;
        bool seen;  /* by the dump that is under way */
        bool tried; /* to bring it up, since the last links_bring_up() */
} KnownLink;

struct Links {
        Netlink *netlink; /* not ours */
        struct nl_sock *events;
        EventSource *source, *bring_up;
        char *const *patterns; /* not ours */
        links_handler_t handler;
        void *userdata;

        KnownLink *known;
        size_t n_known, n_allocated;
};

DEFINE_CLEANUP(Links, links_free)

bool links_match(char *const *patterns, const char *name, bool physical) {
        bool includes = false, included = false;

        for (char *const *pattern = patterns; *pattern; pattern++) {
                if ((*pattern)[0] == '!') {
                        if (fnmatch(*pattern + 1, name, 0) == 0)
                                return false;
                        continue;
                }
                includes = true;
                included = included || fnmatch(*pattern, name, 0) == 0;
        }
        return includes ? included : physical;
}

/* What an RTM_NEWLINK or RTM_DELLINK says, checked. */
typedef struct LinkMessage {
        Link link;
        bool ethernet;
        bool enslaved;
        char kind[16]; /* "" for hardware */
} LinkMessage;

static int parse_kind(struct nlattr *info, char *ret, size_t size) {
        struct nlattr *attributes[IFLA_INFO_MAX + 1];

        if (nla_parse_nested(attributes, IFLA_INFO_MAX, info, NULL) < 0)
                return -EBADMSG;
        if (attributes[IFLA_INFO_KIND])
                (void) nla_strlcpy(ret, attributes[IFLA_INFO_KIND], size);
        return 0;
}

static int parse_link(struct nlmsghdr *header, LinkMessage *ret) {
        static const struct nla_policy policy[IFLA_MAX + 1] = {
                [IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
                [IFLA_MTU] = { .type = NLA_U32 },
                [IFLA_MASTER] = { .type = NLA_U32 },
                [IFLA_LINKINFO] = { .type = NLA_NESTED },
        };
        struct nlattr *attributes[IFLA_MAX + 1];
        const struct ifinfomsg *info;
        LinkMessage message = { 0 };

        if (nlmsg_parse(header, sizeof(*info), attributes, IFLA_MAX, policy) < 0 || !attributes[IFLA_IFNAME])
                return -EBADMSG;
        info = nlmsg_data(header);
        message.link.ifindex = info->ifi_index;
        message.link.up = info->ifi_flags & IFF_UP;
        /*
         * Not operstate (RFC 2863): the kernel brings it up to date up to a second after the carrier, and drivers that do not keep
         * it leave it UNKNOWN.
         */
        message.link.carrier = message.link.up && (info->ifi_flags & IFF_LOWER_UP) &&
                        !(info->ifi_flags & IFF_DORMANT);
        (void) nla_strlcpy(message.link.name, attributes[IFLA_IFNAME], sizeof(message.link.name));
        if (attributes[IFLA_MTU])
                message.link.mtu = nla_get_u32(attributes[IFLA_MTU]);
        message.enslaved = attributes[IFLA_MASTER];

        /* DHCP as we speak it is for Ethernet (RFC 2131, htype 1). */
        message.ethernet = info->ifi_type == ARPHRD_ETHER && attributes[IFLA_ADDRESS] &&
                        nla_len(attributes[IFLA_ADDRESS]) == ETH_ALEN;
        if (message.ethernet)
                memcpy(&message.link.address, nla_data(attributes[IFLA_ADDRESS]), ETH_ALEN);
        if (attributes[IFLA_LINKINFO] &&
                        parse_kind(attributes[IFLA_LINKINFO], message.kind, sizeof(message.kind)) < 0)
                return -EBADMSG;
        *ret = message;
        return 0;
}

/*
 * A physical port has no link kind: bridges, bonds, VLANs, tunnels, veth and dummies all have one. DSA names a kind for
 * what is a front-panel port nevertheless. Wireless LAN has neither kind nor a cable: told by its device type, which
 * netlink does not carry, so by the kernel's name for it.
 */
static bool is_physical(const LinkMessage *message) {
        return (message->kind[0] == '\0' || strcmp(message->kind, "dsa") == 0) && !message->enslaved &&
                        strncmp(message->link.name, "wl", 2) != 0;
}

static bool is_candidate(const Links *links, const LinkMessage *message) {
        return message->ethernet && links_match(links->patterns, message->link.name, is_physical(message));
}

static KnownLink *find(Links *links, int ifindex) {
        for (size_t i = 0; i < links->n_known; i++)
                if (links->known[i].link.ifindex == ifindex)
                        return links->known + i;
        return NULL;
}

static KnownLink *add(Links *links, const Link *link) {
        if (links->n_known == links->n_allocated) {
                size_t n = links->n_allocated ? links->n_allocated * 2 : 16;
                KnownLink *more;

                if (n > LINKS_MAX)
                        return NULL;
                more = realloc(links->known, n * sizeof(*more));
                if (!more)
                        return NULL;
                links->known = more;
                links->n_allocated = n;
        }
        links->known[links->n_known] = (KnownLink){ .link = *link };
        return links->known + links->n_known++;
}

static void remove_known(Links *links, KnownLink *known) {
        Link link = known->link;

        *known = links->known[--links->n_known];
        links->handler(LINK_REMOVED, &link, links->userdata);
}

static bool link_equal(const Link *a, const Link *b) {
        return strcmp(a->name, b->name) == 0 && memcmp(&a->address, &b->address, sizeof(a->address)) == 0 &&
                        a->mtu == b->mtu && a->up == b->up && a->carrier == b->carrier;
}

static void process_link(Links *links, const LinkMessage *message) {
        KnownLink *known = find(links, message->link.ifindex);

        if (!is_candidate(links, message)) {
                if (known)
                        remove_known(links, known);
                return;
        }

        if (!known) {
                known = add(links, &message->link);
                if (!known)
                        return;
                known->seen = true;
                links->handler(LINK_ADDED, &message->link, links->userdata);
                return;
        }
        known->seen = true;
        if (link_equal(&known->link, &message->link))
                return;
        known->link = message->link;
        links->handler(LINK_CHANGED, &message->link, links->userdata);
}

/* An event. What cannot be parsed is not for us; the next full read makes up for it. */
static int on_event(struct nl_msg *message, void *userdata) {
        struct nlmsghdr *header = nlmsg_hdr(message);
        Links *links = userdata;
        LinkMessage link;
        KnownLink *known;

        if ((header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) ||
                        parse_link(header, &link) < 0)
                return NL_SKIP;
        if (header->nlmsg_type == RTM_NEWLINK) {
                process_link(links, &link);
                return NL_OK;
        }
        /* A bridge says DELLINK in its own family when a port leaves it: the port is still there. */
        known = find(links, link.link.ifindex);
        if (known && ((const struct ifinfomsg *) nlmsg_data(header))->ifi_family == AF_UNSPEC)
                remove_known(links, known);
        return NL_OK;
}

/* All links, put together before anybody is told: handlers use the socket that the dump comes from. */
typedef struct Dump {
        LinkMessage *links;
        size_t n;
} Dump;

static int on_dump(struct nl_msg *message, void *userdata) {
        Dump *dump = userdata;
        LinkMessage *more;

        if (nlmsg_hdr(message)->nlmsg_type != RTM_NEWLINK)
                return NL_SKIP;
        more = reallocarray(dump->links, dump->n + 1, sizeof(*more));
        if (!more)
                return -NLE_NOMEM;
        dump->links = more;
        if (parse_link(nlmsg_hdr(message), more + dump->n) >= 0)
                dump->n++;
        return NL_OK;
}

static int read_all(Links *links) {
        Dump dump = { 0 };
        int r;

        r = netlink_dump(links->netlink, RTM_GETLINK, AF_UNSPEC, on_dump, &dump);
        if (r >= 0) {
                for (size_t i = 0; i < links->n_known; i++)
                        links->known[i].seen = false;
                for (size_t i = 0; i < dump.n; i++)
                        process_link(links, dump.links + i);
                for (size_t i = links->n_known; i-- > 0;)
                        if (!links->known[i].seen)
                                remove_known(links, links->known + i);
        }
        free(dump.links);
        return r;
}

static KnownLink *next_down(Links *links) {
        for (size_t i = 0; i < links->n_known; i++)
                if (!links->known[i].link.up && !links->known[i].tried)
                        return links->known + i;
        return NULL;
}

/*
 * One port a turn of the loop, and only when nothing else has come: whoever has its carrier already does not wait for the 500 others
 * to come up, which takes the kernel up to 0.1 ms each.
 */
static int on_bring_up(void *userdata) {
        Links *links = userdata;
        KnownLink *known = next_down(links);

        if (!known)
                return 0;
        known->tried = true;
        /* A port that refuses stays as it is until links_bring_up(); its driver has logged why. */
        (void) netlink_link_up(links->netlink, known->link.ifindex);
        event_deferred_set(links->bring_up);
        return 0;
}

static int on_readable(int fd, uint32_t events, void *userdata) {
        Links *links = userdata;
        int r;

        (void) fd;
        (void) events;
        r = netlink_errno(nl_recvmsgs_default(links->events));
        if (r < 0 && r != -EAGAIN)
                r = read_all(links); /* messages were lost (ENOBUFS): what they said is in a full read */
        if (next_down(links))
                event_deferred_set(links->bring_up);
        return r == -ENOBUFS || r == -EAGAIN || r == -EINTR ? 0 : r;
}

static int open_events(Links *links) {
        int r = netlink_open_events(&links->events, on_event, links);

        if (r < 0)
                return r;
        r = nl_socket_set_buffer_size(links->events, EVENT_BUFFER_SIZE, 0);
        if (r >= 0)
                r = nl_socket_add_memberships(links->events, RTNLGRP_LINK, 0);
        return netlink_errno(r);
}

int links_new(Links **ret, EventLoop *loop, Netlink *netlink, char *const *patterns, links_handler_t handler,
                void *userdata) {
        _cleanup_(links_freep) Links *links = NULL;
        int r;

        assert(handler);
        links = calloc(1, sizeof(*links));
        if (!links)
                return -ENOMEM;
        links->netlink = netlink;
        links->patterns = patterns;
        links->handler = handler;
        links->userdata = userdata;

        r = open_events(links);
        if (r < 0)
                return r;
        r = event_add_io(loop, &links->source, nl_socket_get_fd(links->events), EPOLLIN, on_readable, links);
        if (r >= 0)
                r = event_add_deferred(loop, &links->bring_up, on_bring_up, links);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(links);
        return 0;
}

Links *links_free(Links *links) {
        if (!links)
                return NULL;
        event_source_free(links->source);
        event_source_free(links->bring_up);
        if (links->events)
                nl_socket_free(links->events);
        free(links->known);
        free(links);
        return NULL;
}

int links_start(Links *links) {
        int r;

        /* The events are subscribed already, so nothing falls between this read and the first event. */
        r = read_all(links);
        if (r < 0)
                return r;
        links_bring_up(links);
        return 0;
}

void links_bring_up(Links *links) {
        for (size_t i = 0; i < links->n_known; i++)
                links->known[i].tried = false;
        event_deferred_set(links->bring_up);
}
