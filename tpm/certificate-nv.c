/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/certificate.h"

#include "base/cleanup.h"
#include "tpm/nv.h"

#include <assert.h>
#include <errno.h>

static const uint32_t indices[] = {
        [TPM_KEY_DEVICE] = 0x01808886,
        [TPM_KEY_OPERATOR] = 0x01808887,
};
static_assert(ELEMENTSOF(indices) == _TPM_KEY_SLOT_MAX, "every slot has an index");

int certificate_store(Tpm *tpm, TpmKeySlot slot, const Certificate *certificate) {
        size_t n;
        const uint8_t *der = certificate_get_der(certificate, &n);

        return nv_write(tpm, indices[slot], der, n);
}

int certificate_load(Tpm *tpm, TpmKeySlot slot, Certificate **ret) {
        int r;

        r = nv_check(tpm, indices[slot]);
        return r < 0 ? r : certificate_load_index(tpm, indices[slot], ret);
}

int certificate_load_index(Tpm *tpm, uint32_t index, Certificate **ret) {
        _cleanup_free_ uint8_t *der = NULL;
        size_t n;
        int r;

        r = nv_read(tpm, index, &der, &n);
        return r < 0 ? r : certificate_from_der(der, n, ret);
}

int certificate_discard(Tpm *tpm, TpmKeySlot slot) {
        return nv_remove(tpm, indices[slot]);
}
