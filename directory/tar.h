/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A tar archive of small files (POSIX.1-2017, ustar), in memory. */

#include <stddef.h>
#include <stdint.h>

typedef struct Tar {
        char *data;
        size_t size, capacity;
} Tar;

/* A regular file, mode 0644. -ENOMEM; -E2BIG for a name of more than 99 bytes. */
int tar_add(Tar *tar, const char *name, uint64_t modified, const void *data, size_t n);

/* The end of the archive. */
int tar_finish(Tar *tar);
void tar_done(Tar *tar);
