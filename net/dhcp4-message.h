/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * DHCPv4 on the wire: the BOOTP frame (RFC 2131 §2), options (RFC 2132), option overload, long options (RFC 3396). Knows
 * nothing of sockets or states.
 */

#include "base/buffer.h"
#include "base/cursor.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68

/* What a jumbo frame carries; more is not accepted. */
#define DHCP4_MESSAGE_MAX 9216

typedef enum Dhcp4Type {
        DHCP4_DISCOVER = 1,
        DHCP4_OFFER = 2,
        DHCP4_REQUEST = 3,
        DHCP4_DECLINE = 4,
        DHCP4_ACK = 5,
        DHCP4_NAK = 6,
        DHCP4_RELEASE = 7,
} Dhcp4Type;

typedef enum Dhcp4Option {
        DHCP4_OPTION_PAD = 0,
        DHCP4_OPTION_SUBNET_MASK = 1,
        DHCP4_OPTION_ROUTER = 3,
        DHCP4_OPTION_DNS = 6,
        DHCP4_OPTION_HOST_NAME = 12,
        DHCP4_OPTION_DOMAIN_NAME = 15,
        DHCP4_OPTION_MTU = 26,
        DHCP4_OPTION_VENDOR_SPECIFIC = 43,
        DHCP4_OPTION_REQUESTED_ADDRESS = 50,
        DHCP4_OPTION_LEASE_TIME = 51,
        DHCP4_OPTION_OVERLOAD = 52,
        DHCP4_OPTION_MESSAGE_TYPE = 53,
        DHCP4_OPTION_SERVER_ID = 54,
        DHCP4_OPTION_PARAMETER_LIST = 55,
        DHCP4_OPTION_MESSAGE = 56,
        DHCP4_OPTION_MAX_MESSAGE_SIZE = 57,
        DHCP4_OPTION_T1 = 58,
        DHCP4_OPTION_T2 = 59,
        DHCP4_OPTION_VENDOR_CLASS = 60,
        DHCP4_OPTION_CLIENT_ID = 61,
        DHCP4_OPTION_TFTP_SERVER_NAME = 66,
        DHCP4_OPTION_BOOT_FILE = 67,
        DHCP4_OPTION_USER_CLASS = 77,          /* RFC 3004 */
        DHCP4_OPTION_RAPID_COMMIT = 80,        /* RFC 4039 */
        DHCP4_OPTION_ARCHITECTURE = 93,        /* RFC 4578 */
        DHCP4_OPTION_UUID = 97,                /* RFC 4578 */
        DHCP4_OPTION_CLASSLESS_ROUTES = 121,   /* RFC 3442 */
        DHCP4_OPTION_VENDOR_IDENTIFYING = 124, /* RFC 3925: vendor class */
        DHCP4_OPTION_VENDOR_INFORMATION = 125, /* RFC 3925: vendor-specific information */
        DHCP4_OPTION_TFTP_SERVERS = 150,       /* RFC 5859 */
        DHCP4_OPTION_END = 255,
} Dhcp4Option;

/* The fields of the frame that mean something to a client. */
typedef struct Dhcp4Header {
        bool reply; /* op: BOOTREPLY, else BOOTREQUEST */
        uint32_t xid;
        uint16_t secs;
        bool broadcast;
        struct in_addr ciaddr, yiaddr, siaddr, giaddr;
        struct ether_addr chaddr;
} Dhcp4Header;

typedef struct Dhcp4Message {
        Dhcp4Header header;
        Dhcp4Type type;
        char sname[64 + 1]; /* as they came, cut at the first NUL; empty where option 52 took the field */
        char file[128 + 1];

        struct {
                uint16_t offset, size;
                bool present;
        } options[256];
        uint8_t data[DHCP4_MESSAGE_MAX];
} Dhcp4Message;

/*
 * Parses a whole UDP payload. Decided rules: Ethernet only; the magic cookie must be there; an option that does not fit
 * its area makes the message malformed; an option given more than once is one long option (RFC 3396 §5), in the order
 * options, file, sname; a missing END is forgiven; message type must be there once and known. Returns 0 or -EBADMSG.
 */
int dhcp4_message_parse(Dhcp4Message *ret, const uint8_t *data, size_t size);

/* The option's whole value: true and a cursor into the message if it is there (it may be empty). */
bool dhcp4_message_option(const Dhcp4Message *message, Dhcp4Option code, Cursor *ret);

/* For options of fixed size: 0, -ENODATA if absent, -EBADMSG if of another size. */
int dhcp4_message_be32(const Dhcp4Message *message, Dhcp4Option code, uint32_t *ret);
int dhcp4_message_address(const Dhcp4Message *message, Dhcp4Option code, struct in_addr *ret);

/* Building: begin, then options, then end. buffer_status() says at the end whether all of it fitted. */
void dhcp4_build_begin(Buffer *buffer, const Dhcp4Header *header, Dhcp4Type type);
void dhcp4_append_option(Buffer *buffer, Dhcp4Option code, const void *data, size_t n);
void dhcp4_append_be16(Buffer *buffer, Dhcp4Option code, uint16_t value);
void dhcp4_append_address(Buffer *buffer, Dhcp4Option code, struct in_addr address);
void dhcp4_build_end(Buffer *buffer);
