/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files that are replaced atomically, many at a time: written beside the old ones, put on stable storage together, and only
 * then renamed. What stands under the final name is at any moment, power cuts included, the old file or the new one.
 */

#include <stddef.h>
#include <sys/types.h>

/* Writes PATH.new. On an error nothing is left. */
int output_write(const char *path, const void *data, size_t n);

/* For all that was written into the file system of this file, unless that is *device, which was done just before. */
int output_sync(const char *path, dev_t *device);

/* PATH.new becomes PATH, or goes away on an error. */
int output_commit(const char *path);
