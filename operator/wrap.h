/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Does the jobs: gets the certificate of each, checks that it names the device and that its key is the pinned one, and has a worker
 * encrypt. This process waits in one place for the directory and for the workers.
 */

#include "operator/fetch.h"
#include "operator/job.h"
#include "operator/known-devices.h"
#include "operator/seal.h"

#define WORKERS_MAX 64

typedef struct WrapOptions {
        FetchOptions fetch;      /* .directory NULL: `certificate` is for all jobs */
        const void *certificate; /* PEM or DER */
        size_t n_certificate;
        const uint8_t *pin; /* CERTIFICATE_FINGERPRINT_SIZE bytes, instead of `known`; or NULL */
        KnownDevices *known;
        SealFlags flags;
        unsigned n_workers;
        bool resume;  /* leave what is there, whole, and newer than its configuration */
        bool verbose; /* a line for each */
} WrapOptions;

typedef struct WrapSummary {
        size_t n_made, n_skipped, n_failed, n_new; /* n_new: keys seen for the first time */
        int status;                                /* of the first in the list that failed, else EX_OK */
} WrapSummary;

/* 0, or negative errno with a reason when it could not go on; what was done until then stands. */
int wrap_run(JobList *list, const WrapOptions *options, WrapSummary *ret,
                char reason[static JOB_REASON_MAX]);
