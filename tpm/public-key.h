/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tpm/ alone: public keys as SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) in DER. OpenSSL's own decoders and encoders
 * are kept for the few who need more: looking for the right one of them takes a millisecond and half a megabyte.
 */

#include "tpm/key.h"
#include "tpm/openssl.h"

#include <openssl/sha.h>
#include <tss2/tss2_tpm2_types.h>

/* Of an RSA key or one of P-256 and P-384. *ret is freed with OPENSSL_free(). -EOPNOTSUPP for another curve. */
int public_key_make(const TPMT_PUBLIC *public, uint8_t **ret, size_t *ret_size);

/* The modulus of an RSA key, freed with BN_free(). -ENOENT when it is no RSA key, -EBADMSG when it is malformed. */
int public_key_get_modulus(const uint8_t *der, size_t size, BIGNUM **ret);

/* -EOPNOTSUPP for one that is none of our types. */
int public_key_get_type(const uint8_t *der, size_t size, TpmKeyType *ret);

/* SHA-1 of the key's octets: RFC 5280, section 4.2.1.2, method 1. */
int public_key_identify(const uint8_t *der, size_t size, uint8_t ret[static SHA_DIGEST_LENGTH]);

/* For OpenSSL's own functions; freed with EVP_PKEY_free(). -EBADMSG when it is malformed. */
int public_key_to_evp(const uint8_t *der, size_t size, EVP_PKEY **ret);
