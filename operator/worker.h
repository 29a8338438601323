/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A process that encrypts. It is forked with the list of jobs in its memory; a request is the number of a job and the certificate,
 * the answer what became of it. It takes what has come in, up to WORKER_BATCH, writes all of it, waits once for stable
 * storage, and renames (output.h).
 */

#include "operator/job.h"
#include "operator/seal.h"

#include <stdint.h>
#include <sys/types.h>

#define WORKER_BATCH 64 /* so many may be with a worker at a time: neither side then ever waits to be read */

typedef struct Worker {
        pid_t pid;
        int fd;
        unsigned n_pending;
} Worker;

typedef struct WorkerAnswer {
        uint32_t job;
        int status;                   /* of sysexits.h */
        char remark[SEAL_REASON_MAX]; /* when it is EX_OK: what a person should know, or "" */
        char reason[SEAL_REASON_MAX]; /* when it is not */
} WorkerAnswer;

/* It closes its copies of the descriptors of those that were started before. */
int worker_start(const JobList *list, SealFlags flags, const Worker *others, size_t n_others, Worker *ret);

/* At most WORKER_BATCH before they are answered. */
int worker_send(Worker *worker, size_t job, const void *der, size_t n);

/* -EAGAIN when there is none yet, -EPIPE when the process has died. */
int worker_receive(Worker *worker, WorkerAnswer *ret);

/* It ends what it has begun. */
void worker_stop(Worker *worker);
