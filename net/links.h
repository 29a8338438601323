/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The ports of the device, as they come, change and go. Knows which of them are candidates, brings these up, as soon as
 * the loop has nothing else to do, and never takes one down.
 */

#include "base/event.h"
#include "net/netlink.h"

#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Link {
        int ifindex;
        char name[IFNAMSIZ];
        struct ether_addr address;
        uint32_t mtu;
        bool up;
        bool carrier; /* and not dormant: frames can pass */
} Link;

typedef enum LinkEvent {
        LINK_ADDED,   /* became a candidate; its carrier may be there already */
        LINK_CHANGED, /* name, address, MTU, up or carrier */
        LINK_REMOVED, /* gone, or a candidate no more (renamed, put into a bridge) */
} LinkEvent;

typedef struct Links Links;

/* `link` is valid during the call, in which the object must not be freed. */
typedef void (*links_handler_t)(LinkEvent event, const Link *link, void *userdata);

/*
 * `patterns` is a NULL-terminated list of shell patterns for interface names; one with a leading "!" excludes. Where none
 * includes, the candidates are physical Ethernet ports that are not part of a bridge, bond or VRF. The list and the
 * request socket must outlive the object.
 */
int links_new(Links **ret, EventLoop *loop, Netlink *netlink, char *const *patterns, links_handler_t handler,
                void *userdata);
Links *links_free(Links *links);

/* Reads all links and reports the candidates; those that are down are brought up then, as by links_bring_up(). */
int links_start(Links *links);

/*
 * Brings up the candidates that are down, one after the other from the event loop. A new one is brought up by itself, once; one
 * that somebody takes down later stays down until this is called, for a retry.
 */
void links_bring_up(Links *links);

/* True if `name` matches `patterns`; `physical` decides where no pattern includes. Exposed for tests. */
bool links_match(char *const *patterns, const char *name, bool physical);
