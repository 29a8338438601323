/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include <errno.h>

int cursor_take(Cursor *cursor, size_t n, const uint8_t **ret) {
        if (n > cursor->left)
                return -EBADMSG;

        *ret = cursor->p;
        cursor->p += n;
        cursor->left -= n;
        return 0;
}

int cursor_sub(Cursor *cursor, size_t n, Cursor *ret) {
        const uint8_t *p;
        int r;

        r = cursor_take(cursor, n, &p);
        if (r < 0)
                return r;

        *ret = CURSOR(p, n);
        return 0;
}

int cursor_u8(Cursor *cursor, uint8_t *ret) {
        const uint8_t *p;
        int r;

        r = cursor_take(cursor, 1, &p);
        if (r < 0)
                return r;

        *ret = p[0];
        return 0;
}

int cursor_be16(Cursor *cursor, uint16_t *ret) {
        const uint8_t *p;
        int r;

        r = cursor_take(cursor, 2, &p);
        if (r < 0)
                return r;

        *ret = (uint16_t) (p[0] << 8 | p[1]);
        return 0;
}

int cursor_be32(Cursor *cursor, uint32_t *ret) {
        const uint8_t *p;
        int r;

        r = cursor_take(cursor, 4, &p);
        if (r < 0)
                return r;

        *ret = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
        return 0;
}
