/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What systemd is told of a service (sd_notify(3)), without libsystemd. */

#include "base/cleanup.h"

#include <stdint.h>

/* "READY=1" and the like; lost where nobody listens. */
void notify(const char *format, ...) _printf_(1, 2);

/* Half of WatchdogSec=: so often systemd wants to hear "WATCHDOG=1". USEC_INFINITY where it does not. */
uint64_t notify_watchdog_interval(void);
