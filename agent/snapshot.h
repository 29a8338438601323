/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a device's configuration is at one moment, to be compared with another: files and folders (names, types, modes,
 * owners, contents; not times) and what commands print. For sdi-loader-test(1).
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct Snapshot Snapshot;

/*
 * Each of `paths` (followed if it is a link; it may be absent) with all below it, and each of `commands`, run by the shell. Both end
 * with NULL. Returns 0; -E2BIG for a file or an output above 64 MiB; negative errno, with what could not be read in `ret_reason`.
 */
int snapshot_take(Snapshot **ret, char *const *paths, char *const *commands, char ret_reason[static 256]);
Snapshot *snapshot_free(Snapshot *snapshot);

/* True if they differ, and the first difference, printable, in `ret_what`. */
bool snapshot_differs(const Snapshot *before, const Snapshot *after, char ret_what[static 256]);
