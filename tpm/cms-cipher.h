/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: the content ciphers that we accept, and their work. */

#include "tpm/cms-outline.h"

#define CMS_KEY_MAX 32
#define CMS_IV_MAX 16
#define CMS_TAG_SIZE 16

typedef struct CmsCipherInfo CmsCipherInfo;

typedef struct CmsCipher {
        const CmsCipherInfo *info;
        size_t key_size;
        uint8_t iv[CMS_IV_MAX];
        size_t n_iv;
        uint8_t tag[CMS_TAG_SIZE]; /* of an authenticating cipher */
        uint8_t *aad;              /* DER of the authenticated attributes, or NULL */
        size_t n_aad;
} CmsCipher;

/* Everything about the content that can be checked without its key. Freed with cms_cipher_done(). */
int cms_cipher_parse(const CmsOutline *outline, CmsFlags flags, CmsCipher *ret, CmsReport *report);
void cms_cipher_done(CmsCipher *cipher);

/*
 * Decrypts in place; *ret_size is how much is content. -EKEYREJECTED, with `report->detail`, after the same work as on
 * success, when tag or padding do not fit.
 */
int cms_cipher_decrypt(const CmsCipher *cipher, const uint8_t *key, uint8_t *data, size_t size,
                size_t *ret_size, CmsReport *report);
