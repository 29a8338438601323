/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tpm/ alone: what is behind an open TPM. A loaded object or session is a TpmHandle, and freeing it takes it out
 * of the TPM again: an error path cannot leave one behind.
 */

#include "tpm/tpm.h"

#include <tss2/tss2_esys.h>

typedef enum TpmHandleKind {
        TPM_HANDLE_TRANSIENT,  /* an object or session: flushed when freed */
        TPM_HANDLE_PERSISTENT, /* stays in the TPM: only our reference to it is closed */
} TpmHandleKind;

typedef struct TpmHandle {
        Tpm *tpm;
        ESYS_TR tr;
        TpmHandleKind kind;
} TpmHandle;

ESYS_CONTEXT *tpm_esys(Tpm *tpm);

/* TSS2_RC to negative errno; on an error keeps "`what`: ..." for tpm_reason(). */
int tpm_check(Tpm *tpm, TSS2_RC rc, const char *what);

/* After a response with a secret in its first parameter: erases that from the library's buffer. */
void tpm_erase_response(Tpm *tpm);

/* Sets tpm_reason() and returns `error`. */
int tpm_fail(Tpm *tpm, int error, const char *format, ...) _printf_(3, 4);

/* An empty handle, made before the command whose result it is to own: that one is given &handle->tr to write to. */
int tpm_handle_new(Tpm *tpm, TpmHandleKind kind, TpmHandle **ret);
TpmHandle *tpm_handle_free(TpmHandle *handle);

DEFINE_CLEANUP(TpmHandle, tpm_handle_free)
#define _cleanup_tpm_handle_ _cleanup_(tpm_handle_freep)

/* Memory that ESYS has allocated. */
static inline void cleanup_esys(void *pointer) {
        Esys_Free(*(void **) pointer);
}

#define _cleanup_esys_ _cleanup_(cleanup_esys)
