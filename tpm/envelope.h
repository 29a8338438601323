/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Is this file encrypted? RFC 8886, section 4.3, leaves the method open; ours is the magic header, at the start of the
 * file only:
 *
 *   PEM     -----BEGIN PKCS7-----, -----BEGIN CMS----- (RFC 7468, section 9), -----BEGIN ENCRYPTED MESSAGE----- (gpgsm)
 *   S/MIME  a header with Content-Type application/pkcs7-mime or application/x-pkcs7-mime (RFC 8551)
 *   DER     a BER ContentInfo of any type that CMS knows
 *   BASE64  the same in base64 without any lines around it (gpgsm --base64)
 *
 * Before the text forms there may be a byte order mark and blank lines. Before PEM, RFC 7468, section 2, allows text: we take
 * the lines To:, From: and Subject: for such, which `openssl smime -encrypt -outform PEM` writes when asked to, and no
 * other. Everything else is a plain configuration, also one that contains a PEM block further on.
 *
 * What has the magic but is broken is an error and never plain, and so is a file that ends within the magic: no plain
 * configuration is that short, and a truncated envelope must not pass for one.
 */

#include "base/cursor.h"

#include <stdbool.h>

typedef enum EnvelopeKind {
        ENVELOPE_PLAIN,
        ENVELOPE_PEM,
        ENVELOPE_SMIME,
        ENVELOPE_DER,
        ENVELOPE_BASE64,
        _ENVELOPE_KIND_MAX,
} EnvelopeKind;

typedef struct Envelope {
        EnvelopeKind kind;
        bool base64; /* `body` is base64, else BER */
        Cursor body; /* within the file; the file itself when plain */
} Envelope;

#define ENVELOPE_REASON_MAX 128

/* 0, or -EBADMSG for a broken envelope with the reason as a text. */
int envelope_detect(const void *file, size_t size, Envelope *ret, char reason[static ENVELOPE_REASON_MAX]);

const char *envelope_kind_to_string(EnvelopeKind kind);
