/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The directory as a tree of files, for any web server or object store: FOLDER/certificates/IDENTIFIER.crt. */

#include "directory/directory.h"

typedef struct ArchiveSummary {
        uint64_t n_written, n_same, n_refused;
} ArchiveSummary;

/* Files that are right already stay untouched. On an error `reason` says which one. */
int archive_export(
                Store *store, const char *folder, ArchiveSummary *ret, char reason[static STORE_REASON_MAX]);

/* What the policy does not allow, or has another key here, is told and left out. */
int archive_import(Store *store, const SubmissionRules *rules, const char *folder, ArchiveSummary *ret,
                char reason[static STORE_REASON_MAX]);
