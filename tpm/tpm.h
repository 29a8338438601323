/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An open TPM 2.0. One connection, one command at a time; nothing that was loaded through it stays in the TPM after
 * tpm_free() but what was made persistent on purpose.
 *
 * All functions of tpm/ that talk to a TPM return these errors, made from TSS2_RC in one place (tpm.c); a text for
 * a person is then in tpm_reason():
 *
 *   -EAGAIN      busy, its memory is full, or it is in lockout: the same may succeed later
 *   -ENODEV      there is none, or it does not answer any more
 *   -EIO         it is in failure mode: it must be power-cycled or replaced
 *   -ENOENT      nothing is at this handle
 *   -EACCES      a password or policy that we do not have protects it
 *   -EOPNOTSUPP  it does not know the algorithm, the key size or the curve
 *   -EINVAL      it refused a value: for a private-key operation, the input is not one for this key
 *   -ENOSPC      its non-volatile memory is full
 *   -EEXIST      the handle is in use
 *   -EPROTO      anything else
 */

#include "base/cleanup.h"

#include <stddef.h>

typedef struct Tpm Tpm;

#define TPM_TCTI_DEFAULT "device:/dev/tpmrm0"
#define TPM_REASON_MAX 256

/*
 * Connects through a tctildr string ("device:/dev/tpmrm0", "swtpm:path=/run/swtpm"). On failure `reason` says why.
 * Silences the standard error output of the tss2 libraries unless TSS2_LOG is set.
 */
int tpm_open(const char *tcti, Tpm **ret, char reason[static TPM_REASON_MAX]);

/* Accepts NULL, returns NULL. Objects made from this TPM must be freed before. */
Tpm *tpm_free(Tpm *tpm);

/* What the last function that failed on this TPM would tell a person; "" when none has failed. */
const char *tpm_reason(const Tpm *tpm);

DEFINE_CLEANUP(Tpm, tpm_free)
#define _cleanup_tpm_ _cleanup_(tpm_freep)
