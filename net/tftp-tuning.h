/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What to ask a TFTP server for: pure functions of what is known. The reasons stand at the top of the .c file. */

#include "net/tftp-path.h"

#include <stdbool.h>
#include <stdint.h>

/* What the first request asks for. */
TftpPlan tftp_tuning_first(const TftpPath *path);

/* The time, in microseconds, that the rest of the file is likely to take. */
uint64_t tftp_tuning_estimate(const TftpPath *path, const TftpPlan *plan);

/* The time that a new request takes until it is where we are now, and in which nothing new comes. */
uint64_t tftp_tuning_cost(const TftpPath *path, const TftpPlan *plan);

/* The plan with the lowest estimate. */
TftpPlan tftp_tuning_best(const TftpPath *path);

/*
 * True when a new request by *ret is likely to be done earlier than `plan`, which is under way and would in any case do nothing
 * for `stall` microseconds. With no stall a gain that is small does not count: it may be an error of the estimate.
 */
bool tftp_tuning_better(const TftpPath *path, const TftpPlan *plan, uint64_t stall, TftpPlan *ret);

/* How many blocks that we have already may be acknowledged ahead of the server, where a new request catches up. */
unsigned tftp_tuning_ahead(const TftpPath *path, size_t block_size);
