/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/key-template.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <tss2/tss2_mu.h>

static const struct {
        const char *name;
        TPMI_ALG_PUBLIC algorithm;
        size_t size; /* of the modulus, or of a coordinate */
        TPMI_ECC_CURVE curve;
} types[] = {
        [TPM_KEY_RSA2048] = { "rsa2048", TPM2_ALG_RSA, 256, TPM2_ECC_NONE },
        [TPM_KEY_RSA3072] = { "rsa3072", TPM2_ALG_RSA, 384, TPM2_ECC_NONE },
        [TPM_KEY_P256] = { "p256", TPM2_ALG_ECC, 32, TPM2_ECC_NIST_P256 },
        [TPM_KEY_P384] = { "p384", TPM2_ALG_ECC, 48, TPM2_ECC_NIST_P384 },
};
static_assert(ELEMENTSOF(types) == _TPM_KEY_TYPE_MAX, "every key type has a template");

static const struct {
        const char *name;
        const char *unique;
} slots[] = {
        [TPM_KEY_DEVICE] = { "device", "RFC 8886 device" },
        [TPM_KEY_OPERATOR] = { "operator", "RFC 8886 operator" },
};
static_assert(ELEMENTSOF(slots) == _TPM_KEY_SLOT_MAX, "every slot has unique bytes");

const char *tpm_key_type_to_string(TpmKeyType type) {
        return types[type].name;
}

int tpm_key_type_from_string(const char *text, TpmKeyType *ret) {
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (strcmp(text, types[i].name) == 0) {
                        *ret = (TpmKeyType) i;
                        return 0;
                }
        return -EINVAL;
}

const char *tpm_key_slot_to_string(TpmKeySlot slot) {
        return slots[slot].name;
}

int tpm_key_slot_from_string(const char *text, TpmKeySlot *ret) {
        for (size_t i = 0; i < ELEMENTSOF(slots); i++)
                if (strcmp(text, slots[i].name) == 0) {
                        *ret = (TpmKeySlot) i;
                        return 0;
                }
        return -EINVAL;
}

void key_template(TpmKeySlot slot, TpmKeyType type, TPMT_PUBLIC *ret) {
        TPMT_PUBLIC public = {
                .type = types[type].algorithm,
                .nameAlg = TPM2_ALG_SHA256,
                .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                TPMA_OBJECT_NODA | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN_ENCRYPT,
        };
        size_t size = types[type].size, n_unique = strlen(slots[slot].unique);

        /* At its full size, as in the TCG's own templates: some TPMs refuse a `unique` that is shorter. */
        if (public.type == TPM2_ALG_RSA) {
                public.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
                public.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
                public.parameters.rsaDetail.keyBits = (TPMI_RSA_KEY_BITS) (size * 8);
                public.unique.rsa.size = (UINT16) size;
                memcpy(public.unique.rsa.buffer, slots[slot].unique, n_unique);
        } else {
                public.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
                public.parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
                public.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
                public.parameters.eccDetail.curveID = types[type].curve;
                public.unique.ecc.x.size = (UINT16) size;
                public.unique.ecc.y.size = (UINT16) size;
                memcpy(public.unique.ecc.x.buffer, slots[slot].unique, n_unique);
        }
        *ret = public;
}

/* In a key, `unique` is the public key itself: it can only be compared in its size. */
static bool unique_fits(const TPMT_PUBLIC *public, TpmKeyType type) {
        if (public->type == TPM2_ALG_RSA)
                return public->unique.rsa.size == types[type].size;
        return public->unique.ecc.x.size == types[type].size &&
                        public->unique.ecc.y.size == types[type].size;
}

int key_template_match(TpmKeySlot slot, const TPMT_PUBLIC *public, TpmKeyType *ret) {
        uint8_t ours[sizeof(TPMT_PUBLIC)], theirs[sizeof(TPMT_PUBLIC)];
        TPMT_PUBLIC template, normal = *public;

        /* Both name the same exponent. */
        if (normal.type == TPM2_ALG_RSA && normal.parameters.rsaDetail.exponent == 65537)
                normal.parameters.rsaDetail.exponent = 0;

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                size_t n_ours = 0, n_theirs = 0;

                key_template(slot, (TpmKeyType) i, &template);
                template.unique = normal.unique;
                /* Compared as the TPM writes them, so that no field can be forgotten. */
                if (Tss2_MU_TPMT_PUBLIC_Marshal(&template, ours, sizeof(ours), &n_ours) == TSS2_RC_SUCCESS &&
                                Tss2_MU_TPMT_PUBLIC_Marshal(&normal, theirs, sizeof(theirs), &n_theirs) ==
                                                TSS2_RC_SUCCESS &&
                                n_ours == n_theirs && memcmp(ours, theirs, n_ours) == 0 &&
                                unique_fits(&normal, (TpmKeyType) i)) {
                        *ret = (TpmKeyType) i;
                        return 0;
                }
        }
        return -ENOENT;
}

int key_type_of_public(const TPMT_PUBLIC *public, TpmKeyType *ret) {
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (public->type == types[i].algorithm && unique_fits(public, (TpmKeyType) i) &&
                                (public->type == TPM2_ALG_RSA ||
                                                public->parameters.eccDetail.curveID == types[i].curve)) {
                        *ret = (TpmKeyType) i;
                        return 0;
                }
        return -EOPNOTSUPP;
}

bool key_type_is_rsa(TpmKeyType type) {
        return types[type].algorithm == TPM2_ALG_RSA;
}

size_t key_type_size(TpmKeyType type) {
        return types[type].size;
}
