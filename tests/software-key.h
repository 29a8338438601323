/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A key in software that stands in for the TPM's, with a certificate as the TPM's has. The same ones in every run. */

#include "tpm/cms.h"

typedef enum SoftwareKeyType {
        SOFTWARE_KEY_RSA2048,
        SOFTWARE_KEY_P256,
        SOFTWARE_KEY_RSA3072,
        SOFTWARE_KEY_P384,
        _SOFTWARE_KEY_TYPE_MAX,
} SoftwareKeyType;

typedef struct SoftwareKey {
        EVP_PKEY *key;
        X509 *certificate;             /* for OpenSSL */
        Certificate *certificate_read; /* the same, as cms.h wants it */
        CmsKey cms;                    /* points to this SoftwareKey, which must not move */
        unsigned n_operations;
        int error; /* what an operation ends with instead of working */
} SoftwareKey;

int software_key_open(SoftwareKeyType type, const char *name, SoftwareKey *ret);
/* From PEM files. */
int software_key_load(const char *key_path, const char *certificate_path, SoftwareKey *ret);

void software_key_done(SoftwareKey *key);
