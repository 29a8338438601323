/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates by the thousand, as a directory's files:
 *
 *   make-devices FOLDER PREFIX FIRST COUNT    FOLDER/PREFIXnumber.crt, and the key of the first in FOLDER/../PREFIX.key
 */

#include "base/cleanup.h"
#include "tests/device-maker.h"
#include "tpm/openssl.h"

#include <openssl/pem.h>
#include <stdio.h>

static int write_certificate(const char *folder, const char *name) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = device_maker_key(name, 0);
        _cleanup_(X509_freep) X509 *certificate = key ? device_maker_certificate(name, key) : NULL;
        _cleanup_fclose_ FILE *file = NULL;
        char path[512];

        snprintf(path, sizeof(path), "%s/%s.crt", folder, name);
        file = fopen(path, "we");
        return certificate && file && PEM_write_X509(file, certificate) == 1 ? 0 : -1;
}

static int write_key(const char *folder, const char *prefix, const char *name) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = device_maker_key(name, 0);
        _cleanup_fclose_ FILE *file = NULL;
        char path[512];

        snprintf(path, sizeof(path), "%s/../%s.key", folder, prefix);
        file = fopen(path, "we");
        return key && file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 ? 0 : -1;
}

int main(int argc, char **argv) {
        unsigned long first, count;
        char name[64];

        if (argc != 5) {
                fprintf(stderr, "usage: make-devices FOLDER PREFIX FIRST COUNT\n");
                return EXIT_FAILURE;
        }
        first = strtoul(argv[3], NULL, 10);
        count = strtoul(argv[4], NULL, 10);
        snprintf(name, sizeof(name), "%s%lu", argv[2], first);
        if (write_key(argv[1], argv[2], name) < 0)
                return EXIT_FAILURE;
        for (unsigned long i = first; i < first + count; i++) {
                snprintf(name, sizeof(name), "%s%lu", argv[2], i);
                if (write_certificate(argv[1], name) < 0)
                        return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
