/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <errno.h>
#include <string.h>

static uint8_t *buffer_reserve(Buffer *buffer, size_t n) {
        uint8_t *p;

        if (buffer->full || n > buffer->capacity - buffer->size) {
                buffer->full = true;
                return NULL;
        }

        p = buffer->p + buffer->size;
        buffer->size += n;
        return p;
}

void buffer_append(Buffer *buffer, const void *data, size_t n) {
        uint8_t *p = buffer_reserve(buffer, n);

        if (p && n > 0)
                memcpy(p, data, n);
}

void buffer_append_u8(Buffer *buffer, uint8_t value) {
        buffer_append(buffer, &value, 1);
}

void buffer_append_be16(Buffer *buffer, uint16_t value) {
        buffer_append(buffer, (const uint8_t[]){ value >> 8, value & 0xff }, 2);
}

void buffer_append_be32(Buffer *buffer, uint32_t value) {
        buffer_append_be16(buffer, value >> 16);
        buffer_append_be16(buffer, value & 0xffff);
}

void buffer_append_zeros(Buffer *buffer, size_t n) {
        uint8_t *p = buffer_reserve(buffer, n);

        if (p)
                memset(p, 0, n);
}

int buffer_status(const Buffer *buffer) {
        return buffer->full ? -ENOBUFS : 0;
}
