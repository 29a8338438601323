/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/output.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int name_temporary(char temporary[static PATH_MAX], const char *path) {
        return (size_t) snprintf(temporary, PATH_MAX, "%s.new", path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int output_write(const char *path, const void *data, size_t n) {
        char temporary[PATH_MAX];
        int fd, r;

        r = name_temporary(temporary, path);
        if (r < 0)
                return r;
        /* A new file, not one that somebody else has put there. Encrypted, and for a TFTP server to read. */
        if (unlink(temporary) < 0 && errno != ENOENT)
                return -errno;
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data, n);
        if (close(fd) < 0 && r >= 0)
                r = -errno;
        if (r < 0)
                unlink(temporary);
        return r;
}

int output_sync(const char *path, dev_t *device) {
        char temporary[PATH_MAX];
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        r = name_temporary(temporary, path);
        if (r < 0)
                return r;
        fd = open(temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_dev == *device)
                return 0;
        if (syncfs(fd) < 0)
                return -errno;
        *device = st.st_dev;
        return 0;
}

int output_commit(const char *path) {
        char temporary[PATH_MAX];
        int r;

        r = name_temporary(temporary, path);
        if (r < 0)
                return r;
        if (rename(temporary, path) < 0) {
                r = -errno;
                unlink(temporary);
        }
        return r;
}
