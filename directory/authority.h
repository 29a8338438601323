/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The directory's CA. It wraps in a certificate what devices send without one (RFC 8886, section 3.2): a raw public key or a certificate request.
 * Such a certificate is as one that a device makes (tpm/certificate.h), but for its issuer; nobody should trust it for its signature.
 */

#include "base/cleanup.h"
#include "base/identifier.h"

#include <openssl/x509.h>
#include <stdint.h>

typedef struct Authority Authority;

#define AUTHORITY_REASON_MAX 256

/* Of PEM files. The certificate has to be a CA's, and the key its key. */
int authority_load(const char *certificate, const char *key, Authority **ret,
                char reason[static AUTHORITY_REASON_MAX]);

/* Accepts NULL, returns NULL. */
Authority *authority_free(Authority *authority);

/* *ret is freed with X509_free(). */
int authority_issue(const Authority *authority, const char *id, EVP_PKEY *key, X509 **ret);

/* The CA's certificate alone, and any certificate, as the certs-only CMS in base64 that EST has (RFC 7030, section 4.1.3). Freed with free(). */
int authority_get_cacerts(const Authority *authority, char **ret, size_t *ret_size);
int authority_wrap_certificate(const uint8_t *der, size_t n, char **ret, size_t *ret_size);

DEFINE_CLEANUP(Authority, authority_free)
