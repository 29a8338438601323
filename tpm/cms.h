/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Decrypts CMS (RFC 5652) EnvelopedData and AuthEnvelopedData (RFC 5083), strictly: everything is on an allow-list, BER
 * is read to its last byte, and nothing comes out before the whole file has passed. One layer only.
 *
 *   recipients  RSA key transport: PKCS #1 v1.5 (RFC 3370), OAEP with SHA-1 to SHA-512, any MGF1 digest and label
 *               (RFC 4056); ephemeral-static ECDH, standard and cofactor, on the key's own curve with the KDF of X9.63 over
 *               SHA-1 to SHA-512, AES key wrap and UKM (RFC 5753). Named by issuer and serial number or by
 *               subjectKeyIdentifier, among up to 1,024 recipients
 *   content     AES-128/192/256 in CBC (RFC 3565) or in GCM or CCM with a full tag (RFC 5084); triple DES when
 *               it is allowed
 *
 * The content is handed on byte for byte. (`openssl smime` without -binary writes CR LF for every LF into it.)
 *
 * CBC content has no authentication. A changed block turns that block into noise and flips bits of the next, and
 * nobody can notice but by the configuration's own syntax; only a damaged end is seen, by its padding. GCM content that
 * was changed in any bit is refused.
 *
 * Every cryptographic failure (padding, key, tag) is the one error -EKEYREJECTED, after the same work and the same TPM
 * operations, so that whoever can send files and watch the device learns nothing about another file's key.
 */

#include "tpm/certificate.h"
#include "tpm/envelope.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A private key, wherever it is. The operations return negative errno when the key cannot be used, and then, if
 * `reason` is set, it says why to a person. An operation is called once per file at most, its output is in locked memory.
 */
typedef struct CmsKey {
        const Certificate *certificate; /* what the file must name, and the public key */
        int (*decrypt_rsa)(
                        void *userdata, const uint8_t *cipher, size_t n, uint8_t *ret_block); /* c^d mod n */
        int (*agree_ecdh)(void *userdata, const uint8_t *point, size_t n_point,
                        uint8_t *ret_z); /* 04 || x || y */
        const char *(*reason)(void *userdata);
        void *userdata;
} CmsKey;

typedef enum CmsFlags {
        CMS_LEGACY_CIPHERS = 1 << 0,     /* accept triple DES */
        CMS_AUTHENTICATED_ONLY = 1 << 1, /* refuse CBC, before the key is used */
        CMS_KEEP_REJECTED = 1 << 2, /* CBC: give the content out although it is rejected, with its padding */
} CmsFlags;

#define CMS_REASON_MAX 256

typedef struct CmsReport {
        char reason[CMS_REASON_MAX]; /* on an error: for everybody; what comes from the file is escaped */
        char detail[CMS_REASON_MAX]; /* on an error: more, for root's journal alone, or "" */
        char cipher[32];             /* "AES-256-CBC", once known */
        bool authenticated;          /* GCM or CCM rather than CBC */
        size_t key;                  /* on success: the index of the key that was used */
} CmsReport;

/*
 * Decrypts with the first key, in the order given, that the file names. On success *ret_fd is a sealed memfd with the
 * content. Beyond that memfd memory does not grow with the file; while plaintext is written it is locked, and on any
 * error it is erased. The file must not change meanwhile (a sealed memfd).
 *
 * With CMS_KEEP_REJECTED, CBC content that was decrypted and is then rejected (padding, key, an inner envelope, nothing in it) is
 * in *ret_fd all the same, beside the error; otherwise *ret_fd stays untouched on an error.
 *
 *   -EBADMSG      malformed
 *   -E2BIG        over a limit
 *   -ENOKEY       encrypted, but not for this device
 *   -EOPNOTSUPP   an algorithm or kind of content that we do not accept; `reason` says what to use instead
 *   -EPERM        triple DES without CMS_LEGACY_CIPHERS
 *   -EACCES       content that is not authenticated, with CMS_AUTHENTICATED_ONLY
 *   -EKEYREJECTED cannot be decrypted
 *   -ENODATA      there is nothing in it (with CMS_KEEP_REJECTED; else it is an empty content like any other)
 *   -EAGAIN       the key cannot be used now (the TPM)
 *   -ENOMEM and other errors of the system: memory, its limits, descriptors
 */
int cms_decrypt(const Envelope *envelope, const CmsKey *keys, size_t n_keys, CmsFlags flags, int *ret_fd,
                CmsReport *report);
