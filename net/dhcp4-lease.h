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

/* The routes of one lease: one network and its router each. */
#define DHCP4_ROUTES_MAX 16

typedef struct Ip4Route {
        IpPrefix destination;
        struct in_addr router; /* 0.0.0.0: on the link */
} Ip4Route;

typedef struct Dhcp4Lease {
        IpPrefix address;
        struct in_addr server; /* option 54 */

        /* Seconds from the request; UINT32_MAX for ever. t1 <= t2 <= lifetime. */
        uint32_t lifetime, t1, t2;

        Ip4List routers, dns;
        char *domain; /* option 15 */

        /* Option 121 (RFC 3442). When there are any, `routers` counts for nothing. */
        Ip4Route routes[DHCP4_ROUTES_MAX];
        size_t n_routes;

        uint16_t mtu; /* option 26, for packets to all networks; 0: the link's */

        /* The configuration server and the file, each as given: which goes first is not decided here. */
        Ip4List tftp_servers;       /* option 150 */
        char *tftp_server_name;     /* option 66 */
        struct in_addr next_server; /* siaddr */
        char *server_name;          /* sname */
        char *boot_file;            /* option 67 */
        char *file;                 /* file */
        char *vendor_file;          /* option 125, else option 43: see DHCP4_VENDOR_FILE */
} Dhcp4Lease;

/*
 * The sub-option of options 43 (RFC 2132 §8.4) and 125 (RFC 3925) in which a server names the file: the number that the ZTP of
 * switches and ONIE's installer use. In option 125 it counts only with the device's own enterprise number.
 */
#define DHCP4_VENDOR_FILE 1

/*
 * Makes a lease of an OFFER or ACK. The message is refused with -EBADMSG where address, server or lease time are absent or
 * cannot be (RFC 2131 table 3); any other option that is malformed counts as absent. Lists are cut at their maximum. Text
 * has trailing NULs removed and must be printable ASCII. `enterprise` is the number that counts in option 125; 0: none.
 */
int dhcp4_lease_new(Dhcp4Lease **ret, const Dhcp4Message *message, uint32_t enterprise);
Dhcp4Lease *dhcp4_lease_free(Dhcp4Lease *lease);

/*
 * Whether somebody has set up this server for us: it names a configuration server or a file. siaddr alone says nothing, as some
 * servers always name themselves there.
 */
bool dhcp4_lease_has_configuration(const Dhcp4Lease *lease);
