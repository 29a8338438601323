/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* DHCPv4 on one port: the lease, and the address and the routes that it gives. */

#include "agent/uplink.h"

typedef struct Uplink4 Uplink4;

/* All of what is given must outlive it. What changes is told through `attempts`. */
int uplink4_new(Uplink4 **ret, const UplinkContext *context, const Link *link, Attempts *attempts);

/* Releases the lease, removes address and routes. */
Uplink4 *uplink4_free(Uplink4 *uplink);

/* A client that pauses asks again. */
void uplink4_retry(Uplink4 *uplink);

/* For AttemptsConfig; of the configuration only what this family knows. */
bool uplink4_is_ready(Uplink4 *uplink); /* a lease that could not be used is tried again */
int uplink4_prepare(const Uplink4 *uplink, FetchConfig *config, Targets **ret);
void uplink4_refresh(Uplink4 *uplink, bool another);

/* Address and routes are set again: somebody may have taken them away. */
void uplink4_restore(Uplink4 *uplink);

/* Ours; AF_UNSPEC: none. */
IpAddress uplink4_get_address(const Uplink4 *uplink);

const char *uplink4_get_state(const Uplink4 *uplink);
uint64_t uplink4_get_dropped(const Uplink4 *uplink); /* messages that changed nothing */
json_t *uplink4_lease_to_json(const Uplink4 *uplink);
