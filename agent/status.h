/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* $RUNTIME_DIRECTORY/agent/status.json (sdictl(1)): what the agent is doing, replaced as a whole. */

#include "agent/identity.h"
#include "agent/port.h"

#define STATUS_REASON_MAX 900

typedef struct Status {
        const char *state;  /* waiting, fetching, installing, provisioned, misconfigured */
        const char *reason; /* why there is no configuration yet; "" when nothing is known */
        const Identity *identity;
        Port *const *ports;
        size_t n_ports;
        uint64_t next_attempt; /* boottime, USEC_INFINITY for none */
} Status;

/* Writes the file, and the one-line state for `systemctl status`. */
int status_write(const Status *status);
