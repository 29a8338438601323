/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The URL of DHCPv6's option 59 (RFC 5970 §3.1), taken apart. */

#include "net/domain-name.h"
#include "net/ip-address.h"

#define BOOT_URL_PATH_MAX 400 /* with its NUL: what a TFTP request can carry, beside its options */

typedef struct BootUrl {
        IpAddress address;          /* AF_UNSPEC: `host` is a name */
        char host[DOMAIN_NAME_MAX]; /* "" where it is an address */
        uint16_t port;
        char path[BOOT_URL_PATH_MAX]; /* decoded, without the first "/"; may be empty, or end in "/" */
} BootUrl;

/*
 * tftp://HOST[:PORT]/PATH with a name, an IPv4 address, or an IPv6 address in brackets. The zone of a link-local address counts for
 * nothing: it is the sender's, and ours is the port on which the URL came. RFC 3617's ";mode=octet" is taken, and is what we do
 * anyway.
 *
 * Strict: %XX must be two hexadecimal digits and give printable ASCII; there is no user, query or fragment; a port is 1 to 65535.
 * -EPROTONOSUPPORT for another scheme, -ENAMETOOLONG, else -EBADMSG.
 */
int boot_url_parse(const char *text, BootUrl *ret);
