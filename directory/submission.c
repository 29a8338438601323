/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/submission.h"

#include "base/text.h"
#include "base/time.h"
#include "tpm/certificate.h"
#include "tpm/openssl.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

typedef struct Submission {
        const SubmissionRules *rules;
        SubmissionKind kind;
        X509 *certificate;
        X509_REQ *request;
        EVP_PKEY *key;
        char *reason;
} Submission;

static const char *const kinds[] = {
        [SUBMISSION_CERTIFICATE] = "certificate",
        [SUBMISSION_REQUEST] = "request",
        [SUBMISSION_KEY] = "key",
};
static_assert(ELEMENTSOF(kinds) == _SUBMISSION_KIND_MAX, "one for each");

const char *submission_kind_to_string(SubmissionKind kind) {
        return kinds[kind];
}

static void submission_done(Submission *submission) {
        X509_free(submission->certificate);
        X509_REQ_free(submission->request);
        EVP_PKEY_free(submission->key);
}

_printf_(3, 4) static int refuse(const Submission *submission, int error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(submission->reason, SUBMISSION_REASON_MAX, format, arguments);
        va_end(arguments);
        return openssl_error(error);
}

/* --- Reading. */

typedef struct Form {
        SubmissionKind kind;
        const char *label, *label_too; /* RFC 7468, sections 5, 7 and 13 */
} Form;

static const Form forms[] = {
        { SUBMISSION_CERTIFICATE, PEM_STRING_X509, PEM_STRING_X509_OLD },
        { SUBMISSION_REQUEST, PEM_STRING_X509_REQ, PEM_STRING_X509_REQ_OLD },
        { SUBMISSION_KEY, PEM_STRING_PUBLIC, PEM_STRING_PUBLIC },
};

static int read_as(Submission *submission, SubmissionKind kind, const unsigned char *der, size_t n) {
        const unsigned char *p = der;
        bool good = false;

        switch (kind) {
        case SUBMISSION_CERTIFICATE:
                submission->certificate = d2i_X509(NULL, &p, (long) n);
                good = submission->certificate && p == der + n;
                break;
        case SUBMISSION_REQUEST:
                submission->request = d2i_X509_REQ(NULL, &p, (long) n);
                good = submission->request && p == der + n;
                break;
        case SUBMISSION_KEY:
                submission->key = d2i_PUBKEY(NULL, &p, (long) n);
                good = submission->key && p == der + n;
                break;
        case _SUBMISSION_KIND_MAX:
                break;
        }
        submission->kind = kind;
        if (good)
                return openssl_error(0);
        submission_done(submission);
        submission->certificate = NULL;
        submission->request = NULL;
        submission->key = NULL;
        return openssl_error(-EBADMSG);
}

static int read_pem(Submission *submission, const void *data, size_t n) {
        _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(data, (int) n);
        _cleanup_openssl_ char *label = NULL, *header = NULL;
        _cleanup_openssl_ unsigned char *der = NULL;
        long n_der;

        if (!bio || PEM_read_bio(bio, &label, &header, &der, &n_der) != 1)
                return openssl_error(-ENOENT);
        if (memmem(BIO_pending(bio) > 0 ? (const char *) data + n - (size_t) BIO_pending(bio) : "",
                            (size_t) BIO_pending(bio), "-----BEGIN", strlen("-----BEGIN")))
                return refuse(submission, -EBADMSG, "more than one PEM block");
        for (size_t i = 0; i < ELEMENTSOF(forms); i++)
                if (strcmp(label, forms[i].label) == 0 || strcmp(label, forms[i].label_too) == 0)
                        return read_as(submission, forms[i].kind, der, (size_t) n_der) < 0
                                        ? refuse(submission, -EBADMSG, "malformed %s", kinds[forms[i].kind])
                                        : 0;
        return refuse(submission, -EBADMSG, "a PEM block that is no certificate, request or public key");
}

/* EST sends base64 without lines around it (RFC 7030, section 4.2.1). */
static int read_base64(Submission *submission, const char *data, size_t n) {
        _cleanup_free_ unsigned char *der = malloc(n + 8);
        EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
        int size = 0, rest = 0, r = -EBADMSG;

        if (der && context) {
                EVP_DecodeInit(context);
                if (EVP_DecodeUpdate(context, der, &size, (const unsigned char *) data, (int) n) >= 0 &&
                                EVP_DecodeFinal(context, der + size, &rest) >= 0)
                        r = read_as(submission, SUBMISSION_REQUEST, der, (size_t) (size + rest));
        }
        EVP_ENCODE_CTX_free(context);
        return openssl_error(r);
}

