/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sealed memfds: the one form in which a file passes from program to program. Nobody can change or resize a sealed
 * memfd any more, so what its receiver has checked stays true.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An empty memfd, close-on-exec, that can be written and later sealed. Returns the fd or negative errno. */
int memfd_new(const char *name);

/* Seals against writing, growing, shrinking, and against unsealing. */
int memfd_seal(int fd);

/*
 * A sealed memfd with all that can be read from fd_source, which may be a pipe. Returns the memfd; -EFBIG above size_max;
 * or negative errno.
 */
int memfd_copy(const char *name, int fd_source, uint64_t size_max, uint64_t *ret_size);

/* For the receiver: returns 0 and the size if fd is a memfd with all these seals, else -EPERM. */
int memfd_check_sealed(int fd, uint64_t *ret_size);

/* A description of its own (offset 0, read-only) of the same memfd, so that readers do not share an offset. */
int memfd_reopen(int fd);

/*
 * Maps n bytes for reading and locks them: as long as the mapping is there, they are in memory and on no swap device.
 * Whoever holds a secret in a memfd holds such a mapping of it. Ended with munmap().
 */
int memfd_map_locked(int fd, size_t n, void **ret);
