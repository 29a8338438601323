/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Walks BER (X.690) in place: what is small goes to OpenSSL's d2i as a slice of the file, what is large is never copied to
 * be read. All lengths are checked against what is left, definite and indefinite ones, in the shortest form or not;
 * nesting is bounded; tags are single octets (CMS has no others). Every error is -EBADMSG.
 */

#include "base/cursor.h"

#include <stdbool.h>

/* Identifier octets. */
#define BER_INTEGER 0x02
#define BER_OCTET_STRING 0x04
#define BER_OBJECT 0x06
#define BER_SEQUENCE 0x30
#define BER_SET 0x31
#define BER_CONSTRUCTED 0x20
#define BER_CONTEXT(n) (0x80 | (n))

/* A constructed element that was entered: the way out of it. */
typedef struct BerFrame {
        Cursor after; /* behind the element; unknown yet when indefinite */
        bool indefinite;
} BerFrame;

/* The next element is of this tag. */
bool ber_is(const Cursor *cursor, uint8_t tag);

/* Goes into the next element, which must be of this tag; *cursor is then its content. */
int ber_enter(Cursor *cursor, uint8_t tag, BerFrame *ret);

/* The content has been read to its end. */
bool ber_at_end(const Cursor *cursor, const BerFrame *frame);

/* Goes out again; an error unless the content has been read to its end. */
int ber_leave(Cursor *cursor, const BerFrame *frame);

/* Takes the next element whole, header and all, after a walk through everything in it. */
int ber_skip(Cursor *cursor, Cursor *ret);

/* Takes the content of a primitive element. */
int ber_take(Cursor *cursor, uint8_t tag, Cursor *ret);

/*
 * An OCTET STRING of tag `tag`, primitive or constructed of others, piece by piece. A copy of a BerString that was
 * just opened walks the same pieces again.
 */
#define BER_STRING_DEPTH 5 /* as OpenSSL */

typedef struct BerString {
        Cursor cursor;
        uint8_t primitive_tag; /* not 0: the string is primitive, and still to be read */
        unsigned depth;
        BerFrame frames[BER_STRING_DEPTH];
} BerString;

int ber_string_open(Cursor cursor, uint8_t tag, BerString *ret);

/* 1 and the next piece; 0 at the end, when string->cursor is behind the string. */
int ber_string_next(BerString *string, Cursor *ret);
