/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The cursor's counterpart: builds a message in memory of a fixed capacity that the caller owns. What does not fit
 * is not written and the buffer stays full; the builder asks once, at the end, with buffer_status().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Buffer {
        uint8_t *p;
        size_t size;
        size_t capacity;
        bool full;
} Buffer;

#define BUFFER(memory, n) ((Buffer){ .p = (memory), .capacity = (n) })

void buffer_append(Buffer *buffer, const void *data, size_t n);
void buffer_append_u8(Buffer *buffer, uint8_t value);
void buffer_append_be16(Buffer *buffer, uint16_t value);
void buffer_append_be32(Buffer *buffer, uint32_t value);
void buffer_append_zeros(Buffer *buffer, size_t n);

/* 0 when everything appended fitted, else -ENOBUFS. */
int buffer_status(const Buffer *buffer);
