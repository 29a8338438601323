/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/ber.h"

#include <assert.h>
#include <errno.h>

#define DEPTH_MAX 32

typedef struct Header {
        uint8_t tag;
        bool indefinite;
        size_t length;
} Header;

/* A header, and for a definite length the promise that its content is there. */
static int take_header(Cursor *cursor, Header *ret) {
        Cursor rest = *cursor;
        uint64_t length = 0;
        uint8_t tag, octet;

        if (cursor_u8(&rest, &tag) < 0 || cursor_u8(&rest, &octet) < 0)
                return -EBADMSG;
        if ((tag & 0x1f) == 0x1f || tag == 0)
                return -EBADMSG;
        /* 8.9.1 and 8.11.1: these are always constructed. OpenSSL's d2i does not look. */
        if (tag == (BER_SEQUENCE & ~BER_CONSTRUCTED) || tag == (BER_SET & ~BER_CONSTRUCTED))
                return -EBADMSG;
        if (octet == 0x80) {
                if (!(tag & BER_CONSTRUCTED)) /* 8.1.3.2 */
                        return -EBADMSG;
                *ret = (Header){ .tag = tag, .indefinite = true };
                *cursor = rest;
                return 0;
        }

        if (octet < 0x80)
                length = octet;
        else {
                if (octet > 0x80 + sizeof(length))
                        return -EBADMSG;
                for (unsigned n = octet & 0x7f; n > 0; n--) {
                        if (cursor_u8(&rest, &octet) < 0)
                                return -EBADMSG;
                        length = length << 8 | octet;
                }
        }
        if (length > rest.left)
                return -EBADMSG;
        *ret = (Header){ .tag = tag, .length = (size_t) length };
        *cursor = rest;
        return 0;
}

/* End-of-contents octets, 8.1.5. */
static bool at_end_of_contents(const Cursor *cursor) {
        return cursor->left >= 2 && cursor->p[0] == 0 && cursor->p[1] == 0;
}

bool ber_is(const Cursor *cursor, uint8_t tag) {
        return cursor->left > 0 && cursor->p[0] == tag;
}

int ber_enter(Cursor *cursor, uint8_t tag, BerFrame *ret) {
        Cursor rest = *cursor, content;
        Header header;

        assert(tag & BER_CONSTRUCTED);
        if (take_header(&rest, &header) < 0 || header.tag != tag)
                return -EBADMSG;
        if (header.indefinite) {
                *ret = (BerFrame){ .indefinite = true };
                *cursor = rest;
                return 0;
        }
        if (cursor_sub(&rest, header.length, &content) < 0)
                return -EBADMSG;
        *ret = (BerFrame){ .after = rest };
        *cursor = content;
        return 0;
}

bool ber_at_end(const Cursor *cursor, const BerFrame *frame) {
        return frame->indefinite ? at_end_of_contents(cursor) : cursor->left == 0;
}

int ber_leave(Cursor *cursor, const BerFrame *frame) {
        const uint8_t *p;

        if (!ber_at_end(cursor, frame))
                return -EBADMSG;
        if (frame->indefinite)
                return cursor_take(cursor, 2, &p);
        *cursor = frame->after;
        return 0;
}

int ber_skip(Cursor *cursor, Cursor *ret) {
        BerFrame frames[DEPTH_MAX];
        Cursor rest = *cursor, content;
        unsigned depth = 0;

        do
                if (depth > 0 && ber_at_end(&rest, &frames[depth - 1])) {
                        if (ber_leave(&rest, &frames[--depth]) < 0)
                                return -EBADMSG;
                } else if (rest.left == 0)
                        return -EBADMSG;
                else if (!(rest.p[0] & BER_CONSTRUCTED)) {
                        if (ber_take(&rest, rest.p[0], &content) < 0)
                                return -EBADMSG;
                } else if (depth == DEPTH_MAX || ber_enter(&rest, rest.p[0], &frames[depth++]) < 0)
                        return -EBADMSG;
        while (depth > 0);

        return cursor_sub(cursor, cursor->left - rest.left, ret);
}

int ber_take(Cursor *cursor, uint8_t tag, Cursor *ret) {
        Cursor rest = *cursor;
        Header header;

        assert(!(tag & BER_CONSTRUCTED));
        if (take_header(&rest, &header) < 0 || header.tag != tag ||
                        cursor_sub(&rest, header.length, ret) < 0)
                return -EBADMSG;
        *cursor = rest;
        return 0;
}

int ber_string_open(Cursor cursor, uint8_t tag, BerString *ret) {
        BerString string = { .cursor = cursor };

        if (ber_is(&cursor, tag))
                string.primitive_tag = tag;
        else if (ber_enter(&string.cursor, tag | BER_CONSTRUCTED, &string.frames[string.depth++]) < 0)
                return -EBADMSG;
        *ret = string;
        return 0;
}

int ber_string_next(BerString *string, Cursor *ret) {
        if (string->primitive_tag != 0) {
                uint8_t tag = string->primitive_tag;

                string->primitive_tag = 0;
                return ber_take(&string->cursor, tag, ret) < 0 ? -EBADMSG : 1;
        }

        while (string->depth > 0) {
                if (ber_at_end(&string->cursor, &string->frames[string->depth - 1])) {
                        if (ber_leave(&string->cursor, &string->frames[--string->depth]) < 0)
                                return -EBADMSG;
                } else if (ber_is(&string->cursor, BER_OCTET_STRING))
                        return ber_take(&string->cursor, BER_OCTET_STRING, ret) < 0 ? -EBADMSG : 1;
                else if (string->depth == BER_STRING_DEPTH ||
                                ber_enter(&string->cursor, BER_OCTET_STRING | BER_CONSTRUCTED,
                                                &string->frames[string->depth++]) < 0)
                        return -EBADMSG;
        }
        return 0;
}
