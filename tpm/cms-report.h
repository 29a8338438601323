/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: how the parts of the reader say why they refuse. */

#include "base/cleanup.h"
#include "tpm/cms.h"

/* Writes the reason, as everybody may read it, and returns `error`. */
int cms_refuse(CmsReport *report, int error, const char *format, ...) _printf_(3, 4);

/* The name of an algorithm or content type, or its number. Returns `text`. */
#define CMS_OID_TEXT 80
const char *cms_oid_text(char text[static CMS_OID_TEXT], const ASN1_OBJECT *object);

/* After an operation of `key` ended with `error`: what cms_decrypt() then returns. */
int cms_key_failed(CmsReport *report, const CmsKey *key, int error);
