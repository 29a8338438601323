/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/public-key.h"

#include <errno.h>
#include <openssl/asn1t.h>
#include <openssl/core_names.h>
#include <string.h>

typedef struct Info {
        X509_ALGOR *algorithm;
        ASN1_BIT_STRING *key;
} Info;

/* RFC 8017, appendix A.1.1. */
typedef struct RsaKey {
        ASN1_INTEGER *modulus;
        ASN1_INTEGER *exponent;
} RsaKey;

/* clang-format off */
ASN1_SEQUENCE(Info) = {
        ASN1_SIMPLE(Info, algorithm, X509_ALGOR),
        ASN1_SIMPLE(Info, key, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(Info)

ASN1_SEQUENCE(RsaKey) = {
        ASN1_SIMPLE(RsaKey, modulus, ASN1_INTEGER),
        ASN1_SIMPLE(RsaKey, exponent, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(RsaKey)
/* clang-format on */

static void info_free(Info *info) {
        ASN1_item_free((ASN1_VALUE *) info, ASN1_ITEM_rptr(Info));
}

static void rsa_key_free(RsaKey *key) {
        ASN1_item_free((ASN1_VALUE *) key, ASN1_ITEM_rptr(RsaKey));
}

DEFINE_CLEANUP(Info, info_free)
DEFINE_CLEANUP(RsaKey, rsa_key_free)

/* subjectPublicKey with these octets. */
static int set_key(Info *info, const uint8_t *octets, size_t n) {
        if (ASN1_BIT_STRING_set(info->key, (unsigned char *) octets, (int) n) != 1)
                return openssl_error(-ENOMEM);
        /* All bits count: without this OpenSSL leaves out zeros at the end. */
        info->key->flags = (info->key->flags & ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07)) |
                        ASN1_STRING_FLAG_BITS_LEFT;
        return 0;
}

/* RFC 3279, section 2.3.1. */
static int fill_rsa(const TPMT_PUBLIC *public, Info *info) {
        _cleanup_(rsa_key_freep) RsaKey *key = (RsaKey *) ASN1_item_new(ASN1_ITEM_rptr(RsaKey));
        _cleanup_(BN_freep) BIGNUM *n = BN_bin2bn(public->unique.rsa.buffer, public->unique.rsa.size, NULL);
        uint32_t exponent = public->parameters.rsaDetail.exponent;
        _cleanup_openssl_ unsigned char *der = NULL;
        int size;

        if (!key || !n || !BN_to_ASN1_INTEGER(n, key->modulus) ||
                        ASN1_INTEGER_set_uint64(key->exponent, exponent ? exponent : 65537) != 1 ||
                        X509_ALGOR_set0(info->algorithm, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL,
                                        NULL) != 1 ||
                        (size = ASN1_item_i2d((ASN1_VALUE *) key, &der, ASN1_ITEM_rptr(RsaKey))) <= 0)
                return openssl_error(-ENOMEM);
        return set_key(info, der, (size_t) size);
}

/* RFC 5480, section 2. */
static int fill_ecc(const TPMT_PUBLIC *public, Info *info) {
        const TPMS_ECC_POINT *point = &public->unique.ecc;
        uint8_t octets[1 + 2 * TPM2_MAX_ECC_KEY_BYTES];
        int curve;

        switch (public->parameters.eccDetail.curveID) {
        case TPM2_ECC_NIST_P256:
                curve = NID_X9_62_prime256v1;
                break;
        case TPM2_ECC_NIST_P384:
                curve = NID_secp384r1;
                break;
        default:
                return -EOPNOTSUPP;
        }
        if (X509_ALGOR_set0(info->algorithm, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                            OBJ_nid2obj(curve)) != 1)
                return openssl_error(-ENOMEM);
        octets[0] = POINT_CONVERSION_UNCOMPRESSED;
        memcpy(octets + 1, point->x.buffer, point->x.size);
        memcpy(octets + 1 + point->x.size, point->y.buffer, point->y.size);
        return set_key(info, octets, (size_t) 1 + point->x.size + point->y.size);
}

int public_key_make(const TPMT_PUBLIC *public, uint8_t **ret, size_t *ret_size) {
        _cleanup_(info_freep) Info *info = (Info *) ASN1_item_new(ASN1_ITEM_rptr(Info));
        unsigned char *der = NULL;
        int n, r;

        if (!info)
                return openssl_error(-ENOMEM);
        r = public->type == TPM2_ALG_RSA ? fill_rsa(public, info) : fill_ecc(public, info);
        if (r < 0)
                return r;
        n = ASN1_item_i2d((ASN1_VALUE *) info, &der, ASN1_ITEM_rptr(Info));
        if (n <= 0)
                return openssl_error(-ENOMEM);
        *ret = der;
        *ret_size = (size_t) n;
        return 0;
}

static int read_info(const uint8_t *der, size_t size, Info **ret) {
        const unsigned char *p = der;

        *ret = (Info *) ASN1_item_d2i(NULL, &p, (long) size, ASN1_ITEM_rptr(Info));
        return *ret ? 0 : openssl_error(-EBADMSG);
}

static int algorithm_of(const Info *info) {
        const ASN1_OBJECT *algorithm;

        X509_ALGOR_get0(&algorithm, NULL, NULL, info->algorithm);
        return OBJ_obj2nid(algorithm);
}

static int read_rsa(const Info *info, RsaKey **ret) {
        const unsigned char *p = ASN1_STRING_get0_data(info->key);

        *ret = (RsaKey *) ASN1_item_d2i(NULL, &p, ASN1_STRING_length(info->key), ASN1_ITEM_rptr(RsaKey));
        return *ret ? 0 : openssl_error(-EBADMSG);
}

int public_key_get_modulus(const uint8_t *der, size_t size, BIGNUM **ret) {
        _cleanup_(info_freep) Info *info = NULL;
        _cleanup_(rsa_key_freep) RsaKey *key = NULL;
        BIGNUM *modulus;
        int r;

        r = read_info(der, size, &info);
        if (r < 0)
                return r;
        if (algorithm_of(info) != NID_rsaEncryption)
                return -ENOENT;
        r = read_rsa(info, &key);
        if (r < 0)
                return r;
        modulus = ASN1_INTEGER_to_BN(key->modulus, NULL);
        if (!modulus)
                return openssl_error(-ENOMEM);
        *ret = modulus;
        return 0;
}

/* The named curve, or NID_undef. */
static int curve_of(const Info *info) {
        const void *curve;
        int type;

        X509_ALGOR_get0(NULL, &type, &curve, info->algorithm);
        return algorithm_of(info) == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT ? OBJ_obj2nid(curve)
                                                                                       : NID_undef;
}

int public_key_get_type(const uint8_t *der, size_t size, TpmKeyType *ret) {
        _cleanup_(BN_freep) BIGNUM *modulus = NULL;
        _cleanup_(info_freep) Info *info = NULL;
        int r;

        r = public_key_get_modulus(der, size, &modulus);
        if (r >= 0 && BN_num_bits(modulus) == 2048)
                *ret = TPM_KEY_RSA2048;
        else if (r >= 0 && BN_num_bits(modulus) == 3072)
                *ret = TPM_KEY_RSA3072;
        else if (r >= 0)
                return -EOPNOTSUPP;
        else if (r != -ENOENT)
                return r;
        else {
                r = read_info(der, size, &info);
                if (r < 0)
                        return r;
                if (curve_of(info) == NID_X9_62_prime256v1)
                        *ret = TPM_KEY_P256;
                else if (curve_of(info) == NID_secp384r1)
                        *ret = TPM_KEY_P384;
                else
                        return -EOPNOTSUPP;
        }
        return 0;
}

int public_key_identify(const uint8_t *der, size_t size, uint8_t ret[static SHA_DIGEST_LENGTH]) {
        _cleanup_(info_freep) Info *info = NULL;
        int r;

        r = read_info(der, size, &info);
        if (r < 0)
                return r;
        if (EVP_Digest(ASN1_STRING_get0_data(info->key), (size_t) ASN1_STRING_length(info->key), ret, NULL,
                            EVP_sha1(), NULL) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

static int from_parameters(const char *type, OSSL_PARAM_BLD *builder, EVP_PKEY **ret) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        _cleanup_(OSSL_PARAM_freep) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
        EVP_PKEY *key = NULL;

        if (!context || !parameters || EVP_PKEY_fromdata_init(context) <= 0 ||
                        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
                return openssl_error(-EBADMSG);
        *ret = key;
        return 0;
}

static int rsa_to_evp(const Info *info, EVP_PKEY **ret) {
        _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        _cleanup_(BN_freep) BIGNUM *modulus = NULL, *exponent = NULL;
        _cleanup_(rsa_key_freep) RsaKey *key = NULL;
        int r;

        r = read_rsa(info, &key);
        if (r < 0)
                return r;
        modulus = ASN1_INTEGER_to_BN(key->modulus, NULL);
        exponent = ASN1_INTEGER_to_BN(key->exponent, NULL);
        if (!builder || !modulus || !exponent ||
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
                return openssl_error(-ENOMEM);
        return from_parameters("RSA", builder, ret);
}

static int ecc_to_evp(const Info *info, EVP_PKEY **ret) {
        _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        int curve = curve_of(info);

        if (curve == NID_undef)
                return -EBADMSG;
        if (!builder ||
                        OSSL_PARAM_BLD_push_utf8_string(
                                        builder, OSSL_PKEY_PARAM_GROUP_NAME, OBJ_nid2sn(curve), 0) != 1 ||
                        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
                                        ASN1_STRING_get0_data(info->key),
                                        (size_t) ASN1_STRING_length(info->key)) != 1)
                return openssl_error(-ENOMEM);
        return from_parameters("EC", builder, ret);
}

int public_key_to_evp(const uint8_t *der, size_t size, EVP_PKEY **ret) {
        _cleanup_(info_freep) Info *info = NULL;
        int r;

        r = read_info(der, size, &info);
        if (r < 0)
                return r;
        switch (algorithm_of(info)) {
        case NID_rsaEncryption:
                return rsa_to_evp(info, ret);
        case NID_X9_62_id_ecPublicKey:
                return ecc_to_evp(info, ret);
        default:
                return -EBADMSG;
        }
}
