/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-message.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <string.h>

#define MAGIC_COOKIE 0x63825363u /* RFC 2131 §3 */
#define OP_REQUEST 1
#define OP_REPLY 2
#define FLAG_BROADCAST 0x8000

/* BOOTP relays may drop what is shorter (RFC 1542 §2.1). */
#define SIZE_MIN 300

#define OVERLOAD_FILE 1
#define OVERLOAD_SNAME 2

/* Returns 1 and an option, 0 at the end of the area, or -EBADMSG. */
static int next_option(Cursor *area, uint8_t *ret_code, Cursor *ret_value) {
        uint8_t code, size;
        int r;

        do
                if (cursor_u8(area, &code) < 0)
                        return 0;
        while (code == DHCP4_OPTION_PAD);
        if (code == DHCP4_OPTION_END)
                return 0;

        r = cursor_u8(area, &size);
        if (r < 0)
                return r;
        r = cursor_sub(area, size, ret_value);
        if (r < 0)
                return r;
        *ret_code = code;
        return 1;
}

static int find_overload(Cursor options, uint8_t *ret) {
        uint8_t overload = 0, code;
        Cursor value;
        int r;

        while ((r = next_option(&options, &code, &value)) > 0)
                if (code == DHCP4_OPTION_OVERLOAD) {
                        if (value.left != 1 || value.p[0] < 1 || value.p[0] > 3)
                                return -EBADMSG;
                        overload |= value.p[0];
                }
        if (r < 0)
                return r;
        *ret = overload;
        return 0;
}

/* RFC 3396 §7: every option is put together from all its parts, area by area, so first their sizes, then their bytes. */
static int collect_options(Dhcp4Message *message, const Cursor *areas, size_t n_areas) {
        uint16_t filled[256] = { 0 };
        size_t offset = 0;
        uint8_t code;
        Cursor value;
        int r;

        for (size_t i = 0; i < n_areas; i++) {
                Cursor area = areas[i];

                while ((r = next_option(&area, &code, &value)) > 0) {
                        message->options[code].present = true;
                        message->options[code].size += (uint16_t) value.left;
                }
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < 256; i++) {
                message->options[i].offset = (uint16_t) offset;
                offset += message->options[i].size;
        }
        for (size_t i = 0; i < n_areas; i++) {
                Cursor area = areas[i];

                while (next_option(&area, &code, &value) > 0) {
                        memcpy(message->data + message->options[code].offset + filled[code], value.p,
                                        value.left);
                        filled[code] += (uint16_t) value.left;
                }
        }
        return 0;
}

static void copy_field(char *text, const Cursor *field) {
        size_t n = strnlen((const char *) field->p, field->left);

        memcpy(text, field->p, n);
        text[n] = '\0';
}

static int parse_addresses(Cursor *frame, Dhcp4Header *header) {
        struct in_addr *const addresses[] = {
                &header->ciaddr,
                &header->yiaddr,
                &header->siaddr,
                &header->giaddr,
        };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                uint32_t address;
                int r = cursor_be32(frame, &address);

                if (r < 0)
                        return r;
                addresses[i]->s_addr = htonl(address);
        }
        return 0;
}

static int parse_header(Cursor *frame, Dhcp4Header *header, Cursor *sname, Cursor *file) {
        uint8_t op, htype, hlen, hops;
        const uint8_t *chaddr;
        uint16_t flags;
        uint32_t cookie;

        if (cursor_u8(frame, &op) < 0 || cursor_u8(frame, &htype) < 0 || cursor_u8(frame, &hlen) < 0 ||
                        cursor_u8(frame, &hops) < 0 || cursor_be32(frame, &header->xid) < 0 ||
                        cursor_be16(frame, &header->secs) < 0 || cursor_be16(frame, &flags) < 0 ||
                        parse_addresses(frame, header) < 0 || cursor_take(frame, 16, &chaddr) < 0 ||
                        cursor_sub(frame, 64, sname) < 0 || cursor_sub(frame, 128, file) < 0 ||
                        cursor_be32(frame, &cookie) < 0)
                return -EBADMSG;
        if ((op != OP_REQUEST && op != OP_REPLY) || htype != ARPHRD_ETHER || hlen != ETH_ALEN ||
                        cookie != MAGIC_COOKIE)
                return -EBADMSG;

        header->reply = op == OP_REPLY;
        header->broadcast = flags & FLAG_BROADCAST;
        memcpy(&header->chaddr, chaddr, sizeof(header->chaddr));
        return 0;
}

