/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp6-message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define IA_ADDRESS_SIZE (16 + 4 + 4)
#define OPTION_HEADER_SIZE 4

int dhcp6_next_option(Cursor *options, uint16_t *ret_code, Cursor *ret_value) {
        uint16_t code, size;

        if (options->left == 0)
                return 0;
        if (cursor_be16(options, &code) < 0 || cursor_be16(options, &size) < 0 ||
                        cursor_sub(options, size, ret_value) < 0)
                return -EBADMSG;
        *ret_code = code;
        return 1;
}

static int parse_status(Cursor value, uint16_t *ret) {
        return cursor_be16(&value, ret); /* its text is for a server's own log */
}

/* The options within an IA or an address, of which a status matters. They are walked to their end all the same. */
static int parse_nested_status(Cursor options, uint16_t *ret) {
        uint16_t code;
        Cursor value;
        int r;

        while ((r = dhcp6_next_option(&options, &code, &value)) > 0)
                if (code == DHCP6_OPTION_STATUS && parse_status(value, ret) < 0)
                        return -EBADMSG;
        return r;
}

static int parse_ia_address(Cursor value, Dhcp6Ia *ia) {
        Dhcp6IaAddress entry = { 0 };
        const uint8_t *address;

        if (cursor_take(&value, sizeof(entry.address), &address) < 0 ||
                        cursor_be32(&value, &entry.preferred) < 0 || cursor_be32(&value, &entry.valid) < 0 ||
                        parse_nested_status(value, &entry.status) < 0)
                return -EBADMSG;
        memcpy(&entry.address, address, sizeof(entry.address));
        if (ia->n_addresses < DHCP6_IA_ADDRESSES_MAX)
                ia->addresses[ia->n_addresses++] = entry;
        return 0;
}

static int parse_ia(Cursor value, Dhcp6Message *message) {
        Dhcp6Ia ia = { 0 };
        uint16_t code;
        Cursor option;
        int r;

        if (cursor_be32(&value, &ia.iaid) < 0 || cursor_be32(&value, &ia.t1) < 0 ||
                        cursor_be32(&value, &ia.t2) < 0)
                return -EBADMSG;
        while ((r = dhcp6_next_option(&value, &code, &option)) > 0) {
                if (code == DHCP6_OPTION_STATUS)
                        r = parse_status(option, &ia.status);
                else if (code == DHCP6_OPTION_IA_ADDRESS)
                        r = parse_ia_address(option, &ia);
                if (r < 0)
                        return r;
        }
        if (r >= 0 && message->n_ias < DHCP6_IAS_MAX)
                message->ias[message->n_ias++] = ia;
        return r;
}

static int parse_duid(Cursor value, Cursor *ret) {
        if (value.left == 0 || value.left > DHCP6_DUID_MAX || ret->left > 0)
                return -EBADMSG;
        *ret = value;
        return 0;
}

static int parse_option(Dhcp6Message *message, uint16_t code, Cursor value) {
        switch (code) {
        case DHCP6_OPTION_CLIENT_ID:
                return parse_duid(value, &message->client_id);
        case DHCP6_OPTION_SERVER_ID:
                return parse_duid(value, &message->server_id);
        case DHCP6_OPTION_IA_NA:
                return parse_ia(value, message);
        case DHCP6_OPTION_STATUS:
                return parse_status(value, &message->status);
        case DHCP6_OPTION_PREFERENCE:
                return value.left == 1 ? cursor_u8(&value, &message->preference) : -EBADMSG;
        case DHCP6_OPTION_RAPID_COMMIT:
                message->rapid_commit = true;
                return value.left == 0 ? 0 : -EBADMSG;
        default: /* RFC 8415 §16: others are the lease's, or ignored */
                return 0;
        }
}

int dhcp6_message_parse(Dhcp6Message *ret, const uint8_t *data, size_t size) {
        Dhcp6Message message = { 0 };
        Cursor cursor = CURSOR(data, size), value;
        uint32_t header;
        uint16_t code;
        int r;

        if (cursor_be32(&cursor, &header) < 0 || header >> 24 < DHCP6_SOLICIT ||
                        header >> 24 > DHCP6_INFORMATION_REQUEST)
                return -EBADMSG;
        message.type = header >> 24;
        message.xid = header & 0xffffff;
        message.options = cursor;
        while ((r = dhcp6_next_option(&cursor, &code, &value)) > 0) {
                r = parse_option(&message, code, value);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = message;
        return 0;
}

bool dhcp6_message_option(const Dhcp6Message *message, Dhcp6Option code, Cursor *ret) {
        Cursor options = message->options;
        uint16_t c;

        while (dhcp6_next_option(&options, &c, ret) > 0)
                if (c == code)
                        return true;
        return false;
}

void dhcp6_build_begin(Buffer *buffer, Dhcp6Type type, uint32_t xid) {
        buffer_append_be32(buffer, (uint32_t) type << 24 | (xid & 0xffffff));
}

void dhcp6_append_option(Buffer *buffer, Dhcp6Option code, const void *data, size_t n) {
        buffer_append_be16(buffer, (uint16_t) code);
        buffer_append_be16(buffer, (uint16_t) n);
        buffer_append(buffer, data, n);
}

void dhcp6_append_be16(Buffer *buffer, Dhcp6Option code, uint16_t value) {
        dhcp6_append_option(buffer, code, &(uint16_t){ htons(value) }, sizeof(value));
}

void dhcp6_append_ia(Buffer *buffer, const Dhcp6Ia *ia) {
        buffer_append_be16(buffer, DHCP6_OPTION_IA_NA);
        buffer_append_be16(
                        buffer, (uint16_t) (12 + ia->n_addresses * (OPTION_HEADER_SIZE + IA_ADDRESS_SIZE)));
        buffer_append_be32(buffer, ia->iaid);
        buffer_append_be32(buffer, ia->t1);
        buffer_append_be32(buffer, ia->t2);
        for (size_t i = 0; i < ia->n_addresses; i++) {
                buffer_append_be16(buffer, DHCP6_OPTION_IA_ADDRESS);
                buffer_append_be16(buffer, IA_ADDRESS_SIZE);
                buffer_append(buffer, &ia->addresses[i].address, sizeof(ia->addresses[i].address));
                buffer_append_be32(buffer, ia->addresses[i].preferred);
                buffer_append_be32(buffer, ia->addresses[i].valid);
        }
}
