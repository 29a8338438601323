/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "net/dhcp6-lease.h"
#include "net/ip-address.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTERPRISE 32473 /* RFC 5612: for examples */

static void check_lease(const Dhcp6Lease *lease) {
        if (lease->n_server_id == 0 || lease->n_server_id > DHCP6_DUID_MAX ||
                        lease->n_addresses > DHCP6_ADDRESSES_MAX || lease->n_dns > DHCP6_DNS_MAX ||
                        lease->n_domains > DHCP6_DOMAINS_MAX || lease->refresh_time < 600 ||
                        (lease->boot_url && !*lease->boot_url) ||
                        (lease->boot_parameters && !*lease->boot_parameters) ||
                        (lease->vendor_file && !*lease->vendor_file))
                abort();
        for (size_t i = 0; i < lease->n_addresses; i++)
                if (!ip6_is_global(&lease->addresses[i].address) ||
                                lease->addresses[i].preferred > lease->addresses[i].valid)
                        abort();
        if (lease->n_addresses > 0 && (lease->t1 > lease->t2 || lease->t2 > lease->lifetime))
                abort();
        for (size_t i = 0; i < lease->n_domains; i++)
                if (!domain_name_is_valid(lease->domains[i]))
                        abort();
}

/* A server's message; and what of it becomes a lease holds what its header promises. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Dhcp6Message message;
        Cursor options, value;
        Dhcp6Lease *lease;
        uint16_t code;
        int r;

        if (dhcp6_message_parse(&message, data, size) < 0)
                return 0;
        if (message.n_ias > DHCP6_IAS_MAX)
                abort();
        options = message.options;
        while ((r = dhcp6_next_option(&options, &code, &value)) > 0) {
                uint8_t sum = 0;

                for (size_t i = 0; i < value.left; i++)
                        sum ^= value.p[i];
                __asm__ volatile("" : : "r"(sum)); /* every byte is read */
        }
        if (r < 0)
                abort(); /* it has been walked before */
        if (dhcp6_lease_new(&lease, &message, message.n_ias > 0 ? message.ias[0].iaid : 0, ENTERPRISE) < 0)
                return 0;
        check_lease(lease);
        dhcp6_lease_free(lease);
        return 0;
}
