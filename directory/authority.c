/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/authority.h"

#include "base/file.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define FILE_SIZE_MAX 65536
#define NOT_BEFORE "20200901000000Z"
#define NOT_AFTER "99991231235959Z" /* RFC 5280, section 4.1.2.5: no well-defined expiration */
#define SERIAL_SIZE 20

DEFINE_CLEANUP(PKCS7, PKCS7_free)

struct Authority {
        X509 *certificate;
        EVP_PKEY *key;
};

Authority *authority_free(Authority *authority) {
        if (authority) {
                X509_free(authority->certificate);
                EVP_PKEY_free(authority->key);
                free(authority);
        }
        return NULL;
}

static int open_file(
                const char *path, BIO **ret, char **ret_text, char reason[static AUTHORITY_REASON_MAX]) {
        size_t n;
        int r;

        r = file_read(AT_FDCWD, path, FILE_SIZE_MAX, ret_text, &n);
        if (r < 0) {
                snprintf(reason, AUTHORITY_REASON_MAX, "%.160s: %s", path, strerror(-r));
                return r;
        }
        *ret = BIO_new_mem_buf(*ret_text, (int) n);
        return *ret ? 0 : openssl_error(-ENOMEM);
}

int authority_load(const char *certificate, const char *key, Authority **ret,
                char reason[static AUTHORITY_REASON_MAX]) {
        _cleanup_(authority_freep) Authority *authority = calloc(1, sizeof(*authority));
        _cleanup_(BIO_free_allp) BIO *certificate_bio = NULL, *key_bio = NULL;
        _cleanup_free_ char *certificate_text = NULL, *key_text = NULL;
        int r;

        snprintf(reason, AUTHORITY_REASON_MAX, "out of memory");
        if (!authority)
                return -ENOMEM;
        r = open_file(certificate, &certificate_bio, &certificate_text, reason);
        if (r >= 0)
                r = open_file(key, &key_bio, &key_text, reason);
        if (r < 0)
                return r;
        authority->certificate = PEM_read_bio_X509(certificate_bio, NULL, NULL, NULL);
        authority->key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
        OPENSSL_cleanse(key_text, strlen(key_text));
        if (!authority->certificate || !authority->key)
                snprintf(reason, AUTHORITY_REASON_MAX, "%.160s: not PEM",
                                authority->certificate ? key : certificate);
        else if (X509_check_private_key(authority->certificate, authority->key) != 1)
                snprintf(reason, AUTHORITY_REASON_MAX, "%.160s is not the key of the certificate", key);
        else if (X509_check_ca(authority->certificate) == 0)
                snprintf(reason, AUTHORITY_REASON_MAX, "%.160s is not the certificate of a CA", certificate);
        else {
                reason[0] = '\0';
                *ret = TAKE_PTR(authority);
                return openssl_error(0);
        }
        return openssl_error(-EBADMSG);
}

static int add_extension(X509 *made, const X509 *issuer, int nid, const char *value) {
        X509V3_CTX context;
        _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *extension = NULL;

        X509V3_set_ctx(&context, (X509 *) issuer, made, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        return extension && X509_add_ext(made, extension, -1) == 1;
}

static int set_serial(X509 *made) {
        uint8_t serial[SERIAL_SIZE];

        if (RAND_bytes(serial, sizeof(serial)) != 1)
                return 0;
        serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, never zero, always of the same length */
        return ASN1_STRING_set(X509_get_serialNumber(made), serial, sizeof(serial));
}

static int fill(const Authority *authority, X509 *made, const char *id, EVP_PKEY *key) {
        _cleanup_(X509_NAME_freep) X509_NAME *subject = X509_NAME_new();
        const X509 *issuer = authority->certificate;

        return subject &&
                        X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                        (const unsigned char *) id, -1, -1, 0) == 1 &&
                        X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
                        X509_set_subject_name(made, subject) == 1 &&
                        X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
                        ASN1_TIME_set_string_X509(X509_getm_notBefore(made), NOT_BEFORE) == 1 &&
                        ASN1_TIME_set_string_X509(X509_getm_notAfter(made), NOT_AFTER) == 1 &&
                        X509_set_pubkey(made, key) == 1 &&
                        add_extension(made, issuer, NID_subject_key_identifier, "hash") &&
                        add_extension(made, issuer, NID_authority_key_identifier, "keyid") &&
                        add_extension(made, issuer, NID_key_usage,
                                        EVP_PKEY_is_a(key, "RSA") ? "critical,keyEncipherment"
                                                                  : "critical,keyAgreement");
}

int authority_issue(const Authority *authority, const char *id, EVP_PKEY *key, X509 **ret) {
        _cleanup_(X509_freep) X509 *made = X509_new();
        /* Keys of EdDSA bring their own digest. */
        const EVP_MD *digest = EVP_PKEY_is_a(authority->key, "RSA") || EVP_PKEY_is_a(authority->key, "EC")
                        ? EVP_sha256()
                        : NULL;

        if (!made || !fill(authority, made, id, key) || X509_sign(made, authority->key, digest) <= 0)
                return openssl_error(-EIO);
        *ret = TAKE_PTR(made);
        return openssl_error(0);
}

static int to_certs_only(const X509 *certificate, char **ret, size_t *ret_size) {
        _cleanup_(PKCS7_freep) PKCS7 *pkcs7 = PKCS7_new();
        _cleanup_openssl_ unsigned char *der = NULL;
        char *text;
        int n;

        if (!pkcs7 || PKCS7_set_type(pkcs7, NID_pkcs7_signed) != 1 ||
                        PKCS7_content_new(pkcs7, NID_pkcs7_data) != 1 ||
                        PKCS7_add_certificate(pkcs7, (X509 *) certificate) != 1)
                return openssl_error(-ENOMEM);
        PKCS7_set_detached(pkcs7, 1);
        n = i2d_PKCS7(pkcs7, &der);
        if (n <= 0)
                return openssl_error(-ENOMEM);
        text = malloc((size_t) n / 3 * 4 + 8);
        if (!text)
                return -ENOMEM;
        *ret_size = (size_t) EVP_EncodeBlock((unsigned char *) text, der, n);
        *ret = text;
        return 0;
}

int authority_get_cacerts(const Authority *authority, char **ret, size_t *ret_size) {
        return to_certs_only(authority->certificate, ret, ret_size);
}

int authority_wrap_certificate(const uint8_t *der, size_t n, char **ret, size_t *ret_size) {
        const unsigned char *p = der;
        _cleanup_(X509_freep) X509 *certificate = d2i_X509(NULL, &p, (long) n);

        return certificate ? to_certs_only(certificate, ret, ret_size) : openssl_error(-EBADMSG);
}
