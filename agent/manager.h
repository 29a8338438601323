/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The whole of the agent: ports, the schedule, one hand-over at a time, and the status. See RFC 8886 §4.3: until a
 * configuration is installed, try, and try again.
 */

#include "agent/config.h"
#include "base/event.h"

typedef struct Manager Manager;

/*
 * Starts to work. `config_file` is the argument of --config= or NULL. A configuration that cannot be read is not an error
 * here: it is told, and read again by the schedule. The loop ends with status 0 when the device is provisioned, and with
 * EX_TEMPFAIL when the configuration can be read at last and all is to begin anew.
 */
int manager_new(Manager **ret, EventLoop *loop, const char *config_file);

/* Gives back leases, addresses and routes; leaves the links up; writes the last status. */
Manager *manager_free(Manager *manager);

/* Tries again now: `sdictl retry`. */
void manager_retry(Manager *manager);
