/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tpm/ alone: where the parts of an EnvelopedData (RFC 5652, section 6.1) or AuthEnvelopedData (RFC 5083, section 2.1)
 * are. All cursors point into the file, of which every byte has been walked.
 */

#include "tpm/ber.h"
#include "tpm/cms.h"

#define CMS_RECIPIENTS_MAX 1024

typedef struct CmsOutline {
        bool authenticated;     /* AuthEnvelopedData */
        Cursor recipients;      /* RecipientInfos, one after the other */
        Cursor algorithm;       /* contentEncryptionAlgorithm */
        BerString content;      /* encryptedContent */
        size_t content_size;    /* all its pieces together */
        Cursor attributes;      /* authAttrs, or empty */
        Cursor free_attributes; /* unprotectedAttrs or unauthAttrs, or empty */
        Cursor mac;             /* for AuthEnvelopedData */
} CmsOutline;

/* 0, -EBADMSG, -E2BIG, or -EOPNOTSUPP for other content types. */
int cms_outline_parse(Cursor file, CmsOutline *ret, CmsReport *report);
