/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How many files without authenticated content sdi-unwrap may still open with the device's key for sdi-agent.
 *
 * Such content (CBC) can be forged from pieces of another file, so each opened file answers one question about that other file. The
 * answers are hidden as far as possible (agent/sdi-unwrap.c); the allowance bounds the number of questions. It is a bucket of
 * ALLOWANCE_BURST files that regains one file per interval. The interval is the longest of the schedule (sdi.conf, [Retry]).
 *
 * sdi-unwrap ends after each file. The bucket lies in a memfd that systemd keeps for it (sd_notify(3), FDSTORE=1). systemd closes the
 * memfd when the service stops. So sdi-unwrap ends with status 75 until the bucket is full, and systemd restarts it with the memfd:
 * see RestartForceExitStatus= in sdi-unwrap.service. (FileDescriptorStorePreserve= would do the same, from systemd 254 on.)
 */

#include <stdbool.h>
#include <stdint.h>

#define ALLOWANCE_BURST 3

typedef struct Allowance Allowance;

/* Takes the bucket from systemd, or makes a full one and gives it to systemd. Call it before service_run(). Negative errno. */
int allowance_open(Allowance **ret);
Allowance *allowance_free(Allowance *allowance);

/* How long until another file may be opened, in microseconds; 0: now. `now` is boottime. */
uint64_t allowance_get_wait(const Allowance *allowance, uint64_t interval_usec, uint64_t now);

/* Counts one file; takes that count back after a failure that does not depend on the content. */
void allowance_take(Allowance *allowance, uint64_t interval_usec, uint64_t now);
void allowance_give_back(Allowance *allowance, uint64_t interval_usec);

/* A file was installed: the bucket is full again. */
void allowance_reset(Allowance *allowance);

/* When the bucket is full again and can be forgotten; in the past when it is full. Boottime. */
uint64_t allowance_get_full_time(const Allowance *allowance);
