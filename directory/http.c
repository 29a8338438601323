/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/http.h"

#include "base/time.h"
#include "directory/connections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTION_MEMORY 16384 /* for a request's head and an answer's; it is erased for each */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define DISCARD_MAX 1048576 /* the body that is read all the same when its head is refused */

struct Listener {
        ListenerOptions options;
        Connections *connections;
        struct MHD_Daemon *daemon;
        EventSource *io, *timer, *again;
};

/* Nothing is unescaped: "%2e", "%00" and the like stay what they are, and are in no path of ours. */
static size_t leave_escaped(
                void *userdata _unused_, struct MHD_Connection *connection _unused_, char *text) {
        return strlen(text);
}

static enum MHD_Result on_connect(void *userdata, const struct sockaddr *from, socklen_t size _unused_) {
        const Listener *listener = userdata;
        const ListenerOptions *options = &listener->options;
        uint8_t address[16];

        address_from_socket(from, address);
        if (!connections_allow(listener->connections, address))
                return MHD_NO;
        return !options->may_connect || options->may_connect(options->userdata, address) ? MHD_YES : MHD_NO;
}

static Request *request_free(Request *request) {
        if (request) {
                if (request->early)
                        MHD_destroy_response(request->early);
                free(request->body);
                free(request->client);
        }
        free(request);
        return NULL;
}

static void on_completed(void *userdata _unused_, struct MHD_Connection *connection, void **state,
                enum MHD_RequestTerminationCode code _unused_) {
        connections_on_completed(connection);
        *state = request_free(*state);
}

static Request *request_new(
                Listener *listener, struct MHD_Connection *connection, const char *method, const char *url) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        Request *request = calloc(1, sizeof(*request));

        if (!request)
                return NULL;
        request->connection = connection;
        request->method = method;
        request->url = url;
        request->path = path_parse(url, listener->options.factory);
        address_from_socket(info ? info->client_addr : NULL, request->address);
        return request;
}

