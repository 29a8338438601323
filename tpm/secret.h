/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Memory for keys: never swapped out, not in a core dump, not in a child, erased before it is given back. Each secret
 * has pages of its own; keep what belongs to one operation in one struct.
 */

#include "base/cleanup.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Secret {
        size_t size;
        alignas(max_align_t) uint8_t data[]; /* `size` bytes, zero at first */
} Secret;

/* Errors: -ENOMEM, also when RLIMIT_MEMLOCK is used up. */
int secret_new(size_t size, Secret **ret);

/* Erases and releases; accepts NULL, returns NULL. */
Secret *secret_free(Secret *secret);

DEFINE_CLEANUP(Secret, secret_free)
#define _cleanup_secret_ _cleanup_(secret_freep)
