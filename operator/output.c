/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/output.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int output_sync(const char *path, dev_t *device) {
        char new[PATH_MAX];
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        r = file_name_new(new, path);
        if (r < 0)
                return r;
        fd = open(new, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_dev == *device)
                return 0;
        if (syncfs(fd) < 0)
                return -errno;
        *device = st.st_dev;
        return 0;
}
