/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * DHCPv6 on the wire, between client and server (RFC 8415 §8, §21): the options that are nested come as objects. Knows nothing of
 * sockets or states.
 */

#include "base/buffer.h"
#include "base/cursor.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DHCP6_CLIENT_PORT 546
#define DHCP6_SERVER_PORT 547

#define DHCP6_DUID_MAX 130 /* RFC 8415 §11.1 */

typedef enum Dhcp6Type {
        DHCP6_SOLICIT = 1,
        DHCP6_ADVERTISE = 2,
        DHCP6_REQUEST = 3,
        DHCP6_CONFIRM = 4,
        DHCP6_RENEW = 5,
        DHCP6_REBIND = 6,
        DHCP6_REPLY = 7,
        DHCP6_RELEASE = 8,
        DHCP6_DECLINE = 9,
        DHCP6_RECONFIGURE = 10,
        DHCP6_INFORMATION_REQUEST = 11,
} Dhcp6Type;

typedef enum Dhcp6Option {
        DHCP6_OPTION_CLIENT_ID = 1,
        DHCP6_OPTION_SERVER_ID = 2,
        DHCP6_OPTION_IA_NA = 3,
        DHCP6_OPTION_IA_ADDRESS = 5,
        DHCP6_OPTION_ORO = 6,
        DHCP6_OPTION_PREFERENCE = 7,
        DHCP6_OPTION_ELAPSED_TIME = 8,
        DHCP6_OPTION_UNICAST = 12,
        DHCP6_OPTION_STATUS = 13,
        DHCP6_OPTION_RAPID_COMMIT = 14,
        DHCP6_OPTION_USER_CLASS = 15,
        DHCP6_OPTION_VENDOR_CLASS = 16,
        DHCP6_OPTION_VENDOR_OPTIONS = 17,
        DHCP6_OPTION_DNS = 23,             /* RFC 3646 */
        DHCP6_OPTION_DOMAINS = 24,         /* RFC 3646 */
        DHCP6_OPTION_REFRESH_TIME = 32,    /* RFC 8415 §21.23 */
        DHCP6_OPTION_FQDN = 39,            /* RFC 4704 */
        DHCP6_OPTION_BOOT_URL = 59,        /* RFC 5970 */
        DHCP6_OPTION_BOOT_PARAMETERS = 60, /* RFC 5970 */
        DHCP6_OPTION_ARCHITECTURE = 61,    /* RFC 5970 */
        DHCP6_OPTION_SOL_MAX_RT = 82,      /* RFC 8415 §21.24 */
        DHCP6_OPTION_INF_MAX_RT = 83,
} Dhcp6Option;

typedef enum Dhcp6Status {
        DHCP6_STATUS_SUCCESS = 0,
        DHCP6_STATUS_UNSPEC_FAIL = 1,
        DHCP6_STATUS_NO_ADDRESSES = 2,
        DHCP6_STATUS_NO_BINDING = 3,
        DHCP6_STATUS_NOT_ON_LINK = 4,
        DHCP6_STATUS_USE_MULTICAST = 5,
} Dhcp6Status;

/* Of one message; more are left out. */
#define DHCP6_IAS_MAX 4
#define DHCP6_IA_ADDRESSES_MAX 4

typedef struct Dhcp6IaAddress {
        struct in6_addr address;
        uint32_t preferred, valid;
        uint16_t status;
} Dhcp6IaAddress;

typedef struct Dhcp6Ia {
        uint32_t iaid, t1, t2;
        uint16_t status;
        Dhcp6IaAddress addresses[DHCP6_IA_ADDRESSES_MAX];
        size_t n_addresses;
} Dhcp6Ia;

typedef struct Dhcp6Message {
        Dhcp6Type type;
        uint32_t xid;                /* 24 bits */
        Cursor client_id, server_id; /* of size 0: absent */
        uint16_t status;
        uint8_t preference;
        bool rapid_commit;
        Dhcp6Ia ias[DHCP6_IAS_MAX];
        size_t n_ias;
        Cursor options; /* all of them, in what was parsed */
} Dhcp6Message;

/*
 * Parses a whole UDP payload, which must stay as long as the message. Decided rules: an option that does not fit its frame, or is of a
 * size that it cannot have (of those above the line in Dhcp6Message), makes the message malformed, wherever it is nested; so does an
 * identifier that is given twice. Of other options that are given twice the first counts. Relay messages are none of a client's.
 * -EBADMSG otherwise.
 */
int dhcp6_message_parse(Dhcp6Message *ret, const uint8_t *data, size_t size);

/* The value of the first option with this code: true if there is one (it may be empty). */
bool dhcp6_message_option(const Dhcp6Message *message, Dhcp6Option code, Cursor *ret);

/* Of options as of DHCPv6's (code and size in 16 bits each): 1 and the next one, 0 at the end, or -EBADMSG. */
int dhcp6_next_option(Cursor *options, uint16_t *ret_code, Cursor *ret_value);

/* Building: begin, then options. buffer_status() says at the end whether all of it fitted. */
void dhcp6_build_begin(Buffer *buffer, Dhcp6Type type, uint32_t xid);
void dhcp6_append_option(Buffer *buffer, Dhcp6Option code, const void *data, size_t n);
void dhcp6_append_be16(Buffer *buffer, Dhcp6Option code, uint16_t value);

/* An IA_NA with the addresses of `ia`, if any. */
void dhcp6_append_ia(Buffer *buffer, const Dhcp6Ia *ia);
