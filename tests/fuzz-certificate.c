/* SPDX-License-Identifier: Apache-2.0 */

/* A certificate out of a file or of a TPM's memory. What is read is written again, and must stay what it was. */

#include "tpm/certificate.h"
#include "tpm/openssl.h"
#include "tpm/public-key.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(certificate_freep) Certificate *certificate = NULL, *again = NULL;
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        char name[CERTIFICATE_NAME_MAX + 1];
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
        _cleanup_free_ char *pem = NULL;
        const uint8_t *der, *der_again, *public;
        size_t n, n_again, n_public;
        TpmKeyType type;

        if (certificate_from_pem((const char *) data, size, &certificate) < 0 &&
                        certificate_from_der(data, size, &certificate) < 0)
                return 0;
        public = certificate_get_public(certificate, &n_public);
        assert(certificate_fingerprint(public, n_public, fingerprint) == 0);
        assert(strlen(certificate_get_name(certificate, name)) <= CERTIFICATE_NAME_MAX);
        assert(certificate_get_issuer(certificate) && certificate_get_serial(certificate));
        (void) certificate_get_type(certificate, &type);
        (void) public_key_to_evp(public, n_public, &key);

        assert(certificate_to_pem(certificate, &pem) == 0);
        assert(certificate_from_pem(pem, strlen(pem), &again) == 0);
        der = certificate_get_der(certificate, &n);
        der_again = certificate_get_der(again, &n_again);
        assert(n == n_again && memcmp(der, der_again, n) == 0);
        return 0;
}
