/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms-transport.h"

#include "tpm/cms-report.h"
#include "tpm/constant-time.h"
#include "tpm/openssl.h"
#include "tpm/public-key.h"
#include "tpm/secret.h"

#include <assert.h>
#include <errno.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#define PKCS1_FILL_MIN 8 /* RFC 8017, section 7.2.1 */

DEFINE_CLEANUP(RSA_OAEP_PARAMS, RSA_OAEP_PARAMS_free)

/* A digest and its parameters, which are NULL or absent (RFC 8017, appendix A.2). */
static int parse_digest(const X509_ALGOR *algorithm, const EVP_MD **ret, CmsReport *report) {
        char name[CMS_OID_TEXT];
        const ASN1_OBJECT *object;
        int type;

        if (!algorithm) {
                *ret = EVP_sha1(); /* DEFAULT */
                return 0;
        }
        X509_ALGOR_get0(&object, &type, NULL, algorithm);
        if (type != V_ASN1_NULL && type != V_ASN1_UNDEF)
                return -EBADMSG;
        switch (OBJ_obj2nid(object)) {
        case NID_sha1:
        case NID_sha224:
        case NID_sha256:
        case NID_sha384:
        case NID_sha512:
                *ret = EVP_get_digestbyobj(object);
                return *ret ? 0 : openssl_error(-EOPNOTSUPP);
        default:
                return cms_refuse(report, -EOPNOTSUPP, "OAEP with %s; use rsa_oaep_md:sha256",
                                cms_oid_text(name, object));
        }
}

static int parse_mask(const X509_ALGOR *algorithm, const EVP_MD **ret, CmsReport *report) {
        _cleanup_(X509_ALGOR_freep) X509_ALGOR *digest = NULL;
        char name[CMS_OID_TEXT];
        const ASN1_OBJECT *object;
        const void *value;
        int type;

        if (!algorithm)
                return parse_digest(NULL, ret, report);
        X509_ALGOR_get0(&object, &type, &value, algorithm);
        if (OBJ_obj2nid(object) != NID_mgf1)
                return cms_refuse(report, -EOPNOTSUPP, "OAEP with %s instead of MGF1",
                                cms_oid_text(name, object));
        if (type == V_ASN1_SEQUENCE)
                digest = ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
        return digest ? parse_digest(digest, ret, report) : openssl_error(-EBADMSG);
}

static int parse_label(const X509_ALGOR *algorithm, CmsPadding *padding, CmsReport *report) {
        const ASN1_OCTET_STRING *label = NULL;
        char name[CMS_OID_TEXT];
        const ASN1_OBJECT *object;
        const void *value;
        int type;

        if (algorithm) {
                X509_ALGOR_get0(&object, &type, &value, algorithm);
                if (OBJ_obj2nid(object) != NID_pSpecified)
                        return cms_refuse(report, -EOPNOTSUPP, "OAEP with a label of type %s",
                                        cms_oid_text(name, object));
                if (type != V_ASN1_OCTET_STRING)
                        return -EBADMSG;
                label = value;
        }
        if (EVP_Digest(label ? ASN1_STRING_get0_data(label) : NULL,
                            label ? (size_t) ASN1_STRING_length(label) : 0, padding->label_hash, NULL,
                            padding->digest, NULL) != 1)
                return openssl_error(-ENOMEM);
        return 0;
}

int cms_padding_parse(const X509_ALGOR *algorithm, CmsPadding *ret, CmsReport *report) {
        _cleanup_(RSA_OAEP_PARAMS_freep) RSA_OAEP_PARAMS *parameters = NULL;
        CmsPadding padding = { .kind = CMS_PADDING_OAEP };
        char name[CMS_OID_TEXT];
        const ASN1_OBJECT *object;
        const void *value;
        int type, r;

        X509_ALGOR_get0(&object, &type, &value, algorithm);
        switch (OBJ_obj2nid(object)) {
        case NID_rsaEncryption:
                if (type != V_ASN1_NULL && type != V_ASN1_UNDEF) /* RFC 3370, 4.2.1: NULL */
                        return -EBADMSG;
                *ret = (CmsPadding){ .kind = CMS_PADDING_PKCS1 };
                return 0;
        case NID_rsaesOaep:
                break;
        default:
                return cms_refuse(report, -EOPNOTSUPP,
                                "the key is encrypted with %s; use RSA PKCS #1 v1.5 or OAEP",
                                cms_oid_text(name, object));
        }

        if (type == V_ASN1_SEQUENCE)
                parameters = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_OAEP_PARAMS));
        if (!parameters)
                return openssl_error(-EBADMSG);
        r = parse_digest(parameters->hashFunc, &padding.digest, report);
        if (r >= 0)
                r = parse_mask(parameters->maskGenFunc, &padding.mask_digest, report);
        if (r >= 0)
                r = parse_label(parameters->pSourceFunc, &padding, report);
        if (r >= 0)
                *ret = padding;
        return r;
}

bool cms_padding_fits(const CmsPadding *padding, size_t n, size_t key_size) {
        switch (padding->kind) {
        case CMS_PADDING_PKCS1:
                return n >= 3 + PKCS1_FILL_MIN + key_size;
        case CMS_PADDING_OAEP:
                return n >= 2 + 2 * (size_t) EVP_MD_get_size(padding->digest) + key_size;
        }
        return false;
}

