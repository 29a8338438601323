/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sdictl's commands. Each takes its arguments, argv[0] being its own name, and returns an exit status of sysexits.h. The
 * configuration is NULL for status and retry.
 */

#include "agent/config.h"
#include "agent/identity.h"

int sdictl_factory_reset(const Config *config, int argc, char **argv);
int sdictl_identity(const Config *config, int argc, char **argv);
int sdictl_key(const Config *config, int argc, char **argv);
int sdictl_load(const Config *config, int argc, char **argv);
int sdictl_prepare(const Config *config, int argc, char **argv);
int sdictl_retry(const Config *config, int argc, char **argv);
int sdictl_status(const Config *config, int argc, char **argv);

/* Writes what the agent reads (agent/identity.h). An exit status. */
int sdictl_save_identity(const Config *config);

/* Reads that again. 0 or an exit status. */
int sdictl_saved_identity(Identity *ret);

/* Takes the lock of those who install or reset (agent/provisioned.h): 0 and a descriptor, or an exit status. */
int sdictl_lock(int *ret);

/* Prints "sdictl COMMAND: ..." to standard error and returns `status`. */
int sdictl_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
