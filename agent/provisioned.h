/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* $STATE_DIRECTORY/provisioned: that this device has its configuration, and which. Written last, by sdi-load alone. */

#include "agent/handover.h"

#include <stdbool.h>

/* True when the file is there, whatever it holds. */
bool provisioned_exists(void);

/*
 * $STATE_DIRECTORY/factory-reset: that a factory reset (sdictl) has begun and not ended. Nothing is installed then: it would be reset
 * in part.
 */
#define PROVISIONED_RESET "factory-reset"
bool provisioned_is_reset(void);

/*
 * Held by whoever installs a configuration or resets the device: the lock's descriptor. -EWOULDBLOCK when somebody else has it, unless
 * `wait`.
 */
int provisioned_lock(bool wait);

/*
 * Root is next: until the descriptor is closed, nothing is installed for anybody else. So an attacker who hands over one file after
 * the other cannot keep root out. -EWOULDBLOCK when root is at it already.
 */
int provisioned_reserve(void);
bool provisioned_is_reserved(void);

/* Writes it: on return 0 it is on stable storage. */
int provisioned_write(const HandoverRequest *request);

/*
 * Removes what a killed agent has kept for its next start (agent/ledger.h), if the device is provisioned: there will be none. Called after
 * either of the two has been written, so that nothing is left whichever comes last.
 */
void provisioned_tidy(void);
