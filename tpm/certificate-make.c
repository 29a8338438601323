/* SPDX-License-Identifier: Apache-2.0 */

/* Apart from certificate.c, which reads certificates and needs no TPM for it. */

#include "tpm/certificate.h"

#include "base/text.h"
#include "tpm/certificate-asn1.h"
#include "tpm/key-template.h"
#include "tpm/public-key.h"

#include <errno.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NOT_BEFORE "20200901000000Z" /* OpenSSL writes it as UTCTime, as RFC 5280 wants it before 2050 */
#define NOT_AFTER "99991231235959Z"  /* RFC 5280, section 4.1.2.5 */
#define SERIAL_SIZE 20               /* RFC 5280, section 4.1.2.2: at most 20 octets */

static int check_name(const char *name) {
        size_t n = strlen(name);

        return n >= 1 && n <= CERTIFICATE_NAME_MAX && text_is_graphic(name) ? 0 : -EINVAL;
}

static int set_name(X509_NAME *subject, const char *name) {
        if (X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                            (const unsigned char *) name, -1, -1, 0) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

static int set_algorithm(X509_ALGOR *algorithm, const TpmKey *key) {
        /* RFC 4055, section 5, wants NULL parameters for RSA; RFC 5758, section 3.2, none for ECDSA. */
        bool rsa = key_type_is_rsa(tpm_key_get_type(key));
        int nid = rsa ? NID_sha256WithRSAEncryption : NID_ecdsa_with_SHA256;

        if (X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

/* Signs `size` bytes of DER; `ret` becomes the BIT STRING. */
static int sign(TpmKey *key, const uint8_t *der, size_t size, ASN1_BIT_STRING *ret) {
        uint8_t digest[TPM_KEY_DIGEST_SIZE];
        _cleanup_openssl_ uint8_t *signature = NULL;
        size_t n;
        int r;

        if (EVP_Digest(der, size, digest, NULL, EVP_sha256(), NULL) != 1)
                return openssl_error(-ENOMEM);
        r = tpm_key_sign(key, digest, &signature, &n);
        if (r < 0)
                return r;
        if (ASN1_BIT_STRING_set(ret, signature, (int) n) != 1)
                return openssl_error(-ENOMEM);
        /* All bits count: without this OpenSSL leaves out zeros at the end. */
        ret->flags = (ret->flags & ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07)) | ASN1_STRING_FLAG_BITS_LEFT;
        return 0;
}

static int append_extension(STACK_OF(X509_EXTENSION) * extensions, int nid, bool critical, void *value) {
        _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *extension = X509V3_EXT_i2d(nid, critical, value);

        if (!extension || sk_X509_EXTENSION_push(extensions, extension) == 0)
                return openssl_error(-ENOMEM);
        (void) TAKE_PTR(extension);
        return 0;
}

static int set_extensions(CertificateTbs *tbs, const TpmKey *key) {
        _cleanup_(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *identifier = ASN1_OCTET_STRING_new();
        _cleanup_(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
        bool rsa = key_type_is_rsa(tpm_key_get_type(key));
        uint8_t digest[SHA_DIGEST_LENGTH];
        int r;

        r = public_key_identify(
                        ASN1_STRING_get0_data(tbs->key), (size_t) ASN1_STRING_length(tbs->key), digest);
        if (r < 0)
                return r;
        /* RFC 5280, section 4.2.1.3: bit 2 is keyEncipherment, bit 4 keyAgreement. */
        if (!identifier || !usage || ASN1_OCTET_STRING_set(identifier, digest, sizeof(digest)) != 1 ||
                        ASN1_BIT_STRING_set_bit(usage, rsa ? 2 : 4, 1) != 1)
                return openssl_error(-ENOMEM);

        r = append_extension(tbs->extensions, NID_subject_key_identifier, false, identifier);
        return r < 0 ? r : append_extension(tbs->extensions, NID_key_usage, true, usage);
}

static int set_serial(CertificateTbs *tbs) {
        uint8_t digest[CERTIFICATE_FINGERPRINT_SIZE];
        int r;

        r = certificate_fingerprint(
                        ASN1_STRING_get0_data(tbs->key), (size_t) ASN1_STRING_length(tbs->key), digest);
        if (r < 0)
                return r;
        /* Positive, never zero, and always of the same length. */
        digest[0] = (digest[0] & 0x7f) | 0x40;
        if (ASN1_STRING_set(tbs->serial, digest, SERIAL_SIZE) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

static int fill_tbs(CertificateTbs *tbs, const TpmKey *key, const char *name) {
        const uint8_t *public;
        size_t n;
        int r;

        public = tpm_key_get_public(key, &n);
        tbs->version = ASN1_INTEGER_new();
        tbs->extensions = sk_X509_EXTENSION_new_null();
        if (!tbs->version || !tbs->extensions || ASN1_INTEGER_set(tbs->version, X509_VERSION_3) != 1 ||
                        ASN1_TIME_set_string_X509(tbs->validity->notBefore, NOT_BEFORE) != 1 ||
                        ASN1_TIME_set_string_X509(tbs->validity->notAfter, NOT_AFTER) != 1 ||
                        ASN1_STRING_set(tbs->key, public, (int) n) != 1)
                return openssl_error(-ENOMEM);
        r = set_serial(tbs);
        if (r >= 0)
                r = set_algorithm(tbs->signature, key);
        if (r >= 0)
                r = set_name(tbs->issuer, name);
        if (r >= 0)
                r = set_name(tbs->subject, name);
        return r < 0 ? r : set_extensions(tbs, key);
}

int certificate_make(TpmKey *key, const char *name, Certificate **ret) {
        _cleanup_(certificate_signed_freep) CertificateSigned *content = NULL;
        _cleanup_openssl_ unsigned char *tbs = NULL, *der = NULL;
        int n, r;

        r = check_name(name);
        if (r < 0)
                return r;
        content = (CertificateSigned *) ASN1_item_new(ASN1_ITEM_rptr(CertificateSigned));
        if (!content)
                return openssl_error(-ENOMEM);
        r = fill_tbs(content->tbs, key, name);
        if (r < 0)
                return r;
        n = ASN1_item_i2d((ASN1_VALUE *) content->tbs, &tbs, ASN1_ITEM_rptr(CertificateTbs));
        if (n <= 0)
                return openssl_error(-ENOMEM);
        r = sign(key, tbs, (size_t) n, content->signature);
        if (r >= 0)
                r = set_algorithm(content->algorithm, key);
        if (r < 0)
                return r;

        n = ASN1_item_i2d((ASN1_VALUE *) content, &der, ASN1_ITEM_rptr(CertificateSigned));
        return n <= 0 ? openssl_error(-ENOMEM) : certificate_from_der(der, (size_t) n, ret);
}

int certificate_make_request(TpmKey *key, const char *name, X509_REQ **ret) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *evp = NULL;
        _cleanup_(X509_REQ_freep) X509_REQ *request = X509_REQ_new();
        _cleanup_(X509_NAME_freep) X509_NAME *subject = X509_NAME_new();
        _cleanup_(X509_ALGOR_freep) X509_ALGOR *algorithm = X509_ALGOR_new();
        _cleanup_(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *signature = ASN1_BIT_STRING_new();
        _cleanup_openssl_ unsigned char *info = NULL;
        const uint8_t *public;
        size_t n_public;
        int n, r;

        r = check_name(name);
        if (r < 0)
                return r;
        public = tpm_key_get_public(key, &n_public);
        r = public_key_to_evp(public, n_public, &evp);
        if (r < 0)
                return r;
        if (!request || !subject || !algorithm || !signature)
                return openssl_error(-ENOMEM);
        r = set_name(subject, name);
        if (r >= 0)
                r = set_algorithm(algorithm, key);
        if (r < 0)
                return r;
        if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
                        X509_REQ_set_subject_name(request, subject) != 1 ||
                        X509_REQ_set_pubkey(request, evp) != 1 ||
                        X509_REQ_set1_signature_algo(request, algorithm) != 1 ||
                        (n = i2d_re_X509_REQ_tbs(request, &info)) <= 0)
                return openssl_error(-ENOMEM);
        r = sign(key, info, (size_t) n, signature);
        if (r < 0)
                return r;

        X509_REQ_set0_signature(request, TAKE_PTR(signature));
        *ret = TAKE_PTR(request);
        return 0;
}

int certificate_check_key(const Certificate *certificate, const TpmKey *key) {
        size_t n;
        const uint8_t *public = certificate_get_public(certificate, &n);

        return tpm_key_check(key, public, n);
}
