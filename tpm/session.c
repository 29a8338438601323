/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/session.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <tss2/tss2_mu.h>

#define KEY_RESOURCE 1 /* what ESYS calls a key in the form that Esys_TR_Serialize() writes */
#define STACK_SIZE (16 * 1024)

/*
 * The key as ESYS knows it, made of what was compared with the certificate. Esys_TR_FromTPMPublic() would ask
 * the TPM again, and ESYS would then encrypt the session's secret to whatever public key comes over the bus:
 * tpm2-tss 3.2 does not even compare it with the name. The form that Esys_TR_Serialize() writes is stable,
 * as programs keep it in files.
 */
static int make_key(Tpm *tpm, TPM2_HANDLE number, const TPMT_PUBLIC *area, const TPM2B_NAME *name,
                ESYS_TR *ret) {
        const TPM2B_PUBLIC public = { .publicArea = *area };
        uint8_t data[2 * sizeof(UINT32) + sizeof(*name) + sizeof(public)];
        TSS2_RC rc;
        size_t n = 0;

        rc = Tss2_MU_UINT32_Marshal(number, data, sizeof(data), &n);
        if (rc == TSS2_RC_SUCCESS)
                rc = Tss2_MU_TPM2B_NAME_Marshal(name, data, sizeof(data), &n);
        if (rc == TSS2_RC_SUCCESS)
                rc = Tss2_MU_UINT32_Marshal(KEY_RESOURCE, data, sizeof(data), &n);
        if (rc == TSS2_RC_SUCCESS)
                rc = Tss2_MU_TPM2B_PUBLIC_Marshal(&public, data, sizeof(data), &n);
        if (rc == TSS2_RC_SUCCESS)
                rc = Esys_TR_Deserialize(tpm_esys(tpm), data, n, ret);
        return tpm_check(tpm, rc, "cannot use the key");
}

static int start(Session *session) {
        const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
        const TPMA_SESSION attributes = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
        ESYS_CONTEXT *esys = tpm_esys(session->tpm);
        TSS2_RC rc;

        rc = Esys_StartAuthSession(esys, session->key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                        ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &session->authorization);
        if (rc == TSS2_RC_SUCCESS)
                rc = Esys_TR_GetTpmHandle(esys, session->authorization, &session->handle->number);
        if (rc == TSS2_RC_SUCCESS) /* of them all: so it ends with its first command */
                rc = Esys_TRSess_SetAttributes(esys, session->authorization, attributes, 0xff);
        return tpm_check(session->tpm, rc,
                        "the TPM refuses the session that encrypts its answers (BusEncryption= in sdi.conf(5))");
}

int session_new(const TpmHandle *key, const TPMT_PUBLIC *area, const TPM2B_NAME *name, bool exposed,
                Session **ret) {
        _cleanup_session_ Session *session = malloc(sizeof(*session));
        int r;

        if (!session)
                return -ENOMEM;
        *session = (Session){ .tpm = key->tpm, .key = ESYS_TR_NONE, .authorization = ESYS_TR_PASSWORD };
        r = tpm_handle_new(key->tpm, TPM_HANDLE_TRANSIENT, &session->handle);
        if (r >= 0)
                r = make_key(key->tpm, key->number, area, name, &session->key);
        if (r >= 0 && !exposed)
                r = start(session);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(session);
        return 0;
}

/* ESYS decrypts on its stack, and leaves the result there. */
static __attribute__((noinline)) void erase_stack(void) {
        uint8_t stack[STACK_SIZE];

        OPENSSL_cleanse(stack, sizeof(stack));
}

int session_end(Session *session, TSS2_RC rc, const char *what) {
        const uint8_t *answer;
        size_t n;

        erase_stack();
        if (rc == TSS2_RC_SUCCESS) {
                session->handle->number = 0;
                rc = Tss2_Sys_GetRpBuffer(tpm_sys(session->tpm), &n, &answer);
        }
        if (rc == TSS2_RC_SUCCESS)
                OPENSSL_cleanse((void *) answer, n);
        return tpm_check(session->tpm, rc, what);
}

void session_erase(void *answer, size_t size) {
        if (answer)
                OPENSSL_cleanse(answer, size);
        Esys_Free(answer);
}

Session *session_free(Session *session) {
        if (session) {
                ESYS_CONTEXT *esys = tpm_esys(session->tpm);

                /* ESYS refuses to close the password, which is no object, and nothing happens. */
                (void) Esys_TR_Close(esys, &session->key);
                (void) Esys_TR_Close(esys, &session->authorization);
                tpm_handle_free(session->handle);
                free(session);
        }
        return NULL;
}
