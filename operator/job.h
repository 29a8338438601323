/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What sdi-wrap is asked to do: configurations, each with the device that it is for and the file that becomes of it. */

#include "base/identifier.h"

#include <stdbool.h>
#include <stddef.h>

#define JOBS_MAX 1000000
#define JOB_REASON_MAX 512

typedef struct Job {
        char *input;
        char *output;
        char id[IDENTIFIER_MAX + 1];
        bool ended;
        int status; /* of sysexits.h, once it has ended */
} Job;

typedef struct JobList {
        Job *jobs;
        size_t n;
} JobList;

/* How the jobs are made. Each may be NULL. */
typedef struct JobOptions {
        const char *device; /* instead of the file's name without its ending */
        const char *output; /* instead of DEVICE.enc beside the configuration */
        const char *folder; /* for the outputs */
} JobOptions;

/* On an error `reason` says what is wrong. */
int job_list_add_file(JobList *list, const char *path, const JobOptions *options,
                char reason[static JOB_REASON_MAX]);

/* All NAME.cfg of a folder, sorted. -ENOENT when there are none. */
int job_list_add_folder(JobList *list, const char *path, const JobOptions *options,
                char reason[static JOB_REASON_MAX]);

/* One path a line; blank lines and those that begin with # do not count. `name` is for the reason. */
int job_list_add_lines(JobList *list, const char *text, size_t size, const char *name,
                const JobOptions *options, char reason[static JOB_REASON_MAX]);

/* Two jobs for one output would race: -EEXIST. */
int job_list_check(const JobList *list, char reason[static JOB_REASON_MAX]);

void job_list_done(JobList *list);
