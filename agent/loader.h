/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs the vendor's loader (sdi-loader(7)) on a verified configuration. */

#include "agent/config.h"
#include "agent/handover.h"

/*
 * `loader check`, then `loader commit`, each with the configuration on standard input. The loader's output goes to the
 * journal; on failure its last line becomes a part of the reason. VERDICT_INSTALLED means that commit returned 0.
 */
Verdict loader_install(const Config *config, const HandoverRequest *request, int fd_configuration,
                char ret_reason[static HANDOVER_REASON_MAX]);

/* `loader reset`, for a factory reset. 0, or -EIO with a reason. */
int loader_reset(const Config *config, char ret_reason[static HANDOVER_REASON_MAX]);
