/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ber-mutator.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "tpm/ber.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 24
#define FILE_MAX 65536

typedef enum Action {
        ACTION_NONE,
        ACTION_TAG,
        ACTION_CONTENT,
        ACTION_GROW,
        ACTION_SHRINK,
        ACTION_REMOVE,
        ACTION_DOUBLE,
        ACTION_INDEFINITE,
        ACTION_REPLACE,
        _ACTION_MAX,
} Action;

typedef struct Mutator {
        unsigned seed;
        unsigned n;      /* elements walked so far */
        unsigned target; /* the one that is acted on */
        Action action;
        Cursor other; /* an element from elsewhere in the file, for ACTION_REPLACE */
        unsigned other_target;
} Mutator;

static unsigned draw(Mutator *mutator, unsigned n) {
        mutator->seed = mutator->seed * 1103515245 + 12345;
        return (mutator->seed >> 8) % n;
}

static void append_header(Buffer *out, uint8_t tag, size_t length) {
        buffer_append_u8(out, tag);
        if (length >= 0x80) {
                buffer_append_u8(out, 0x82);
                buffer_append_be16(out, (uint16_t) length);
        } else
                buffer_append_u8(out, (uint8_t) length);
}

static void change_content(Mutator *mutator, uint8_t *content, size_t n) {
        if (n > 0)
                content[draw(mutator, (unsigned) n)] ^= (uint8_t) (1 << draw(mutator, 8));
}

static int copy_element(Mutator *mutator, Cursor *in, Buffer *out, unsigned depth);

/* The content of one element into `content`. */
static int copy_content(Mutator *mutator, Cursor *in, uint8_t tag, Buffer *content, unsigned depth) {
        Cursor primitive;
        BerFrame frame;
        int r;

        if (!(tag & BER_CONSTRUCTED)) {
                r = ber_take(in, tag, &primitive);
                if (r >= 0)
                        buffer_append(content, primitive.p, primitive.left);
                return r;
        }
        r = ber_enter(in, tag, &frame);
        while (r >= 0 && !ber_at_end(in, &frame))
                r = copy_element(mutator, in, content, depth + 1);
        return r < 0 ? r : ber_leave(in, &frame);
}

static int copy_element(Mutator *mutator, Cursor *in, Buffer *out, unsigned depth) {
        _cleanup_free_ uint8_t *memory = malloc(FILE_MAX);
        Buffer content = BUFFER(memory, FILE_MAX);
        Action action = mutator->n == mutator->target ? mutator->action : ACTION_NONE;
        Cursor whole = *in;
        uint8_t tag;
        int r;

        if (!memory || depth == DEPTH_MAX || in->left == 0)
                return -1;
        if (mutator->n++ == mutator->other_target && ber_skip(&(Cursor){ in->p, in->left }, &whole) >= 0)
                mutator->other = whole;
        tag = in->p[0];
        r = copy_content(mutator, in, tag, &content, depth);
        if (r < 0 || buffer_status(&content) < 0)
                return -1;

        switch (action) {
        case ACTION_TAG:
                tag ^= (uint8_t) (1 << draw(mutator, 8));
                break;
        case ACTION_CONTENT:
                change_content(mutator, content.p, content.size);
                break;
        case ACTION_GROW:
                buffer_append_u8(&content, (uint8_t) draw(mutator, 256));
                break;
        case ACTION_SHRINK:
                content.size -= content.size > 0;
                break;
        case ACTION_REMOVE:
                return 0;
        case ACTION_DOUBLE:
                append_header(out, tag, content.size);
                buffer_append(out, content.p, content.size);
                break;
        case ACTION_INDEFINITE:
                buffer_append_u8(out, tag | BER_CONSTRUCTED);
                buffer_append_u8(out, 0x80);
                if (!(tag & BER_CONSTRUCTED))
                        append_header(out, BER_OCTET_STRING, content.size);
                buffer_append(out, content.p, content.size);
                buffer_append_be16(out, 0);
                return 0;
        case ACTION_REPLACE:
                buffer_append(out, mutator->other.p, mutator->other.left);
                return 0;
        case ACTION_NONE:
        case _ACTION_MAX:
                break;
        }
        append_header(out, tag, content.size);
        buffer_append(out, content.p, content.size);
        return 0;
}

/* Keeps indefinite lengths only where it makes them: what is definite again tests the same. */
static size_t rewrite(Mutator *mutator, const uint8_t *data, size_t size, uint8_t *memory, size_t max) {
        Buffer out = BUFFER(memory, MIN(max, (size_t) FILE_MAX));
        Cursor in = CURSOR(data, size);

        mutator->n = 0;
        if (copy_element(mutator, &in, &out, 0) < 0 || buffer_status(&out) < 0)
                return 0;
        return out.size;
}

size_t ber_mutate(uint8_t *data, size_t size, size_t max, unsigned seed) {
        _cleanup_free_ uint8_t *memory = malloc(FILE_MAX);
        Mutator mutator = { .seed = seed, .target = UINT32_MAX, .other_target = UINT32_MAX };
        size_t n;

        if (!memory || rewrite(&mutator, data, size, memory, max) == 0 || mutator.n == 0)
                return size;
        mutator.target = draw(&mutator, mutator.n);
        mutator.other_target = draw(&mutator, mutator.target + 1); /* one that comes first */
        mutator.action = 1 + draw(&mutator, _ACTION_MAX - 1);
        n = rewrite(&mutator, data, size, memory, max);
        if (n == 0)
                return size;
        memcpy(data, memory, n);
        return n;
}
