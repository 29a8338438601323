/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small files, read with a bound and replaced atomically. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads a whole file of at most `max` bytes. *ret is freed by the caller and has a NUL after its last byte that
 * *ret_size (which may be NULL) does not count. Errors: -E2BIG above max, else those of open(2) and read(2).
 */
int file_read(int fd_directory, const char *path, size_t max, char **ret, size_t *ret_size);

/* Writes all n bytes, across short writes and EINTR. */
int file_write_all(int fd, const void *data, size_t n);

/*
 * Replaces `path` by n bytes: a temporary file beside it and rename(2); whoever reads sees the old or the new content.
 * With FILE_DURABLE file and folder are synced before this returns.
 */
typedef enum FileReplaceFlags {
        FILE_DURABLE = 1 << 0,
} FileReplaceFlags;

int file_replace(const char *path, const void *data, size_t n, mode_t mode, FileReplaceFlags flags);

/* Removes it, and syncs its folder. -ENOENT when it was not there. */
int file_remove(const char *path);