static int read_submission(Submission *submission, const void *data, size_t n) {
        int r;

        if (n > SUBMISSION_SIZE_MAX)
                return refuse(submission, -EBADMSG, "too large");
        r = read_pem(submission, data, n);
        if (r != -ENOENT)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(forms); i++)
                if (read_as(submission, forms[i].kind, data, n) >= 0)
                        return 0;
        return read_base64(submission, data, n) < 0
                        ? refuse(submission, -EBADMSG,
                                          "neither a certificate nor a request nor a public key, in PEM or DER")
                        : 0;
}

/* --- The key. */

static const char *name_type(const EVP_PKEY *key, char type[static SUBMISSION_TYPE_MAX]) {
        char curve[SUBMISSION_TYPE_MAX] = "";

        if (EVP_PKEY_is_a(key, "RSA"))
                snprintf(type, SUBMISSION_TYPE_MAX, "rsa%d", EVP_PKEY_get_bits(key));
        else if (EVP_PKEY_is_a(key, "EC") &&
                        EVP_PKEY_get_utf8_string_param(
                                        key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL) == 1)
                snprintf(type, SUBMISSION_TYPE_MAX, "%s",
                                strcmp(curve, SN_X9_62_prime256v1) == 0            ? "p256"
                                                : strcmp(curve, SN_secp384r1) == 0 ? "p384"
                                                                                   : curve);
        else
                snprintf(type, SUBMISSION_TYPE_MAX, "%s",
                                EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key) : "unknown");
        return type;
}

/* A modulus with small factors, an exponent that gives the content away, a point that is not on the curve. */
static int check_strength(const Submission *submission, EVP_PKEY *key) {
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        _cleanup_(BN_freep) BIGNUM *exponent = NULL;

        if (!context || EVP_PKEY_public_check(context) != 1)
                return refuse(submission, -EPERM, "the key is weak: it fails the check of a public key");
        if (EVP_PKEY_is_a(key, "RSA") &&
                        (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1 ||
                                        BN_num_bits(exponent) < 17))
                return refuse(submission, -EPERM, "the key is weak: its exponent is below 65537");
        return openssl_error(0);
}

static int check_key(const Submission *submission, EVP_PKEY *key, char type[static SUBMISSION_TYPE_MAX]) {
        if (!key)
                return refuse(submission, -EBADMSG, "its key cannot be read");
        if (!words_have(&submission->rules->policy->key_types, name_type(key, type)))
                return refuse(submission, -EPERM, "the policy does not allow a key of type %s", type);
        return check_strength(submission, key);
}

/* --- The name. */

static int check_identifier(const Submission *submission, const char *id) {
        const Policy *policy = submission->rules->policy;

        if (policy->has_pattern && regexec(&policy->pattern, id, 0, NULL, 0) != 0)
                return refuse(submission, -EPERM, "the policy does not allow the identifier %s", id);
        return 0;
}

/* All of it: one with a NUL in it is not what it looks like. */
static bool entry_is(const X509_NAME_ENTRY *entry, const char *id) {
        _cleanup_openssl_ unsigned char *text = NULL;
        int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));

        return n >= 0 && (size_t) n == strlen(id) && memcmp(text, id, (size_t) n) == 0;
}

/* The CN, or the serialNumber of an IDevID (IEEE 802.1AR). */
static int check_name(const Submission *submission, const X509_NAME *subject, const char *id) {
        static const int types[] = { NID_commonName, NID_serialNumber };
        char shown[120];

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, types[i], at)) >= 0;)
                        if (entry_is(X509_NAME_get_entry(subject, at), id))
                                return openssl_error(0);
        X509_NAME_oneline(subject, shown, sizeof(shown));
        return refuse(submission, -EPERM, "it names %s, not %s", shown, id);
}

/* For EST, which has no other place for it: the one CN. */
static int take_name(const Submission *submission, const X509_NAME *subject,
                char ret[static IDENTIFIER_MAX + 1]) {
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        _cleanup_openssl_ unsigned char *text = NULL;
        int n;

        if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
                return refuse(submission, -EPERM,
                                "its subject has not one CN, which would be the identifier");
        n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        if (n < 0 || identifier_parse((const char *) text, (size_t) n, ret) < 0)
                return refuse(submission, -EPERM, "its CN is not an identifier of a device");
        return 0;
}

