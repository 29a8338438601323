/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tpm/ alone: a session in which the TPM encrypts what it answers (TPM 2.0 Library, part 1, sections 17
 * to 19), so that no key passes over the bus in clear. Its secret is encrypted to the key itself, whose
 * public part was compared with the certificate: only the TPM with this key can take part in the session
 * or make an answer that is accepted (key.h says what that protects from).
 *
 * (Not ESYS: it makes a new OpenSSL library context, with all of its algorithms, for each hash. A session took it longer than all
 * else that is done for a file.)
 */

#include "tpm/tpm-handle.h"

#include <stdint.h>

typedef struct Session Session;

/* `public` was compared with the certificate. -EOPNOTSUPP for a TPM that does not know such sessions. */
int session_new(const TpmHandle *key, const TPMT_PUBLIC *public, Session **ret);

/* Accepts NULL, returns NULL; the session ends in the TPM, too. */
Session *session_free(Session *session);

/*
 * Runs the command that was prepared last on tpm_sys() for a key of this name and whose response has one parameter, with a size
 * in front. That one's content, decrypted, goes to `ret`, which should be in a Secret; *n is the room there, and then the size.
 * Without a session (NULL) the key's empty password authorizes it, and the content comes as it is.
 */
int session_execute(Tpm *tpm, Session *session, TPM2_CC command, const TPM2B_NAME *name, const char *what,
                uint8_t *ret, size_t *n);

DEFINE_CLEANUP(Session, session_free)
#define _cleanup_session_ _cleanup_(session_freep)
