/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: RecipientInfos (RFC 5652, section 6.2), and which of them is for us. */

#include "tpm/cms-outline.h"

/* How a file names a key: by issuer and serial number, or by subjectKeyIdentifier. */
typedef struct CmsIssuerSerial {
        X509_NAME *issuer;
        ASN1_INTEGER *serial;
} CmsIssuerSerial;

/* KeyTransRecipientInfo and what it is made of. */
typedef struct CmsIdentifier {
        int type;
        union {
                CmsIssuerSerial *issuer_serial;
                ASN1_OCTET_STRING *key_identifier;
        } value;
} CmsIdentifier;

typedef struct CmsKeyTransport {
        ASN1_INTEGER *version;
        CmsIdentifier *identifier;
        X509_ALGOR *algorithm;
        ASN1_OCTET_STRING *encrypted_key;
} CmsKeyTransport;

/* KeyAgreeRecipientInfo (RFC 5652, section 6.2.2) and what it is made of. */
typedef struct CmsPublicKey {
        X509_ALGOR *algorithm;
        ASN1_BIT_STRING *key;
} CmsPublicKey;

typedef struct CmsOriginator {
        int type;
        union {
                CmsIssuerSerial *issuer_serial;
                ASN1_OCTET_STRING *key_identifier;
                CmsPublicKey *public_key;
        } value;
} CmsOriginator;

typedef struct CmsOtherKeyAttribute {
        ASN1_OBJECT *type;
        ASN1_TYPE *value;
} CmsOtherKeyAttribute;

typedef struct CmsRecipientKeyIdentifier {
        ASN1_OCTET_STRING *key_identifier;
        ASN1_GENERALIZEDTIME *date;
        CmsOtherKeyAttribute *other;
} CmsRecipientKeyIdentifier;

typedef struct CmsAgreementIdentifier {
        int type;
        union {
                CmsIssuerSerial *issuer_serial;
                CmsRecipientKeyIdentifier *key_identifier;
        } value;
} CmsAgreementIdentifier;

typedef struct CmsEncryptedKey {
        CmsAgreementIdentifier *identifier;
        ASN1_OCTET_STRING *encrypted_key;
} CmsEncryptedKey;

DEFINE_STACK_OF(CmsEncryptedKey)

typedef struct CmsKeyAgreement {
        ASN1_INTEGER *version;
        CmsOriginator *originator;
        ASN1_OCTET_STRING *user_keying_material;
        X509_ALGOR *algorithm;
        STACK_OF(CmsEncryptedKey) * encrypted_keys;
} CmsKeyAgreement;

/* The index of each alternative, as in the templates. */
enum {
        CMS_ISSUER_SERIAL,
        CMS_KEY_IDENTIFIER,
        CMS_PUBLIC_KEY, /* CmsOriginator alone */
};

/* What is for us in a file: the index of our key, and one of these two. */
typedef struct CmsRecipient {
        size_t key;
        CmsKeyTransport *transport;
        CmsKeyAgreement *agreement;
        const ASN1_OCTET_STRING *encrypted_key; /* the one of them that is for us */
} CmsRecipient;

/*
 * Looks at every recipient and finds the one for the first key that is named at all. -ENOKEY when none is: the reason
 * then names those that are there. Freed with cms_recipient_done().
 */
int cms_recipient_find(
                Cursor recipients, const CmsKey *keys, size_t n_keys, CmsRecipient *ret, CmsReport *report);
void cms_recipient_done(CmsRecipient *recipient);
