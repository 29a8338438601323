/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/pem.h"

#include "base/cleanup.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/pem.h>
#include <string.h>

int pem_from_der(const uint8_t *der, size_t n, char **ret, size_t *ret_size) {
        _cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
        char *data, *text;
        size_t size;

        if (!bio || PEM_write_bio(bio, PEM_STRING_X509, "", der, (long) n) <= 0)
                return openssl_error(-ENOMEM);
        size = (size_t) BIO_get_mem_data(bio, &data);
        text = strndup(data, size);
        if (!text)
                return -ENOMEM;
        *ret = text;
        *ret_size = size;
        return 0;
}
