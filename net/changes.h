/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells when somebody else takes an address, or a route or rule of ours, from a port: systemd-networkd and NetworkManager do so when
 * they come to manage it. What is removed through `netlink`, our own request socket, is not told where the kernel says who did it.
 *
 * And when the kernel begins to receive for an IPv6 address: it does so a little after the request to set one was acknowledged, in a
 * work queue, and drops until then what comes to that address.
 */

#include "base/event.h"
#include "net/netlink.h"

typedef struct Changes Changes;

typedef struct ChangesHandlers {
        /* `address` is NULL for a route or a rule; `ifindex` is 0 when the kernel had more to say than was read: anything may be gone. */
        void (*removed)(int ifindex, const IpPrefix *address, void *userdata);
        void (*received_for)(const struct in6_addr *address, void *userdata);
        void *userdata;
} ChangesHandlers;

int changes_new(Changes **ret, EventLoop *loop, Netlink *netlink, const ChangesHandlers *handlers);
Changes *changes_free(Changes *changes);
