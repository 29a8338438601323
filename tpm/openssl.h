/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OpenSSL's objects under _cleanup_(), and its errors as negative errno. The agent knows of neither but openssl_start(). */

#include "base/cleanup.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

DEFINE_CLEANUP(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
DEFINE_CLEANUP(ASN1_OBJECT, ASN1_OBJECT_free)
DEFINE_CLEANUP(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
DEFINE_CLEANUP(BIGNUM, BN_free)
DEFINE_CLEANUP(BIO, BIO_free_all)
DEFINE_CLEANUP(EVP_CIPHER, EVP_CIPHER_free)
DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
DEFINE_CLEANUP(ECDSA_SIG, ECDSA_SIG_free)
DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM, OSSL_PARAM_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(X509, X509_free)
DEFINE_CLEANUP(X509_ALGOR, X509_ALGOR_free)
DEFINE_CLEANUP(X509_EXTENSION, X509_EXTENSION_free)
DEFINE_CLEANUP(X509_NAME, X509_NAME_free)
DEFINE_CLEANUP(X509_REQ, X509_REQ_free)

/* Memory that OpenSSL has allocated. */
static inline void cleanup_openssl(void *pointer) {
        OPENSSL_free(*(void **) pointer);
}

#define _cleanup_openssl_ _cleanup_(cleanup_openssl)

/*
 * Called by a main() before anything else of tpm/. Afterwards openssl.cnf cannot change how a file is
 * decrypted, and texts for people are not loaded.
 */
void openssl_start(void);

/* Empties OpenSSL's error queue. Returns -ENOMEM when that is what it says, else `error`. */
int openssl_error(int error);
