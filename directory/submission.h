/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a factory sends for a device (RFC 8886, section 3.1): a self-signed certificate, a certificate request, or a raw public key, in PEM or
 * DER. It is read strictly, checked against the vendor's policy, and made into what is published.
 */

#include "directory/authority.h"
#include "directory/settings.h"
#include "directory/store.h"

#define SUBMISSION_SIZE_MAX 32768
#define SUBMISSION_REASON_MAX 256

typedef enum SubmissionKind {
        SUBMISSION_CERTIFICATE,
        SUBMISSION_REQUEST,
        SUBMISSION_KEY,
        _SUBMISSION_KIND_MAX,
} SubmissionKind;

const char *submission_kind_to_string(SubmissionKind kind);

/* What does not change from one to the next. */
typedef struct SubmissionRules {
        const Policy *policy;
        const Authority *authority; /* NULL: only certificates are accepted */
        X509_STORE *issuers;        /* who else may have signed a certificate; NULL: nobody */
} SubmissionRules;

/* The file of Issuers=. *ret is NULL when there is none; freed with X509_STORE_free(). */
int submission_load_issuers(
                const Policy *policy, X509_STORE **ret, char reason[static SUBMISSION_REASON_MAX]);

/*
 * `id` is what the request says; an empty one is filled in from a certificate request's name (EST). Fills in all of the record but the
 * time. *ret_kind and ret_type, "rsa2048" for instance, are set as soon as they are known, and for the audit.
 *
 *   -EBADMSG     malformed
 *   -EPERM       against the policy
 *   -EOPNOTSUPP  it would have to be wrapped, and there is no authority
 */
#define SUBMISSION_TYPE_MAX 32
int submission_parse(const SubmissionRules *rules, const char *id, const void *data, size_t n, Record *ret,
                SubmissionKind *ret_kind, char ret_type[static SUBMISSION_TYPE_MAX],
                char reason[static SUBMISSION_REASON_MAX]);
