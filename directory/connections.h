/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The connections of a listener: how many a client may have, and how long each may take. */

#include "base/cleanup.h"
#include "base/event.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Connections Connections;

/* `fd` is the listening socket. `per_network` 0: no limit. `timeout_usec`: the table in connections.c. */
int connections_new(EventLoop *loop, int fd, unsigned per_network, uint64_t timeout_usec, Connections **ret);

/* After the daemon has ended. Accepts NULL, returns NULL. */
Connections *connections_free(Connections *connections);

/* Whether one more connection from the network of this address is within the limit. */
bool connections_allow(const Connections *connections, const uint8_t address[static 16]);

/* MHD_OPTION_NOTIFY_CONNECTION; `userdata` is the Connections. */
void connections_on_change(void *userdata, struct MHD_Connection *connection, void **socket_context,
                enum MHD_ConnectionNotificationCode code);

/* The phase before has ended. */
void connections_on_head(struct MHD_Connection *connection);      /* the head of a request is here */
void connections_on_answer(struct MHD_Connection *connection);    /* the answer begins */
void connections_on_completed(struct MHD_Connection *connection); /* and has been sent */

DEFINE_CLEANUP(Connections, connections_free)
