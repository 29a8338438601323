/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tpm/ alone: what is behind an open TPM. A loaded object or session is a TpmHandle, and freeing it takes it out
 * of the TPM again: an error path cannot leave one behind.
 */

#include "tpm/tpm.h"

#include <stdbool.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_sys.h>

typedef enum TpmHandleKind {
        TPM_HANDLE_TRANSIENT,  /* an object or session: flushed when freed */
        TPM_HANDLE_PERSISTENT, /* stays in the TPM */
} TpmHandleKind;

typedef struct TpmHandle {
        Tpm *tpm;
        TPM2_HANDLE number; /* 0: none yet */
        TpmHandleKind kind;
} TpmHandle;

ESYS_CONTEXT *tpm_esys(Tpm *tpm);
TSS2_SYS_CONTEXT *tpm_sys(Tpm *tpm); /* its own, for commands without a session */

/* One authorization, by an empty password. */
extern const TSS2L_SYS_AUTH_COMMAND tpm_no_password;

/* TSS2_RC to negative errno; on an error keeps "`what`: ..." for tpm_reason(). */
int tpm_check(Tpm *tpm, TSS2_RC rc, const char *what);

/* Whether a TPM that was busy for a moment is to be asked again; counts in *n how often. */
bool tpm_is_busy(TSS2_RC rc, unsigned *n);

/* The same for a whole command, a function of tss2_sys.h with its arguments, as often as the TPM wants to be asked. */
#define tpm_run(tpm, what, command)            \
        ({                                     \
                unsigned _n = 0;               \
                TSS2_RC _rc;                   \
                                               \
                do                             \
                        _rc = (command);       \
                while (tpm_is_busy(_rc, &_n)); \
                tpm_check(tpm, _rc, what);     \
        })

/* Sets tpm_reason() and returns `error`. */
int tpm_fail(Tpm *tpm, int error, const char *format, ...) _printf_(3, 4);

/* An empty handle, made before the command whose result it is to own: that one is given &handle->number to write to. */
int tpm_handle_new(Tpm *tpm, TpmHandleKind kind, TpmHandle **ret);
TpmHandle *tpm_handle_free(TpmHandle *handle);

DEFINE_CLEANUP(TpmHandle, tpm_handle_free)
#define _cleanup_tpm_handle_ _cleanup_(tpm_handle_freep)
