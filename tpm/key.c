/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/key.h"

#include "base/text.h"
#include "tpm/key-template.h"
#include "tpm/openssl.h"
#include "tpm/public-key.h"
#include "tpm/session.h"
#include "tpm/tpm-handle.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ecdsa.h>
#include <stdbool.h>
#include <string.h>

struct TpmKey {
        TpmHandle *handle;
        TpmKeySlot slot;
        TpmKeyType type;
        TPMT_PUBLIC area; /* as the TPM has it */
        TPM2B_NAME name;  /* a digest of that */
        uint8_t *public;  /* SubjectPublicKeyInfo */
        size_t n_public;
        const char *refusal; /* why it cannot decrypt, or NULL */
        Session *session;    /* for the next operation, or NULL */
        bool exposed;        /* it has none */
};

static const TPM2_HANDLE persistent_handles[] = {
        [TPM_KEY_DEVICE] = 0x81008886,
        [TPM_KEY_OPERATOR] = 0x81008887,
};
static_assert(ELEMENTSOF(persistent_handles) == _TPM_KEY_SLOT_MAX, "every slot has a handle");

/* Takes *handle over. */
static int key_new(TpmKeySlot slot, TpmKeyType type, TpmHandle **handle, const TPMT_PUBLIC *area,
                const TPM2B_NAME *name, TpmKey **ret) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        key = calloc(1, sizeof(TpmKey));
        if (!key)
                return -ENOMEM;
        key->slot = slot;
        key->type = type;
        key->area = *area;
        key->name = *name;
        key->handle = TAKE_PTR(*handle);
        r = public_key_make(area, &key->public, &key->n_public);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(key);
        return 0;
}

TpmKey *tpm_key_free(TpmKey *key) {
        if (key) {
                session_free(key->session);
                tpm_handle_free(key->handle);
                OPENSSL_free(key->public);
                free(key);
        }
        return NULL;
}

/* What is at a persistent handle, ours or not. */
static int open_persistent(Tpm *tpm, TPM2_HANDLE number, TpmHandle **ret, TPM2B_PUBLIC *ret_public,
                TPM2B_NAME *ret_name) {
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        TPM2B_NAME qualified = {};
        int r;

        r = tpm_handle_new(tpm, TPM_HANDLE_PERSISTENT, &handle);
        if (r < 0)
                return r;
        r = tpm_run(tpm, "cannot read the persistent key",
                        Tss2_Sys_ReadPublic(
                                        tpm_sys(tpm), number, NULL, ret_public, ret_name, &qualified, NULL));
        if (r < 0)
                return r;
        handle->number = number;
        *ret = TAKE_PTR(handle);
        return 0;
}

/* The object at the slot's handle, if it looks like one of the slot's keys; else -EEXIST. */
static int open_slot(Tpm *tpm, TpmKeySlot slot, TpmKey **ret) {
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        char text[2 * sizeof(TPMU_NAME) + 1];
        TPM2B_PUBLIC public = {};
        TPM2B_NAME name = {};
        TpmKeyType type;
        int r;

        r = open_persistent(tpm, persistent_handles[slot], &handle, &public, &name);
        if (r < 0)
                return r;
        if (key_template_match(slot, &public.publicArea, &type) < 0)
                return tpm_fail(tpm, -EEXIST,
                                "persistent handle 0x%08x holds an object that is not ours (its name is %s); "
                                "`tpm2_evictcontrol -C o -c 0x%08x` removes it",
                                persistent_handles[slot], text_hex(text, name.name, name.size),
                                persistent_handles[slot]);
        return key_new(slot, type, &handle, &public.publicArea, &name, ret);
}

int tpm_key_find(Tpm *tpm, TpmKeySlot slot, const uint8_t *public, size_t size, TpmKey **ret) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_slot(tpm, slot, &key);
        if (r == -EEXIST)
                return -ENOENT;
        if (r < 0)
                return r;
        if (tpm_key_check(key, public, size) < 0)
                return tpm_fail(tpm, -ENOENT, "persistent handle 0x%08x holds another key",
                                persistent_handles[slot]);
        *ret = TAKE_PTR(key);
        return 0;
}

