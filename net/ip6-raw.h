/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The packet socket through which all ports speak neighbour discovery and DHCPv6. Not the kernel's ICMPv6 and UDP: those have no
 * address to speak from before duplicate address detection is over, which takes up to two seconds, and whether they hear a router
 * depends on accept_ra and forwarding.
 */

#include "base/buffer.h"
#include "base/event.h"
#include "net/ip6-packet.h"

#include <net/ethernet.h>

typedef struct Ip6Raw Ip6Raw;

/*
 * A router's or neighbour's advertisement, a neighbour's solicitation, or a DHCPv6 message to a client; and the neighbour whose frame it
 * came in. An error ends the event loop.
 */
typedef int (*ip6_raw_handler_t)(const struct ether_addr *from, const Ip6Packet *packet, void *userdata);

int ip6_raw_new(Ip6Raw **ret, EventLoop *loop);
Ip6Raw *ip6_raw_free(Ip6Raw *raw);

/* Adds a port, once. Removing is allowed in a handler. */
int ip6_raw_add(Ip6Raw *raw, int ifindex, ip6_raw_handler_t handler, void *userdata);
void ip6_raw_remove(Ip6Raw *raw, int ifindex);

/* Sends an IPv6 packet to a neighbour on the port; NULL: to where its destination, a multicast group, is mapped (RFC 2464 §7). */
int ip6_raw_send(Ip6Raw *raw, int ifindex, const struct ether_addr *to, const Buffer *packet);

#define IP6_RAW_PACKET_MAX 9216 /* as DHCP4_MESSAGE_MAX */
