/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/tpm.h"

#include "tpm/tpm-handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

/* Of a command; the kernel's driver, too, waits before it hands on that a TPM is busy. */
#define ATTEMPTS_MAX 5

const TSS2L_SYS_AUTH_COMMAND tpm_no_password = {
        .count = 1,
        .auths = { { .sessionHandle = TPM2_RS_PW } },
};

struct Tpm {
        TSS2_TCTI_CONTEXT *tcti;
        ESYS_CONTEXT *esys;
        TSS2_SYS_CONTEXT *sys; /* its own */
        char reason[TPM_REASON_MAX];
};

/* A format-one code carries the number of the handle, session or parameter that it means: leave that out. */
static TSS2_RC tpm_rc_plain(TSS2_RC rc) {
        return rc & TPM2_RC_FMT1 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc & 0xfff;
}

/* What the TPM itself says, or the kernel's resource manager in its name. */
static int tpm_rc_to_errno(TSS2_RC rc) {
        switch (tpm_rc_plain(rc)) {
        case TPM2_RC_RETRY:
        case TPM2_RC_YIELDED:
        case TPM2_RC_CANCELED:
        case TPM2_RC_TESTING:
        case TPM2_RC_LOCKOUT:
        case TPM2_RC_NV_RATE:
        case TPM2_RC_NV_UNAVAILABLE:
        case TPM2_RC_CONTEXT_GAP:
        case TPM2_RC_MEMORY:
        case TPM2_RC_OBJECT_MEMORY:
        case TPM2_RC_SESSION_MEMORY:
        case TPM2_RC_OBJECT_HANDLES:
        case TPM2_RC_SESSION_HANDLES:
                return -EAGAIN;
        case TPM2_RC_FAILURE:
        case TPM2_RC_INITIALIZE:
                return -EIO;
        case TPM2_RC_HANDLE:
        case TPM2_RC_REFERENCE_H0:
        case TPM2_RC_NV_UNINITIALIZED:
                return -ENOENT;
        case TPM2_RC_AUTH_FAIL:
        case TPM2_RC_BAD_AUTH:
        case TPM2_RC_AUTH_MISSING:
        case TPM2_RC_AUTH_TYPE:
        case TPM2_RC_AUTH_UNAVAILABLE:
        case TPM2_RC_POLICY_FAIL:
        case TPM2_RC_NV_AUTHORIZATION:
        case TPM2_RC_HIERARCHY:
                return -EACCES;
        case TPM2_RC_ASYMMETRIC:
        case TPM2_RC_ATTRIBUTES:
        case TPM2_RC_COMMAND_CODE:
        case TPM2_RC_CURVE:
        case TPM2_RC_HASH:
        case TPM2_RC_KDF:
        case TPM2_RC_KEY_SIZE:
        case TPM2_RC_MODE:
        case TPM2_RC_SCHEME:
        case TPM2_RC_SYMMETRIC:
        case TPM2_RC_TYPE:
                return -EOPNOTSUPP;
        case TPM2_RC_VALUE:
        case TPM2_RC_SIZE:
        case TPM2_RC_ECC_POINT:
        case TPM2_RC_NO_RESULT:
                return -EINVAL;
        case TPM2_RC_NV_SPACE:
                return -ENOSPC;
        case TPM2_RC_NV_DEFINED:
                return -EEXIST;
        default:
                return -EPROTO;
        }
}

/* The one place that knows both TSS2_RC and errno. */
static int rc_to_errno(TSS2_RC rc) {
        TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

        if (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER)
                return tpm_rc_to_errno(rc);

        switch (rc & ~TSS2_RC_LAYER_MASK) {
        case TSS2_BASE_RC_MEMORY:
                return -ENOMEM;
        case TSS2_BASE_RC_TRY_AGAIN:
                return -EAGAIN;
        case TSS2_BASE_RC_IO_ERROR:
        case TSS2_BASE_RC_NO_CONNECTION:
                return -ENODEV;
        default:
                return -EPROTO;
        }
}