/* --- A certificate. */

static bool oid_is_listed(const Words *words, const ASN1_OBJECT *object, char text[static 80]) {
        char number[80];

        OBJ_obj2txt(number, sizeof(number), object, 1);
        snprintf(text, 80, "%s",
                        OBJ_obj2nid(object) != NID_undef ? OBJ_nid2sn(OBJ_obj2nid(object)) : number);
        return words_have(words, text) || words_have(words, number);
}

static int check_extensions(const Submission *submission) {
        const Policy *policy = submission->rules->policy;
        const X509 *certificate = submission->certificate;
        char text[80];

        for (int i = 0; i < X509_get_ext_count(certificate); i++) {
                const ASN1_OBJECT *object = X509_EXTENSION_get_object(X509_get_ext(certificate, i));

                /* RFC 5280, section 4.2: not more than one of each. */
                if (X509_get_ext_by_OBJ(certificate, object, i) >= 0)
                        return refuse(submission, -EBADMSG, "an extension stands there twice");
                if (OBJ_obj2nid(object) != NID_ext_key_usage &&
                                !oid_is_listed(&policy->extensions, object, text))
                        return refuse(submission, -EPERM, "the policy does not allow the extension %s",
                                        text);
        }
        return 0;
}

static int check_extended_usage(const Submission *submission) {
        const Policy *policy = submission->rules->policy;
        int critical, r = 0;
        EXTENDED_KEY_USAGE *usages =
                        X509_get_ext_d2i(submission->certificate, NID_ext_key_usage, &critical, NULL);
        char text[80];

        if (!usages)
                return critical == -1
                                ? 0
                                : refuse(submission, -EBADMSG, "its extended key usage cannot be read");
        for (int i = 0; i < sk_ASN1_OBJECT_num(usages) && r >= 0; i++)
                if (!oid_is_listed(&policy->extended_key_usages, sk_ASN1_OBJECT_value(usages, i), text))
                        r = refuse(submission, -EPERM, "the policy does not allow the extended key usage %s",
                                        text);
        EXTENDED_KEY_USAGE_free(usages);
        return r;
}

static int check_usage(const Submission *submission, const EVP_PKEY *key) {
        uint32_t usage = X509_get_key_usage(submission->certificate);
        uint32_t wanted = EVP_PKEY_is_a(key, "RSA") ? KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT
                                                    : KU_KEY_AGREEMENT;

        if (X509_get_extension_flags(submission->certificate) & EXFLAG_INVALID)
                return refuse(submission, -EBADMSG, "its extensions contradict each other");
        if (usage != UINT32_MAX && !(usage & wanted))
                return refuse(submission, -EPERM, "its key may only sign; nobody could encrypt to it");
        return 0;
}

/* RFC 8886, section 3.1, has dates ignored; a vendor's policy may ask for more. */
static int check_dates(const Submission *submission) {
        uint64_t lifetime = submission->rules->policy->minimum_lifetime_usec;
        time_t until = time(NULL) + (time_t) (lifetime / USEC_PER_SEC);

        if (lifetime > 0 && X509_cmp_time(X509_get0_notAfter(submission->certificate), &until) < 0)
                return refuse(submission, -EPERM, "it expires earlier than the policy allows");
        return 0;
}

/* Signed by its own key, which proves that its sender has that key; or by somebody whom the policy names. */
static int check_signature(const Submission *submission, EVP_PKEY *key) {
        X509_STORE_CTX *context;
        int r;

        if (X509_verify(submission->certificate, key) == 1)
                return 0;
        if (!submission->rules->issuers)
                return refuse(submission, -EPERM, "it is not signed by its own key");
        context = X509_STORE_CTX_new();
        r = context &&
                        X509_STORE_CTX_init(context, submission->rules->issuers, submission->certificate,
                                        NULL) == 1 &&
                        X509_verify_cert(context) == 1;
        X509_STORE_CTX_free(context);
        return r ? openssl_error(0)
                 : refuse(submission, -EPERM, "it is signed neither by its own key nor by a CA of Issuers=");
}

static int check_certificate(const Submission *submission, EVP_PKEY *key) {
        int r;

        if (X509_get_version(submission->certificate) != X509_VERSION_3 &&
                        X509_get_ext_count(submission->certificate) > 0)
                return refuse(submission, -EBADMSG, "extensions in a certificate that is not of version 3");
        r = check_extensions(submission);
        if (r >= 0)
                r = check_extended_usage(submission);
        if (r >= 0)
                r = check_usage(submission, key);
        if (r >= 0)
                r = check_dates(submission);
        return r < 0 ? r : check_signature(submission, key);
}

