/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From a file as it was fetched to a configuration: policy, detection, the key in the TPM. */

#include "agent/config.h"
#include "agent/handover.h"

#include <stdbool.h>

typedef struct UnwrapReport {
        char reason[HANDOVER_REASON_MAX]; /* for everybody */
        char detail[HANDOVER_REASON_MAX]; /* for root's journal: what must not be told to whoever can send files */
        bool encrypted;
        char cipher[32];
        bool authenticated;
        uint8_t sha256[32];       /* of the file */
        char key_fingerprint[65]; /* of the key that was used; empty when not encrypted */
} UnwrapReport;

/*
 * VERDICT_INSTALLED stands for success here: *ret_fd is a sealed memfd with the configuration, which the caller owns. Any
 * other verdict comes with a reason. `fd_file` is sealed.
 */
Verdict unwrap_file(const Config *config, int fd_file, size_t size, int *ret_fd, UnwrapReport *report);
