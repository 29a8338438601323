/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/nv.h"

#include "tpm/tpm-handle.h"

#include <errno.h>
#include <string.h>

#define SIZE_MAX_READ 8192
#define CHUNK_SIZE 512 /* below the TPM2_PT_NV_BUFFER_MAX of any TPM */
#define ATTRIBUTES (TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

static int read_public(Tpm *tpm, uint32_t index, TPMS_NV_PUBLIC *ret) {
        TPM2B_NV_PUBLIC public = {};
        TPM2B_NAME name = {};
        int r;

        r = tpm_run(tpm, "cannot look at the NV index",
                        Tss2_Sys_NV_ReadPublic(tpm_sys(tpm), index, NULL, &public, &name, NULL));
        if (r >= 0)
                *ret = public.nvPublic;
        return r;
}

int nv_read(Tpm *tpm, uint32_t index, uint8_t **ret, size_t *ret_size) {
        _cleanup_free_ uint8_t *data = NULL;
        TPMI_RH_NV_AUTH authority;
        TPMS_NV_PUBLIC public;
        size_t n = 0;
        int r;

        r = read_public(tpm, index, &public);
        if (r < 0)
                return r;
        if (public.dataSize > SIZE_MAX_READ)
                return tpm_fail(tpm, -E2BIG, "NV index 0x%08x is larger than a certificate", index);
        data = malloc(MAX(public.dataSize, 1));
        if (!data)
                return -ENOMEM;

        authority = public.attributes & TPMA_NV_AUTHREAD ? index : TPM2_RH_OWNER;
        while (n < public.dataSize) {
                uint16_t size = (uint16_t) MIN(public.dataSize - n, (size_t) CHUNK_SIZE);
                TPM2B_MAX_NV_BUFFER chunk = {};

                r = tpm_run(tpm, "cannot read the NV index",
                                Tss2_Sys_NV_Read(tpm_sys(tpm), authority, index, &tpm_no_password, size,
                                                (UINT16) n, &chunk, NULL));
                if (r < 0)
                        return r;
                if (chunk.size == 0 || chunk.size > public.dataSize - n)
                        return tpm_fail(tpm, -EPROTO, "NV index 0x%08x has changed", index);
                memcpy(data + n, chunk.buffer, chunk.size);
                n += chunk.size;
        }

        *ret = TAKE_PTR(data);
        *ret_size = n;
        return 0;
}

int nv_check(Tpm *tpm, uint32_t index) {
        TPMS_NV_PUBLIC public;
        int r;

        r = read_public(tpm, index, &public);
        if (r < 0)
                return r;
        if ((public.attributes & ~TPMA_NV_WRITTEN) != ATTRIBUTES)
                return tpm_fail(tpm, -EEXIST, "NV index 0x%08x is somebody else's", index);
        return 0;
}

int nv_remove(Tpm *tpm, uint32_t index) {
        int r;

        r = nv_check(tpm, index);
        return r < 0 ? r
                     : tpm_run(tpm, "cannot remove the NV index",
                                       Tss2_Sys_NV_UndefineSpace(tpm_sys(tpm), TPM2_RH_OWNER, index,
                                                       &tpm_no_password, NULL));
}

static int nv_fill(Tpm *tpm, uint32_t index, const uint8_t *data, size_t size) {
        int r = 0;

        for (size_t n = 0; n < size && r >= 0; n += CHUNK_SIZE) {
                TPM2B_MAX_NV_BUFFER chunk = { .size = (UINT16) MIN(size - n, (size_t) CHUNK_SIZE) };

                memcpy(chunk.buffer, data + n, chunk.size);
                r = tpm_run(tpm, "cannot write the NV index",
                                Tss2_Sys_NV_Write(tpm_sys(tpm), TPM2_RH_OWNER, index, &tpm_no_password,
                                                &chunk, (UINT16) n, NULL));
        }
        return r;
}

int nv_write(Tpm *tpm, uint32_t index, const uint8_t *data, size_t size) {
        const TPM2B_AUTH no_password = {};
        const TPM2B_NV_PUBLIC public = {
                .nvPublic = {
                        .nvIndex = index,
                        .nameAlg = TPM2_ALG_SHA256,
                        .attributes = ATTRIBUTES,
                        .dataSize = (UINT16) size,
                },
        };
        int r;

        if (size > SIZE_MAX_READ)
                return tpm_fail(tpm, -E2BIG, "too large for an NV index");
        r = nv_remove(tpm, index);
        if (r < 0 && r != -ENOENT)
                return r;
        r = tpm_run(tpm, "cannot define the NV index",
                        Tss2_Sys_NV_DefineSpace(tpm_sys(tpm), TPM2_RH_OWNER, &tpm_no_password, &no_password,
                                        &public, NULL));
        if (r < 0)
                return r;
        r = nv_fill(tpm, index, data, size);
        if (r < 0) {
                char reason[TPM_REASON_MAX];

                /* Half a certificate is none; and the reason is why it was not written. */
                strcpy(reason, tpm_reason(tpm));
                (void) nv_remove(tpm, index);
                tpm_fail(tpm, r, "%s", reason);
        }
        return r;
}
