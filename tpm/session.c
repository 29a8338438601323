/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/session.h"

#include "base/cursor.h"
#include "tpm/openssl.h"
#include "tpm/public-key.h"
#include "tpm/secret.h"

#include <assert.h>
#include <errno.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define HASH_SIZE 32 /* SHA-256 is the session's hash */
#define AES_KEY_SIZE 16
#define AES_BLOCK_SIZE 16
#define ATTRIBUTES TPMA_SESSION_ENCRYPT /* it is for one command, and ends with that one's success */

typedef struct Keys {
        uint8_t salt[EVP_MAX_MD_SIZE];
        uint8_t shared[TPM2_MAX_ECC_KEY_BYTES];
        uint8_t session[HASH_SIZE];
        uint8_t parameter[HASH_SIZE]; /* AES key, then IV */
} Keys;

static_assert(AES_KEY_SIZE + AES_BLOCK_SIZE == HASH_SIZE, "one round of KDFa is enough");

struct Session {
        TpmHandle *handle;
        Secret *memory;
        Keys *keys;                                 /* in `memory` */
        uint8_t ours[HASH_SIZE], theirs[HASH_SIZE]; /* the latest nonces */
        EVP_CIPHER *cipher;                         /* of the answer */
};

static const EVP_MD *digest_of(TPMI_ALG_HASH algorithm) {
        switch (algorithm) {
        case TPM2_ALG_SHA1:
                return EVP_sha1();
        case TPM2_ALG_SHA256:
                return EVP_sha256();
        case TPM2_ALG_SHA384:
                return EVP_sha384();
        case TPM2_ALG_SHA512:
                return EVP_sha512();
        default:
                return NULL;
        }
}

static void put_be32(uint8_t to[static 4], uint32_t number) {
        for (unsigned i = 0; i < 4; i++)
                to[i] = (uint8_t) (number >> (24 - 8 * i));
}

/* KDFa (part 1, section 11.4.10.2) for 256 bits, which HMAC-SHA-256 makes in one round. */
static int derive(const uint8_t key[static HASH_SIZE], size_t n_key, const char *label,
                const uint8_t u[static HASH_SIZE], const uint8_t v[static HASH_SIZE],
                uint8_t ret[static HASH_SIZE]) {
        uint8_t input[4 + 8 + 2 * HASH_SIZE + 4];
        size_t n_label = strlen(label) + 1, n = 0;

        assert(n_label <= 8);
        put_be32(input, 1);
        n = 4;
        memcpy(input + n, label, n_label);
        n += n_label;
        memcpy(input + n, u, HASH_SIZE);
        memcpy(input + n + HASH_SIZE, v, HASH_SIZE);
        n += 2 * HASH_SIZE;
        put_be32(input + n, HASH_SIZE * 8);
        n += 4;
        return HMAC(EVP_sha256(), key, (int) n_key, input, n, ret, NULL) ? 0 : openssl_error(-ENOMEM);
}

/* The salt to an RSA key: OAEP with the label "SECRET" and the key's own hash (part 1, annex B.10.2). */
static int encrypt_salt(
                EVP_PKEY *key, const EVP_MD *digest, const uint8_t *salt, TPM2B_ENCRYPTED_SECRET *ret) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        _cleanup_openssl_ char *label = OPENSSL_strdup("SECRET");
        size_t n = sizeof(ret->secret);

        if (!context || !label || EVP_PKEY_encrypt_init(context) != 1 ||
                        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
                        EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) != 1 ||
                        EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) != 1 ||
                        EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int) strlen("SECRET") + 1) != 1)
                return openssl_error(-ENOMEM);
        label = NULL; /* the context has it */
        if (EVP_PKEY_encrypt(context, ret->secret, &n, salt, (size_t) EVP_MD_get_size(digest)) != 1)
                return openssl_error(-EIO);
        ret->size = (UINT16) n;
        return 0;
}

static int make_salt(EVP_PKEY *key, const EVP_MD *digest, Keys *keys, TPM2B_ENCRYPTED_SECRET *ret) {
        if (RAND_priv_bytes(keys->salt, EVP_MD_get_size(digest)) != 1)
                return openssl_error(-EIO);
        return encrypt_salt(key, digest, keys->salt, ret);
}