/* 802.1AR keys sign, EKs are restricted, and some keys are bound to one padding: none can do the raw operation. */
static const char *refusal_of(const TPMT_PUBLIC *public) {
        TPM2_ALG_ID scheme = public->type == TPM2_ALG_RSA ? public->parameters.rsaDetail.scheme.scheme
                                                          : public->parameters.eccDetail.scheme.scheme;

        if (!(public->objectAttributes & TPMA_OBJECT_DECRYPT))
                return "it can only sign; make a key in the slot `device`";
        if (public->objectAttributes & TPMA_OBJECT_RESTRICTED)
                return "it is restricted to the TPM's own structures; make a key in the slot `device`";
        if (!(public->objectAttributes & TPMA_OBJECT_USERWITHAUTH))
                return "its use needs a policy; make a key in the slot `device`";
        if (scheme != TPM2_ALG_NULL)
                return "it is bound to one scheme; make a key in the slot `device`";
        return NULL;
}

int tpm_key_open_handle(Tpm *tpm, uint32_t number, TpmKey **ret) {
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        _cleanup_tpm_key_ TpmKey *key = NULL;
        TPM2B_PUBLIC public = {};
        TPM2B_NAME name = {};
        TpmKeyType type;
        int r;

        if (number >> TPM2_HR_SHIFT != TPM2_HT_PERSISTENT)
                return tpm_fail(tpm, -EINVAL, "0x%08x is not a persistent handle", number);
        r = open_persistent(tpm, number, &handle, &public, &name);
        if (r < 0)
                return r;
        r = key_type_of_public(&public.publicArea, &type);
        if (r < 0)
                return tpm_fail(tpm, r,
                                "what is at persistent handle 0x%08x is not a key of a type that we use",
                                number);
        r = key_new(_TPM_KEY_SLOT_MAX, type, &handle, &public.publicArea, &name, &key);
        if (r < 0)
                return r;
        key->refusal = refusal_of(&key->area);
        *ret = TAKE_PTR(key);
        return 0;
}

int tpm_key_make(Tpm *tpm, TpmKeySlot slot, TpmKeyType type, TpmKey **ret) {
        const TPM2B_SENSITIVE_CREATE sensitive = {};
        const TPM2B_DATA outside = {};
        const TPML_PCR_SELECTION pcrs = {};
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        TPM2B_PUBLIC template = {}, public = {};
        TPM2B_CREATION_DATA creation = {};
        TPM2B_DIGEST creation_hash = {};
        TPMT_TK_CREATION ticket = {};
        TPM2B_NAME name = {};
        TpmKeyType made;
        int r;

        r = tpm_handle_new(tpm, TPM_HANDLE_TRANSIENT, &handle);
        if (r < 0)
                return r;
        key_template(slot, type, &template.publicArea);
        r = tpm_run(tpm, "cannot make the key",
                        Tss2_Sys_CreatePrimary(tpm_sys(tpm), TPM2_RH_ENDORSEMENT, &tpm_no_password,
                                        &sensitive, &template, &outside, &pcrs, &handle->number, &public,
                                        &creation, &creation_hash, &ticket, &name, NULL));
        if (r == -EINVAL) /* what a TPM says of a key size that it does not have */
                r = -EOPNOTSUPP;
        if (r < 0)
                return r;
        if (key_template_match(slot, &public.publicArea, &made) < 0 || made != type)
                return tpm_fail(tpm, -EPROTO, "the TPM made a key that is not what was asked for");
        return key_new(slot, type, &handle, &public.publicArea, &name, ret);
}

int tpm_key_open(Tpm *tpm, TpmKeySlot slot, const uint8_t *public, size_t size, TpmKey **ret) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        TpmKeyType type;
        int r;

        r = tpm_key_find(tpm, slot, public, size, ret);
        if (r != -ENOENT)
                return r;
        r = public_key_get_type(public, size, &type);
        if (r < 0)
                return tpm_fail(tpm, r, "the certificate is of a type of key that we do not use");
        r = tpm_key_make(tpm, slot, type, &key);
        if (r < 0)
                return r;
        if (tpm_key_check(key, public, size) < 0)
                return tpm_fail(tpm, -ESTALE, "the key in the TPM is another one");
        *ret = TAKE_PTR(key);
        return 0;
}

/* With the primary as object this makes it persistent; with the persistent object, that one goes. */
static int evict_control(const TpmHandle *object, TpmKeySlot slot, const char *what) {
        Tpm *tpm = object->tpm;

        return tpm_run(tpm, what,
                        Tss2_Sys_EvictControl(tpm_sys(tpm), TPM2_RH_OWNER, object->number, &tpm_no_password,
                                        persistent_handles[slot], NULL));
}

