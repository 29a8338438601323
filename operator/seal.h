/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Encrypts a configuration to a device's certificate (RFC 8886, section 4.2): CMS AuthEnvelopedData (RFC 5083) with
 * AES-256-GCM, the key by ECDH with the KDF of X9.63 over SHA-256 or SHA-384 and AES-256 key wrap, or by RSA-OAEP with SHA-256.
 * With SEAL_COMPATIBLE, what `openssl smime -encrypt -aes-256-cbc -binary` writes: PKCS #7, RSA PKCS #1 v1.5, AES-256-CBC.
 * The output is PEM.
 */

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

typedef enum SealFlags {
        SEAL_COMPATIBLE = 1 << 0,
} SealFlags;

#define SEAL_REASON_MAX 256

/*
 * Whether one can encrypt to this certificate: 0, or -EOPNOTSUPP with a reason: a type of key that no device of ours has, a key
 * that may only sign, or one that is weak. Dates are ignored (RFC 8886, section 3.1); `ret_remark`, of SEAL_REASON_MAX, is
 * what a person should know of them, or "".
 */
int seal_check(X509 *certificate, SealFlags flags, char *ret_remark, char reason[static SEAL_REASON_MAX]);

/* *ret is PEM, freed with free(). */
int seal_encrypt(X509 *certificate, const void *content, size_t n, SealFlags flags, char **ret,
                size_t *ret_size, char reason[static SEAL_REASON_MAX]);
