/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/uplink.h"

#include "base/cleanup.h"
#include "net/address-owner.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const use_texts[] = {
        [ADDRESS_USE_NONE] = "",
        [ADDRESS_USE_SAME_LINK] = "",
        [ADDRESS_USE_OWN] = "has the address",
        [ADDRESS_USE_GATEWAY] = "has a route through",
        [ADDRESS_USE_NEIGHBOUR] = "has the neighbour",
};
static_assert(ELEMENTSOF(use_texts) == _ADDRESS_USE_MAX, "a use without a text");

int uplink_judge_address(const UplinkContext *context, const Link *link, const IpAddress *address,
                char ret_refusal[static UPLINK_REFUSAL_MAX]) {
        char text[IP_ADDRESS_TEXT_MAX], name[IFNAMSIZ];
        AddressOwner owner;
        int r;

        r = address_owner_find(&owner, context->netlink, link->ifindex, address);
        if (r < 0) {
                snprintf(ret_refusal, UPLINK_REFUSAL_MAX,
                                "it cannot be told whether another link uses %s: %s",
                                ip_address_format(text, address), strerror(-r));
                return -EADDRINUSE;
        }
        if (owner.use == ADDRESS_USE_NONE || owner.use == ADDRESS_USE_SAME_LINK)
                return owner.use == ADDRESS_USE_SAME_LINK;
        if (!if_indextoname((unsigned) owner.ifindex, name))
                snprintf(name, sizeof(name), "%d", owner.ifindex);
        snprintf(ret_refusal, UPLINK_REFUSAL_MAX, "%s %s %s", name, use_texts[owner.use],
                        ip_address_format(text, address));
        return -EADDRINUSE;
}

void uplink_tell_busy(Attempts *attempts, const Link *link) {
        attempts_set_result(attempts, PORT_RESULT_NO_LEASE,
                        "another program uses the routing table %u, which is this port's",
                        NETLINK_TABLE_BASE + (unsigned) link->ifindex);
}
