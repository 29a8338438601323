/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/inspect.h"

#include "base/text.h"
#include "tpm/base64.h"
#include "tpm/cms.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <limits.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <string.h>

DEFINE_CLEANUP(CMS_ContentInfo, CMS_ContentInfo_free)

static int refuse(char reason[static INSPECT_REASON_MAX], int error, const char *text) {
        snprintf(reason, INSPECT_REASON_MAX, "%s", text);
        return error;
}

/* Not a key: it takes note that it was asked for, and that ends the reading. */
static int on_decrypt(
                void *userdata, const uint8_t *cipher _unused_, size_t n _unused_, uint8_t *ret _unused_) {
        *(bool *) userdata = true;
        return -EAGAIN;
}

/*
 * The file as BER, decoded into memory that is not locked: a person's limits for that are small, and there is nothing secret
 * in it. `ret_memory` is freed by the caller.
 */
static int open_envelope(const void *file, size_t size, Envelope *ret, uint8_t **ret_memory,
                char reason[static INSPECT_REASON_MAX]) {
        _cleanup_free_ uint8_t *memory = NULL;
        Envelope envelope;
        size_t n;
        int r;

        r = envelope_detect(file, size, &envelope, reason);
        if (r < 0)
                return r;
        if (envelope.kind == ENVELOPE_PLAIN)
                return refuse(reason, -EBADMSG, "not encrypted");
        if (envelope.base64) {
                memory = malloc(BASE64_DECODED_MAX(envelope.body.left) + 1);
                if (!memory)
                        return refuse(reason, -ENOMEM, "out of memory");
                if (base64_decode(envelope.body, memory, &n) < 0)
                        return refuse(reason, -EBADMSG, "malformed base64");
                envelope.base64 = false;
                envelope.body = CURSOR(memory, n);
        }
        *ret = envelope;
        *ret_memory = TAKE_PTR(memory);
        return 0;
}

static int check_envelope(const Envelope *envelope, const Certificate *certificate, CmsReport *report) {
        bool asked = false;
        const CmsKey key = {
                .certificate = certificate,
                .decrypt_rsa = on_decrypt,
                .agree_ecdh = on_decrypt,
                .userdata = &asked,
        };
        int fd = -1, r;

        r = cms_decrypt(envelope, &key, certificate ? 1 : 0, 0, &fd, report);
        return asked ? 0 : r;
}

int inspect_check(const void *file, size_t size, const Certificate *certificate,
                char reason[static INSPECT_REASON_MAX]) {
        _cleanup_free_ uint8_t *memory = NULL;
        CmsReport report;
        Envelope envelope;
        int r;

        r = open_envelope(file, size, &envelope, &memory, reason);
        if (r < 0)
                return r;
        r = check_envelope(&envelope, certificate, &report);
        return r < 0 ? refuse(reason, r, report.reason) : 0;
}

int inspect_check_form(const void *file, size_t size, char reason[static INSPECT_REASON_MAX]) {
        int r = inspect_check(file, size, NULL, reason);

        return r == -ENOKEY
                        ? 0
                        : r; /* for nobody's key everything is for somebody else, once all of it has been read */
}

/* What is needed to stand in for a recipient's certificate: how the file names it, and a key of its kind. */
typedef struct Recipient {
        X509_NAME *issuer;
        ASN1_INTEGER *serial;
        ASN1_OCTET_STRING *key_identifier;
        const char *curve; /* NULL: RSA */
        size_t n_modulus;
        char how[96];
} Recipient;

/* RFC 8017, appendix C: id-RSAES-OAEP names its digest in its parameters, SHA-1 when it names none. */
static const char *oaep_digest(const X509_ALGOR *algorithm) {
        const void *parameters;
        const char *name = "SHA1";
        RSA_OAEP_PARAMS *oaep;
        const ASN1_OBJECT *digest;
        int type;

        X509_ALGOR_get0(NULL, &type, &parameters, algorithm);
        oaep = type == V_ASN1_SEQUENCE
                        ? ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_OAEP_PARAMS), algorithm->parameter)
                        : NULL;
        if (oaep && oaep->hashFunc) {
                X509_ALGOR_get0(&digest, NULL, NULL, oaep->hashFunc);
                name = OBJ_nid2sn(OBJ_obj2nid(digest));
        }
        RSA_OAEP_PARAMS_free(oaep);
        return name;
}

