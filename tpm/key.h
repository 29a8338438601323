/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The device's keys in the TPM (RFC 8886, sections 3.1 and 5.1). Each is a primary of the endorsement hierarchy: the TPM
 * computes it from a secret seed of its own and the template, so the same template gives the same key for as long as the
 * TPM lives, also after TPM2_Clear, and there is nothing to back up or to lose.
 *
 * The template, in the terms of the TPM 2.0 Library specification:
 *
 *   type, nameAlg     RSA or ECC, SHA-256
 *   objectAttributes  fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, decrypt, sign; not restricted
 *   authPolicy, auth  empty
 *   symmetric, scheme TPM_ALG_NULL (and the KDF, for ECC)
 *   RSA               keyBits 2048 or 3072, exponent 0 (65537)
 *   ECC               TPM_ECC_NIST_P256 or TPM_ECC_NIST_P384
 *   unique            "RFC 8886 device" or "RFC 8886 operator", and zeros to the size of the modulus, or of each
 *                     coordinate (the text is in x)
 *
 * A persistent copy is only a cache, for TPMs in which making an RSA key takes seconds. Anybody who may
 * use the TPM can put another key there that looks the same. So a key gets its certificate only as the
 * primary itself, made anew for that (tpm_key_make()). Later the copy is used only if its public part is
 * the one in the certificate (tpm_key_find()), which costs no command more than TPM2_ReadPublic. A copy
 * that fails that is passed over: the primary is made for each use, until tpm_key_persist() puts the right
 * copy in its place. An object that does not even look like ours is neither used nor removed.
 *
 * The certificate also protects the bus between processor and TPM. The result of a private operation is
 * encrypted for a session, whose secret is encrypted to the public key of the certificate; that one is
 * read from a file, not from the bus (session.h). Once the certificate is there,
 *
 *   - a listener learns no content key, at the first power-on or later;
 *   - an interposer cannot put his own key in the place of ours, cannot have us do without the session,
 *     and cannot change a result: the operation ends with an error.
 *
 * An interposer who gives the TPM commands of his own is not kept out. Our keys have no password, as a
 * device that is alone has no place for one that he cannot reach. So the TPM decrypts for him as it does
 * for us: he can read each file of which he has a copy. And at the first power-on there is nothing to
 * compare with: an interposer who answers every command himself, with a key pair of his own, is taken for
 * the TPM. One who only replaces the public key is found out, as the signature of the TPM's own key does
 * not fit.
 */

#include "tpm/tpm.h"

#include <stdint.h>

typedef enum TpmKeyType {
        TPM_KEY_RSA2048,
        TPM_KEY_RSA3072, /* not every TPM has it */
        TPM_KEY_P256,
        TPM_KEY_P384,
        _TPM_KEY_TYPE_MAX,
} TpmKeyType;

typedef enum TpmKeySlot {
        TPM_KEY_DEVICE,   /* the vendor's; persistent at 0x81008886 */
        TPM_KEY_OPERATOR, /* its replacement by the operator (RFC 8886, section 5.2); at 0x81008887 */
        _TPM_KEY_SLOT_MAX,
} TpmKeySlot;

/* As in sdi.conf and on sdictl's command line: "rsa2048", "p384"; "device", "operator". From a string: 0 or -EINVAL. */
const char *tpm_key_type_to_string(TpmKeyType type);
int tpm_key_type_from_string(const char *text, TpmKeyType *ret);
const char *tpm_key_slot_to_string(TpmKeySlot slot);
int tpm_key_slot_from_string(const char *text, TpmKeySlot *ret);

typedef struct TpmKey TpmKey;

/* The primary, made from the template (in hardware an RSA key may take a minute). */
int tpm_key_make(Tpm *tpm, TpmKeySlot slot, TpmKeyType type, TpmKey **ret);

/*
 * The key of which `public` is the SubjectPublicKeyInfo: the persistent copy if it is that one, else the
 * primary. -ESTALE when that is another one. tpm_key_find() gives up (-ENOENT) where the primary would have
 * to be made.
 */
