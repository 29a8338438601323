/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms-agreement.h"

#include "tpm/cms-cipher.h"
#include "tpm/cms-report.h"
#include "tpm/constant-time.h"
#include "tpm/openssl.h"
#include "tpm/public-key.h"
#include "tpm/secret.h"

#include <errno.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <stdio.h>

DEFINE_CLEANUP(EVP_KDF, EVP_KDF_free)
DEFINE_CLEANUP(EVP_KDF_CTX, EVP_KDF_CTX_free)

#define WRAP_OVERHEAD 8 /* RFC 3394 */

/* Everything about how the content's key is wrapped. */
typedef struct Scheme {
        const char *digest; /* of the key derivation */
        const char *wrap;   /* OpenSSL's name */
        size_t wrapping_key_size;
        uint8_t *info; /* ECC-CMS-SharedInfo, RFC 5753, section 7.2 */
        size_t n_info;
} Scheme;

static void scheme_done(Scheme *scheme) {
        OPENSSL_free(scheme->info);
}

/* The secrets, in locked memory. */
typedef struct Secrets {
        uint8_t shared[64]; /* x coordinate */
        uint8_t wrapping_key[CMS_KEY_MAX];
        uint8_t key[CMS_KEY_MAX + WRAP_OVERHEAD];
} Secrets;

static const char *agreement_digest(const ASN1_OBJECT *object) {
        int digest, kind;

        if (!OBJ_find_sigid_algs(OBJ_obj2nid(object), &digest, &kind) ||
                        (kind != NID_dh_std_kdf && kind != NID_dh_cofactor_kdf))
                return NULL;
        return OBJ_nid2sn(digest);
}

static int parse_wrap(X509_ALGOR *algorithm, Scheme *scheme, CmsReport *report) {
        char name[CMS_OID_TEXT];
        const ASN1_OBJECT *object;
        int type;

        X509_ALGOR_get0(&object, &type, NULL, algorithm);
        switch (OBJ_obj2nid(object)) {
        case NID_id_aes128_wrap:
                scheme->wrap = "AES-128-WRAP";
                scheme->wrapping_key_size = 16;
                break;
        case NID_id_aes192_wrap:
                scheme->wrap = "AES-192-WRAP";
                scheme->wrapping_key_size = 24;
                break;
        case NID_id_aes256_wrap:
                scheme->wrap = "AES-256-WRAP";
                scheme->wrapping_key_size = 32;
                break;
        default:
                return cms_refuse(report, -EOPNOTSUPP, "the key is wrapped with %s; use AES key wrap",
                                cms_oid_text(name, object));
        }
        return type == V_ASN1_UNDEF || type == V_ASN1_NULL ? 0 : -EBADMSG; /* RFC 3565, 2.3.2: absent */
}

static int parse_scheme(const CmsKeyAgreement *agreement, Scheme *ret, CmsReport *report) {
        _cleanup_(X509_ALGOR_freep) X509_ALGOR *wrap = NULL;
        _cleanup_(scheme_done) Scheme scheme = {};
        char name[CMS_OID_TEXT];
        const ASN1_OBJECT *object;
        const void *value;
        int type, n, r;

        X509_ALGOR_get0(&object, &type, &value, agreement->algorithm);
        scheme.digest = agreement_digest(object);
        if (!scheme.digest)
                return cms_refuse(report, -EOPNOTSUPP,
                                "the key is agreed with %s; use ECDH with the KDF of X9.63",
                                cms_oid_text(name, object));
        if (type == V_ASN1_SEQUENCE)
                wrap = ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
        if (!wrap)
                return openssl_error(-EBADMSG);
        r = parse_wrap(wrap, &scheme, report);
        if (r < 0)
                return r;
        n = CMS_SharedInfo_encode(
                        &scheme.info, wrap, agreement->user_keying_material, (int) scheme.wrapping_key_size);
        if (n <= 0)
                return openssl_error(-ENOMEM);
        scheme.n_info = (size_t) n;
        *ret = scheme;
        scheme.info = NULL; /* *ret has it */
        return 0;
}

/* RFC 5753, section 3.1.1: id-ecPublicKey; the curve is the recipient's, and may be named again. */
static int check_originator_algorithm(const X509_ALGOR *algorithm, EVP_PKEY *public) {
        const ASN1_OBJECT *object;
        char group[32];
        const void *value;
        int type;

        X509_ALGOR_get0(&object, &type, &value, algorithm);
        if (OBJ_obj2nid(object) != NID_X9_62_id_ecPublicKey)
                return -EBADMSG;
        if (type == V_ASN1_UNDEF || type == V_ASN1_NULL)
                return 0;
        if (type != V_ASN1_OBJECT || EVP_PKEY_get_group_name(public, group, sizeof(group), NULL) != 1)
                return openssl_error(-EBADMSG);
        return OBJ_sn2nid(group) == OBJ_obj2nid(value) ? 0 : -EBADMSG;
}

/* RFC 5480, section 2.2: uncompressed or compressed; the hybrid form and the point at infinity are not allowed. */
static bool point_form_is_right(const ASN1_BIT_STRING *bits) {
        if (ASN1_STRING_length(bits) < 1 || (bits->flags & 0x07) != 0) /* whole octets */
                return false;
        switch (ASN1_STRING_get0_data(bits)[0]) {
        case POINT_CONVERSION_COMPRESSED:
        case POINT_CONVERSION_COMPRESSED + 1:
        case POINT_CONVERSION_UNCOMPRESSED:
                return true;
        default:
                return false;
        }
}

