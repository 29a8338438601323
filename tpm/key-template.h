/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: the template of key.h as the TPM takes it, and what its types have in common. */

#include "tpm/key.h"

#include <stdbool.h>
#include <tss2/tss2_tpm2_types.h>

void key_template(TpmKeySlot slot, TpmKeyType type, TPMT_PUBLIC *ret);

/* 0 and the type when `public` has come out of one of the slot's templates, else -ENOENT. */
int key_template_match(TpmKeySlot slot, const TPMT_PUBLIC *public, TpmKeyType *ret);

/* The type that a key made by somebody else comes nearest to, or -EOPNOTSUPP. */
int key_type_of_public(const TPMT_PUBLIC *public, TpmKeyType *ret);

bool key_type_is_rsa(TpmKeyType type);

/* In bytes: of the modulus, or of a coordinate. */
size_t key_type_size(TpmKeyType type);