int tpm_key_persist(TpmKey *key) {
        Tpm *tpm = key->handle->tpm;
        _cleanup_tpm_key_ TpmKey *old = NULL;
        int r;

        if (key->handle->kind == TPM_HANDLE_PERSISTENT)
                return 0;

        /* Also one of the same name: it may be locked with a password, which the name does not show. */
        r = open_slot(tpm, key->slot, &old);
        if (r >= 0)
                r = evict_control(old->handle, key->slot, "cannot remove the old persistent key");
        if (r < 0 && r != -ENOENT)
                return r;
        return evict_control(key->handle, key->slot, "cannot make the key persistent");
}

int tpm_key_remove(Tpm *tpm, TpmKeySlot slot) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_slot(tpm, slot, &key);
        if (r == -EEXIST)
                return -ENOENT;
        return r < 0 ? r : evict_control(key->handle, slot, "cannot remove the persistent key");
}

TpmKeySlot tpm_key_get_slot(const TpmKey *key) {
        return key->slot;
}

TpmKeyType tpm_key_get_type(const TpmKey *key) {
        return key->type;
}

const uint8_t *tpm_key_get_public(const TpmKey *key, size_t *ret_size) {
        *ret_size = key->n_public;
        return key->public;
}

int tpm_key_check(const TpmKey *key, const uint8_t *public, size_t size) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *ours = NULL, *theirs = NULL;

        if (size == key->n_public && memcmp(public, key->public, size) == 0)
                return 0;
        /* A key made elsewhere may be written in another way, its point compressed for instance. */
        if (public_key_to_evp(public, size, &theirs) < 0 ||
                        public_key_to_evp(key->public, key->n_public, &ours) < 0)
                return -ESTALE;
        return EVP_PKEY_eq(theirs, ours) == 1 ? 0 : openssl_error(-ESTALE);
}

const char *tpm_key_get_refusal(const TpmKey *key) {
        return key->refusal;
}

const char *tpm_key_reason(const TpmKey *key) {
        return tpm_reason(key->handle->tpm);
}

static int ecdsa_to_der(const TPMS_SIGNATURE_ECC *signature, uint8_t **ret, size_t *ret_size) {
        _cleanup_(ECDSA_SIG_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
        _cleanup_(BN_freep) BIGNUM *r = NULL, *s = NULL;
        uint8_t *der = NULL;
        int size;

        r = BN_bin2bn(signature->signatureR.buffer, signature->signatureR.size, NULL);
        s = BN_bin2bn(signature->signatureS.buffer, signature->signatureS.size, NULL);
        if (!sig || !r || !s || !ECDSA_SIG_set0(sig, r, s))
                return openssl_error(-ENOMEM);
        (void) TAKE_PTR(r);
        (void) TAKE_PTR(s);
        size = i2d_ECDSA_SIG(sig, &der);
        if (size <= 0)
                return openssl_error(-ENOMEM);
        *ret = der;
        *ret_size = (size_t) size;
        return 0;
}

/* A certificate is made once and published: no mistake of the TPM or of its bus may get into it. */
static int check_signature(const TpmKey *key, const uint8_t digest[static TPM_KEY_DIGEST_SIZE],
                const uint8_t *signature, size_t size) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = NULL;
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *public = NULL;
        int r;

        r = public_key_to_evp(key->public, key->n_public, &public);
        if (r < 0)
                return r;
        context = EVP_PKEY_CTX_new_from_pkey(NULL, public, NULL);
        if (!context || EVP_PKEY_verify_init(context) != 1 ||
                        EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) != 1)
                return openssl_error(-ENOMEM);
        if (EVP_PKEY_verify(context, signature, size, digest, TPM_KEY_DIGEST_SIZE) != 1)
                return tpm_fail(key->handle->tpm, openssl_error(-EPROTO),
                                "the signature that comes from the TPM is not one of this key");
        return 0;
}

static int sign(TpmKey *key, const uint8_t digest[static TPM_KEY_DIGEST_SIZE], uint8_t **ret,
                size_t *ret_size) {
        const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
        Tpm *tpm = key->handle->tpm;
        bool rsa = key_type_is_rsa(key->type);
        TPMT_SIG_SCHEME scheme = { .scheme = rsa ? TPM2_ALG_RSASSA : TPM2_ALG_ECDSA };
        TPM2B_DIGEST hash = { .size = TPM_KEY_DIGEST_SIZE };
        TPMT_SIGNATURE signature = {};
        int r;

        scheme.details.any.hashAlg = TPM2_ALG_SHA256;
        memcpy(hash.buffer, digest, TPM_KEY_DIGEST_SIZE);
        r = tpm_run(tpm, "cannot sign with the key",
                        Tss2_Sys_Sign(tpm_sys(tpm), key->handle->number, &tpm_no_password, &hash, &scheme,
                                        &no_ticket, &signature, NULL));
        if (r < 0)
                return r;
        if (!rsa)
                return ecdsa_to_der(&signature.signature.ecdsa, ret, ret_size);

        *ret = OPENSSL_memdup(signature.signature.rsassa.sig.buffer, signature.signature.rsassa.sig.size);
        if (!*ret)
                return openssl_error(-ENOMEM);
        *ret_size = signature.signature.rsassa.sig.size;
        return 0;
}

