/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/base64.h"

#include <errno.h>
#include <stdbool.h>

/* What a character is: a digit and its value, or one of these; 0 is none of them. */
#define DIGIT 0x40
#define BLANK 1
#define PADDING 2

#define D(value) (DIGIT | (value))

/* clang-format off */
static const uint8_t characters[256] = {
        ['\t'] = BLANK, ['\n'] = BLANK, ['\r'] = BLANK, [' '] = BLANK, ['='] = PADDING,
        ['A'] = D(0), D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12),
                D(13), D(14), D(15), D(16), D(17), D(18), D(19), D(20), D(21), D(22), D(23), D(24),
                D(25),
        ['a'] = D(26), D(27), D(28), D(29), D(30), D(31), D(32), D(33), D(34), D(35), D(36), D(37),
                D(38), D(39), D(40), D(41), D(42), D(43), D(44), D(45), D(46), D(47), D(48), D(49),
                D(50), D(51),
        ['0'] = D(52), D(53), D(54), D(55), D(56), D(57), D(58), D(59), D(60), D(61),
        ['+'] = D(62), ['/'] = D(63),
};
/* clang-format on */

/* Four digits in a row, without a test for each: nearly all of a file. */
static bool take_group(Cursor *text, uint8_t *data) {
        const uint8_t *p = text->p;
        unsigned a, b, c, d;

        if (text->left < 4)
                return false;
        a = characters[p[0]];
        b = characters[p[1]];
        c = characters[p[2]];
        d = characters[p[3]];
        if (!(a & b & c & d & DIGIT))
                return false;

        data[0] = (uint8_t) (a << 2 | (b & 0x3f) >> 4);
        data[1] = (uint8_t) (b << 4 | (c & 0x3f) >> 2);
        data[2] = (uint8_t) (c << 6 | (d & 0x3f));
        return cursor_take(text, 4, &p) >= 0;
}

static void skip_blanks(Cursor *text) {
        const uint8_t *p;

        while (text->left > 0 && characters[text->p[0]] == BLANK)
                (void) cursor_take(text, 1, &p);
}

/* Four values of which the last two may be PADDING; -ENODATA at the end. */
static int take_values(Cursor *text, uint8_t ret[static 4]) {
        skip_blanks(text);
        if (text->left == 0)
                return -ENODATA;

        for (size_t i = 0; i < 4; i++) {
                uint8_t byte;

                skip_blanks(text);
                if (cursor_u8(text, &byte) < 0)
                        return -EBADMSG;
                ret[i] = characters[byte];
                if (!(ret[i] & DIGIT) && !(ret[i] == PADDING && i >= 2))
                        return -EBADMSG;
        }
        return ret[2] == PADDING && ret[3] != PADDING ? -EBADMSG : 0;
}

int base64_decode(Cursor text, uint8_t *ret_data, size_t *ret_size) {
        uint8_t *p = ret_data;
        bool padded = false;

        for (;;) {
                uint8_t v[4];
                int r;

                while (!padded && take_group(&text, p))
                        p += 3;
                r = take_values(&text, v);
                if (r == -ENODATA)
                        break;
                if (r < 0 || padded)
                        return -EBADMSG;

                *p++ = (uint8_t) (v[0] << 2 | (v[1] & 0x3f) >> 4);
                if (v[2] == PADDING) {
                        if (v[1] & 0x0f)
                                return -EBADMSG;
                } else {
                        *p++ = (uint8_t) (v[1] << 4 | (v[2] & 0x3f) >> 2);
                        if (v[3] != PADDING)
                                *p++ = (uint8_t) (v[2] << 6 | (v[3] & 0x3f));
                        else if (v[2] & 0x03)
                                return -EBADMSG;
                }
                padded = v[3] == PADDING;
        }

        *ret_size = (size_t) (p - ret_data);
        return 0;
}
