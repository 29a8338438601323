/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Devices by the thousand, for tests: each has a P-256 key and a self-signed certificate with its name, as sdictl makes it. */

#include <openssl/x509.h>

/* The same name always has the same key, and another one for each `generation`. Freed with EVP_PKEY_free(). */
EVP_PKEY *device_maker_key(const char *name, unsigned generation);

X509 *device_maker_certificate(const char *name, EVP_PKEY *key);
