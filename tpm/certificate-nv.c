/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/certificate.h"

#include "tpm/nv.h"
#include "tpm/openssl.h"

#include <assert.h>
#include <errno.h>

static const uint32_t indices[] = {
        [TPM_KEY_DEVICE] = 0x01808886,
        [TPM_KEY_OPERATOR] = 0x01808887,
};
static_assert(ELEMENTSOF(indices) == _TPM_KEY_SLOT_MAX, "every slot has an index");

int certificate_store(Tpm *tpm, TpmKeySlot slot, const X509 *certificate) {
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = i2d_X509(certificate, &der);

        return n <= 0 ? openssl_error(-ENOMEM) : nv_write(tpm, indices[slot], der, (size_t) n);
}

int certificate_load(Tpm *tpm, TpmKeySlot slot, X509 **ret) {
        return certificate_load_index(tpm, indices[slot], ret);
}

int certificate_load_index(Tpm *tpm, uint32_t index, X509 **ret) {
        _cleanup_free_ uint8_t *der = NULL;
        const unsigned char *p;
        X509 *certificate;
        size_t n;
        int r;

        r = nv_read(tpm, index, &der, &n);
        if (r < 0)
                return r;
        p = der;
        certificate = d2i_X509(NULL, &p, (long) n);
        if (!certificate)
                return openssl_error(-EBADMSG);
        *ret = certificate;
        return 0;
}

int certificate_discard(Tpm *tpm, TpmKeySlot slot) {
        return nv_remove(tpm, indices[slot]);
}
