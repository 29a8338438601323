/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms-cipher.h"

#include "tpm/cms-report.h"
#include "tpm/constant-time.h"
#include "tpm/openssl.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/asn1t.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

typedef enum CipherMode {
        CIPHER_CBC,
        CIPHER_GCM,
        CIPHER_CCM,
} CipherMode;

struct CmsCipherInfo {
        int nid;
        const char *name; /* as OpenSSL's providers know it */
        CipherMode mode;
        size_t key_size, block_size;
        bool legacy;
};

static const CmsCipherInfo ciphers[] = {
        { NID_aes_128_cbc, "AES-128-CBC", CIPHER_CBC, 16, 16, false },
        { NID_aes_192_cbc, "AES-192-CBC", CIPHER_CBC, 24, 16, false },
        { NID_aes_256_cbc, "AES-256-CBC", CIPHER_CBC, 32, 16, false },
        { NID_aes_128_gcm, "AES-128-GCM", CIPHER_GCM, 16, 1, false },
        { NID_aes_192_gcm, "AES-192-GCM", CIPHER_GCM, 24, 1, false },
        { NID_aes_256_gcm, "AES-256-GCM", CIPHER_GCM, 32, 1, false },
        { NID_aes_128_ccm, "AES-128-CCM", CIPHER_CCM, 16, 1, false },
        { NID_aes_192_ccm, "AES-192-CCM", CIPHER_CCM, 24, 1, false },
        { NID_aes_256_ccm, "AES-256-CCM", CIPHER_CCM, 32, 1, false },
        { NID_des_ede3_cbc, "DES-EDE3-CBC", CIPHER_CBC, 24, 8, true },
};

/* GCMParameters and CCMParameters of RFC 5084, section 3. */
typedef struct AeadParameters {
        ASN1_OCTET_STRING *nonce;
        ASN1_INTEGER *tag_size; /* DEFAULT 12 */
} AeadParameters;

/* Attributes of AuthEnvelopedData as they are authenticated: a SET OF in DER, whatever the file has (RFC 5083, 2.2). */
typedef STACK_OF(X509_ATTRIBUTE) Attributes;

