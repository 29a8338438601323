/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: ECDH key agreement (RFC 5753). */

#include "tpm/cms-recipient.h"

/* As cms_transport_unwrap(): one operation of `key`, and a random ret_key with *ret_good zero when it cannot be unwrapped. */
int cms_agreement_unwrap(const CmsKeyAgreement *agreement, const ASN1_OCTET_STRING *encrypted_key,
                const CmsKey *key, uint8_t *ret_key, size_t key_size, uint32_t *ret_good, CmsReport *report);