/* The size of the body as its client announces it; 0 also where there is no body, or its end is seen when it is there (chunked). */
static uint64_t announced_size(const Request *request) {
        const char *length = MHD_lookup_connection_value(
                        request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

        return length ? strtoull(length, NULL, 10) : 0;
}

static bool is_chunked(const Request *request) {
        return MHD_lookup_connection_value(
                        request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static bool is_too_large(const Request *request) {
        return request->n_body > request->n_max || announced_size(request) > request->n_max;
}

/*
 * Whether the head is answered before the body is read. Who is cut off while he sends may never see the answer, so that
 * only a body that is far too large is not read to its end.
 */
static bool is_early(const Request *request) {
        uint64_t size = announced_size(request);

        return !request->head_is_done && (is_chunked(request) || (size > 0 && size <= DISCARD_MAX));
}

static void answer_too_large(Request *request) {
        request_answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "That is too large.");
}

static enum MHD_Result on_head(Listener *listener, Request *request) {
        connections_on_head(request->connection);
        listener->options.on_head(listener->options.userdata, request);
        if (!request->answered && is_too_large(request))
                answer_too_large(request);
        request->head_is_done = true;
        if (request->answered)
                return MHD_YES;
        request->body = malloc(request->n_max + 1);
        if (!request->body)
                return MHD_NO;
        request->body[0] = '\0';
        return MHD_YES;
}

/* What is too large is read to its end, or libmicrohttpd could not answer; there is no more of it kept than may be. */
static enum MHD_Result on_body(Request *request, const char *data, size_t *n) {
        if (request->early || *n > request->n_max - MIN(request->n_body, request->n_max))
                request->n_body = request->n_max + 1;
        else {
                memcpy(request->body + request->n_body, data, *n);
                request->n_body += *n;
                request->body[request->n_body] = '\0';
        }
        *n = 0;
        return MHD_YES;
}

static enum MHD_Result queue(
                struct MHD_Connection *connection, unsigned status, struct MHD_Response *response) {
        connections_on_answer(connection);
        return MHD_queue_response(connection, status, response);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                const char *method, const char *version _unused_, const char *data, size_t *n,
                void **state) {
        Listener *listener = userdata;
        Request *request = *state;

        if (!request) {
                request = *state = request_new(listener, connection, method, url);
                return request ? on_head(listener, request) : MHD_NO;
        }
        if (*n > 0)
                return on_body(request, data, n);
        if (request->early)
                return queue(connection, request->early_status, request->early);
        if (request->answered)
                return MHD_YES;
        if (is_too_large(request))
                answer_too_large(request);
        else
                listener->options.on_request(listener->options.userdata, request);
        return request->answered ? MHD_YES : MHD_NO;
}

void request_answer(Request *request, unsigned status, const char *type, const void *body, size_t n,
                const char *const *headers) {
        struct MHD_Response *response =
                        MHD_create_response_from_buffer(n, (void *) body, MHD_RESPMEM_MUST_COPY);

        if (!response)
                return;
        if (type)
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        for (; headers && headers[0]; headers += 2)
                MHD_add_response_header(response, headers[0], headers[1]);
        if (is_early(request)) {
                request->early = response;
                request->early_status = status;
                request->answered = true;
                return;
        }
        request->answered = queue(request->connection, status, response) == MHD_YES;
        MHD_destroy_response(response);
}

void request_answer_text(Request *request, unsigned status, const char *text) {
        static const char *const headers[] = { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store", NULL };
        char line[512];
        int n = snprintf(line, sizeof(line), "%s\n", text);

        request_answer(request, status, "text/plain; charset=utf-8", line, MIN((size_t) n, sizeof(line) - 1),
                        headers);
}

void request_answer_method(Request *request, const char *allowed) {
        static const char text[] = "That cannot be done here.\n";
        const char *const headers[] = { MHD_HTTP_HEADER_ALLOW, allowed, NULL };

        request_answer(request, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", text, strlen(text),
                        headers);
}

bool request_is_read(const Request *request) {
        return strcmp(request->method, MHD_HTTP_METHOD_GET) == 0 ||
                        strcmp(request->method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* One round over all that is ready; then when there is to be another. */
static int on_ready(void *userdata) {
        Listener *listener = userdata;
        MHD_UNSIGNED_LONG_LONG timeout;

        if (MHD_run(listener->daemon) != MHD_YES)
                return -EIO;
        listener->options.on_rest(listener->options.userdata);
        if (MHD_get_timeout(listener->daemon, &timeout) != MHD_YES)
                event_timer_set(listener->timer, USEC_INFINITY);
        else if (timeout == 0)
                event_deferred_set(listener->again);
        else
                event_timer_set(listener->timer, time_add(time_now_boottime(), timeout * USEC_PER_MSEC));
        return 0;
}

static int on_io(int fd _unused_, uint32_t events _unused_, void *userdata) {
        return on_ready(userdata);
}

static int start_daemon(Listener *listener) {
        const ListenerOptions *options = &listener->options;
        struct MHD_OptionItem tls[] = {
                { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *) options->certificate },
                { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *) options->key },
                { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) PRIORITIES },
                { options->client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
                                (void *) options->client_ca },
                { MHD_OPTION_END, 0, NULL },
        };
        unsigned flags = MHD_USE_EPOLL | (options->certificate ? MHD_USE_TLS : 0U);

        if (!options->certificate)
                tls[0].option = MHD_OPTION_END;
        listener->daemon = MHD_start_daemon(flags, 0, on_connect, listener, on_request, listener,
                        MHD_OPTION_LISTEN_SOCKET, options->fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                        listener, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY,
                        MHD_OPTION_CONNECTION_LIMIT, options->connections, MHD_OPTION_NOTIFY_CONNECTION,
                        connections_on_change, listener->connections, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
        return listener->daemon ? 0 : -EIO;
}

int listener_new(EventLoop *loop, const ListenerOptions *options, Listener **ret) {
        _cleanup_(listener_freep) Listener *listener = calloc(1, sizeof(*listener));
        const union MHD_DaemonInfo *info;
        int r;

        if (!listener)
                return -ENOMEM;
        listener->options = *options;
        r = connections_new(loop, options->fd, options->connections_per_network, options->timeout_usec,
                        &listener->connections);
        if (r >= 0)
                r = start_daemon(listener);
        if (r < 0)
                return r;
        info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return -EIO;
        r = event_add_io(loop, &listener->io, info->listen_fd, EPOLLIN, on_io, listener);
        if (r >= 0)
                r = event_add_timer(loop, &listener->timer, on_ready, listener);
        if (r >= 0)
                r = event_add_deferred(loop, &listener->again, on_ready, listener);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(listener);
        return 0;
}

Listener *listener_free(Listener *listener) {
        if (!listener)
                return NULL;
        event_source_free(listener->io);
        event_source_free(listener->timer);
        event_source_free(listener->again);
        if (listener->daemon)
                MHD_stop_daemon(listener->daemon);
        connections_free(listener->connections);
        free(listener);
        return NULL;
}