/* The sender's ephemeral key, checked to be a point of the curve, as 04 || x || y. */
static int parse_originator(const CmsOriginator *originator, EVP_PKEY *public, uint8_t **ret,
                size_t *ret_size, CmsReport *report) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = EVP_PKEY_new();
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = NULL;
        const ASN1_BIT_STRING *bits;
        unsigned char *point = NULL;
        size_t n;

        if (originator->type != CMS_PUBLIC_KEY)
                return cms_refuse(report, -EOPNOTSUPP, "the sender's ephemeral key is not in the file");
        if (check_originator_algorithm(originator->value.public_key->algorithm, public) < 0)
                return cms_refuse(report, -EBADMSG,
                                "the sender's ephemeral key does not name this device's curve");

        bits = originator->value.public_key->key;
        if (!peer || EVP_PKEY_copy_parameters(peer, public) != 1)
                return openssl_error(-ENOMEM);
        if (!point_form_is_right(bits) ||
                        EVP_PKEY_set1_encoded_public_key(peer, ASN1_STRING_get0_data(bits),
                                        (size_t) ASN1_STRING_length(bits)) != 1 ||
                        !(context = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL)) ||
                        EVP_PKEY_public_check(context) != 1 ||
                        (n = EVP_PKEY_get1_encoded_public_key(peer, &point)) == 0) {
                openssl_error(0);
                return cms_refuse(
                                report, -EBADMSG, "the sender's ephemeral key is not a point of the curve");
        }
        *ret = point;
        *ret_size = n;
        return 0;
}

/* The KDF of X9.63 (ANSI), as RFC 5753, section 7.2, uses it. */
static int derive(const Scheme *scheme, Secrets *secrets, size_t n_shared) {
        _cleanup_(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_X963KDF, NULL);
        _cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        char digest[16];
        const OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secrets->shared, n_shared),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, scheme->info, scheme->n_info),
                OSSL_PARAM_construct_end(),
        };

        snprintf(digest, sizeof(digest), "%s", scheme->digest);
        if (!context ||
                        EVP_KDF_derive(context, secrets->wrapping_key, scheme->wrapping_key_size,
                                        parameters) != 1)
                return openssl_error(-EIO);
        return 0;
}

/* RFC 3394. Returns 0 also when the wrapped key is not right: *ret_good says that. */
static int unwrap(const Scheme *scheme, const ASN1_OCTET_STRING *wrapped, Secrets *secrets,
                uint32_t *ret_good) {
        _cleanup_(EVP_CIPHER_freep) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, scheme->wrap, NULL);
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        int n = 0, size = ASN1_STRING_length(wrapped);
        bool right;

        if (!cipher || !context)
                return openssl_error(-ENOMEM);
        EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        if (EVP_DecryptInit_ex2(context, cipher, secrets->wrapping_key, NULL, NULL) != 1)
                return openssl_error(-EIO);
        right = EVP_DecryptUpdate(context, secrets->key, &n, ASN1_STRING_get0_data(wrapped), size) == 1 &&
                        n == size - WRAP_OVERHEAD;
        *ret_good = right ? ~UINT32_C(0) : 0;
        ERR_clear_error();
        return 0;
}

int cms_agreement_unwrap(const CmsKeyAgreement *agreement, const ASN1_OCTET_STRING *encrypted_key,
                const CmsKey *key, uint8_t *ret_key, size_t key_size, uint32_t *ret_good,
                CmsReport *report) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *public = NULL;
        _cleanup_(scheme_done) Scheme scheme = {};
        _cleanup_secret_ Secret *memory = NULL;
        _cleanup_openssl_ uint8_t *point = NULL;
        uint32_t good = 0;
        const uint8_t *der;
        Secrets *secrets;
        size_t n_der, n_point = 0;
        int r;

        der = certificate_get_public(key->certificate, &n_der);
        r = public_key_to_evp(der, n_der, &public);
        if (r < 0)
                return r;
        if (!EVP_PKEY_is_a(public, "EC"))
                return cms_refuse(report, -EBADMSG, "ECDH key agreement with a key that is not EC");
        if ((size_t) ASN1_STRING_length(encrypted_key) != key_size + WRAP_OVERHEAD)
                return cms_refuse(report, -EBADMSG, "the wrapped key is not one for the content's cipher");
        r = parse_scheme(agreement, &scheme, report);
        if (r >= 0)
                r = parse_originator(agreement->originator, public, &point, &n_point, report);
        if (r >= 0)
                r = secret_new(sizeof(Secrets), &memory);
        if (r < 0)
                return r;
        secrets = (Secrets *) memory->data;
        if (n_point / 2 > sizeof(secrets->shared))
                return -EOPNOTSUPP;

        r = key->agree_ecdh(key->userdata, point, n_point, secrets->shared);
        if (r < 0)
                return cms_key_failed(report, key, r);
        r = derive(&scheme, secrets, n_point / 2);
        if (r >= 0)
                r = unwrap(&scheme, encrypted_key, secrets, &good);
        if (r < 0)
                return r;
        if (RAND_priv_bytes(ret_key, (int) key_size) != 1)
                return openssl_error(-EIO);
        for (size_t i = 0; i < key_size; i++)
                ret_key[i] = ct_select(good, secrets->key[i], ret_key[i]);
        *ret_good = good;
        return 0;
}