/* RFC 8017, section 7.2: 00 02, bytes that are not zero, 00, the key. */
static uint32_t check_pkcs1(const uint8_t *block, size_t n, size_t key_size) {
        uint32_t bad = ~ct_is_zero(block[0]) | ~ct_equal(block[1], 2);
        size_t end = n - key_size - 1;

        for (size_t i = 2; i < end; i++)
                bad |= ct_is_zero(block[i]);
        return ~(bad | ~ct_is_zero(block[end]));
}

/* MGF1 of RFC 8017, appendix B.2.1, applied: data ^= MGF1(seed). */
static int mask(const EVP_MD *digest, const uint8_t *seed, size_t n_seed, uint8_t *data, size_t size) {
        _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t n_hash = (size_t) EVP_MD_get_size(digest);
        uint8_t hash[EVP_MAX_MD_SIZE];
        int r = 0;

        if (!context)
                return openssl_error(-ENOMEM);
        for (size_t done = 0, counter = 0; done < size && r >= 0; done += n_hash, counter++) {
                const uint8_t octets[] = { 0, 0, 0,
                        (uint8_t) counter }; /* 512 bytes are 26 hashes at most */

                if (EVP_DigestInit_ex2(context, digest, NULL) != 1 ||
                                EVP_DigestUpdate(context, seed, n_seed) != 1 ||
                                EVP_DigestUpdate(context, octets, sizeof(octets)) != 1 ||
                                EVP_DigestFinal_ex(context, hash, NULL) != 1)
                        r = openssl_error(-ENOMEM);
                else
                        for (size_t i = 0; i < MIN(n_hash, size - done); i++)
                                data[done + i] ^= hash[i];
        }
        OPENSSL_cleanse(hash, sizeof(hash));
        return r;
}

/* RFC 8017, section 7.1.2: 00, masked seed, masked (label hash, zeros, 01, the key). */
static int check_oaep(
                const CmsPadding *padding, uint8_t *block, size_t n, size_t key_size, uint32_t *ret_good) {
        size_t n_hash = (size_t) EVP_MD_get_size(padding->digest), n_data = n - 1 - n_hash,
               end = n_data - key_size - 1;
        uint8_t *seed = block + 1, *data = block + 1 + n_hash;
        uint32_t bad = ~ct_is_zero(block[0]);
        int r;

        r = mask(padding->mask_digest, data, n_data, seed, n_hash);
        if (r >= 0)
                r = mask(padding->mask_digest, seed, n_hash, data, n_data);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n_hash; i++)
                bad |= ~ct_equal(data[i], padding->label_hash[i]);
        for (size_t i = n_hash; i < end; i++)
                bad |= ~ct_is_zero(data[i]);
        bad |= ~ct_equal(data[end], 1);
        *ret_good = ~bad;
        return 0;
}

int cms_padding_check(
                const CmsPadding *padding, uint8_t *block, size_t n, size_t key_size, uint32_t *ret_good) {
        assert(cms_padding_fits(padding, n, key_size));
        switch (padding->kind) {
        case CMS_PADDING_PKCS1:
                *ret_good = check_pkcs1(block, n, key_size);
                return 0;
        case CMS_PADDING_OAEP:
                return check_oaep(padding, block, n, key_size, ret_good);
        }
        return -EINVAL;
}

/* The encrypted key must be a number below the modulus, in as many bytes: all of this is public. */
static int check_encrypted_key(
                const ASN1_OCTET_STRING *encrypted_key, const Certificate *certificate, CmsReport *report) {
        _cleanup_(BN_freep) BIGNUM *modulus = NULL, *number = NULL;
        size_t n_public;
        const uint8_t *public = certificate_get_public(certificate, &n_public);
        int r;

        r = public_key_get_modulus(public, n_public, &modulus);
        if (r == -ENOENT)
                return cms_refuse(report, -EBADMSG, "RSA key transport to a key that is not RSA");
        if (r < 0)
                return r;
        number = BN_bin2bn(ASN1_STRING_get0_data(encrypted_key), ASN1_STRING_length(encrypted_key), NULL);
        if (!number)
                return openssl_error(-ENOMEM);
        if (ASN1_STRING_length(encrypted_key) != BN_num_bytes(modulus) || BN_cmp(number, modulus) >= 0)
                return cms_refuse(report, -EBADMSG, "the encrypted key is not one for this device's key");
        return 0;
}

int cms_transport_unwrap(const CmsKeyTransport *transport, const CmsKey *key, uint8_t *ret_key,
                size_t key_size, uint32_t *ret_good, CmsReport *report) {
        const ASN1_OCTET_STRING *encrypted_key = transport->encrypted_key;
        size_t n = (size_t) ASN1_STRING_length(encrypted_key);
        _cleanup_secret_ Secret *block = NULL;
        CmsPadding padding;
        uint32_t good;
        int r;

        r = check_encrypted_key(encrypted_key, key->certificate, report);
        if (r >= 0)
                r = cms_padding_parse(transport->algorithm, &padding, report);
        if (r < 0)
                return r;
        if (!cms_padding_fits(&padding, n, key_size))
                return -EBADMSG;
        r = secret_new(n, &block);
        if (r < 0)
                return r;

        r = key->decrypt_rsa(key->userdata, ASN1_STRING_get0_data(encrypted_key), n, block->data);
        if (r < 0)
                return cms_key_failed(report, key, r);
        r = cms_padding_check(&padding, block->data, n, key_size, &good);
        if (r < 0)
                return r;
        if (RAND_priv_bytes(ret_key, (int) key_size) != 1)
                return openssl_error(-EIO);
        for (size_t i = 0; i < key_size; i++)
                ret_key[i] = ct_select(good, block->data[n - key_size + i], ret_key[i]);
        *ret_good = good;
        return 0;
}
