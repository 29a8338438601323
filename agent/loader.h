/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs the vendor's loader (sdi-loader(7)) on a verified configuration. */

#include "agent/config.h"
#include "agent/handover.h"

/* Of one call; a configuration with ten thousand errors does not fill the journal. */
#define LOADER_LINES_MAX 100

/* One call of it. sdi-loader-test makes its calls here, too: what passes there is run in the same way by sdi-load. */
typedef struct LoaderCall {
        const char *verb;
        const HandoverRequest *request; /* what the environment says of the file; NULL with `reset` */
        int fd_configuration;           /* a memfd, or -1: standard input is empty */
        uint64_t timeout_usec;
        bool kill; /* at the end of the time, as in ProcessConfig */
        void (*on_line)(const char *line, size_t n, void *userdata);
        void *userdata;
} LoaderCall;

/* Returns as process_run() does. */
int loader_call(const StringList *loader, const LoaderCall *call);

/*
 * `loader check`, then `loader commit`, each with the configuration on standard input. The loader's output goes to the
 * journal; on failure its last line becomes a part of the reason. VERDICT_INSTALLED means that commit returned 0.
 */
Verdict loader_install(const Config *config, const HandoverRequest *request, int fd_configuration,
                char ret_reason[static HANDOVER_REASON_MAX]);

/* `loader reset`, for a factory reset. 0, or -EIO with a reason. */
int loader_reset(const Config *config, char ret_reason[static HANDOVER_REASON_MAX]);
