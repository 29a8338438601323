/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The life of sdi-unwrap and sdi-load: started by systemd when somebody connects to their socket, for one request. Who comes next
 * gets a new process: no file meets in memory what another one has left there.
 */

#include "agent/config.h"
#include "agent/handover.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct ServiceRequest {
        HandoverRequest request; /* fields of root's ticket replace the claims */
        bool root;               /* root asks, by `sdictl load` */
        int fd_file;             /* sealed, not empty, not above MaximumSize= */
        int fd_reply; /* the connection of who asked first; -1 once it has been passed on, and with it the duty to answer */
        int fd_peer; /* the connection of who asked us; closed, it tells a sender that has passed one on that we have it */
        int fd_next; /* where root asks: the connection to sdi-load on which root has left a ticket; else -1 */
} ServiceRequest;

typedef struct ServiceConfig {
        const char *config_file; /* the argument of --config=, or NULL */
        const char *peer_user;   /* the user that may ask, beside root */
        bool last; /* sdi-load: requests come with a connection to answer on, root's after a ticket */
        uint64_t wait_until; /* boottime until which to wait for a connection; 0: not at all */
        /* Somebody has connected: gets ready for his request, as far as that can be done ahead. NULL: there is nothing to do. */
        void (*on_connect)(const Config *config, bool root, void *userdata);
        /* Says what becomes of the file; the reason is one printable line. The descriptors are the service's. */
        Verdict (*on_request)(const Config *config, ServiceRequest *request,
                        char ret_reason[static HANDOVER_REASON_MAX], void *userdata);
        void *userdata;
} ServiceConfig;

/*
 * Serves one request from the socket that systemd has passed. sdi.conf is read each time: what a person has set counts from then on.
 * Returns an exit status.
 */
int service_run(const ServiceConfig *service);
