/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms-recipient.h"

#include "base/text.h"
#include "tpm/cms-report.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/asn1t.h>
#include <openssl/x509v3.h>
#include <stdio.h>

typedef struct SharedKey {
        ASN1_INTEGER *version;
        CmsRecipientKeyIdentifier *identifier;
        X509_ALGOR *algorithm;
        ASN1_OCTET_STRING *encrypted_key;
} SharedKey;

typedef struct Password {
        ASN1_INTEGER *version;
        X509_ALGOR *derivation;
        X509_ALGOR *algorithm;
        ASN1_OCTET_STRING *encrypted_key;
} Password;

/* clang-format off */
ASN1_SEQUENCE(CmsIssuerSerial) = {
        ASN1_SIMPLE(CmsIssuerSerial, issuer, X509_NAME),
        ASN1_SIMPLE(CmsIssuerSerial, serial, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(CmsIssuerSerial)

ASN1_CHOICE(CmsIdentifier) = {
        ASN1_SIMPLE(CmsIdentifier, value.issuer_serial, CmsIssuerSerial),
        ASN1_IMP(CmsIdentifier, value.key_identifier, ASN1_OCTET_STRING, 0),
} static_ASN1_CHOICE_END(CmsIdentifier)

ASN1_SEQUENCE(CmsKeyTransport) = {
        ASN1_SIMPLE(CmsKeyTransport, version, ASN1_INTEGER),
        ASN1_SIMPLE(CmsKeyTransport, identifier, CmsIdentifier),
        ASN1_SIMPLE(CmsKeyTransport, algorithm, X509_ALGOR),
        ASN1_SIMPLE(CmsKeyTransport, encrypted_key, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(CmsKeyTransport)

ASN1_SEQUENCE(CmsPublicKey) = {
        ASN1_SIMPLE(CmsPublicKey, algorithm, X509_ALGOR),
        ASN1_SIMPLE(CmsPublicKey, key, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CmsPublicKey)

ASN1_CHOICE(CmsOriginator) = {
        ASN1_SIMPLE(CmsOriginator, value.issuer_serial, CmsIssuerSerial),
        ASN1_IMP(CmsOriginator, value.key_identifier, ASN1_OCTET_STRING, 0),
        ASN1_IMP(CmsOriginator, value.public_key, CmsPublicKey, 1),
} static_ASN1_CHOICE_END(CmsOriginator)

ASN1_SEQUENCE(CmsOtherKeyAttribute) = {
        ASN1_SIMPLE(CmsOtherKeyAttribute, type, ASN1_OBJECT),
        ASN1_OPT(CmsOtherKeyAttribute, value, ASN1_ANY),
} static_ASN1_SEQUENCE_END(CmsOtherKeyAttribute)

ASN1_SEQUENCE(CmsRecipientKeyIdentifier) = {
        ASN1_SIMPLE(CmsRecipientKeyIdentifier, key_identifier, ASN1_OCTET_STRING),
        ASN1_OPT(CmsRecipientKeyIdentifier, date, ASN1_GENERALIZEDTIME),
        ASN1_OPT(CmsRecipientKeyIdentifier, other, CmsOtherKeyAttribute),
} static_ASN1_SEQUENCE_END(CmsRecipientKeyIdentifier)

ASN1_CHOICE(CmsAgreementIdentifier) = {
        ASN1_SIMPLE(CmsAgreementIdentifier, value.issuer_serial, CmsIssuerSerial),
        ASN1_IMP(CmsAgreementIdentifier, value.key_identifier, CmsRecipientKeyIdentifier, 0),
} static_ASN1_CHOICE_END(CmsAgreementIdentifier)

ASN1_SEQUENCE(CmsEncryptedKey) = {
        ASN1_SIMPLE(CmsEncryptedKey, identifier, CmsAgreementIdentifier),
        ASN1_SIMPLE(CmsEncryptedKey, encrypted_key, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(CmsEncryptedKey)

ASN1_SEQUENCE(CmsKeyAgreement) = {
        ASN1_SIMPLE(CmsKeyAgreement, version, ASN1_INTEGER),
        ASN1_EXP(CmsKeyAgreement, originator, CmsOriginator, 0),
        ASN1_EXP_OPT(CmsKeyAgreement, user_keying_material, ASN1_OCTET_STRING, 1),
        ASN1_SIMPLE(CmsKeyAgreement, algorithm, X509_ALGOR),
        ASN1_SEQUENCE_OF(CmsKeyAgreement, encrypted_keys, CmsEncryptedKey),
} static_ASN1_SEQUENCE_END(CmsKeyAgreement)

/* As an alternative of RecipientInfo. */
ASN1_ITEM_TEMPLATE(CmsTaggedKeyAgreement) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 1, CmsTaggedKeyAgreement, CmsKeyAgreement)
static_ASN1_ITEM_TEMPLATE_END(CmsTaggedKeyAgreement)

/* KEKRecipientInfo, PasswordRecipientInfo, OtherRecipientInfo: never for us, but well formed. */
ASN1_SEQUENCE(SharedKey) = {
        ASN1_SIMPLE(SharedKey, version, ASN1_INTEGER),
        ASN1_SIMPLE(SharedKey, identifier, CmsRecipientKeyIdentifier),
        ASN1_SIMPLE(SharedKey, algorithm, X509_ALGOR),
        ASN1_SIMPLE(SharedKey, encrypted_key, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(SharedKey)

ASN1_SEQUENCE(Password) = {
        ASN1_SIMPLE(Password, version, ASN1_INTEGER),
        ASN1_IMP_OPT(Password, derivation, X509_ALGOR, 0),
        ASN1_SIMPLE(Password, algorithm, X509_ALGOR),
        ASN1_SIMPLE(Password, encrypted_key, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(Password)

ASN1_ITEM_TEMPLATE(TaggedSharedKey) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 2, TaggedSharedKey, SharedKey)
static_ASN1_ITEM_TEMPLATE_END(TaggedSharedKey)

ASN1_ITEM_TEMPLATE(TaggedPassword) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 3, TaggedPassword, Password)
static_ASN1_ITEM_TEMPLATE_END(TaggedPassword)

ASN1_ITEM_TEMPLATE(TaggedOther) =
        ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 4, TaggedOther, CmsOtherKeyAttribute)
static_ASN1_ITEM_TEMPLATE_END(TaggedOther)
/* clang-format on */

static void transport_free(CmsKeyTransport *transport) {
        ASN1_item_free((ASN1_VALUE *) transport, ASN1_ITEM_rptr(CmsKeyTransport));
}

DEFINE_CLEANUP(CmsKeyTransport, transport_free)

static void agreement_free(CmsKeyAgreement *agreement) {
        ASN1_item_free((ASN1_VALUE *) agreement, ASN1_ITEM_rptr(CmsKeyAgreement));
}

DEFINE_CLEANUP(CmsKeyAgreement, agreement_free)

void cms_recipient_done(CmsRecipient *recipient) {
        transport_free(recipient->transport);
        agreement_free(recipient->agreement);
        *recipient = (CmsRecipient){};
}

#define DESCRIPTION_MAX 96
#define OTHERS_NAMED 2

/* The search, and what is said when it finds nothing. */
typedef struct Search {
        const CmsKey *keys;
        size_t n_keys;
        CmsRecipient found; /* .key is n_keys as long as nothing was found */
        size_t n_others;
        char others[OTHERS_NAMED][DESCRIPTION_MAX];
} Search;

static const char *describe_octets(char *text, size_t size, const ASN1_STRING *octets) {
        char hex[2 * 20 + 1];
        size_t n = (size_t) ASN1_STRING_length(octets), n_shown = MIN(n, (size_t) 20);

        snprintf(text, size, "%s%s", text_hex(hex, ASN1_STRING_get0_data(octets), n_shown),
                        n > n_shown ? "..." : "");
        return text;
}

/* How a file names a recipient: by the one or by the other, which is then not NULL. */
typedef struct Name {
        const CmsIssuerSerial *issuer_serial;
        const ASN1_OCTET_STRING *key_identifier;
} Name;

static Name name_of_transport(const CmsIdentifier *identifier) {
        return identifier->type == CMS_ISSUER_SERIAL
                        ? (Name){ .issuer_serial = identifier->value.issuer_serial }
                        : (Name){ .key_identifier = identifier->value.key_identifier };
}

static Name name_of_agreement(const CmsAgreementIdentifier *identifier) {
        return identifier->type == CMS_ISSUER_SERIAL
                        ? (Name){ .issuer_serial = identifier->value.issuer_serial }
                        : (Name){ .key_identifier = identifier->value.key_identifier->key_identifier };
}

static const char *describe(char text[static DESCRIPTION_MAX], Name name) {
        char octets[48], issuer[44];

        if (name.issuer_serial) {
                /* This escapes what is not printable. */
                X509_NAME_oneline(name.issuer_serial->issuer, issuer, sizeof(issuer));
                snprintf(text, DESCRIPTION_MAX, "%s serial %s", issuer,
                                describe_octets(octets, sizeof(octets), name.issuer_serial->serial));
        } else
                snprintf(text, DESCRIPTION_MAX, "key identifier %s",
                                describe_octets(octets, sizeof(octets), name.key_identifier));
        return text;
}

static void on_other(Search *search, const char *text) {
        if (search->n_others < OTHERS_NAMED)
                snprintf(search->others[search->n_others], DESCRIPTION_MAX, "%s", text);
        search->n_others++;
}

static bool names(Name name, const CmsKey *key) {
        const ASN1_OCTET_STRING *key_identifier;

        if (name.issuer_serial)
                return X509_NAME_cmp(name.issuer_serial->issuer, certificate_get_issuer(key->certificate)) ==
                                0 &&
                                ASN1_INTEGER_cmp(name.issuer_serial->serial,
                                                certificate_get_serial(key->certificate)) == 0;
        key_identifier = certificate_get_key_identifier(key->certificate);
        return key_identifier && ASN1_OCTET_STRING_cmp(name.key_identifier, key_identifier) == 0;
}

/* True when one of our keys is named that comes before the one found so far: *ret is its index. */
static bool names_better_key(Search *search, Name name, size_t *ret) {
        char text[DESCRIPTION_MAX];

        for (size_t i = 0; i < search->found.key; i++)
                if (names(name, &search->keys[i])) {
                        *ret = i;
                        return true;
                }
        on_other(search, describe(text, name));
        return false;
}

/* RFC 5652, section 6.2.1: the version follows from the way in which the key is named. */
static bool transport_version_is_right(const CmsKeyTransport *transport) {
        int64_t version;

        return ASN1_INTEGER_get_int64(&version, transport->version) == 1 &&
                        version == (transport->identifier->type == CMS_ISSUER_SERIAL ? 0 : 2);
}

static int on_transport(Search *search, Cursor element) {
        _cleanup_(transport_freep) CmsKeyTransport *transport = NULL;
        const unsigned char *p = element.p;
        size_t key;

        transport = (CmsKeyTransport *) ASN1_item_d2i(
                        NULL, &p, (long) element.left, ASN1_ITEM_rptr(CmsKeyTransport));
        if (!transport || p != element.p + element.left || !transport_version_is_right(transport))
                return openssl_error(-EBADMSG);
        if (!names_better_key(search, name_of_transport(transport->identifier), &key))
                return 0;

        cms_recipient_done(&search->found);
        search->found = (CmsRecipient){ .key = key, .encrypted_key = transport->encrypted_key };
        search->found.transport = TAKE_PTR(transport);
        return 0;
}

static int on_agreement(Search *search, Cursor element) {
        _cleanup_(agreement_freep) CmsKeyAgreement *agreement = NULL;
        const ASN1_OCTET_STRING *encrypted_key = NULL;
        const unsigned char *p = element.p;
        int64_t version;
        size_t key;
        int n;

        agreement = (CmsKeyAgreement *) ASN1_item_d2i(
                        NULL, &p, (long) element.left, ASN1_ITEM_rptr(CmsTaggedKeyAgreement));
        if (!agreement || p != element.p + element.left ||
                        ASN1_INTEGER_get_int64(&version, agreement->version) != 1 || version != 3)
                return openssl_error(-EBADMSG);
        n = sk_CmsEncryptedKey_num(agreement->encrypted_keys);
        if (n > CMS_RECIPIENTS_MAX)
                return -E2BIG;

        for (int i = 0; i < n; i++) {
                const CmsEncryptedKey *entry = sk_CmsEncryptedKey_value(agreement->encrypted_keys, i);

                if (names_better_key(search, name_of_agreement(entry->identifier), &key)) {
                        search->found.key = key;
                        encrypted_key = entry->encrypted_key;
                }
        }
        if (!encrypted_key)
                return 0;
        key = search->found.key;
        cms_recipient_done(&search->found);
        search->found = (CmsRecipient){ .key = key, .encrypted_key = encrypted_key };
        search->found.agreement = TAKE_PTR(agreement);
        return 0;
}

static int on_foreign(Search *search, Cursor element, const ASN1_ITEM *item, const char *text) {
        const unsigned char *p = element.p;
        ASN1_VALUE *value = ASN1_item_d2i(NULL, &p, (long) element.left, item);

        if (!value || p != element.p + element.left) {
                ASN1_item_free(value, item);
                return openssl_error(-EBADMSG);
        }
        ASN1_item_free(value, item);
        on_other(search, text);
        return 0;
}

static int on_recipient(Search *search, Cursor element) {
        switch (element.p[0]) {
        case BER_SEQUENCE:
                return on_transport(search, element);
        case BER_CONTEXT(1) | BER_CONSTRUCTED:
                return on_agreement(search, element);
        case BER_CONTEXT(2) | BER_CONSTRUCTED:
                return on_foreign(search, element, ASN1_ITEM_rptr(TaggedSharedKey), "a shared key");
        case BER_CONTEXT(3) | BER_CONSTRUCTED:
                return on_foreign(search, element, ASN1_ITEM_rptr(TaggedPassword), "a password");
        case BER_CONTEXT(4) | BER_CONSTRUCTED:
                return on_foreign(
                                search, element, ASN1_ITEM_rptr(TaggedOther), "a recipient of another kind");
        default:
                return -EBADMSG;
        }
}

int cms_recipient_find(
                Cursor recipients, const CmsKey *keys, size_t n_keys, CmsRecipient *ret, CmsReport *report) {
        Search search = { .keys = keys, .n_keys = n_keys, .found.key = n_keys };
        Cursor element;
        int r = 0;

        while (r >= 0 && recipients.left > 0) {
                r = ber_skip(&recipients, &element);
                if (r >= 0)
                        r = on_recipient(&search, element);
        }
        if (r < 0) {
                cms_recipient_done(&search.found);
                return r;
        }
        if (search.found.key == n_keys)
                return cms_refuse(report, -ENOKEY, "not encrypted for this device, but for %s%s%s%s",
                                search.others[0], search.n_others > 1 ? ", " : "",
                                search.n_others > 1 ? search.others[1] : "",
                                search.n_others > OTHERS_NAMED ? " and others" : "");
        *ret = search.found;
        return 0;
}