static int parse_type(Dhcp4Message *message) {
        Cursor value;

        if (!dhcp4_message_option(message, DHCP4_OPTION_MESSAGE_TYPE, &value) || value.left != 1 ||
                        value.p[0] < DHCP4_DISCOVER || value.p[0] > DHCP4_RELEASE)
                return -EBADMSG;
        message->type = value.p[0];
        return 0;
}

int dhcp4_message_parse(Dhcp4Message *ret, const uint8_t *data, size_t size) {
        Cursor frame = CURSOR(data, size), sname, file, areas[3];
        size_t n_areas = 0;
        uint8_t overload;
        int r;

        if (size > sizeof(ret->data))
                return -EBADMSG;
        memset(ret, 0, offsetof(Dhcp4Message, data));

        r = parse_header(&frame, &ret->header, &sname, &file);
        if (r < 0)
                return r;
        r = find_overload(frame, &overload);
        if (r < 0)
                return r;

        areas[n_areas++] = frame;
        if (overload & OVERLOAD_FILE)
                areas[n_areas++] = file;
        else
                copy_field(ret->file, &file);
        if (overload & OVERLOAD_SNAME)
                areas[n_areas++] = sname;
        else
                copy_field(ret->sname, &sname);

        r = collect_options(ret, areas, n_areas);
        if (r < 0)
                return r;
        return parse_type(ret);
}

bool dhcp4_message_option(const Dhcp4Message *message, Dhcp4Option code, Cursor *ret) {
        if (!message->options[code].present)
                return false;
        *ret = CURSOR(message->data + message->options[code].offset, message->options[code].size);
        return true;
}

int dhcp4_message_be32(const Dhcp4Message *message, Dhcp4Option code, uint32_t *ret) {
        Cursor value;

        if (!dhcp4_message_option(message, code, &value))
                return -ENODATA;
        if (value.left != sizeof(uint32_t))
                return -EBADMSG;
        return cursor_be32(&value, ret);
}

int dhcp4_message_address(const Dhcp4Message *message, Dhcp4Option code, struct in_addr *ret) {
        uint32_t address;
        int r;

        r = dhcp4_message_be32(message, code, &address);
        if (r < 0)
                return r;
        ret->s_addr = htonl(address);
        return 0;
}

void dhcp4_build_begin(Buffer *buffer, const Dhcp4Header *header, Dhcp4Type type) {
        const struct in_addr addresses[] = { header->ciaddr, header->yiaddr, header->siaddr,
                header->giaddr };

        buffer_append_u8(buffer, header->reply ? OP_REPLY : OP_REQUEST);
        buffer_append_u8(buffer, ARPHRD_ETHER);
        buffer_append_u8(buffer, ETH_ALEN);
        buffer_append_u8(buffer, 0); /* hops: a relay's */
        buffer_append_be32(buffer, header->xid);
        buffer_append_be16(buffer, header->secs);
        buffer_append_be16(buffer, header->broadcast ? FLAG_BROADCAST : 0);
        buffer_append(buffer, addresses, sizeof(addresses));
        buffer_append(buffer, &header->chaddr, sizeof(header->chaddr));
        buffer_append_zeros(buffer, 16 - sizeof(header->chaddr) + 64 + 128);
        buffer_append_be32(buffer, MAGIC_COOKIE);
        dhcp4_append_option(buffer, DHCP4_OPTION_MESSAGE_TYPE, &(uint8_t){ type }, 1);
}

void dhcp4_append_option(Buffer *buffer, Dhcp4Option code, const void *data, size_t n) {
        const uint8_t *p = data;

        /* RFC 3396 §6: what is longer than 255 bytes goes on in another option of the same code. */
        for (;;) {
                size_t part = MIN(n, (size_t) 255);

                buffer_append_u8(buffer, (uint8_t) code);
                buffer_append_u8(buffer, (uint8_t) part);
                buffer_append(buffer, p, part);
                n -= part;
                if (n == 0)
                        return;
                p += part;
        }
}

void dhcp4_append_be16(Buffer *buffer, Dhcp4Option code, uint16_t value) {
        dhcp4_append_option(buffer, code, &(uint16_t){ htons(value) }, sizeof(value));
}

void dhcp4_append_address(Buffer *buffer, Dhcp4Option code, struct in_addr address) {
        dhcp4_append_option(buffer, code, &address, sizeof(address));
}

void dhcp4_build_end(Buffer *buffer) {
        buffer_append_u8(buffer, DHCP4_OPTION_END);
        if (buffer->size < SIZE_MIN)
                buffer_append_zeros(buffer, SIZE_MIN - buffer->size);
}