/* KDFe (part 1, section 11.4.10.3) of the shared point's x and both public x, in one round. */
static int derive_salt(
                const EVP_MD *digest, Keys *keys, size_t n, const uint8_t *x_ours, const uint8_t *x_theirs) {
        _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t counter[4];

        put_be32(counter, 1);
        if (!context || EVP_DigestInit_ex(context, digest, NULL) != 1 ||
                        EVP_DigestUpdate(context, counter, sizeof(counter)) != 1 ||
                        EVP_DigestUpdate(context, keys->shared, n) != 1 ||
                        EVP_DigestUpdate(context, "SECRET", strlen("SECRET") + 1) != 1 ||
                        EVP_DigestUpdate(context, x_ours, n) != 1 ||
                        EVP_DigestUpdate(context, x_theirs, n) != 1 ||
                        EVP_DigestFinal_ex(context, keys->salt, NULL) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

/* The salt to an EC key: agreed with a key made for it (part 1, annex C.6.1). */
static int agree_salt(EVP_PKEY *key, const TPMS_ECC_POINT *theirs, const EVP_MD *digest, Keys *keys,
                TPM2B_ENCRYPTED_SECRET *ret) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = NULL;
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
        _cleanup_openssl_ unsigned char *octets = NULL; /* 04 || x || y */
        size_t n_shared = sizeof(keys->shared), n_octets, n, offset = 0;
        TPMS_ECC_POINT ours = {};

        if (!generator || EVP_PKEY_keygen_init(generator) != 1 ||
                        EVP_PKEY_keygen(generator, &ephemeral) != 1 ||
                        !(context = EVP_PKEY_CTX_new_from_pkey(NULL, ephemeral, NULL)) ||
                        EVP_PKEY_derive_init(context) != 1 || EVP_PKEY_derive_set_peer(context, key) != 1 ||
                        EVP_PKEY_derive(context, keys->shared, &n_shared) != 1 ||
                        (n_octets = EVP_PKEY_get1_encoded_public_key(ephemeral, &octets)) == 0)
                return openssl_error(-EIO);
        n = n_octets / 2;
        if (n_octets != 2 * n + 1 || n > sizeof(ours.x.buffer) || n_shared != n || theirs->x.size != n)
                return -EOPNOTSUPP;
        ours.x.size = ours.y.size = (UINT16) n;
        memcpy(ours.x.buffer, octets + 1, n);
        memcpy(ours.y.buffer, octets + 1 + n, n);
        if (Tss2_MU_TPMS_ECC_POINT_Marshal(&ours, ret->secret, sizeof(ret->secret), &offset) !=
                        TSS2_RC_SUCCESS)
                return -EPROTO;
        ret->size = (UINT16) offset;
        return derive_salt(digest, keys, n, ours.x.buffer, theirs->x.buffer);
}

/* Both sides then know the salt. */
static int exchange_salt(
                const TPMT_PUBLIC *public, const EVP_MD *digest, Keys *keys, TPM2B_ENCRYPTED_SECRET *ret) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
        _cleanup_openssl_ uint8_t *der = NULL;
        size_t n;
        int r;

        r = public_key_make(public, &der, &n);
        if (r >= 0)
                r = public_key_to_evp(der, n, &key);
        if (r < 0)
                return r;
        return public->type == TPM2_ALG_RSA ? make_salt(key, digest, keys, ret)
                                            : agree_salt(key, &public->unique.ecc, digest, keys, ret);
}

/* Tss2_Sys_StartAuthSession(). What its answer needs of OpenSSL is made ready while the TPM computes. */
static TSS2_RC start_session(Session *session, const TpmHandle *key, const TPM2B_ENCRYPTED_SECRET *salt,
                const TPM2B_NONCE *ours, TPM2B_NONCE *theirs) {
        const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
        TSS2_SYS_CONTEXT *sys = tpm_sys(key->tpm);
        TSS2_RC rc;

        rc = Tss2_Sys_StartAuthSession_Prepare(
                        sys, key->number, TPM2_RH_NULL, ours, salt, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256);
        if (rc == TSS2_RC_SUCCESS)
                rc = Tss2_Sys_ExecuteAsync(sys);
        if (rc != TSS2_RC_SUCCESS)
                return rc;
        if (!session->cipher)
                session->cipher = EVP_CIPHER_fetch(NULL, "AES-128-CFB", NULL);
        rc = Tss2_Sys_ExecuteFinish(sys, TSS2_TCTI_TIMEOUT_BLOCK);
        return rc == TSS2_RC_SUCCESS
                        ? Tss2_Sys_StartAuthSession_Complete(sys, &session->handle->number, theirs)
                        : rc;
}

