/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The attempts to fetch a configuration that one family of addresses makes on one port: when they are made, what is tried, and what
 * came of it. Where the configuration may be is the uplink's to say (agent/uplink.h).
 */

#include "agent/fetch.h"
#include "agent/verdict.h"
#include "base/cleanup.h"
#include "base/event.h"

#include <jansson.h>

/* Why there is no configuration, the weightiest last: of several the weightiest reason is told. */
typedef enum PortResult {
        PORT_RESULT_NO_CARRIER,
        PORT_RESULT_NO_LEASE,
        PORT_RESULT_NO_TARGET, /* the lease names no configuration server that we can use */
        PORT_RESULT_NOT_FETCHED,
        PORT_RESULT_NOT_INSTALLED, /* a file was fetched, and refused or put off */
        _PORT_RESULT_MAX,
} PortResult;

typedef struct Attempts Attempts;

typedef struct AttemptsConfig {
        EventLoop *loop;
        const char *interface; /* of the port, for the log: its memory stays while the name may change */

        /* Whether there is a lease, or what stands in for it. */
        bool (*is_ready)(void *userdata);
        /* Where to fetch from. -ENODATA: nowhere, and the uplink has said why by attempts_set_result(). */
        int (*prepare)(FetchConfig *ret_config, Targets **ret_targets, void *userdata);
        /* Has the server asked again for what it gave; or, where it was of no use, for another server. */
        void (*refresh)(bool another, void *userdata);

        void (*on_change)(void *userdata); /* something that status shows */
        void (*on_file)(void *userdata);   /* a file waits in attempts_get_file() */
        void (*on_idle)(void *userdata);   /* an attempt has ended without success */
        void *userdata;
} AttemptsConfig;

int attempts_new(Attempts **ret, const AttemptsConfig *config);
Attempts *attempts_free(Attempts *attempts);

/* The next attempt is not put off for the sake of those on another network. */
void attempts_reset(Attempts *attempts);

/* A file that has been fetched is still handed over: it needs the network no more. All else ends. */
void attempts_stop(Attempts *attempts);

/* Tries to fetch a configuration now, if there is a lease and no attempt is under way. */
void attempts_start(Attempts *attempts, uint64_t now);

/* The same out of turn: at once, or when the last attempt is SCHEDULE_GAP_MIN ago. */
void attempts_soon(Attempts *attempts, uint64_t now);

/* The same, not before `when`, unless attempts_soon() comes first. */
void attempts_later(Attempts *attempts, uint64_t when);

/* The server has given something, for the first time or again: an attempt that waits for that is made now, and true returned. */
bool attempts_refreshed(Attempts *attempts, uint64_t now);

/* When attempts_start() is to be called for an attempt that has been put off, or USEC_INFINITY. */
uint64_t attempts_get_deadline(const Attempts *attempts);

/* True from the start of an attempt to its end, hand-over included. */
bool attempts_is_busy(const Attempts *attempts);

/* The sealed file that waits for its hand-over, and its URL. -1 when there is none. */
int attempts_get_file(const Attempts *attempts, const char **ret_url);

/* What became of that file. After a refusal the attempt goes on with the next server, or ends. */
void attempts_set_verdict(Attempts *attempts, Verdict verdict, const char *reason);

void attempts_set_result(Attempts *attempts, PortResult result, const char *format, ...) _printf_(3, 4);
PortResult attempts_get_result(const Attempts *attempts, const char **ret_text);

/* Something that status shows, of the uplink's. */
void attempts_changed(Attempts *attempts);

/* What was tried, appended to a list; the transfer that is under way, or null. Below 0 for want of memory. */
int attempts_append_tries(const Attempts *attempts, json_t *array);
json_t *attempts_transfer_to_json(const Attempts *attempts);
