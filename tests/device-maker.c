/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/device-maker.h"

#include "tpm/openssl.h"

#include <openssl/core_names.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* The private key is a hash of the name: known to everybody, and quickly made again. */
static BIGNUM *make_private(const char *name, unsigned generation) {
        uint8_t digest[32];
        char text[128];

        snprintf(text, sizeof(text), "%u %s", generation, name);
        if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
                return NULL;
        digest[0] &= 0x7f; /* below the order of the curve */
        return BN_bin2bn(digest, sizeof(digest), NULL);
}

EVP_PKEY *device_maker_key(const char *name, unsigned generation) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        _cleanup_(BN_freep) BIGNUM *private = make_private(name, generation);
        EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        EC_POINT *point = EC_POINT_new(group);
        _cleanup_(OSSL_PARAM_freep) OSSL_PARAM *parameters = NULL;
        EVP_PKEY *key = NULL;
        uint8_t octets[65];

        if (EC_POINT_mul(group, point, private, NULL, NULL, NULL) == 1 &&
                        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, octets,
                                        sizeof(octets), NULL) == sizeof(octets) &&
                        OSSL_PARAM_BLD_push_utf8_string(
                                        builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
                        OSSL_PARAM_BLD_push_octet_string(
                                        builder, OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof(octets)) == 1 &&
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, private) == 1 &&
                        (parameters = OSSL_PARAM_BLD_to_param(builder)) &&
                        EVP_PKEY_fromdata_init(context) > 0)
                (void) EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters);
        EC_POINT_free(point);
        EC_GROUP_free(group);
        return key;
}

static int add_usage(X509 *certificate) {
        _cleanup_(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();

        return usage && ASN1_BIT_STRING_set_bit(usage, 4, 1) == 1 &&
                        X509_add1_ext_i2d(certificate, NID_key_usage, usage, 1, 0) == 1;
}

X509 *device_maker_certificate(const char *name, EVP_PKEY *key) {
        _cleanup_(X509_NAME_freep) X509_NAME *subject = X509_NAME_new();
        _cleanup_(X509_freep) X509 *certificate = X509_new();

        if (!subject || !certificate ||
                        X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                        (const unsigned char *) name, -1, -1, 0) != 1 ||
                        X509_set_version(certificate, X509_VERSION_3) != 1 ||
                        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) != 1 ||
                        X509_set_subject_name(certificate, subject) != 1 ||
                        X509_set_issuer_name(certificate, subject) != 1 ||
                        ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "20200901000000Z") !=
                                        1 ||
                        ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "99991231235959Z") != 1 ||
                        X509_set_pubkey(certificate, key) != 1 || !add_usage(certificate) ||
                        X509_sign(certificate, key, EVP_sha256()) <= 0)
                return NULL;
        return TAKE_PTR(certificate);
}
