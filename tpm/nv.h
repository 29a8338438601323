/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tpm/ alone: small files in the TPM's non-volatile memory, owned by the owner, readable by everybody. */

#include "tpm/tpm.h"

#include <stdint.h>

/* *ret is freed with free(). Also for indices that others have defined, as long as they can be read without a password. */
int nv_read(Tpm *tpm, uint32_t index, uint8_t **ret, size_t *ret_size);

/* Replaces what we have written there before; -EEXIST when somebody else has defined the index. */
int nv_write(Tpm *tpm, uint32_t index, const uint8_t *data, size_t size);

/* 0 when the index is as nv_write() defines it; -ENOENT when there is nothing, -EEXIST as above. */
int nv_check(Tpm *tpm, uint32_t index);
int nv_remove(Tpm *tpm, uint32_t index);
