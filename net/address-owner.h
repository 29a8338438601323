/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Finds out whether this device uses an address already, before a port takes that address from a server. */

#include "net/netlink.h"

typedef enum AddressUse {
        ADDRESS_USE_NONE,
        ADDRESS_USE_SAME_LINK, /* the port has it */
        ADDRESS_USE_OWN,       /* another link has it */
        ADDRESS_USE_GATEWAY, /* the next hop of a route through another link, in whatever table but those of our ports */
        ADDRESS_USE_NEIGHBOUR, /* of another link: the device speaks with it there */
        _ADDRESS_USE_MAX,
} AddressUse;

typedef struct AddressOwner {
        AddressUse use;
        int ifindex; /* of the other link */
} AddressOwner;

int address_owner_find(AddressOwner *ret, Netlink *netlink, int ifindex, const IpAddress *address);