static int start(Session *session, const TpmHandle *key, const EVP_MD *digest,
                const TPM2B_ENCRYPTED_SECRET *salt) {
        TPM2B_NONCE ours = { .size = HASH_SIZE }, theirs = {};
        Tpm *tpm = key->tpm;
        int r;

        if (RAND_bytes(session->ours, HASH_SIZE) != 1)
                return openssl_error(-EIO);
        memcpy(ours.buffer, session->ours, HASH_SIZE);
        r = tpm_run(tpm,
                        "the TPM refuses the session that encrypts its answers (BusEncryption= in sdi.conf(5))",
                        start_session(session, key, salt, &ours, &theirs));
        if (r < 0)
                return r;
        if (theirs.size != HASH_SIZE)
                return tpm_fail(tpm, -EPROTO, "the TPM's answer to a new session is malformed");
        memcpy(session->theirs, theirs.buffer, HASH_SIZE);
        return derive(session->keys->salt, (size_t) EVP_MD_get_size(digest), "ATH", session->theirs,
                        session->ours, session->keys->session);
}

int session_new(const TpmHandle *key, const TPMT_PUBLIC *public, Session **ret) {
        const EVP_MD *digest = digest_of(public->nameAlg);
        _cleanup_session_ Session *session = NULL;
        TPM2B_ENCRYPTED_SECRET salt = {};
        int r;

        if (!digest)
                return tpm_fail(key->tpm, -EOPNOTSUPP, "the key's own hash is none for a session");
        session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;
        r = secret_new(sizeof(Keys), &session->memory);
        if (r < 0)
                return r;
        session->keys = (Keys *) session->memory->data;
        r = tpm_handle_new(key->tpm, TPM_HANDLE_TRANSIENT, &session->handle);
        if (r >= 0)
                r = exchange_salt(public, digest, session->keys, &salt);
        if (r >= 0)
                r = start(session, key, digest, &salt);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(session);
        return 0;
}

Session *session_free(Session *session) {
        if (session) {
                tpm_handle_free(session->handle);
                secret_free(session->memory);
                EVP_CIPHER_free(session->cipher);
                free(session);
        }
        return NULL;
}

