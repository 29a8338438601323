/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a DHCPv4 server gave, checked and in host form: a plain value that owns its strings. */

#include "net/dhcp4-message.h"
#include "net/ip-address.h"

#include <stdint.h>

#define DHCP4_ADDRESSES_MAX 8

typedef struct Ip4List {
        struct in_addr addresses[DHCP4_ADDRESSES_MAX];
        size_t n;
} Ip4List;

typedef struct Dhcp4Lease {
        IpPrefix address;
        struct in_addr server; /* option 54 */

        /* Seconds from the request; UINT32_MAX for ever. t1 <= t2 <= lifetime. */
        uint32_t lifetime, t1, t2;

        Ip4List routers, dns;

        /* The configuration server and the file, each as given: which goes first is not decided here. */
        Ip4List tftp_servers;       /* option 150 */
        char *tftp_server_name;     /* option 66 */
        struct in_addr next_server; /* siaddr */
        char *server_name;          /* sname */
        char *boot_file;            /* option 67 */
        char *file;                 /* file */
} Dhcp4Lease;

/*
 * Makes a lease of an OFFER or ACK. The message is refused with -EBADMSG where address, server or lease time are absent or
 * cannot be (RFC 2131 table 3); any other option that is malformed counts as absent. Lists are cut at their maximum. Text
 * has trailing NULs removed and must be printable ASCII.
 */
int dhcp4_lease_new(Dhcp4Lease **ret, const Dhcp4Message *message);
Dhcp4Lease *dhcp4_lease_free(Dhcp4Lease *lease);
