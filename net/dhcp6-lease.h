/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a DHCPv6 server gave, checked and in host form: a plain value that owns its strings. */

#include "net/dhcp6-message.h"
#include "net/domain-name.h"

#include <stdint.h>

#define DHCP6_ADDRESSES_MAX DHCP6_IA_ADDRESSES_MAX
#define DHCP6_DNS_MAX 4
#define DHCP6_DOMAINS_MAX 4

typedef struct Dhcp6Lease {
        uint8_t server_id[DHCP6_DUID_MAX];
        size_t n_server_id;
        uint8_t preference;
        struct in6_addr unicast; /* option 12: where the server can be asked directly; ::: nowhere */

        /* None where the server was asked for the rest only, or has none. Times in seconds; UINT32_MAX for ever. */
        Dhcp6IaAddress addresses[DHCP6_ADDRESSES_MAX];
        size_t n_addresses;
        uint32_t t1, t2, lifetime; /* t1 <= t2 <= lifetime: of the address that is valid for longest */

        uint32_t refresh_time;           /* when to ask again for what has no lease */
        uint32_t sol_max_rt, inf_max_rt; /* 0: not told */

        struct in6_addr dns[DHCP6_DNS_MAX];
        char domains[DHCP6_DOMAINS_MAX][DOMAIN_NAME_MAX];
        size_t n_dns, n_domains;

        char *boot_url;        /* option 59 */
        char *boot_parameters; /* option 60, with a space between them */
        char *vendor_file;     /* option 17: see DHCP6_VENDOR_FILE */
} Dhcp6Lease;

/* As DHCP4_VENDOR_FILE. It counts only with the device's own enterprise number. */
#define DHCP6_VENDOR_FILE 1

/*
 * Makes a lease of an ADVERTISE or REPLY: the addresses are those of the IA `iaid`. -EBADMSG where there is no server identifier. An
 * address that cannot be used is left out: a status other than success, a preferred lifetime above the valid one (RFC 8415 §21.6),
 * valid for less than ten seconds, not of a host. Any other option that is malformed counts as absent. Text must be printable
 * ASCII. `enterprise` is the number that counts in option 17; 0: none.
 */
int dhcp6_lease_new(Dhcp6Lease **ret, const Dhcp6Message *message, uint32_t iaid, uint32_t enterprise);
Dhcp6Lease *dhcp6_lease_free(Dhcp6Lease *lease);

/* Whether somebody has set up this server for us: it names a file. */
bool dhcp6_lease_has_configuration(const Dhcp6Lease *lease);
