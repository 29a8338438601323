/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tftp-packet.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
        const char *name;
        uint64_t min, max;
} option_table[] = {
        [TFTP_OPTION_TSIZE] = { "tsize", 0, INT64_MAX },
        [TFTP_OPTION_BLKSIZE] = { "blksize", TFTP_BLOCK_SIZE_MIN, TFTP_BLOCK_SIZE_MAX },
        [TFTP_OPTION_WINDOWSIZE] = { "windowsize", 1, 65535 },
        [TFTP_OPTION_TIMEOUT] = { "timeout", 1, 255 },
        [TFTP_OPTION_UTIMEOUT] = { "utimeout", 10000, 255000000 },
};

_Static_assert(ELEMENTSOF(option_table) == _TFTP_OPTION_MAX, "a row for each option");

bool tftp_options_any(const TftpOptions *options) {
        for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++)
                if (options->present[i])
                        return true;
        return false;
}

static bool value_acceptable(TftpOption option, uint64_t asked, uint64_t granted) {
        switch (option) {
        case TFTP_OPTION_BLKSIZE:
        case TFTP_OPTION_WINDOWSIZE:
                return granted <= asked;
        case TFTP_OPTION_TIMEOUT:
        case TFTP_OPTION_UTIMEOUT:
                return granted == asked;
        case TFTP_OPTION_TSIZE:
        case _TFTP_OPTION_MAX:
                break;
        }
        return true;
}

bool tftp_options_acceptable(const TftpOptions *asked, const TftpOptions *granted) {
        for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++)
                if (granted->present[i] &&
                                (!asked->present[i] ||
                                                !value_acceptable(i, asked->value[i], granted->value[i])))
                        return false;
        return true;
}

/* A string with its NUL; it lies in the packet. */
static int take_string(Cursor *cursor, const char **ret) {
        const uint8_t *p;
        size_t n = strnlen((const char *) cursor->p, cursor->left);
        int r;

        r = cursor_take(cursor, n + 1, &p);
        if (r < 0)
                return r;
        *ret = (const char *) p;
        return 0;
}

static int parse_option(Cursor *cursor, TftpOptions *options) {
        const char *name, *text;
        uint64_t value;
        int r;

        r = take_string(cursor, &name);
        if (r < 0)
                return r;
        r = take_string(cursor, &text);
        if (r < 0)
                return r;

        for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++) {
                if (strcasecmp(name, option_table[i].name) != 0) /* RFC 2347: case does not matter */
                        continue;
                if (options->present[i] || text_parse_u64(text, option_table[i].max, &value) < 0 ||
                                value < option_table[i].min)
                        return -EBADMSG;
                tftp_options_set(options, i, value);
                return 0;
        }
        return -EOPNOTSUPP;
}

static int parse_oack(Cursor cursor, TftpOptions *ret) {
        TftpOptions options = {};

        do {
                if (parse_option(&cursor, &options) < 0)
                        return -EOPNOTSUPP;
        } while (cursor.left > 0);

        *ret = options;
        return 0;
}

int tftp_packet_parse(TftpPacket *ret, const uint8_t *data, size_t size) {
        Cursor cursor = CURSOR(data, size);
        TftpPacket packet = {};
        uint16_t opcode;
        int r;

        r = cursor_be16(&cursor, &opcode);
        if (r < 0)
                return r;

        switch (opcode) {
        case TFTP_DATA:
                r = cursor_be16(&cursor, &packet.block);
                break;
        case TFTP_ERROR:
                r = cursor_be16(&cursor, &packet.code);
                break;
        case TFTP_OACK:
                r = parse_oack(cursor, &packet.options);
                break;
        default: /* a number from the wire; requests and ACKs are nothing that a server sends either */
                r = -EBADMSG;
        }
        if (r < 0)
                return r;

        packet.opcode = opcode;
        packet.data = cursor.p;
        /*
         * The message ends at its NUL (RFC 1350 §5). Servers forget it, and its code counts more than its
         * form.
         */
        packet.size = opcode == TFTP_ERROR ? strnlen((const char *) cursor.p, cursor.left) : cursor.left;
        *ret = packet;
        return 0;
}

static void append_string(Buffer *buffer, const char *text) {
        buffer_append(buffer, text, strlen(text) + 1);
}

int tftp_build_request(
                uint8_t packet[static TFTP_REQUEST_MAX], const char *name, const TftpOptions *options) {
        Buffer buffer = BUFFER(packet, TFTP_REQUEST_MAX);

        if (!*name)
                return -EINVAL;

        buffer_append_be16(&buffer, TFTP_RRQ);
        append_string(&buffer, name);
        append_string(&buffer, "octet");
        for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++) {
                char text[24];

                if (!options->present[i])
                        continue;
                snprintf(text, sizeof(text), "%" PRIu64, options->value[i]);
                append_string(&buffer, option_table[i].name);
                append_string(&buffer, text);
        }
        return buffer_status(&buffer) < 0 ? -ENAMETOOLONG : (int) buffer.size;
}

size_t tftp_build_ack(uint8_t packet[static TFTP_HEADER_SIZE], uint16_t block) {
        Buffer buffer = BUFFER(packet, TFTP_HEADER_SIZE);

        buffer_append_be16(&buffer, TFTP_ACK);
        buffer_append_be16(&buffer, block);
        return buffer.size;
}

size_t tftp_build_error(uint8_t packet[static TFTP_ERROR_PACKET_MAX], TftpErrorCode code, const char *text) {
        Buffer buffer = BUFFER(packet, TFTP_ERROR_PACKET_MAX);

        buffer_append_be16(&buffer, TFTP_ERROR);
        buffer_append_be16(&buffer, (uint16_t) code);
        append_string(&buffer, text);
        assert(buffer_status(&buffer) == 0);
        return buffer.size;
}
