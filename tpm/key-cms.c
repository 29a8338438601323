/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/key-cms.h"

static int decrypt_rsa(void *userdata, const uint8_t *cipher, size_t n, uint8_t *ret_block) {
        return tpm_key_decrypt_rsa(userdata, cipher, n, ret_block);
}

static int agree_ecdh(void *userdata, const uint8_t *point, size_t n_point, uint8_t *ret_z) {
        return tpm_key_agree_ecdh(userdata, point, n_point, ret_z);
}

static const char *reason(void *userdata) {
        return tpm_key_reason(userdata);
}

CmsKey tpm_key_to_cms(TpmKey *key, const Certificate *certificate) {
        return (CmsKey){
                .certificate = certificate,
                .decrypt_rsa = decrypt_rsa,
                .agree_ecdh = agree_ecdh,
                .reason = reason,
                .userdata = key,
        };
}
