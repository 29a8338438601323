/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From a file as it was fetched to a configuration: policy, detection, the key in the TPM. */

#include "agent/allowance.h"
#include "agent/config.h"
#include "agent/handover.h"

#include <stdbool.h>

typedef struct UnwrapReport {
        char reason[HANDOVER_REASON_MAX]; /* for everybody */
        char detail[HANDOVER_REASON_MAX]; /* for root's journal only: a sender of files must not learn this */
        bool encrypted;
        char cipher[32];
        bool authenticated;
        uint8_t sha256[32];       /* of the file */
        char key_fingerprint[65]; /* of the key that was used; empty when not encrypted */
        /*
         * Boottime at which a key of this device had been used for content that is not authenticated; else 0. From then on the
         * verdict depends on a plaintext that the sender may have forged from another file, so nobody but root may learn it. Then
         * *ret_fd of unwrapper_run() is there with every verdict that depends on the content.
         */
        uint64_t opened_unauthenticated;
} UnwrapReport;

/*
 * What this device decrypts with: its certificates, the TPM and the keys in it. Each is opened when, and only when, a file needs it,
 * unless unwrapper_prepare() has done so ahead.
 */
typedef struct Unwrapper Unwrapper;

/* `config` stays the caller's, and there. */
int unwrapper_new(Unwrapper **ret, const Config *config);

/* Limits how many files without authenticated content are opened from here on. It stays the caller's. */
void unwrapper_set_allowance(Unwrapper *unwrapper, Allowance *allowance);
Unwrapper *unwrapper_free(Unwrapper *unwrapper);

/* Opens the key that a file is most likely encrypted to. What fails here will do so again for the file, and be told then. */
void unwrapper_prepare(Unwrapper *unwrapper);

/*
 * VERDICT_INSTALLED stands for success here: *ret_fd is a sealed memfd with the configuration, which the caller owns. Any
 * other verdict comes with a reason. `fd_file` is sealed.
 */
Verdict unwrapper_run(Unwrapper *unwrapper, int fd_file, size_t size, int *ret_fd, UnwrapReport *report);
