/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/pem.h"

#include "base/cleanup.h"

#include <openssl/evp.h>
#include <string.h>

#define LINE 48 /* bytes, which are 64 characters */

static char *append(char *p, const char *text) {
        return stpcpy(p, text);
}

size_t pem_format(const uint8_t *der, size_t n, char *text) {
        char *p = append(text, "-----BEGIN CERTIFICATE-----\n");

        for (size_t at = 0; at < n; at += LINE) {
                p += EVP_EncodeBlock((unsigned char *) p, der + at, (int) MIN(n - at, (size_t) LINE));
                *p++ = '\n';
        }
        return (size_t) (append(p, "-----END CERTIFICATE-----\n") - text);
}
