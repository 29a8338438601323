/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/tar.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BLOCK 512

/* The places of a header, in order. */
typedef struct Header {
        char name[100], mode[8], uid[8], gid[8], size[12], modified[12], checksum[8], type, link[100],
                        magic[8], user[32], group[32];
        char rest[BLOCK - 329];
} Header;
static_assert(sizeof(Header) == BLOCK, "a header is a block");

static int reserve(Tar *tar, size_t n, char **ret) {
        if (n > tar->capacity - tar->size) {
                size_t capacity = MAX(2 * tar->capacity, tar->size + n);
                char *more = realloc(tar->data, capacity);

                if (!more)
                        return -ENOMEM;
                tar->data = more;
                tar->capacity = capacity;
        }
        *ret = memset(tar->data + tar->size, 0, n);
        tar->size += n;
        return 0;
}

int tar_add(Tar *tar, const char *name, uint64_t modified, const void *data, size_t n) {
        size_t padded = (n + BLOCK - 1) / BLOCK * BLOCK;
        Header header = { .type = '0',
                .magic = "ustar\0"
                         "00" };
        unsigned sum = 0;
        char *p;
        int r;

        if (strlen(name) >= sizeof(header.name) || n > 0xffffffff)
                return -E2BIG;
        r = reserve(tar, BLOCK + padded, &p);
        if (r < 0)
                return r;
        strcpy(header.name, name);
        strcpy(header.mode, "0000644");
        strcpy(header.uid, "0000000");
        strcpy(header.gid, "0000000");
        snprintf(header.size, sizeof(header.size), "%011o", (unsigned) n);
        snprintf(header.modified, sizeof(header.modified), "%011" PRIo64, modified & 077777777777);
        memset(header.checksum, ' ', sizeof(header.checksum));
        for (size_t i = 0; i < BLOCK; i++)
                sum += ((const uint8_t *) &header)[i];
        snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
        memcpy(p, &header, BLOCK);
        memcpy(p + BLOCK, data, n);
        return 0;
}

int tar_finish(Tar *tar) {
        char *p;

        return reserve(tar, (size_t) 2 * BLOCK, &p);
}

void tar_done(Tar *tar) {
        free(tar->data);
        *tar = (Tar){};
}
