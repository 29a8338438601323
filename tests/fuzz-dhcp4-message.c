/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "net/dhcp4-lease.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A server's message; and what of it becomes a lease holds what its header promises. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Dhcp4Message message;
        Dhcp4Lease *lease;

        if (dhcp4_message_parse(&message, data, size) < 0)
                return 0;
        for (unsigned code = 0; code < 256; code++) {
                Cursor value;
                uint8_t sum = 0;

                if (!dhcp4_message_option(&message, code, &value))
                        continue;
                for (size_t i = 0; i < value.left; i++)
                        sum ^= value.p[i];
                __asm__ volatile("" : : "r"(sum)); /* every byte is read */
        }
        if (dhcp4_lease_new(&lease, &message, 32473) < 0)
                return 0;
        if (!ip4_is_host(lease->address.address.v4) || lease->address.length < 1 ||
                        lease->address.length > 32 || lease->t1 > lease->t2 || lease->t2 > lease->lifetime ||
                        lease->lifetime < 10 || lease->routers.n > DHCP4_ADDRESSES_MAX ||
                        (lease->boot_file && !*lease->boot_file) ||
                        (lease->vendor_file && !*lease->vendor_file) || lease->n_routes > DHCP4_ROUTES_MAX ||
                        (lease->mtu > 0 && lease->mtu < 576))
                abort();
        for (size_t i = 0; i < lease->n_routes; i++)
                if (lease->routes[i].destination.length > 32)
                        abort();
        dhcp4_lease_free(lease);
        return 0;
}
