/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where decrypted content is written: a memfd, its mapping locked in memory and left out of core dumps. It is sealed
 * and handed on when all has passed; until then whatever happens erases it.
 */

#include <stddef.h>
#include <stdint.h>

typedef struct Plaintext {
        int fd;
        uint8_t *data; /* `capacity` bytes, zero at first */
        size_t capacity;
} Plaintext;

#define PLAINTEXT_NONE ((Plaintext){ .fd = -1 })

/* Errors: -ENOMEM, also when RLIMIT_MEMLOCK does not allow it, and those of memfd_create(2). */
int plaintext_open(size_t capacity, Plaintext *ret);

/* Keeps the first `size` bytes, seals them, and moves the memfd to *ret_fd. */
int plaintext_seal(Plaintext *plaintext, size_t size, int *ret_fd);

/* Erases; also for PLAINTEXT_NONE and after plaintext_seal(). */
void plaintext_done(Plaintext *plaintext);
