/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The device's certificate and certificate request (RFC 8886, section 3.1): CN = the serial number, signed by the
 * key itself. All of a certificate follows from the key and the name, so that one that was lost comes out the same when
 * it is made again, and files that were encrypted to it still name its issuer and serial number:
 *
 *   serialNumber          the first 20 octets of SHA-256(SubjectPublicKeyInfo), made positive
 *   issuer, subject       CN=<name>, UTF8String
 *   validity              2020-09-01 (RFC 8886's month) to 9999-12-31 23:59:59, "no well-defined expiration" of RFC 5280
 *   subjectKeyIdentifier  SHA-1 of the public key (RFC 5280, section 4.2.1.2, method 1)
 *   keyUsage              critical: keyEncipherment for RSA, keyAgreement for EC
 *
 * An RSA certificate is the same in every byte; an ECDSA signature is new each time. What identifies a key to people
 * is therefore its fingerprint, SHA-256 of the SubjectPublicKeyInfo, not the certificate's.
 */

#include "tpm/key.h"

#include <openssl/x509.h>

/* The name is 1 to 64 printable ASCII characters without spaces (ub-common-name): else -EINVAL. */
#define CERTIFICATE_NAME_MAX 64

typedef struct Certificate Certificate;

int certificate_make(TpmKey *key, const char *name, Certificate **ret);
int certificate_make_request(TpmKey *key, const char *name, X509_REQ **ret);

/* PEM with a NUL at its end; freed with free(). */
int certificate_to_pem(const Certificate *certificate, char **ret);
int certificate_request_to_pem(const X509_REQ *request, char **ret);

/* The first certificate of a PEM text, or of these octets, whatever follows it: -EBADMSG when there is none. */
int certificate_from_pem(const char *pem, size_t size, Certificate **ret);
int certificate_from_der(const uint8_t *der, size_t size, Certificate **ret);

/* Accepts NULL, returns NULL. */
Certificate *certificate_free(Certificate *certificate);

/* All of these are the certificate's. */
const uint8_t *certificate_get_der(const Certificate *certificate, size_t *ret_size);
const X509_NAME *certificate_get_issuer(const Certificate *certificate);
const ASN1_INTEGER *certificate_get_serial(const Certificate *certificate);
const ASN1_OCTET_STRING *certificate_get_key_identifier(const Certificate *certificate); /* NULL: none */
const uint8_t *certificate_get_public(
                const Certificate *certificate, size_t *ret_size); /* SubjectPublicKeyInfo */

/* The CN of its subject, "" when it has none. Returns `text`. */
const char *certificate_get_name(const Certificate *certificate, char text[static CERTIFICATE_NAME_MAX + 1]);

/* The type of its key, or -EOPNOTSUPP. */
int certificate_get_type(const Certificate *certificate, TpmKeyType *ret);

/* 0 when the certificate is of this key, else -ESTALE: another TPM, or a TPM whose endorsement seed was changed. */
int certificate_check_key(const Certificate *certificate, const TpmKey *key);

/*
 * A slot's certificate in the TPM's non-volatile memory, in DER: index 0x01808886 for the device's,
 * 0x01808887 for the operator's, owner read and write, read without a password. It is gone after TPM2_Clear,
 * and can be made again. The errors are those of tpm.h; -EBADMSG when what is there is not a certificate,
 * -EEXIST when somebody else has defined the index, whose content is then not read. Anybody who may use the
 * TPM as its owner can still write there: the caller compares the key and the name in the certificate.
 */
int certificate_store(Tpm *tpm, TpmKeySlot slot, const Certificate *certificate);
int certificate_load(Tpm *tpm, TpmKeySlot slot, Certificate **ret);
int certificate_discard(Tpm *tpm, TpmKeySlot slot);

/* From any index, an IDevID's (802.1AR) for instance. Whatever follows the certificate is padding. */
int certificate_load_index(Tpm *tpm, uint32_t index, Certificate **ret);

#define CERTIFICATE_FINGERPRINT_SIZE 32
/* Of a SubjectPublicKeyInfo. */
int certificate_fingerprint(
                const uint8_t *public, size_t size, uint8_t ret[static CERTIFICATE_FINGERPRINT_SIZE]);

/* "1f3a 88c0 ...": groups of four hexadecimal digits, to be read aloud and compared. Returns `text`. */
#define CERTIFICATE_FINGERPRINT_TEXT 80
const char *certificate_format_fingerprint(char text[static CERTIFICATE_FINGERPRINT_TEXT],
                const uint8_t fingerprint[static CERTIFICATE_FINGERPRINT_SIZE]);

DEFINE_CLEANUP(Certificate, certificate_free)
