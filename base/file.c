/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int read_open(int fd, size_t max, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0, capacity = 0;

        for (;;) {
                ssize_t n;

                if (size == capacity) { /* sysfs and pipes do not tell their size: grow as we read */
                        char *more;

                        capacity = capacity ? MIN(capacity * 2, max + 1) : MIN((size_t) 4096, max + 1);
                        more = realloc(data, capacity + 1);
                        if (!more)
                                return -ENOMEM;
                        data = more;
                }

                n = read(fd, data + size, capacity - size);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max)
                        return -E2BIG;
        }

        data[size] = '\0';
        *ret = TAKE_PTR(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int file_read(int fd_directory, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(fd_directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : read_open(fd, max, ret, ret_size);
}

static int check_kind(const struct stat *st, FileOpenFlags flags) {
        if ((flags & FILE_FOLLOW) && S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3))
                return -ENODATA;
        if (flags & FILE_FOLDER)
                return S_ISDIR(st->st_mode) ? 0 : -ENOTDIR;
        if (S_ISDIR(st->st_mode))
                return -EISDIR;
        return S_ISREG(st->st_mode) ? 0 : -EBADFD;
}

int file_open(int fd_directory, const char *path, uid_t owner, FileOpenFlags flags) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        fd = openat(fd_directory, path,
                        O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
                                        ((flags & FILE_FOLLOW) ? 0 : O_NOFOLLOW));
        if (fd < 0)
                return errno == ENXIO ? -EBADFD : -errno; /* a socket */
        if (fstat(fd, &st) < 0)
                return -errno;
        r = check_kind(&st, flags);
        if (r < 0)
                return r;
        if (!(flags & FILE_ANYBODYS) &&
                        ((st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != owner) ||
                                        (st.st_mode & 022)))
                return -EPERM;
        return TAKE_FD(fd);
}

int file_read_foreign(int fd_directory, const char *path, uid_t owner, FileOpenFlags flags, size_t max,
                char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = file_open(fd_directory, path, owner, flags);

        return fd < 0 ? fd : read_open(fd, max, ret, ret_size);
}

const char *file_trouble(int error) {
        switch (-error) {
        case ELOOP:
                return "a link, which is not followed here";
        case EISDIR:
                return "a folder, where a file belongs";
        case ENOTDIR:
                return "not a folder";
        case EBADFD:
                return "not a regular file";
        case EPERM:
                return "owned or writable by somebody else";
        case E2BIG:
                return "too large";
        default: /* errno is not an enumeration of ours */
                return strerror(-error);
        }
}

int file_write_all(int fd, const void *data, size_t n) {
        const uint8_t *p = data;

        while (n > 0) {
                ssize_t written = write(fd, p, n);

                if (written < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += written;
                n -= (size_t) written;
        }
        return 0;
}

static int sync_folder_of(const char *path) {
        _cleanup_close_ int fd = -1;
        char copy[PATH_MAX];

        if ((size_t) snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
                return -ENAMETOOLONG;
        fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int file_name_new(char ret[static PATH_MAX], const char *path) {
        return (size_t) snprintf(ret, PATH_MAX, "%s.new", path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int write_new(const char *path, const void *data, size_t n, mode_t mode, FileReplaceFlags flags) {
        _cleanup_close_ int fd = -1;
        int r;

        /* Never through what somebody else has put there: a leftover goes, a link is not followed. */
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data, n);
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = -errno;
        if (r >= 0 && (flags & FILE_DURABLE) && fsync(fd) < 0)
                r = -errno;
        if (close(TAKE_FD(fd)) < 0 && r >= 0)
                r = -errno;
        if (r < 0)
                unlink(path);
        return r;
}

int file_prepare(const char *path, const void *data, size_t n, mode_t mode, FileReplaceFlags flags) {
        char new[PATH_MAX];
        int r = file_name_new(new, path);

        return r < 0 ? r : write_new(new, data, n, mode, flags);
}

int file_commit(const char *path, FileReplaceFlags flags) {
        char new[PATH_MAX];
        int r = file_name_new(new, path);

        if (r < 0)
                return r;
        if (rename(new, path) < 0) {
                r = -errno;
                unlink(new);
                return r;
        }
        return (flags & FILE_DURABLE) ? sync_folder_of(path) : 0;
}

int file_replace(const char *path, const void *data, size_t n, mode_t mode, FileReplaceFlags flags) {
        int r = file_prepare(path, data, n, mode, flags);

        return r < 0 ? r : file_commit(path, flags);
}

int file_remove(const char *path) {
        return unlink(path) < 0 ? -errno : sync_folder_of(path);
}
