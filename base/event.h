/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The event loop of sdi-agent: descriptors, deadlines, signals, and what is to be done once nothing else is. One handler runs at a
 * time. It may free any source, its own too, and whatever it owns; a source is gone once it is freed, even if its event has
 * arrived already. No thread, no lock.
 *
 * (Not sd-event: libsystemd brings six libraries, compressors and ciphers, into the process that listens to the network, and more
 * memory than all of the agent.)
 *
 * A handler returns 0, or the negative errno with which the whole loop is to end.
 */

#include <stdint.h>
#include <sys/epoll.h>

typedef struct EventLoop EventLoop;
typedef struct EventSource EventSource;

typedef int (*event_io_handler_t)(int fd, uint32_t events, void *userdata); /* EPOLLIN and the like */
typedef int (*event_handler_t)(void *userdata);

int event_loop_new(EventLoop **ret);

/* After all of its sources but those of signals, which are its own. Returns NULL. */
EventLoop *event_loop_free(EventLoop *loop);

/* Runs until event_loop_exit() is called, and returns its status; or ends with a negative errno. */
int event_loop_run(EventLoop *loop);
void event_loop_exit(EventLoop *loop, int status);

/* Watches `fd`, which stays the caller's and is closed after the source is freed. */
int event_add_io(EventLoop *loop, EventSource **ret, int fd, uint32_t events, event_io_handler_t handler,
                void *userdata);

/*
 * A deadline. It is not set at first; event_timer_set() sets it, or takes it back with USEC_INFINITY. Each time that is set is met
 * once, not before (time_now_boottime()).
 */
int event_add_timer(EventLoop *loop, EventSource **ret, event_handler_t handler, void *userdata);
void event_timer_set(EventSource *source, uint64_t boottime_usec);

/*
 * What waits until everything else that has come is done: it runs once for each event_deferred_set(), however often that was called
 * before. Only a flood does not hold it up for ever.
 */
int event_add_deferred(EventLoop *loop, EventSource **ret, event_handler_t handler, void *userdata);
void event_deferred_set(EventSource *source);

/*
 * Blocks the signal for this process and handles it in the loop from now on. Without a handler it ends the loop with
 * status 0.
 */
int event_add_signal(EventLoop *loop, int signal, event_handler_t handler, void *userdata);

/* Accepts NULL. Returns NULL. */
EventSource *event_source_free(EventSource *source);
