/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Encrypted files as operators' tools write them, made with OpenSSL's CMS. */

#include <openssl/cms.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum CmsMakerFormat {
        CMS_MAKER_DER,
        CMS_MAKER_PEM, /* BEGIN CMS */
        CMS_MAKER_SMIME,
        CMS_MAKER_STREAM, /* BER with indefinite lengths and content in pieces */
} CmsMakerFormat;

typedef struct CmsMaker {
        CmsMakerFormat format;
        const char *cipher; /* "AES-256-GCM" when NULL */
        X509 *const *recipients;
        size_t n_recipients;
        bool key_identifier;                   /* instead of issuer and serial number */
        const char *oaep_digest, *mask_digest; /* RSAES-OAEP when the first is set */
        const char *oaep_label;
        const char *agreement_digest; /* of the KDF, SHA1 when NULL */
        const char *wrap;             /* "AES-128-WRAP"; by the key's size when NULL */
        bool cofactor;
        void (*change_point)(ASN1_BIT_STRING *point); /* of the ephemeral key, before it is written */
        int content_type;                             /* NID_pkcs7_data when 0 */
} CmsMaker;

/* *ret is freed with free(). Ends the program when it cannot be done: the tests' own mistake. */
void cms_make(const CmsMaker *maker, const void *content, size_t n, uint8_t **ret, size_t *ret_size);
