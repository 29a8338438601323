/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: RSA key transport. The padding is checked here, because the TPM does the raw operation only. */

#include "tpm/cms-recipient.h"

typedef enum CmsPaddingKind {
        CMS_PADDING_PKCS1,
        CMS_PADDING_OAEP,
} CmsPaddingKind;

typedef struct CmsPadding {
        CmsPaddingKind kind;
        const EVP_MD *digest, *mask_digest; /* OAEP */
        uint8_t label_hash[EVP_MAX_MD_SIZE];
} CmsPadding;

/* keyEncryptionAlgorithm; -EOPNOTSUPP for what we do not accept. */
int cms_padding_parse(const X509_ALGOR *algorithm, CmsPadding *ret, CmsReport *report);

/* Whether a block of n bytes has room for a key of this size in this padding. */
bool cms_padding_fits(const CmsPadding *padding, size_t n, size_t key_size);

/*
 * Checks the padding of a decrypted block and unmasks it in place: the key is then its last key_size bytes. How
 * long the key is follows from the content's cipher, so every position is known and all are looked at. *ret_good is all
 * ones, or zero when anything is wrong; time and memory accesses do not depend on which, or where. Errors: -ENOMEM.
 */
int cms_padding_check(
                const CmsPadding *padding, uint8_t *block, size_t n, size_t key_size, uint32_t *ret_good);

/*
 * Decrypts the content's key with one operation of `key`, into locked memory. When the padding is wrong *ret_good is zero
 * and ret_key random, so that what follows takes as long as with the right one; else *ret_good is all ones.
 */
int cms_transport_unwrap(const CmsKeyTransport *transport, const CmsKey *key, uint8_t *ret_key,
                size_t key_size, uint32_t *ret_good, CmsReport *report);
