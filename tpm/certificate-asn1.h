/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/certificate*.c alone: a certificate (RFC 5280, section 4.1) as it is read and made. */

#include "tpm/openssl.h"

#include <openssl/asn1t.h>

/* OpenSSL's own X509 can only be signed by a key that OpenSSL holds, and decodes that key when it is read. */
typedef struct CertificateTbs {
        ASN1_INTEGER *version; /* absent in version 1 */
        ASN1_INTEGER *serial;
        X509_ALGOR *signature;
        X509_NAME *issuer;
        X509_VAL *validity;
        X509_NAME *subject;
        ASN1_STRING *key; /* SubjectPublicKeyInfo as it stands there */
        ASN1_BIT_STRING *issuer_id, *subject_id;
        STACK_OF(X509_EXTENSION) * extensions;
} CertificateTbs;

typedef struct CertificateSigned {
        CertificateTbs *tbs;
        X509_ALGOR *algorithm;
        ASN1_BIT_STRING *signature;
} CertificateSigned;

DECLARE_ASN1_ITEM(CertificateTbs)
DECLARE_ASN1_ITEM(CertificateSigned)

/* Accepts NULL. */
void certificate_signed_free(CertificateSigned *content);

DEFINE_CLEANUP(CertificateSigned, certificate_signed_free)