/* SHA-256 of up to three strings: cpHash and rpHash (part 1, sections 16.7 and 16.8). */
static int hash(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b, const uint8_t *c, size_t n_c,
                uint8_t ret[static HASH_SIZE]) {
        _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();

        if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
                        EVP_DigestUpdate(context, a, n_a) != 1 || EVP_DigestUpdate(context, b, n_b) != 1 ||
                        EVP_DigestUpdate(context, c, n_c) != 1 ||
                        EVP_DigestFinal_ex(context, ret, NULL) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

/* Part 1, section 17.6.5; the key's own password is empty. */
static int authenticate(const Session *session, const uint8_t parameters[static HASH_SIZE],
                const uint8_t newer[static HASH_SIZE], const uint8_t older[static HASH_SIZE],
                TPMA_SESSION attributes, uint8_t ret[static HASH_SIZE]) {
        uint8_t input[3 * HASH_SIZE + 1];

        memcpy(input, parameters, HASH_SIZE);
        memcpy(input + HASH_SIZE, newer, HASH_SIZE);
        memcpy(input + 2 * HASH_SIZE, older, HASH_SIZE);
        input[3 * HASH_SIZE] = attributes;
        return HMAC(EVP_sha256(), session->keys->session, HASH_SIZE, input, sizeof(input), ret, NULL)
                        ? 0
                        : openssl_error(-ENOMEM);
}

static int authorize(Session *session, Tpm *tpm, TPM2_CC command, const TPM2B_NAME *name) {
        TPMS_AUTH_COMMAND auth = {
                .sessionHandle = session->handle->number,
                .nonce.size = HASH_SIZE,
                .hmac.size = HASH_SIZE,
                .sessionAttributes = ATTRIBUTES,
        };
        uint8_t digest[HASH_SIZE], code[4];
        const uint8_t *parameters;
        size_t n;
        int r;

        r = tpm_check(tpm, Tss2_Sys_GetCpBuffer(tpm_sys(tpm), &n, &parameters),
                        "cannot authorize a command");
        if (r < 0)
                return r;
        put_be32(code, command);
        r = hash(code, sizeof(code), name->name, name->size, parameters, n, digest);
        if (r < 0)
                return r;
        if (RAND_bytes(session->ours, HASH_SIZE) != 1)
                return openssl_error(-EIO);
        memcpy(auth.nonce.buffer, session->ours, HASH_SIZE);
        r = authenticate(session, digest, session->ours, session->theirs, ATTRIBUTES, auth.hmac.buffer);
        if (r < 0)
                return r;
        return tpm_check(tpm,
                        Tss2_Sys_SetCmdAuths(tpm_sys(tpm),
                                        &(TSS2L_SYS_AUTH_COMMAND){ .count = 1, .auths = { auth } }),
                        "cannot authorize a command");
}

/* Whether the answer is the TPM's, unchanged. */
static int check_answer(Session *session, Tpm *tpm, TPM2_CC command, Cursor answer) {
        static const uint8_t success[4];
        uint8_t digest[HASH_SIZE], expected[HASH_SIZE], head[8];
        TSS2L_SYS_AUTH_RESPONSE auths = {};
        const TPMS_AUTH_RESPONSE *auth = &auths.auths[0];
        int r;

        r = tpm_check(tpm, Tss2_Sys_GetRspAuths(tpm_sys(tpm), &auths), "cannot check the TPM's answer");
        if (r < 0)
                return r;
        memcpy(head, success, sizeof(success));
        put_be32(head + sizeof(success), command);
        r = hash(head, sizeof(head), answer.p, answer.left, NULL, 0, digest);
        if (r < 0)
                return r;
        if (auths.count != 1 || auth->nonce.size != HASH_SIZE || auth->hmac.size != HASH_SIZE)
                return tpm_fail(tpm, -EPROTO, "the TPM's answer is malformed");
        memcpy(session->theirs, auth->nonce.buffer, HASH_SIZE);
        r = authenticate(session, digest, session->theirs, session->ours, auth->sessionAttributes, expected);
        if (r < 0)
                return r;
        if (!(auth->sessionAttributes & TPMA_SESSION_ENCRYPT) ||
                        CRYPTO_memcmp(expected, auth->hmac.buffer, HASH_SIZE) != 0)
                return tpm_fail(tpm, -EPROTO, "the TPM's answer was changed on its way");
        return 0;
}

/* Part 1, section 19.3: CFB, its key and IV from the session's key and the nonces. */
static int decrypt(Session *session, const uint8_t *content, size_t n, uint8_t *ret) {
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        uint8_t *key = session->keys->parameter;
        int size, r;

        r = derive(session->keys->session, HASH_SIZE, "CFB", session->theirs, session->ours, key);
        if (r < 0)
                return r;
        if (!session->cipher || !context ||
                        EVP_DecryptInit_ex2(context, session->cipher, key, key + AES_KEY_SIZE, NULL) != 1 ||
                        EVP_DecryptUpdate(context, ret, &size, content, (int) n) != 1 || size != (int) n)
                return openssl_error(-ENOMEM);
        return 0;
}

int session_execute(Tpm *tpm, Session *session, TPM2_CC command, const TPM2B_NAME *name, const char *what,
                uint8_t *ret, size_t *n) {
        Cursor answer, content;
        const uint8_t *p;
        uint16_t size;
        size_t n_answer;
        int r;

        r = session ? authorize(session, tpm, command, name)
                    : tpm_check(tpm, Tss2_Sys_SetCmdAuths(tpm_sys(tpm), &tpm_no_password),
                                      "cannot authorize a command");
        if (r >= 0)
                r = tpm_run(tpm, what, Tss2_Sys_Execute(tpm_sys(tpm)));
        if (r >= 0)
                r = tpm_check(tpm, Tss2_Sys_GetRpBuffer(tpm_sys(tpm), &n_answer, &p), what);
        if (r < 0)
                return r;

        content = answer = CURSOR(p, n_answer);
        if (session) {
                r = check_answer(session, tpm, command, answer);
                if (r < 0)
                        return r;
                session->handle->number = 0; /* it has ended */
        }
        if (cursor_be16(&content, &size) < 0 || size != content.left || size > *n)
                return tpm_fail(tpm, -EPROTO, "the TPM's answer is malformed");
        if (session)
                r = decrypt(session, content.p, size, ret);
        else {
                memcpy(ret, content.p, size);
                OPENSSL_cleanse((void *) p, n_answer); /* nobody else is to read it there */
        }
        *n = size;
        return r;
}
