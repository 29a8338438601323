/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The agent's end of the hand-over: gives a fetched file to sdi-unwrap and waits for the verdict, on the event loop. */

#include "agent/handover.h"
#include "base/event.h"

#include <stdint.h>

typedef struct Installer Installer;

/* `reason` is one printable line, valid during the call, in which the installer may be freed. */
typedef void (*installer_done_t)(Verdict verdict, const char *reason, void *userdata);

/* Has sdi-unwrap start and get ready for a file that may come soon. */
void installer_prepare(HandoverAhead *ahead);

/*
 * Sends the sealed memfd, on the connection made ahead or a new one. The memfd stays the caller's. Where nobody answers within `timeout_usec`, or at all, the verdict is
 * VERDICT_UNAVAILABLE. Returns an error only for want of resources; all else comes through `done`, never in this call.
 */
int installer_new(Installer **ret, EventLoop *loop, HandoverAhead *ahead, const char *origin,
                const char *interface, int fd_file, uint64_t timeout_usec, installer_done_t done,
                void *userdata);
Installer *installer_free(Installer *installer);
