/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one way in which bytes from outside are read. A cursor is what is left of a message; every read checks
 * against that and moves on. A read that does not fit returns -EBADMSG and leaves cursor and outputs untouched.
 */

#include <stddef.h>
#include <stdint.h>

typedef struct Cursor {
        const uint8_t *p;
        size_t left;
} Cursor;

#define CURSOR(data, size) ((Cursor){ .p = (data), .left = (size) })

/* Takes the next n bytes; *ret points into the message. */
int cursor_take(Cursor *cursor, size_t n, const uint8_t **ret);

/* Takes the next n bytes as a message of their own, so that what is nested cannot read past its frame. */
int cursor_sub(Cursor *cursor, size_t n, Cursor *ret);

int cursor_u8(Cursor *cursor, uint8_t *ret);
int cursor_be16(Cursor *cursor, uint16_t *ret);
int cursor_be32(Cursor *cursor, uint32_t *ret);
