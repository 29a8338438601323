/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a lease says that the configuration is (RFC 8886 §4.3): servers in their order, and on each of them file names in
 * theirs.
 *
 * DHCPv4. Server: option 150, each address; option 66; siaddr; sname. Options 66 and sname are addresses or names. Option 54, the
 * DHCP server itself, never stands in for them. File: option 67, else the `file` field, else the vendor's sub-option
 * (DHCP4_VENDOR_FILE).
 *
 * DHCPv6. Both are in the URL of option 59, else in that of the vendor's sub-option (DHCP6_VENDOR_FILE).
 *
 * Where no file is named, it is the names of [Install] Names=. A name that ends in "/" is a folder in which those are looked for.
 */

#include "agent/config.h"
#include "agent/identity.h"
#include "net/boot-url.h"
#include "net/dhcp4-lease.h"
#include "net/dhcp6-lease.h"

#include <net/ethernet.h>

#define TARGETS_SERVERS_MAX 12
#define TARGETS_URL_MAX 512

typedef struct TargetServer {
        IpAddress address;          /* AF_UNSPEC: that of `name`, which is to be looked up */
        char name[DOMAIN_NAME_MAX]; /* "" where it is an address */
        uint16_t port;
} TargetServer;

typedef struct Targets {
        TargetServer servers[TARGETS_SERVERS_MAX];
        size_t n_servers;
        char **files; /* paths on the server, never empty strings */
        size_t n_files;
} Targets;

/*
 * Names= in which an unknown value is asked for are left out ("%s.enc" of a device without a serial number). Both lists may
 * come out empty. Return 0 or -ENOMEM; targets_new6() also what boot_url_parse() has against the URL.
 */
int targets_new4(Targets **ret, const Dhcp4Lease *lease, const StringList *names, const Identity *identity,
                const struct ether_addr *address);
int targets_new6(Targets **ret, const Dhcp6Lease *lease, const StringList *names, const Identity *identity,
                const struct ether_addr *address);
Targets *targets_free(Targets *targets);

/* "tftp://192.0.2.1/SN19842256.enc" */
const char *targets_url(char text[static TARGETS_URL_MAX], const TargetServer *server, const char *file);

/*
 * Expands %s (serial number), %m (MAC address, 00-11-22-33-44-55), %u (UUID), %p (platform), %%. 0 and a string that the caller
 * frees; -ENODATA where a value is not known; -ENOMEM.
 */
int targets_expand(const char *name, const Identity *identity, const struct ether_addr *address, char **ret);
