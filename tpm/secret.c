/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sys/mman.h>

int secret_new(size_t size, Secret **ret) {
        Secret *secret;
        size_t total;

        if (__builtin_add_overflow(sizeof(Secret), size, &total))
                return -ENOMEM;
        secret = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (secret == MAP_FAILED)
                return -ENOMEM;
        if (mlock(secret, total) < 0 || madvise(secret, total, MADV_DONTDUMP) < 0 ||
                        madvise(secret, total, MADV_WIPEONFORK) < 0) {
                munmap(secret, total);
                return -ENOMEM;
        }

        secret->size = size;
        *ret = secret;
        return 0;
}

Secret *secret_free(Secret *secret) {
        if (secret) {
                size_t total = sizeof(Secret) + secret->size;

                OPENSSL_cleanse(secret, total);
                munmap(secret, total);
        }
        return NULL;
}
