/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/certificate.h"

#include "base/text.h"
#include "tpm/certificate-asn1.h"
#include "tpm/public-key.h"

#include <errno.h>
#include <limits.h>
#include <openssl/asn1t.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

struct Certificate {
        CertificateSigned *content;
        ASN1_OCTET_STRING *key_identifier; /* NULL: none */
        uint8_t *der;
        size_t n_der;
};

/* clang-format off */
ASN1_SEQUENCE(CertificateTbs) = {
        ASN1_EXP_OPT(CertificateTbs, version, ASN1_INTEGER, 0),
        ASN1_SIMPLE(CertificateTbs, serial, ASN1_INTEGER),
        ASN1_SIMPLE(CertificateTbs, signature, X509_ALGOR),
        ASN1_SIMPLE(CertificateTbs, issuer, X509_NAME),
        ASN1_SIMPLE(CertificateTbs, validity, X509_VAL),
        ASN1_SIMPLE(CertificateTbs, subject, X509_NAME),
        ASN1_SIMPLE(CertificateTbs, key, ASN1_SEQUENCE),
        ASN1_IMP_OPT(CertificateTbs, issuer_id, ASN1_BIT_STRING, 1),
        ASN1_IMP_OPT(CertificateTbs, subject_id, ASN1_BIT_STRING, 2),
        ASN1_EXP_SEQUENCE_OF_OPT(CertificateTbs, extensions, X509_EXTENSION, 3),
} ASN1_SEQUENCE_END(CertificateTbs)

ASN1_SEQUENCE(CertificateSigned) = {
        ASN1_SIMPLE(CertificateSigned, tbs, CertificateTbs),
        ASN1_SIMPLE(CertificateSigned, algorithm, X509_ALGOR),
        ASN1_SIMPLE(CertificateSigned, signature, ASN1_BIT_STRING),
} ASN1_SEQUENCE_END(CertificateSigned)
/* clang-format on */

void certificate_signed_free(CertificateSigned *content) {
        ASN1_item_free((ASN1_VALUE *) content, ASN1_ITEM_rptr(CertificateSigned));
}

Certificate *certificate_free(Certificate *certificate) {
        if (certificate) {
                certificate_signed_free(certificate->content);
                ASN1_OCTET_STRING_free(certificate->key_identifier);
                OPENSSL_free(certificate->der);
                free(certificate);
        }
        return NULL;
}

static int bio_to_text(BIO *bio, char **ret) {
        char *data, *text;
        long n = BIO_get_mem_data(bio, &data);

        text = strndup(data, (size_t) n);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int certificate_to_pem(const Certificate *certificate, char **ret) {
        _cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());

        if (!bio ||
                        PEM_write_bio(bio, PEM_STRING_X509, "", certificate->der,
                                        (long) certificate->n_der) <= 0)
                return openssl_error(-ENOMEM);
        return bio_to_text(bio, ret);
}

int certificate_request_to_pem(const X509_REQ *request, char **ret) {
        _cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());

        if (!bio || PEM_write_bio_X509_REQ(bio, request) != 1)
                return openssl_error(-ENOMEM);
        return bio_to_text(bio, ret);
}

int certificate_from_der(const uint8_t *der, size_t size, Certificate **ret) {
        _cleanup_(certificate_freep) Certificate *certificate = calloc(1, sizeof(Certificate));
        const unsigned char *p = der;

        if (!certificate)
                return -ENOMEM;
        certificate->content = (CertificateSigned *) ASN1_item_d2i(
                        NULL, &p, (long) size, ASN1_ITEM_rptr(CertificateSigned));
        if (!certificate->content)
                return openssl_error(-EBADMSG);
        certificate->key_identifier = X509V3_get_d2i(
                        certificate->content->tbs->extensions, NID_subject_key_identifier, NULL, NULL);
        certificate->n_der = (size_t) (p - der);
        certificate->der = OPENSSL_memdup(der, certificate->n_der);
        if (!certificate->der)
                return openssl_error(-ENOMEM);
        *ret = TAKE_PTR(certificate);
        return openssl_error(0);
}

int certificate_from_pem(const char *pem, size_t size, Certificate **ret) {
        _cleanup_(BIO_free_allp) BIO *bio = NULL;

        if (size > INT_MAX)
                return -E2BIG;
        bio = BIO_new_mem_buf(pem, (int) size);
        if (!bio)
                return openssl_error(-ENOMEM);
        for (;;) {
                _cleanup_openssl_ unsigned char *der = NULL;
                _cleanup_openssl_ char *name = NULL, *header = NULL;
                long n;

                if (PEM_read_bio(bio, &name, &header, &der, &n) != 1)
                        return openssl_error(-EBADMSG);
                if (strcmp(name, PEM_STRING_X509) == 0)
                        return certificate_from_der(der, (size_t) n, ret);
        }
}

const uint8_t *certificate_get_der(const Certificate *certificate, size_t *ret_size) {
        *ret_size = certificate->n_der;
        return certificate->der;
}

const X509_NAME *certificate_get_issuer(const Certificate *certificate) {
        return certificate->content->tbs->issuer;
}

const ASN1_INTEGER *certificate_get_serial(const Certificate *certificate) {
        return certificate->content->tbs->serial;
}

const ASN1_OCTET_STRING *certificate_get_key_identifier(const Certificate *certificate) {
        return certificate->key_identifier;
}

const uint8_t *certificate_get_public(const Certificate *certificate, size_t *ret_size) {
        const ASN1_STRING *key = certificate->content->tbs->key;

        *ret_size = (size_t) ASN1_STRING_length(key);
        return ASN1_STRING_get0_data(key);
}

const char *certificate_get_name(
                const Certificate *certificate, char text[static CERTIFICATE_NAME_MAX + 1]) {
        text[0] = '\0';
        (void) X509_NAME_get_text_by_NID(
                        certificate->content->tbs->subject, NID_commonName, text, CERTIFICATE_NAME_MAX + 1);
        return text;
}

int certificate_get_type(const Certificate *certificate, TpmKeyType *ret) {
        size_t n;
        const uint8_t *public = certificate_get_public(certificate, &n);

        return public_key_get_type(public, n, ret);
}

int certificate_fingerprint(
                const uint8_t *public, size_t size, uint8_t ret[static CERTIFICATE_FINGERPRINT_SIZE]) {
        return EVP_Digest(public, size, ret, NULL, EVP_sha256(), NULL) != 1 ? openssl_error(-ENOMEM) : 0;
}

const char *certificate_format_fingerprint(char text[static CERTIFICATE_FINGERPRINT_TEXT],
                const uint8_t fingerprint[static CERTIFICATE_FINGERPRINT_SIZE]) {
        for (size_t i = 0; i < CERTIFICATE_FINGERPRINT_SIZE; i += 2) {
                char *group = text + i / 2 * 5;

                text_hex(group, fingerprint + i, 2);
                group[4] = i + 2 < CERTIFICATE_FINGERPRINT_SIZE ? ' ' : '\0';
        }
        return text;
}
