/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A TCTI between a program and another TCTI, for tests of what a TPM seldom does:
 *
 *   .../tcti-fault.so:RC,N,INNER    the N-th command (each, when N is 0) is not sent, and answered with RC (hexadecimal)
 *
 * TPM2_FlushContext always works and is not counted. With FAULT_LOG=FILE in the environment the code of each command
 * that is counted is appended to FILE.
 */

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <string.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>

#define RESPONSE_SIZE 10

typedef struct Fault {
        TSS2_TCTI_CONTEXT_COMMON_V2 common;
        TSS2_TCTI_CONTEXT *inner;
        TSS2_RC rc;
        unsigned long at, n;
        bool pending; /* the answer to the last command is ours */
} Fault;

static Fault *fault_of(TSS2_TCTI_CONTEXT *context) {
        return (Fault *) context;
}

static void log_command(uint32_t command) {
        const char *path = getenv("FAULT_LOG");
        _cleanup_fclose_ FILE *file = path ? fopen(path, "ae") : NULL;

        if (file)
                fprintf(file, "%x\n", command);
}

static TSS2_RC fault_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *data) {
        Fault *fault = fault_of(context);
        Cursor cursor = CURSOR(data, size);
        uint32_t command = 0, length;
        uint16_t tag;

        if (cursor_be16(&cursor, &tag) < 0 || cursor_be32(&cursor, &length) < 0 ||
                        cursor_be32(&cursor, &command) < 0)
                return TSS2_TCTI_RC_BAD_VALUE;
        if (command != TPM2_CC_FlushContext) {
                log_command(command);
                fault->n++;
                fault->pending = fault->rc != 0 && (fault->at == 0 || fault->at == fault->n);
        }
        return fault->pending ? TSS2_RC_SUCCESS : Tss2_Tcti_Transmit(fault->inner, size, data);
}

static TSS2_RC fault_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *data, int32_t timeout) {
        Fault *fault = fault_of(context);
        Buffer buffer;

        if (!fault->pending)
                return Tss2_Tcti_Receive(fault->inner, size, data, timeout);
        if (!data || *size < RESPONSE_SIZE) { /* how large would it be? */
                *size = RESPONSE_SIZE;
                return data ? TSS2_TCTI_RC_INSUFFICIENT_BUFFER : TSS2_RC_SUCCESS;
        }
        buffer = BUFFER(data, *size);
        buffer_append_be16(&buffer, TPM2_ST_NO_SESSIONS);
        buffer_append_be32(&buffer, RESPONSE_SIZE);
        buffer_append_be32(&buffer, fault->rc);
        *size = buffer.size;
        fault->pending = false;
        return TSS2_RC_SUCCESS;
}

static void fault_finalize(TSS2_TCTI_CONTEXT *context) {
        Tss2_TctiLdr_Finalize(&fault_of(context)->inner);
}

static TSS2_RC fault_init(TSS2_TCTI_CONTEXT *context, size_t *size, const char *conf) {
        Fault *fault = fault_of(context);
        char *end;

        if (!context) {
                *size = sizeof(Fault);
                return TSS2_RC_SUCCESS;
        }
        memset(fault, 0, sizeof(*fault));
        fault->common.v1.magic = 0x666175756c740000;
        fault->common.v1.version = 2;
        fault->common.v1.transmit = fault_transmit;
        fault->common.v1.receive = fault_receive;
        fault->common.v1.finalize = fault_finalize;
        fault->rc = (TSS2_RC) strtoul(conf, &end, 16);
        if (*end != ',')
                return TSS2_TCTI_RC_BAD_VALUE;
        fault->at = strtoul(end + 1, &end, 10);
        if (*end != ',')
                return TSS2_TCTI_RC_BAD_VALUE;
        return Tss2_TctiLdr_Initialize(end + 1, &fault->inner);
}

const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);

const TSS2_TCTI_INFO *Tss2_Tcti_Info(void) {
        static const TSS2_TCTI_INFO info = {
                .version = 2,
                .name = "tcti-fault",
                .description = "fails on purpose",
                .config_help = "RC,N,INNER",
                .init = fault_init,
        };

        return &info;
}