int tpm_key_open(Tpm *tpm, TpmKeySlot slot, const uint8_t *public, size_t size, TpmKey **ret);
int tpm_key_find(Tpm *tpm, TpmKeySlot slot, const uint8_t *public, size_t size, TpmKey **ret);

/*
 * A key made elsewhere, by the vendor's factory or for 802.1AR: whatever is persistent at `handle`. It is of one of our
 * types, else -EOPNOTSUPP, and without a password, else -EACCES when it is used. It is in no slot, and is never removed.
 */
int tpm_key_open_handle(Tpm *tpm, uint32_t handle, TpmKey **ret);

/*
 * NULL when the key can decrypt; else why not: "can only sign", for instance, which is what an IDevID's key does. Such a
 * key cannot receive encrypted configurations; it can sign, for an enrolment.
 */
const char *tpm_key_get_refusal(const TpmKey *key);

/*
 * Keeps a persistent copy. An object there that looks like one of the slot's keys gives way; -EEXIST when
 * the handle holds something else. The key works without (it is made again each time), so a caller may
 * ignore errors. For a key opened by its handle there is nothing to do.
 */
int tpm_key_persist(TpmKey *key);

/* Removes the persistent copy, or what looks like one. -ENOENT when there is none. */
int tpm_key_remove(Tpm *tpm, TpmKeySlot slot);

/* Accepts NULL, returns NULL; takes the key out of the TPM's working memory. */
TpmKey *tpm_key_free(TpmKey *key);

/* _TPM_KEY_SLOT_MAX for one that was opened by its handle. */
TpmKeySlot tpm_key_get_slot(const TpmKey *key);
TpmKeyType tpm_key_get_type(const TpmKey *key);

/* The public key, a SubjectPublicKeyInfo in DER; owned by `key`. */
const uint8_t *tpm_key_get_public(const TpmKey *key, size_t *ret_size);

/* 0 when that is the SubjectPublicKeyInfo of this key, however it is encoded, else -ESTALE. */
int tpm_key_check(const TpmKey *key, const uint8_t *public, size_t size);

/* For the errors of tpm.h: what tpm_reason() says of the last one. */
const char *tpm_key_reason(const TpmKey *key);

/*
 * Signs a SHA-256 digest: RSASSA-PKCS1-v1_5, or ECDSA as the DER Ecdsa-Sig-Value. *ret is freed with
 * OPENSSL_free(). A slot's key may sign one thing: its own certificate and certificate request. -EPROTO when
 * the signature that comes is not this key's.
 */
#define TPM_KEY_DIGEST_SIZE 32
int tpm_key_sign(TpmKey *key, const uint8_t digest[static TPM_KEY_DIGEST_SIZE], uint8_t **ret,
                size_t *ret_size);

/*
 * Starts the session in which the next operation's result is hidden from those who listen to the TPM's bus.
 * Without this call the operation does so itself: it is for a caller who knows already that there will be an
 * operation, and has time now. A TPM that refuses the session is an error, -EPROTO or one of those that may
 * pass.
 */
int tpm_key_prepare(TpmKey *key);

/* From now on the key's results pass over the bus as they are: no session is asked for. */
void tpm_key_expose(TpmKey *key);

/*
 * The raw RSA operation: c^d mod n. `n` is the size of the modulus; ret_block, of n bytes, should be in a Secret, because no
 * padding is checked or removed here (TPM2_RSA_Decrypt with TPM_ALG_NULL). -EINVAL when c is not below the modulus.
 */
int tpm_key_decrypt_rsa(TpmKey *key, const uint8_t *cipher, size_t n, uint8_t *ret_block);

/*
 * ECDH: `point` is another public key on the same curve as 04 || x || y, 2 n + 1 bytes; ret_z, the x coordinate of the shared
 * point in n bytes, should be in a Secret. -EINVAL when the point is not on the curve.
 */
int tpm_key_agree_ecdh(TpmKey *key, const uint8_t *point, size_t n_point, uint8_t *ret_z);

DEFINE_CLEANUP(TpmKey, tpm_key_free)
#define _cleanup_tpm_key_ _cleanup_(tpm_key_freep)
