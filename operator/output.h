/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files that are replaced atomically, many at a time: written beside the old ones (file_prepare()), put on
 * stable storage together, and only then renamed (file_commit()). The file under the final name is at any
 * moment, power cuts included, the old file or the new one.
 */

#include <sys/types.h>

/* For all that was prepared in the file system of PATH, unless that is *device, the one before. */
int output_sync(const char *path, dev_t *device);