/* clang-format off */
ASN1_SEQUENCE(AeadParameters) = {
        ASN1_SIMPLE(AeadParameters, nonce, ASN1_OCTET_STRING),
        ASN1_OPT(AeadParameters, tag_size, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(AeadParameters)

ASN1_ITEM_TEMPLATE(AttributesInFile) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF | ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 1, AttributesInFile, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(AttributesInFile)

ASN1_ITEM_TEMPLATE(FreeAttributesInFile) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF | ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 2, FreeAttributesInFile, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(FreeAttributesInFile)

ASN1_ITEM_TEMPLATE(AttributesToAuthenticate) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF, 0, AttributesToAuthenticate, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(AttributesToAuthenticate)
/* clang-format on */

#define GCM_NONCE_SIZE 12 /* what RFC 5084 recommends, and every producer that we know writes */
#define CCM_NONCE_MIN 7
#define CCM_NONCE_MAX 13 /* of a block of 16, the rest but one counts the bytes: at least 2 of them */

void cms_cipher_done(CmsCipher *cipher) {
        OPENSSL_free(cipher->aad);
        *cipher = (CmsCipher){};
}

static const CmsCipherInfo *find_cipher(const ASN1_OBJECT *object) {
        int nid = OBJ_obj2nid(object);

        for (size_t i = 0; i < ELEMENTSOF(ciphers); i++)
                if (ciphers[i].nid == nid)
                        return &ciphers[i];
        return NULL;
}

static int parse_iv(CmsCipher *cipher, int type, const void *value) {
        const ASN1_OCTET_STRING *iv = value;

        if (type != V_ASN1_OCTET_STRING || ASN1_STRING_length(iv) != (int) cipher->info->block_size)
                return -EBADMSG;
        cipher->n_iv = cipher->info->block_size;
        memcpy(cipher->iv, ASN1_STRING_get0_data(iv), cipher->n_iv);
        return 0;
}

static void aead_parameters_free(AeadParameters *parameters) {
        ASN1_item_free((ASN1_VALUE *) parameters, ASN1_ITEM_rptr(AeadParameters));
}

DEFINE_CLEANUP(AeadParameters, aead_parameters_free)

static int parse_aead(CmsCipher *cipher, int type, const void *value, Cursor mac, CmsReport *report) {
        _cleanup_(aead_parameters_freep) AeadParameters *parameters = NULL;
        int64_t tag_size = 12;
        size_t n_nonce;

        if (type == V_ASN1_SEQUENCE)
                parameters = ASN1_item_unpack(value, ASN1_ITEM_rptr(AeadParameters));
        if (!parameters ||
                        (parameters->tag_size &&
                                        ASN1_INTEGER_get_int64(&tag_size, parameters->tag_size) != 1))
                return openssl_error(-EBADMSG);
        /* A tag cut short can be guessed: 2^32 tries for four bytes. */
        if (tag_size != CMS_TAG_SIZE || mac.left != CMS_TAG_SIZE)
                return cms_refuse(report, -EOPNOTSUPP, "an authentication tag of %zu bytes; 16 are needed",
                                MIN(mac.left, (size_t) tag_size));
        n_nonce = (size_t) ASN1_STRING_length(parameters->nonce);
        if (cipher->info->mode == CIPHER_GCM ? n_nonce != GCM_NONCE_SIZE
                                             : n_nonce < CCM_NONCE_MIN || n_nonce > CCM_NONCE_MAX)
                return cms_refuse(report, -EOPNOTSUPP, "a nonce of %zu bytes; 12 are usual", n_nonce);

        cipher->n_iv = n_nonce;
        memcpy(cipher->iv, ASN1_STRING_get0_data(parameters->nonce), n_nonce);
        memcpy(cipher->tag, mac.p, CMS_TAG_SIZE);
        return 0;
}

static void attributes_free(Attributes *attributes) {
        ASN1_item_free((ASN1_VALUE *) attributes, ASN1_ITEM_rptr(AttributesToAuthenticate));
}

DEFINE_CLEANUP(Attributes, attributes_free)

static int d2i_attributes(Cursor element, const ASN1_ITEM *item, Attributes **ret) {
        _cleanup_(attributes_freep) Attributes *attributes = NULL;
        const unsigned char *p = element.p;

        attributes = (Attributes *) ASN1_item_d2i(NULL, &p, (long) element.left, item);
        if (!attributes || p != element.p + element.left)
                return openssl_error(-EBADMSG);
        *ret = TAKE_PTR(attributes);
        return 0;
}

/* Attributes that nothing protects mean nothing to us, but they are well formed. */
static int check_free_attributes(const CmsOutline *outline) {
        _cleanup_(attributes_freep) Attributes *unused = NULL;

        if (outline->free_attributes.left == 0)
                return 0;
        return d2i_attributes(outline->free_attributes,
                        outline->authenticated ? ASN1_ITEM_rptr(FreeAttributesInFile)
                                               : ASN1_ITEM_rptr(AttributesInFile),
                        &unused);
}

static int parse_attributes(CmsCipher *cipher, Cursor element) {
        _cleanup_(attributes_freep) Attributes *attributes = NULL;
        const ASN1_OBJECT *type;
        int n, r;

        if (element.left == 0)
                return 0;
        r = d2i_attributes(element, ASN1_ITEM_rptr(AttributesInFile), &attributes);
        if (r < 0)
                return r;

        /* RFC 5652, section 11.1: one content-type, one value, and the type of what is encrypted. */
        if (X509at_get_attr_by_NID(attributes, NID_pkcs9_contentType, -1) >= 0) {
                type = X509at_get0_data_by_OBJ(
                                attributes, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
                if (!type || OBJ_obj2nid(type) != NID_pkcs7_data)
                        return openssl_error(-EBADMSG);
        }
        n = ASN1_item_i2d((ASN1_VALUE *) attributes, &cipher->aad, ASN1_ITEM_rptr(AttributesToAuthenticate));
        if (n <= 0)
                return openssl_error(-ENOMEM);
        cipher->n_aad = (size_t) n;
        return 0;
}

/* The size is counted in what the nonce leaves of 15 bytes (RFC 3610, section 2.1). */
static bool ccm_can_count(const CmsCipher *cipher, size_t size) {
        size_t n_counter = 15 - cipher->n_iv;

        return cipher->info->mode != CIPHER_CCM || n_counter >= sizeof(uint64_t) ||
                        (uint64_t) size >> (8 * n_counter) == 0;
}

static int parse_algorithm(const CmsOutline *outline, const X509_ALGOR *algorithm, CmsFlags flags,
                CmsCipher *cipher, CmsReport *report) {
        const ASN1_OBJECT *object;
        char name[CMS_OID_TEXT];
        const void *value;
        int type, r = 0;

        X509_ALGOR_get0(&object, &type, &value, algorithm);
        cms_oid_text(name, object);
        cipher->info = find_cipher(object);
        if (!cipher->info)
                return cms_refuse(report, -EOPNOTSUPP, "encrypted with %s; use -aes-256-gcm", name);
        if (cipher->info->legacy && !(flags & CMS_LEGACY_CIPHERS))
                return cms_refuse(report, -EPERM, "encrypted with %s; use -aes-256-gcm", name);
        if (outline->authenticated != (cipher->info->mode != CIPHER_CBC))
                return cms_refuse(report, -EOPNOTSUPP, "encrypted with %s in %s", name,
                                outline->authenticated ? "AuthEnvelopedData"
                                                       : "EnvelopedData, without a tag");
        if (!outline->authenticated && (flags & CMS_AUTHENTICATED_ONLY))
                return cms_refuse(report, -EACCES, "encrypted with %s, which is not authenticated", name);

        switch (cipher->info->mode) {
        case CIPHER_CBC:
                r = parse_iv(cipher, type, value);
                if (r >= 0 &&
                                (outline->content_size == 0 ||
                                                outline->content_size % cipher->info->block_size != 0))
                        return cms_refuse(report, -EBADMSG, "the encrypted content is not whole blocks");
                break;
        case CIPHER_GCM:
        case CIPHER_CCM:
                r = parse_aead(cipher, type, value, outline->mac, report);
                if (r >= 0 && !ccm_can_count(cipher, outline->content_size))
                        return cms_refuse(report, -EBADMSG, "more encrypted content than its nonce allows");
                break;
        }
        return r;
}

int cms_cipher_parse(const CmsOutline *outline, CmsFlags flags, CmsCipher *ret, CmsReport *report) {
        _cleanup_(X509_ALGOR_freep) X509_ALGOR *algorithm = NULL;
        _cleanup_(cms_cipher_done) CmsCipher cipher = {};
        const unsigned char *p = outline->algorithm.p;
        int r;

        algorithm = d2i_X509_ALGOR(NULL, &p, (long) outline->algorithm.left);
        if (!algorithm || p != outline->algorithm.p + outline->algorithm.left)
                return openssl_error(-EBADMSG);
        r = parse_algorithm(outline, algorithm, flags, &cipher, report);
        if (r >= 0)
                r = check_free_attributes(outline);
        if (r >= 0)
                r = parse_attributes(&cipher, outline->attributes);
        if (r < 0)
                return r;

        cipher.key_size = cipher.info->key_size;
        snprintf(report->cipher, sizeof(report->cipher), "%s", cipher.info->name);
        report->authenticated = outline->authenticated;
        *ret = cipher;
        cipher.aad = NULL; /* *ret has it */
        return 0;
}

/* RFC 5652, section 6.3: n bytes of value n. The last block is looked at whole, whatever n is. */
static int remove_padding(const uint8_t *data, size_t size, size_t block_size, size_t *ret_size) {
        const uint8_t *block = data + size - block_size;
        uint8_t n = block[block_size - 1];
        uint32_t bad = ct_is_zero(n) | ct_less((uint32_t) block_size, n);

        for (size_t i = 0; i < block_size; i++)
                bad |= ct_less((uint32_t) (block_size - 1 - i), n) & ~ct_equal(block[i], n);
        *ret_size = size - (n & ~bad);
        return bad ? -EKEYREJECTED : 0;
}

/* OpenSSL wants sizes before the key, and for CCM all sizes before all data. */
static int start(const CmsCipher *cipher, EVP_CIPHER_CTX *context, const uint8_t *key, size_t size) {
        _cleanup_(EVP_CIPHER_freep) EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, cipher->info->name, NULL);
        bool aead = cipher->info->mode != CIPHER_CBC;
        uint8_t tag[CMS_TAG_SIZE];
        int n;

        memcpy(tag, cipher->tag, sizeof(tag));
        if (!evp || EVP_DecryptInit_ex2(context, evp, NULL, NULL, NULL) != 1)
                return openssl_error(-EPROTO);
        if (aead ? EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int) cipher->n_iv, NULL) != 1 ||
                                                        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG,
                                                                        CMS_TAG_SIZE, tag) != 1
                 : EVP_CIPHER_CTX_set_padding(context, 0) != 1)
                return openssl_error(-EPROTO);
        if (EVP_DecryptInit_ex2(context, NULL, key, cipher->iv, NULL) != 1 ||
                        (cipher->info->mode == CIPHER_CCM &&
                                        EVP_DecryptUpdate(context, NULL, &n, NULL, (int) size) != 1) ||
                        (cipher->n_aad > 0 &&
                                        EVP_DecryptUpdate(context, NULL, &n, cipher->aad,
                                                        (int) cipher->n_aad) != 1))
                return openssl_error(-EPROTO);
        return 0;
}