static int read_transport(CMS_RecipientInfo *info, Recipient *ret) {
        const ASN1_OBJECT *oid;
        X509_ALGOR *algorithm;
        char name[64];

        if (CMS_RecipientInfo_ktri_get0_signer_id(info, &ret->key_identifier, &ret->issuer, &ret->serial) !=
                                        1 ||
                        CMS_RecipientInfo_ktri_get0_algs(info, NULL, NULL, &algorithm) != 1)
                return openssl_error(-EBADMSG);
        X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
        if (OBJ_obj2nid(oid) == NID_rsaesOaep)
                snprintf(ret->how, sizeof(ret->how), "RSA-OAEP with %s", oaep_digest(algorithm));
        else if (OBJ_obj2nid(oid) == NID_rsaEncryption)
                snprintf(ret->how, sizeof(ret->how), "RSA, PKCS #1 v1.5");
        else {
                OBJ_obj2txt(name, sizeof(name), oid, 0);
                snprintf(ret->how, sizeof(ret->how), "%s", name);
        }
        return 0;
}

/* The originator's ephemeral key names the curve, or leaves it to the recipient's: then its size tells. */
static const char *curve_of(const X509_ALGOR *algorithm, const ASN1_BIT_STRING *key) {
        const void *parameters = NULL;
        int type = V_ASN1_UNDEF;

        if (algorithm)
                X509_ALGOR_get0(NULL, &type, &parameters, algorithm);
        if (type == V_ASN1_OBJECT)
                return OBJ_nid2sn(OBJ_obj2nid(parameters));
        return key && ASN1_STRING_length(key) > 80 ? SN_secp384r1 : SN_X9_62_prime256v1;
}

static int read_agreement(CMS_RecipientInfo *info, Recipient *ret) {
        STACK_OF(CMS_RecipientEncryptedKey) *keys = CMS_RecipientInfo_kari_get0_reks(info);
        ASN1_BIT_STRING *originator_key = NULL;
        X509_ALGOR *algorithm = NULL, *originator = NULL;
        const ASN1_OBJECT *oid;
        char name[48];

        if (sk_CMS_RecipientEncryptedKey_num(keys) < 1 ||
                        CMS_RecipientEncryptedKey_get0_id(sk_CMS_RecipientEncryptedKey_value(keys, 0),
                                        &ret->key_identifier, NULL, NULL, &ret->issuer, &ret->serial) != 1 ||
                        CMS_RecipientInfo_kari_get0_orig_id(
                                        info, &originator, &originator_key, NULL, NULL, NULL) != 1 ||
                        CMS_RecipientInfo_kari_get0_alg(info, &algorithm, NULL) != 1)
                return openssl_error(-EBADMSG);
        ret->curve = curve_of(originator, originator_key);
        X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
        OBJ_obj2txt(name, sizeof(name), oid, 0);
        snprintf(ret->how, sizeof(ret->how), "ECDH, %s on %.30s", name, ret->curve);
        return 0;
}

/* 1 for one that a device could be, 0 for a shared key or a password. */
static int read_recipient(CMS_RecipientInfo *info, Recipient *ret) {
        int r;

        switch (CMS_RecipientInfo_type(info)) {
        case CMS_RECIPINFO_TRANS:
                r = read_transport(info, ret);
                break;
        case CMS_RECIPINFO_AGREE:
                r = read_agreement(info, ret);
                break;
        default:
                snprintf(ret->how, sizeof(ret->how), "a shared key or a password");
                return 0;
        }
        return r < 0 ? r : 1;
}

/* A public key of that kind, which nobody has. */
static EVP_PKEY *make_public(const Recipient *recipient, int bits) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        _cleanup_(OSSL_PARAM_freep) OSSL_PARAM *parameters = NULL;
        _cleanup_(BN_freep) BIGNUM *modulus = BN_new(), *exponent = BN_new();
        EVP_PKEY *key = NULL;

        if (recipient->curve)
                return EVP_EC_gen(recipient->curve);
        if (!context || !builder || !modulus || !exponent || BN_lshift(modulus, BN_value_one(), bits) != 1 ||
                        BN_sub_word(modulus, 1) != 1 || BN_set_word(exponent, RSA_F4) != 1 ||
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1 ||
                        !(parameters = OSSL_PARAM_BLD_to_param(builder)) ||
                        EVP_PKEY_fromdata_init(context) <= 0 ||
                        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
                return NULL;
        return key;
}

static int set_names(X509 *made, const Recipient *recipient) {
        if (recipient->key_identifier &&
                        X509_add1_ext_i2d(made, NID_subject_key_identifier, recipient->key_identifier, 0,
                                        0) != 1)
                return -ENOMEM;
        if (recipient->issuer &&
                        (X509_set_issuer_name(made, recipient->issuer) != 1 ||
                                        X509_set_serialNumber(made, recipient->serial) != 1))
                return -ENOMEM;
        return 0;
}

