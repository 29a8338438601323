/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memfd.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int memfd_new(const char *name) {
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        return fd < 0 ? -errno : fd;
}

int memfd_seal(int fd) {
        return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int memfd_copy(const char *name, int fd_source, uint64_t size_max, uint64_t *ret_size) {
        _cleanup_close_ int fd = memfd_new(name);
        uint64_t size = 0;
        char data[16384];
        int r;

        if (fd < 0)
                return fd;
        for (;;) {
                ssize_t n = read(fd_source, data, sizeof(data));

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                size += (uint64_t) n;
                if (size > size_max)
                        return -EFBIG;
                r = file_write_all(fd, data, (size_t) n);
                if (r < 0)
                        return r;
        }
        r = memfd_seal(fd);
        if (r < 0)
                return r;
        *ret_size = size;
        return TAKE_FD(fd);
}

int memfd_check_sealed(int fd, uint64_t *ret_size) {
        struct stat st;
        int seals;

        /* Only a memfd (or a file on hugetlbfs) knows seals at all. */
        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || (seals & SEALS) != SEALS)
                return -EPERM;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < 0)
                return -EPERM;

        *ret_size = (uint64_t) st.st_size;
        return 0;
}

int memfd_reopen(int fd) {
        char path[sizeof("/proc/self/fd/") + 11];
        int copy;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        copy = open(path, O_RDONLY | O_CLOEXEC);
        return copy < 0 ? -errno : copy;
}

int memfd_map_locked(int fd, size_t n, void **ret) {
        void *mapping;

        mapping = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
        if (mapping == MAP_FAILED)
                return -errno;
        if (mlock(mapping, n) < 0) {
                int error = errno;

                munmap(mapping, n);
                return -error;
        }
        *ret = mapping;
        return 0;
}
