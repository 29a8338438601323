/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Goes through the targets of one lease: on each server, which is first looked up where it has a name, the files in their order until
 * one is there. A file that is there is handed up; if it turns out to be no good, the next server is tried, not the next name: the
 * names are an order of preference, and what is less specific must not stand in for what is broken. Of the addresses that a name has the
 * next one is tried where one does not answer.
 */

#include "agent/targets.h"
#include "base/event.h"
#include "net/resolver.h"

typedef struct Fetch Fetch;

typedef struct FetchHandlers {
        /* One target did not yield a file; `result` is a printable line. More follow, or exhausted. */
        void (*tried)(const char *url, const char *result, void *userdata);
        /* A file, in a sealed memfd that the handler owns now. The fetch rests until fetch_next_server(). */
        void (*file)(const char *url, int fd_take, void *userdata);
        /* Nothing is left to try. */
        void (*exhausted)(void *userdata);
        void *userdata;
} FetchHandlers;

typedef struct FetchConfig {
        uint32_t ifindex;
        unsigned mtu;
        uint64_t size_max;
        /* For names, and with the port and our addresses on it for all. What it points to is copied. */
        ResolverConfig resolver;
} FetchConfig;

/* Starts; the first handler is called from the event loop. Only in `exhausted` may the fetch be freed. */
int fetch_new(Fetch **ret, EventLoop *loop, const FetchConfig *config, Targets *targets_take,
                const FetchHandlers *handlers);
Fetch *fetch_free(Fetch *fetch);

void fetch_next_server(Fetch *fetch);

/* Of the transfer that is under way: false when there is none. *ret_size is 0 where the server has not told it. */
bool fetch_get_progress(const Fetch *fetch, uint64_t *ret_bytes, uint64_t *ret_size);
