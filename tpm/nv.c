/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/nv.h"

#include "tpm/tpm-handle.h"

#include <errno.h>
#include <string.h>

#define SIZE_MAX_READ 8192
#define CHUNK_SIZE 512 /* below the TPM2_PT_NV_BUFFER_MAX of any TPM */
#define ATTRIBUTES (TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

static int nv_open(Tpm *tpm, uint32_t index, TpmHandle **ret, TPMS_NV_PUBLIC *ret_public) {
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        _cleanup_esys_ TPM2B_NV_PUBLIC *public = NULL;
        int r;

        r = tpm_handle_new(tpm, TPM_HANDLE_PERSISTENT, &handle);
        if (r < 0)
                return r;
        r = tpm_check(tpm,
                        Esys_TR_FromTPMPublic(tpm_esys(tpm), index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        &handle->tr),
                        "cannot open the NV index");
        if (r >= 0)
                r = tpm_check(tpm,
                                Esys_NV_ReadPublic(tpm_esys(tpm), handle->tr, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, &public, NULL),
                                "cannot look at the NV index");
        if (r < 0)
                return r;
        *ret_public = public->nvPublic;
        *ret = TAKE_PTR(handle);
        return 0;
}

int nv_read(Tpm *tpm, uint32_t index, uint8_t **ret, size_t *ret_size) {
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        TPMS_NV_PUBLIC public;
        ESYS_TR authority;
        size_t n = 0;
        int r;

        r = nv_open(tpm, index, &handle, &public);
        if (r < 0)
                return r;
        if (public.dataSize > SIZE_MAX_READ)
                return tpm_fail(tpm, -E2BIG, "NV index 0x%08x is larger than a certificate", index);
        data = malloc(MAX(public.dataSize, 1));
        if (!data)
                return -ENOMEM;

        authority = public.attributes & TPMA_NV_AUTHREAD ? handle->tr : ESYS_TR_RH_OWNER;
        while (n < public.dataSize) {
                _cleanup_esys_ TPM2B_MAX_NV_BUFFER *chunk = NULL;

                r = tpm_check(tpm,
                                Esys_NV_Read(tpm_esys(tpm), authority, handle->tr, ESYS_TR_PASSWORD,
                                                ESYS_TR_NONE, ESYS_TR_NONE,
                                                (UINT16) MIN(public.dataSize - n, (size_t) CHUNK_SIZE),
                                                (UINT16) n, &chunk),
                                "cannot read the NV index");
                if (r < 0)
                        return r;
                if (chunk->size == 0 || chunk->size > public.dataSize - n)
                        return tpm_fail(tpm, -EPROTO, "NV index 0x%08x has changed", index);
                memcpy(data + n, chunk->buffer, chunk->size);
                n += chunk->size;
        }

        *ret = TAKE_PTR(data);
        *ret_size = n;
        return 0;
}

int nv_remove(Tpm *tpm, uint32_t index) {
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        TPMS_NV_PUBLIC public;
        int r;

        r = nv_open(tpm, index, &handle, &public);
        if (r < 0)
                return r;
        if ((public.attributes & ~TPMA_NV_WRITTEN) != ATTRIBUTES)
                return tpm_fail(tpm, -EEXIST, "NV index 0x%08x is somebody else's", index);
        r = tpm_check(tpm,
                        Esys_NV_UndefineSpace(tpm_esys(tpm), ESYS_TR_RH_OWNER, handle->tr, ESYS_TR_PASSWORD,
                                        ESYS_TR_NONE, ESYS_TR_NONE),
                        "cannot remove the NV index");
        if (r >= 0)
                handle->tr = ESYS_TR_NONE; /* ESYS has closed it */
        return r;
}

static int nv_fill(TpmHandle *handle, const uint8_t *data, size_t size) {
        Tpm *tpm = handle->tpm;
        int r = 0;

        for (size_t n = 0; n < size && r >= 0; n += CHUNK_SIZE) {
                TPM2B_MAX_NV_BUFFER chunk = { .size = (UINT16) MIN(size - n, (size_t) CHUNK_SIZE) };

                memcpy(chunk.buffer, data + n, chunk.size);
                r = tpm_check(tpm,
                                Esys_NV_Write(tpm_esys(tpm), ESYS_TR_RH_OWNER, handle->tr, ESYS_TR_PASSWORD,
                                                ESYS_TR_NONE, ESYS_TR_NONE, &chunk, (UINT16) n),
                                "cannot write the NV index");
        }
        return r;
}

int nv_write(Tpm *tpm, uint32_t index, const uint8_t *data, size_t size) {
        const TPM2B_AUTH no_password = {};
        TPM2B_NV_PUBLIC public = {
                .nvPublic = {
                        .nvIndex = index,
                        .nameAlg = TPM2_ALG_SHA256,
                        .attributes = ATTRIBUTES,
                        .dataSize = (UINT16) size,
                },
        };
        _cleanup_tpm_handle_ TpmHandle *handle = NULL;
        int r;

        if (size > SIZE_MAX_READ)
                return tpm_fail(tpm, -E2BIG, "too large for an NV index");
        r = nv_remove(tpm, index);
        if (r < 0 && r != -ENOENT)
                return r;
        r = tpm_handle_new(tpm, TPM_HANDLE_PERSISTENT, &handle);
        if (r < 0)
                return r;
        r = tpm_check(tpm,
                        Esys_NV_DefineSpace(tpm_esys(tpm), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                        ESYS_TR_NONE, &no_password, &public, &handle->tr),
                        "cannot define the NV index");
        if (r < 0)
                return r;
        r = nv_fill(handle, data, size);
        if (r < 0) {
                char reason[TPM_REASON_MAX];

                /* Half a certificate is none; and the reason is why it was not written. */
                strcpy(reason, tpm_reason(tpm));
                if (nv_remove(tpm, index) >= 0)
                        handle->tr = ESYS_TR_NONE;
                tpm_fail(tpm, r, "%s", reason);
        }
        return r;
}