int tpm_key_sign(TpmKey *key, const uint8_t digest[static TPM_KEY_DIGEST_SIZE], uint8_t **ret,
                size_t *ret_size) {
        _cleanup_openssl_ uint8_t *signature = NULL;
        size_t size;
        int r;

        r = sign(key, digest, &signature, &size);
        if (r >= 0)
                r = check_signature(key, digest, signature, size);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(signature);
        *ret_size = size;
        return 0;
}

int tpm_key_prepare(TpmKey *key) {
        int r;

        if (key->refusal)
                return tpm_fail(key->handle->tpm, -EOPNOTSUPP, "%s", key->refusal);
        if (key->session)
                return 0;
        r = session_new(key->handle, &key->area, &key->name, key->exposed, &key->session);
        /* The key could decrypt, and nothing is wrong with the file. */
        return r == -EOPNOTSUPP || r == -EINVAL ? -EPROTO : r;
}

void tpm_key_expose(TpmKey *key) {
        key->exposed = true;
}

static int take_session(TpmKey *key, Session **ret) {
        int r;

        r = tpm_key_prepare(key);
        if (r >= 0)
                *ret = TAKE_PTR(key->session);
        return r;
}

/* The TPM may leave out zeros at the start. */
static int copy_number(Tpm *tpm, const uint8_t *number, size_t size, uint8_t *ret, size_t n) {
        if (size > n)
                return tpm_fail(tpm, -EPROTO, "the TPM's answer is malformed");
        memset(ret, 0, n - size);
        memcpy(ret + n - size, number, size);
        return 0;
}

int tpm_key_decrypt_rsa(TpmKey *key, const uint8_t *cipher, size_t n, uint8_t *ret_block) {
        const TPMT_RSA_DECRYPT raw = { .scheme = TPM2_ALG_NULL };
        const TPM2B_DATA no_label = {};
        Tpm *tpm = key->handle->tpm;
        TPM2B_PUBLIC_KEY_RSA in = { .size = (UINT16) n }, *out = NULL;
        _cleanup_session_ Session *session = NULL;
        TSS2_RC rc;
        int r;

        if (!key_type_is_rsa(key->type) || n != key_type_size(key->type))
                return -EINVAL;
        memcpy(in.buffer, cipher, n);
        r = take_session(key, &session);
        if (r < 0)
                return r;
        rc = Esys_RSA_Decrypt(tpm_esys(tpm), session->key, session->authorization, ESYS_TR_NONE,
                        ESYS_TR_NONE, &in, &raw, &no_label, &out);
        r = session_end(session, rc, "cannot decrypt with the key");
        if (r >= 0)
                r = copy_number(tpm, out->buffer, out->size, ret_block, n);
        session_erase(out, sizeof(*out));
        return r;
}

int tpm_key_agree_ecdh(TpmKey *key, const uint8_t *point, size_t n_point, uint8_t *ret_z) {
        Tpm *tpm = key->handle->tpm;
        size_t n = n_point / 2;
        TPM2B_ECC_POINT in = { .point = { .x.size = (UINT16) n, .y.size = (UINT16) n } }, *out = NULL;
        _cleanup_session_ Session *session = NULL;
        TSS2_RC rc;
        int r;

        if (key_type_is_rsa(key->type) || n != key_type_size(key->type) || n_point != 2 * n + 1 ||
                        point[0] != POINT_CONVERSION_UNCOMPRESSED)
                return -EINVAL;
        memcpy(in.point.x.buffer, point + 1, n);
        memcpy(in.point.y.buffer, point + 1 + n, n);
        r = take_session(key, &session);
        if (r < 0)
                return r;
        rc = Esys_ECDH_ZGen(tpm_esys(tpm), session->key, session->authorization, ESYS_TR_NONE, ESYS_TR_NONE,
                        &in, &out);
        r = session_end(session, rc, "cannot agree with the key");
        if (r >= 0)
                r = copy_number(tpm, out->point.x.buffer, out->point.x.size, ret_z, n);
        session_erase(out, sizeof(*out));
        return r;
}
