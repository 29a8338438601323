/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small files, read with a bound and replaced atomically. */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads a whole file of at most `max` bytes. *ret is freed by the caller and has a NUL after its last byte that
 * *ret_size (which may be NULL) does not count. Errors: -E2BIG above max, else those of open(2) and read(2).
 */
int file_read(int fd_directory, const char *path, size_t max, char **ret, size_t *ret_size);

/*
 * Opens for reading what somebody less trusted than we could have put there, without waiting, and looks at what it has
 * opened: the name may stand for another file by then. On success that is a regular file (with FILE_FOLDER a folder),
 * belongs to root, to us or to `owner`, and only its owner can write to it.
 *
 * Errors: -ELOOP for a link, -EISDIR, -ENOTDIR, -EBADFD for another kind of file, -EPERM when somebody else owns it or
 * can write to it, -ENODATA with FILE_FOLLOW for /dev/null, else those of open(2). file_trouble() has words for them.
 */
typedef enum FileOpenFlags {
        FILE_FOLDER = 1 << 0,
        FILE_FOLLOW = 1 << 1,   /* the name may be a link: only root can make names there */
        FILE_ANYBODYS = 1 << 2, /* whoever owns it or can write to it */
} FileOpenFlags;

int file_open(int fd_directory, const char *path, uid_t owner, FileOpenFlags flags);

/* Opened like this, and read as file_read() does. */
int file_read_foreign(int fd_directory, const char *path, uid_t owner, FileOpenFlags flags, size_t max,
                char **ret, size_t *ret_size);

/* Describes what is wrong with a file, as the end of a message "PATH: ...". */
const char *file_trouble(int error);

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

/*
 * The two halves of it, for many files at once. file_prepare() writes PATH.new, and leaves nothing on an
 * error. file_commit() renames it to PATH, or removes it on an error. file_name_new() is that name.
 */
int file_prepare(const char *path, const void *data, size_t n, mode_t mode, FileReplaceFlags flags);
int file_commit(const char *path, FileReplaceFlags flags);
int file_name_new(char ret[static PATH_MAX], const char *path);

/* Removes it, and syncs its folder. -ENOENT when it was not there. */
int file_remove(const char *path);
