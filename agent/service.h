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
        HandoverRequest request;
        int fd_file; /* sealed, not empty, not above MaximumSize= */
        int fd_reply; /* the connection of who asked first; -1 once it has been passed on, and with it the duty to answer */
        int fd_peer; /* the connection of who asked us; closed, it tells a sender that has passed one on that we have it */
} ServiceRequest;

typedef struct ServiceConfig {
        const char *config_file; /* the argument of --config=, or NULL */
        /* Who may ask, by user name; root may too where `root_too`. */
        const char *peer_user;
        bool root_too;
        bool passed_on; /* requests come with a connection to answer on */
        /* Somebody has connected: gets ready for his request, as far as that can be done ahead. NULL: there is nothing to do. */
        void (*on_connect)(const Config *config, void *userdata);
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