/* A certificate as the recipient's could be, so that the device's reader can be asked about a file for somebody unknown. */
static int stand_in(const Recipient *recipient, int bits, Certificate **ret) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = make_public(recipient, bits),
                                           *signer = EVP_EC_gen("P-256");
        _cleanup_(X509_freep) X509 *made = X509_new();
        _cleanup_openssl_ unsigned char *der = NULL;
        int n;

        if (!key || !signer || !made || X509_set_version(made, X509_VERSION_3) != 1 ||
                        set_names(made, recipient) < 0 || X509_set_pubkey(made, key) != 1 ||
                        X509_gmtime_adj(X509_getm_notBefore(made), 0) == NULL ||
                        X509_gmtime_adj(X509_getm_notAfter(made), 0) == NULL ||
                        X509_sign(made, signer, EVP_sha256()) <= 0 || (n = i2d_X509(made, &der)) <= 0)
                return openssl_error(-EOPNOTSUPP);
        return certificate_from_der(der, (size_t) n, ret);
}

static void print_name(const Recipient *recipient, FILE *output) {
        char issuer[160], hex[2 * 20 + 1];
        const ASN1_STRING *octets = recipient->issuer ? recipient->serial : recipient->key_identifier;

        if (recipient->issuer)
                X509_NAME_oneline(recipient->issuer, issuer,
                                sizeof(issuer)); /* escapes what is not printable */
        fprintf(output, "For:        %s%s %s\n", recipient->issuer ? issuer : "",
                        recipient->issuer ? " serial" : "key identifier",
                        text_hex(hex, ASN1_STRING_get0_data(octets),
                                        (size_t) MIN(ASN1_STRING_length(octets), 20)));
}

/* The sizes of RSA keys that devices have; of a file's encrypted key only its reader knows the size. */
static int try_recipient(const Envelope *envelope, const Recipient *recipient, CmsReport *report) {
        static const int sizes[] = { 2048, 3072 };
        int r = -EOPNOTSUPP;

        for (size_t i = 0; i < (recipient->curve ? 1 : ELEMENTSOF(sizes)) && r < 0; i++) {
                _cleanup_(certificate_freep) Certificate *certificate = NULL;

                r = stand_in(recipient, sizes[i], &certificate);
                if (r < 0)
                        snprintf(report->reason, sizeof(report->reason),
                                        "a kind of key that our devices do not have");
                else
                        r = check_envelope(envelope, certificate, report);
        }
        return r;
}

static int print_recipients(const Envelope *envelope, CMS_ContentInfo *cms, const Certificate *certificate,
                FILE *output, CmsReport *report) {
        STACK_OF(CMS_RecipientInfo) *recipients = CMS_get0_RecipientInfos(cms);
        int verdict = -ENOKEY;

        for (int i = 0; i < sk_CMS_RecipientInfo_num(recipients); i++) {
                Recipient recipient = {};
                int r = read_recipient(sk_CMS_RecipientInfo_value(recipients, i), &recipient);

                if (r < 0)
                        return r;
                if (r > 0)
                        print_name(&recipient, output);
                fprintf(output, "Key:        %s\n", recipient.how);
                if (r > 0 && !certificate && verdict < 0)
                        verdict = try_recipient(envelope, &recipient, report);
        }
        return certificate ? check_envelope(envelope, certificate, report) : verdict;
}

int inspect_print(const void *file, size_t size, const Certificate *certificate, FILE *output) {
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
        _cleanup_free_ uint8_t *memory = NULL;
        char reason[INSPECT_REASON_MAX] = "";
        CmsReport report = {};
        const unsigned char *p;
        Envelope envelope;
        int r;

        r = open_envelope(file, size, &envelope, &memory, reason);
        if (r >= 0) {
                fprintf(output, "Form:       %s\n", envelope_kind_to_string(envelope.kind));
                p = envelope.body.p;
                cms = d2i_CMS_ContentInfo(NULL, &p, (long) MIN(envelope.body.left, (size_t) INT_MAX));
                if (cms && CMS_get0_RecipientInfos(cms))
                        r = print_recipients(&envelope, cms, certificate, output, &report);
                else
                        r = check_envelope(&envelope, certificate, &report);
                openssl_error(0);
                snprintf(reason, sizeof(reason), "%s", report.reason);
                if (report.cipher[0])
                        fprintf(output, "Content:    %s, %s\n", report.cipher,
                                        report.authenticated ? "authenticated"
                                                             : "not authenticated: damage may go unnoticed");
        }
        if (r < 0)
                fprintf(output, "Device:     refuses it: %s\n",
                                reason[0] ? reason : "not for a key of a device");
        else
                fprintf(output, "Device:     takes it\n");
        return r;
}
