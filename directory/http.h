/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The HTTP side: a listener is a socket with an MHD daemon on it, in the event loop (no thread). It collects a request's body within
 * bounds of size and time (connections.h), and has the handler of its side answer.
 */

#include "base/cleanup.h"
#include "base/event.h"
#include "directory/address.h"
#include "directory/path.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Request {
        struct MHD_Connection *connection;
        const char *method;
        const char *url; /* not unescaped */
        Path path;
        uint8_t address[16];
        char *body; /* with a NUL after its end */
        size_t n_body, n_max;
        bool head_is_done, answered;
        struct MHD_Response *early; /* the answer to the head, while the body is read; or NULL */
        unsigned early_status;
        void *client; /* whom its side has found behind it, or NULL; freed with free() */
} Request;

typedef struct Listener Listener;

typedef struct ListenerOptions {
        int fd;
        const char *certificate, *key; /* PEM texts; NULL: no TLS */
        const char *client_ca; /* PEM text: clients are asked for a certificate; NULL: they are not */
        unsigned connections, connections_per_network;
        uint64_t timeout_usec; /* of a connection's phases (connections.c) */
        bool factory;

        /* Whether this address may connect at all. May be NULL. */
        bool (*may_connect)(void *userdata, const uint8_t address[static 16]);
        /* Before a body is taken: it answers already, or sets `n_max`, the size that the body may have. */
        void (*on_head)(void *userdata, Request *request);
        /* The whole request. It answers. */
        void (*on_request)(void *userdata, Request *request);
        /* All that has come so far is answered. */
        void (*on_rest)(void *userdata);
        void *userdata;
} ListenerOptions;

int listener_new(EventLoop *loop, const ListenerOptions *options, Listener **ret);
Listener *listener_free(Listener *listener);

/* Answers; `body` is copied. `type` is a media type, and `headers` pairs of a name and a value, ended by NULL; or NULL. */
void request_answer(Request *request, unsigned status, const char *type, const void *body, size_t n,
                const char *const *headers);

/* One line of text. */
void request_answer_text(Request *request, unsigned status, const char *text);

/* 405 with the methods that there are. */
void request_answer_method(Request *request, const char *allowed);

bool request_is_read(const Request *request); /* GET or HEAD */

DEFINE_CLEANUP(Listener, listener_free)
