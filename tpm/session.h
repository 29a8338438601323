/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tpm/ alone: a session in which the TPM encrypts what it answers (TPM 2.0 Library, part 1, sections 17
 * to 19), so that no key passes over the bus in clear. Its secret is encrypted to the key itself, whose
 * public part was compared with the certificate: only the TPM with this key can take part in the session
 * or make an answer that is accepted (key.h says what that protects from). ESYS does the cryptography.
 */

#include "tpm/tpm-handle.h"

#include <tss2/tss2_esys.h>

typedef struct Session {
        Tpm *tpm;
        TpmHandle *handle;          /* the session's in the TPM */
        ESYS_TR key, authorization; /* for the command that it is for */
} Session;

/*
 * For one private operation with a key. `area` was compared with the certificate; `name` is the key's. When
 * `exposed` there is no session in the TPM: the key's empty password authorizes the command, and the answer
 * is not encrypted. -EOPNOTSUPP for a TPM that does not know such sessions.
 */
int session_new(const TpmHandle *key, const TPMT_PUBLIC *area, const TPM2B_NAME *name, bool exposed,
                Session **ret);

/* The operation has ended with `rc`. Erases what ESYS keeps of its answer; the session ended with success. */
int session_end(Session *session, TSS2_RC rc, const char *what);

/* Frees what ESYS has allocated; accepts NULL. */
void session_erase(void *answer, size_t size);

/* Accepts NULL, returns NULL; the session ends in the TPM, too. */
Session *session_free(Session *session);

DEFINE_CLEANUP(Session, session_free)
#define _cleanup_session_ _cleanup_(session_freep)
