/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Drives a DHCPv4 client on one port: its packets, its timer, the clock and the random numbers, on the event loop. */

#include "base/event.h"
#include "net/dhcp4-client.h"
#include "net/dhcp4-raw.h"

typedef struct Dhcp4Runner Dhcp4Runner;

typedef struct Dhcp4RunnerConfig {
        Dhcp4Raw *raw; /* must outlive the runner */
        int ifindex;
        const char *interface; /* its name, for the time of the call */
        /* All but send, probe, random and userdata, which are the runner's; notify and refuse get the userdata below. */
        Dhcp4ClientConfig client;
        void *userdata;
} Dhcp4RunnerConfig;

/* Sends the first DISCOVER. */
int dhcp4_runner_new(Dhcp4Runner **ret, EventLoop *loop, const Dhcp4RunnerConfig *config);

/* Releases the lease, if any, and frees. Must not be called from notify. */
Dhcp4Runner *dhcp4_runner_free(Dhcp4Runner *runner);

/* dhcp4_client_retry(), dhcp4_client_renew(). */
void dhcp4_runner_retry(Dhcp4Runner *runner);
void dhcp4_runner_renew(Dhcp4Runner *runner);

/* dhcp4_client_stop() and dhcp4_client_start(): gives the lease back and looks for the best offer again. */
void dhcp4_runner_restart(Dhcp4Runner *runner);

/* dhcp4_client_abandon(); to be followed by one of these two: freed, or started again. */
void dhcp4_runner_abandon(Dhcp4Runner *runner);

const Dhcp4Client *dhcp4_runner_client(const Dhcp4Runner *runner);