/* CCM checks its tag in the first call, GCM in the second. */
static int decrypt(EVP_CIPHER_CTX *context, uint8_t *data, size_t size) {
        int n = 0, n_more = 0;

        if (EVP_DecryptUpdate(context, data, &n, data, (int) size) != 1 ||
                        EVP_DecryptFinal_ex(context, data + size, &n_more) != 1 || n != (int) size ||
                        n_more != 0)
                return openssl_error(-EKEYREJECTED);
        return 0;
}

int cms_cipher_decrypt(const CmsCipher *cipher, const uint8_t *key, uint8_t *data, size_t size,
                size_t *ret_size, CmsReport *report) {
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        size_t n = size;
        int r;

        assert(size <= INT_MAX);
        if (!context)
                return openssl_error(-ENOMEM);
        r = start(cipher, context, key, size);
        if (r >= 0)
                r = decrypt(context, data, size);
        if (r >= 0 && cipher->info->mode == CIPHER_CBC)
                r = remove_padding(data, size, cipher->info->block_size, &n);
        if (r == -EKEYREJECTED)
                snprintf(report->detail, sizeof(report->detail), "%s",
                                cipher->info->mode == CIPHER_CBC ? "the padding of the content is wrong"
                                                                 : "the authentication tag is wrong");
        if (r < 0)
                return r;

        *ret_size = n;
        return 0;
}
