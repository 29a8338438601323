/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* IPv6 on one port: routers, addresses and DHCPv6, and the routes that they give. */

#include "agent/uplink.h"

typedef struct Uplink6 Uplink6;

/* All of what is given must outlive it. What changes is told through `attempts`. */
int uplink6_new(Uplink6 **ret, const UplinkContext *context, const Link *link, Attempts *attempts);

/* Releases the lease, removes addresses and routes. */
Uplink6 *uplink6_free(Uplink6 *uplink);

/* What is not there yet is asked for again. */
void uplink6_retry(Uplink6 *uplink);

/* The kernel receives for this address, ours or not. */
void uplink6_set_received(Uplink6 *uplink, const struct in6_addr *address);

/* For AttemptsConfig; of the configuration only what this family knows. */
bool uplink6_is_ready(const Uplink6 *uplink);
int uplink6_prepare(Uplink6 *uplink, FetchConfig *config, Targets **ret);
void uplink6_refresh(Uplink6 *uplink, bool another);

/* Addresses and routes are set again: somebody may have taken them away. */
void uplink6_restore(Uplink6 *uplink);

/* The one to speak from; AF_UNSPEC: none. */
IpAddress uplink6_get_address(const Uplink6 *uplink);

const char *uplink6_get_state(const Uplink6 *uplink);
json_t *uplink6_lease_to_json(const Uplink6 *uplink);
json_t *uplink6_network_to_json(const Uplink6 *uplink); /* addresses, routers, prefixes, DNS servers */
