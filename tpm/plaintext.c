/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/plaintext.h"

#include "base/cleanup.h"
#include "base/memfd.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sys/mman.h>

int plaintext_open(size_t capacity, Plaintext *ret) {
        _cleanup_close_ int fd = -1;
        void *data;

        capacity = MAX(capacity, (size_t) 1); /* nothing cannot be mapped */
        fd = memfd_new("configuration");
        if (fd < 0)
                return fd;
        if (ftruncate(fd, (off_t) capacity) < 0)
                return -ENOMEM;
        data = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
                return -ENOMEM;
        if (mlock(data, capacity) < 0 || madvise(data, capacity, MADV_DONTDUMP) < 0) {
                munmap(data, capacity);
                return -ENOMEM;
        }

        *ret = (Plaintext){ .fd = TAKE_FD(fd), .data = data, .capacity = capacity };
        return 0;
}

int plaintext_seal(Plaintext *plaintext, size_t size, int *ret_fd) {
        int r;

        if (ftruncate(plaintext->fd, (off_t) size) < 0) /* the kernel erases what was behind */
                return -errno;
        munmap(plaintext->data, plaintext->capacity);
        plaintext->data = NULL;
        r = memfd_seal(plaintext->fd); /* refuses while a writable mapping is left */
        if (r < 0)
                return r;

        *ret_fd = TAKE_FD(plaintext->fd);
        return 0;
}

void plaintext_done(Plaintext *plaintext) {
        if (plaintext->data) {
                OPENSSL_cleanse(plaintext->data, plaintext->capacity);
                munmap(plaintext->data, plaintext->capacity);
        }
        if (plaintext->fd >= 0)
                close(plaintext->fd);
        *plaintext = PLAINTEXT_NONE;
}