/* --- What is published. */

static int publish(const Submission *submission, X509 *certificate, Record *ret) {
        _cleanup_(certificate_freep) Certificate *read = NULL;
        _cleanup_openssl_ unsigned char *der = NULL;
        const uint8_t *public;
        size_t n_public;
        int n, r;

        n = i2d_X509(certificate, &der);
        if (n <= 0)
                return refuse(submission, -EBADMSG, "malformed certificate");
        if ((size_t) n > sizeof(ret->der))
                return refuse(submission, -EBADMSG, "too large");
        r = certificate_from_der(der, (size_t) n, &read); /* as the operator's tool and the device read it */
        if (r < 0)
                return refuse(submission, r, "malformed certificate");
        public = certificate_get_public(read, &n_public);
        memcpy(ret->der, der, (size_t) n);
        ret->n_der = (size_t) n;
        return certificate_fingerprint(public, n_public, ret->fingerprint);
}

static int wrap(const Submission *submission, EVP_PKEY *key, Record *ret) {
        _cleanup_(X509_freep) X509 *made = NULL;

        if (!submission->rules->authority)
                return refuse(submission, -EOPNOTSUPP,
                                "there is no [Authority] here that would make a certificate of it");
        if (authority_issue(submission->rules->authority, ret->id, key, &made) < 0)
                return refuse(submission, -EIO, "the authority cannot sign");
        return publish(submission, made, ret);
}

static int process(
                Submission *submission, const char *id, Record *ret, char type[static SUBMISSION_TYPE_MAX]) {
        EVP_PKEY *key = submission->key;
        const X509_NAME *subject = NULL;
        int r = 0;

        if (!words_have(&submission->rules->policy->accept, kinds[submission->kind]))
                return refuse(submission, -EPERM, "the policy does not allow a %s", kinds[submission->kind]);
        if (submission->certificate) {
                key = X509_get0_pubkey(submission->certificate);
                subject = X509_get_subject_name(submission->certificate);
        } else if (submission->request) {
                key = X509_REQ_get0_pubkey(submission->request);
                subject = X509_REQ_get_subject_name(submission->request);
        }
        if (id[0] == '\0')
                r = submission->request ? take_name(submission, subject, ret->id)
                                        : refuse(submission, -EPERM, "not a certificate request");
        else
                (void) text_copy(ret->id, sizeof(ret->id), id);
        if (r >= 0)
                r = check_identifier(submission, ret->id);
        if (r >= 0 && subject)
                r = check_name(submission, subject, ret->id);
        if (r >= 0)
                r = check_key(submission, key, type);
        if (r >= 0 && submission->certificate)
                r = check_certificate(submission, key);
        if (r >= 0 && submission->request && X509_REQ_verify(submission->request, key) != 1)
                r = refuse(submission, -EPERM, "the request is not signed by its own key");
        if (r < 0)
                return r;
        return submission->certificate ? publish(submission, submission->certificate, ret)
                                       : wrap(submission, key, ret);
}

int submission_parse(const SubmissionRules *rules, const char *id, const void *data, size_t n, Record *ret,
                SubmissionKind *ret_kind, char ret_type[static SUBMISSION_TYPE_MAX],
                char reason[static SUBMISSION_REASON_MAX]) {
        _cleanup_(submission_done) Submission submission = { .rules = rules, .reason = reason };
        int r;

        ret_type[0] = '\0';
        *ret_kind = _SUBMISSION_KIND_MAX;
        r = read_submission(&submission, data, n);
        if (r < 0)
                return r;
        *ret_kind = submission.kind;
        return process(&submission, id, ret, ret_type);
}

int submission_load_issuers(
                const Policy *policy, X509_STORE **ret, char reason[static SUBMISSION_REASON_MAX]) {
        X509_STORE *store;

        *ret = NULL;
        if (policy->issuers[0] == '\0')
                return 0;
        store = X509_STORE_new();
        if (!store || X509_STORE_load_file(store, policy->issuers) != 1 ||
                        X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME) != 1) {
                X509_STORE_free(store);
                snprintf(reason, SUBMISSION_REASON_MAX, "%.200s: no CA certificates, PEM", policy->issuers);
                return openssl_error(-EBADMSG);
        }
        *ret = store;
        return 0;
}
