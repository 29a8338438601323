/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells when somebody else takes an address, or a route that has our mark, from a port: systemd-networkd and NetworkManager do so when
 * they come to manage it. What is removed through `netlink`, our own request socket, is not told where the kernel says who did it.
 */

#include "base/event.h"
#include "net/netlink.h"

typedef struct Removals Removals;

/* `address` is NULL for a route; `ifindex` is 0 when the kernel had more to say than was read: anything may be gone. */
typedef void (*removals_handler_t)(int ifindex, const IpPrefix *address, void *userdata);

int removals_new(Removals **ret, EventLoop *loop, Netlink *netlink, removals_handler_t handler,
                void *userdata);
Removals *removals_free(Removals *removals);