/* Where tss2's own words would not tell a person what to do. */
static const char *advice(TSS2_RC rc) {
        switch (rc) {
        case TPM2_RC_LOCKOUT:
                return "the TPM is in lockout after wrong passwords; wait, or reset it with the lockout password";
        case TPM2_RC_FAILURE:
                return "the TPM is in failure mode; power-cycle the device, and replace the TPM if this stays";
        case TPM2_RC_INITIALIZE:
                return "the TPM was not started by the firmware";
        case TPM2_RC_OBJECT_MEMORY:
        case TPM2_RC_SESSION_MEMORY:
        case TPM2_RC_OBJECT_HANDLES:
        case TPM2_RC_SESSION_HANDLES:
                return "the TPM's memory is full of what other programs have loaded";
        case TPM2_RC_RETRY:
        case TPM2_RC_YIELDED:
        case TPM2_RC_TESTING:
        case TPM2_RC_NV_RATE:
        case TPM2_RC_NV_UNAVAILABLE:
                return "the TPM is busy";
        default:
                return NULL;
        }
}

int tpm_fail(Tpm *tpm, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(tpm->reason, sizeof(tpm->reason), format, ap);
        va_end(ap);
        return error;
}

int tpm_check(Tpm *tpm, TSS2_RC rc, const char *what) {
        const char *text;

        if (rc == TSS2_RC_SUCCESS)
                return 0;
        text = advice(rc);
        return tpm_fail(tpm, rc_to_errno(rc), "%s: %s (0x%x)", what, text ? text : Tss2_RC_Decode(rc), rc);
}

bool tpm_is_busy(TSS2_RC rc, unsigned *n) {
        bool busy = rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED || rc == TPM2_RC_TESTING;

        return busy && ++*n < ATTEMPTS_MAX;
}

ESYS_CONTEXT *tpm_esys(Tpm *tpm) {
        return tpm->esys;
}

TSS2_SYS_CONTEXT *tpm_sys(Tpm *tpm) {
        return tpm->sys;
}

const char *tpm_reason(const Tpm *tpm) {
        return tpm->reason;
}

/* The library says no more than "IO failure" of a device that cannot be opened. */
static int explain_device(Tpm *tpm, const char *tcti, int error) {
        _cleanup_close_ int fd = -1;
        const char *path;

        if (strncmp(tcti, "device:", strlen("device:")) != 0)
                return error;
        path = tcti + strlen("device:");
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0)
                return error;
        return tpm_fail(tpm, errno == EBUSY ? -EAGAIN : -ENODEV, "cannot open the TPM %s: %s", path,
                        strerror(errno));
}

static int start(Tpm *tpm, const char *tcti) {
        TSS2_ABI_VERSION version = TSS2_ABI_VERSION_CURRENT;
        int r;

        r = tpm_check(tpm, Tss2_TctiLdr_Initialize(tcti, &tpm->tcti), "cannot open the TPM");
        if (r < 0)
                return explain_device(tpm, tcti, r);
        r = tpm_check(tpm, Esys_Initialize(&tpm->esys, tpm->tcti, &version), "cannot use the TPM");
        return r < 0 ? r : tpm_check(tpm, Esys_GetSysContext(tpm->esys, &tpm->sys), "cannot use the TPM");
}

int tpm_open(const char *tcti, Tpm **ret, char reason[static TPM_REASON_MAX]) {
        _cleanup_tpm_ Tpm *tpm = NULL;
        int r;

        /* The libraries read this once, at their first message. */
        if (setenv("TSS2_LOG", "all+NONE", 0) < 0)
                return -ENOMEM;

        tpm = calloc(1, sizeof(Tpm));
        if (!tpm)
                return -ENOMEM;
        r = start(tpm, tcti);
        if (r < 0) {
                snprintf(reason, TPM_REASON_MAX, "%s", tpm->reason[0] ? tpm->reason : strerror(-r));
                return r;
        }

        *ret = TAKE_PTR(tpm);
        return 0;
}

Tpm *tpm_free(Tpm *tpm) {
        if (tpm) {
                Esys_Finalize(&tpm->esys);
                Tss2_TctiLdr_Finalize(&tpm->tcti);
                free(tpm);
        }
        return NULL;
}

int tpm_handle_new(Tpm *tpm, TpmHandleKind kind, TpmHandle **ret) {
        TpmHandle *handle;

        handle = malloc(sizeof(TpmHandle));
        if (!handle)
                return -ENOMEM;

        *handle = (TpmHandle){ .tpm = tpm, .kind = kind };
        *ret = handle;
        return 0;
}

TpmHandle *tpm_handle_free(TpmHandle *handle) {
        if (handle) {
                /* Best effort: a TPM that does not answer any more cannot be told to forget. */
                if (handle->number != 0 && handle->kind == TPM_HANDLE_TRANSIENT)
                        (void) Tss2_Sys_FlushContext(handle->tpm->sys, handle->number);
                free(handle);
        }
        return NULL;
}
