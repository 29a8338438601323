/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/seal.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tpm/openssl.h"

#include <openssl/pem.h> /* before cms.h, which looks for it */

#include <errno.h>
#include <limits.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

DEFINE_CLEANUP(CMS_ContentInfo, CMS_ContentInfo_free)
DEFINE_CLEANUP(PKCS7, PKCS7_free)

static int refuse(char reason[static SEAL_REASON_MAX], int error, const char *text) {
        snprintf(reason, SEAL_REASON_MAX, "%s", text);
        return error;
}

/* What OpenSSL says, in one line. */
static int refuse_openssl(char reason[static SEAL_REASON_MAX], const char *what) {
        const char *text = ERR_reason_error_string(ERR_peek_error());

        snprintf(reason, SEAL_REASON_MAX, "%s: %s", what, text ? text : "failed");
        return openssl_error(-EIO);
}

static int check_rsa(const EVP_PKEY *key, char reason[static SEAL_REASON_MAX]) {
        int bits = EVP_PKEY_get_bits(key);

        if (bits >= 2048 && bits <= 4096)
                return 0;
        snprintf(reason, SEAL_REASON_MAX, "its RSA key of %d bits is %s", bits,
                        bits < 2048 ? "too weak" : "too large");
        return -EOPNOTSUPP;
}

static int check_ec(const EVP_PKEY *key, SealFlags flags, char reason[static SEAL_REASON_MAX]) {
        char curve[32] = "";

        (void) EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL);
        if (strcmp(curve, SN_X9_62_prime256v1) != 0 && strcmp(curve, SN_secp384r1) != 0) {
                snprintf(reason, SEAL_REASON_MAX,
                                "its key is on the curve %.40s; devices have P-256 and P-384", curve);
                return -EOPNOTSUPP;
        }
        if (flags & SEAL_COMPATIBLE)
                return refuse(reason, -EOPNOTSUPP,
                                "its key is EC, for which PKCS #7 has no way to encrypt; leave out --compatible");
        return 0;
}

/* RFC 5280, section 4.2.1.3: a key of which it is said what it may do has to be one that may receive another. */
static int check_usage(X509 *certificate, bool rsa, char reason[static SEAL_REASON_MAX]) {
        uint32_t usage = X509_get_key_usage(certificate);

        if (X509_get_extension_flags(certificate) & EXFLAG_INVALID)
                return refuse(reason, -EOPNOTSUPP, "its extensions contradict each other");
        if (usage == UINT32_MAX ||
                        (usage & (rsa ? KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT : KU_KEY_AGREEMENT)))
                return 0;
        return refuse(reason, -EOPNOTSUPP,
                        "its key may only sign, not decrypt; ask the vendor for the certificate of the device's encryption key");
}

static void remark_dates(X509 *certificate, char remark[static SEAL_REASON_MAX]) {
        if (X509_cmp_time(X509_get0_notAfter(certificate), NULL) < 0)
                snprintf(remark, SEAL_REASON_MAX,
                                "the certificate has expired, which is ignored (RFC 8886, section 3.1)");
        else if (X509_cmp_time(X509_get0_notBefore(certificate), NULL) > 0)
                snprintf(remark, SEAL_REASON_MAX,
                                "the certificate is not valid yet, which is ignored (RFC 8886, section 3.1)");
        else
                remark[0] = '\0';
}

int seal_check(X509 *certificate, SealFlags flags, char *ret_remark, char reason[static SEAL_REASON_MAX]) {
        EVP_PKEY *key = X509_get0_pubkey(certificate);
        int r;

        if (!key) {
                openssl_error(0);
                return refuse(reason, -EOPNOTSUPP, "its key cannot be read");
        }
        if (EVP_PKEY_is_a(key, "RSA"))
                r = check_rsa(key, reason);
        else if (EVP_PKEY_is_a(key, "EC"))
                r = check_ec(key, flags, reason);
        else
                r = refuse(reason, -EOPNOTSUPP, "its key is neither RSA nor EC");
        if (r >= 0)
                r = check_usage(certificate, EVP_PKEY_is_a(key, "RSA"), reason);
        if (r < 0)
                return r;
        remark_dates(certificate, ret_remark);
        return openssl_error(0);
}

static int set_key_transport(EVP_PKEY_CTX *context) {
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
                        EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0 &&
                        EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
}

static int add_recipient(CMS_ContentInfo *cms, X509 *certificate) {
        CMS_RecipientInfo *recipient = CMS_add1_recipient_cert(cms, certificate, CMS_KEY_PARAM);
        const EVP_PKEY *key = X509_get0_pubkey(certificate);
        EVP_PKEY_CTX *context = recipient ? CMS_RecipientInfo_get0_pkey_ctx(recipient) : NULL;

        if (!context)
                return 0;
        if (EVP_PKEY_is_a(key, "RSA"))
                return set_key_transport(context);
        return EVP_PKEY_CTX_set_ecdh_kdf_md(
                               context, EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256()) > 0;
}

static int write_cms(X509 *certificate, BIO *content, BIO *output, char reason[static SEAL_REASON_MAX]) {
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms =
                        CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), CMS_BINARY | CMS_PARTIAL);

        if (!cms || !add_recipient(cms, certificate) || CMS_final(cms, content, NULL, CMS_BINARY) != 1 ||
                        PEM_write_bio_CMS(output, cms) != 1)
                return refuse_openssl(reason, "cannot encrypt");
        return 0;
}

static int write_pkcs7(X509 *certificate, BIO *content, BIO *output, char reason[static SEAL_REASON_MAX]) {
        STACK_OF(X509) *recipients = sk_X509_new_null();
        _cleanup_(PKCS7_freep) PKCS7 *pkcs7 = NULL;

        if (recipients && sk_X509_push(recipients, certificate) > 0)
                pkcs7 = PKCS7_encrypt(recipients, content, EVP_aes_256_cbc(), PKCS7_BINARY);
        sk_X509_free(recipients);
        if (!pkcs7 || PEM_write_bio_PKCS7(output, pkcs7) != 1)
                return refuse_openssl(reason, "cannot encrypt");
        return 0;
}

int seal_encrypt(X509 *certificate, const void *content, size_t n, SealFlags flags, char **ret,
                size_t *ret_size, char reason[static SEAL_REASON_MAX]) {
        _cleanup_(BIO_free_allp) BIO *input = NULL, *output = BIO_new(BIO_s_mem());
        char *data, *copy;
        long size;
        int r;

        if (n > INT_MAX)
                return refuse(reason, -E2BIG, "the configuration is too large");
        input = BIO_new_mem_buf(content, (int) n);
        if (!input || !output)
                return refuse(reason, openssl_error(-ENOMEM), "out of memory");
        r = flags & SEAL_COMPATIBLE ? write_pkcs7(certificate, input, output, reason)
                                    : write_cms(certificate, input, output, reason);
        if (r < 0)
                return r;
        size = BIO_get_mem_data(output, &data);
        copy = malloc((size_t) size + 1);
        if (!copy)
                return refuse(reason, -ENOMEM, "out of memory");
        memcpy(copy, data, (size_t) size);
        copy[size] = '\0';
        *ret = copy;
        *ret_size = (size_t) size;
        return 0;
}
