/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Addresses that a host makes itself: the prefix, and an interface identifier of 64 bits behind it. Pure. */

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdint.h>

#define SLAAC_SECRET_SIZE 16

/* RFC 4291, appendix A: of the Ethernet address. */
struct in6_addr slaac_eui64(const struct in6_addr *prefix, const struct ether_addr *address);

/*
 * RFC 7217: the same as long as prefix, port and secret stay the same, and telling nobody any of them. F() is SipHash-2-4, keyed with
 * the secret, of the prefix, the Ethernet address (as Net_Iface) and the counter of conflicts. There is no Network_ID.
 */
struct in6_addr slaac_stable(const struct in6_addr *prefix, const struct ether_addr *address,
                uint8_t n_conflicts, const uint8_t secret[static SLAAC_SECRET_SIZE]);
