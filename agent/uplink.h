/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What one family of addresses has on one port, from carrier to carrier: the way to the network, and to where the configuration is.
 * There is an Uplink4 and an Uplink6, each with Attempts of its own. They start together and know nothing of each other; a Port is
 * what has both.
 */

#include "agent/attempts.h"
#include "agent/config.h"
#include "agent/identity.h"
#include "agent/ledger.h"
#include "net/dhcp4-raw.h"
#include "net/ip6-raw.h"
#include "net/links.h"
#include "net/slaac.h"

#define UPLINK_REFUSAL_MAX 160

/* What all uplinks share; the manager's. */
typedef struct UplinkContext {
        EventLoop *loop;
        Netlink *netlink;
        Ledger *ledger;
        Dhcp4Raw *dhcp4;
        Ip6Raw *ip6;
        const Config *config;
        const Identity *identity;
        bool has_secret; /* of this machine, for addresses that tell nobody which one it is */
        uint8_t secret[SLAAC_SECRET_SIZE];
} UplinkContext;

/*
 * Whether a port may have an address: 1 when it has it already, 0 when nobody has it, -EADDRINUSE when another link of the device has or
 * uses it, or that cannot be told. `ret_refusal` then says so.
 */
int uplink_judge_address(const UplinkContext *context, const Link *link, const IpAddress *address,
                char ret_refusal[static UPLINK_REFUSAL_MAX]);

/* The port's routing table is somebody else's. */
void uplink_tell_busy(Attempts *attempts, const Link *link);

/* NULL for an empty text. */
static inline const char *uplink_text(const char *text) {
        return *text ? text : NULL;
}
