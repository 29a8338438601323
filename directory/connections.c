/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libmicrohttpd begins its timeout anew with each byte and counts single addresses, so both limits are kept
 * here instead.
 *
 * A connection is in one phase at a time. The first phase begins when the connection is accepted, each later
 * one when the phase before has ended. No phase waits for a byte, so that a client that sends or reads one
 * byte a second gains nothing.
 *
 *   phase    what belongs to it                         time        when it is over
 *   HEAD     idle; the TLS handshake; a request's head  Timeout=    408 for a first request; closed
 *   BODY     the rest of the request                    3 Timeout=  408; closed
 *   ANSWER   the answer, until the kernel has all of it 4 Timeout=  reset, the rest of the answer is dropped
 *
 * The time of a phase is the same for all, so each phase has a list in the order of deadlines, and one timer
 * serves all of them.
 *
 * A connection is ended by shutdown(2): libmicrohttpd hears of that at once and closes it.
 */

#include "directory/connections.h"

#include "base/time.h"
#include "directory/address.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

typedef enum Phase {
        PHASE_HEAD,
        PHASE_BODY,
        PHASE_ANSWER,
        _PHASE_MAX,
} Phase;

/* In times of Timeout=. */
static const unsigned spans[_PHASE_MAX] = { [PHASE_HEAD] = 1, [PHASE_BODY] = 3, [PHASE_ANSWER] = 4 };

/* How many connections a network has; freed with the last one. */
typedef struct Network {
        uint8_t address[16]; /* first */
        unsigned n;
} Network;

typedef struct Connection {
        Connections *connections;
        struct MHD_Connection *mhd;
        Network *network;
        Phase phase;
        uint64_t deadline;
        bool is_later; /* a request of this connection was answered before */
        bool is_cut;   /* in no list any more */
        TAILQ_ENTRY(Connection) entry;
} Connection;

typedef TAILQ_HEAD(ConnectionList, Connection) ConnectionList;

struct Connections {
        unsigned per_network;
        uint64_t timeout_usec;
        void *networks; /* of tsearch(3) */
        ConnectionList phases[_PHASE_MAX];
        EventSource *timer;
        uint64_t timer_at;
};

static int compare_networks(const void *a, const void *b) {
        return memcmp(a, b, 16);
}

bool connections_allow(const Connections *connections, const uint8_t address[static 16]) {
        uint8_t network[16];
        Network *const *found;

        address_get_network(address, network);
        found = tfind(network, &connections->networks, compare_networks);
        return connections->per_network == 0 || !found || (*found)->n < connections->per_network;
}

static Network *network_ref(Connections *connections, const uint8_t address[static 16]) {
        _cleanup_free_ Network *added = calloc(1, sizeof(*added));
        Network **found, *network;

        if (!added)
                return NULL;
        address_get_network(address, added->address);
        found = tsearch(added, &connections->networks, compare_networks);
        if (!found)
                return NULL;
        network = *found;
        if (network == added)
                (void) TAKE_PTR(added);
        network->n++;
        return network;
}

static void network_unref(Connections *connections, Network *network) {
        if (--network->n > 0)
                return;
        tdelete(network, &connections->networks, compare_networks);
        free(network);
}

static void set_timer(Connections *connections, uint64_t when) {
        connections->timer_at = when;
        event_timer_set(connections->timer, when);
}

static void leave_phase(Connection *connection) {
        if (!connection->is_cut)
                TAILQ_REMOVE(connection->connections->phases + connection->phase, connection, entry);
}

static void enter_phase(Connection *connection, Phase phase) {
        Connections *connections = connection->connections;

        connection->phase = phase;
        connection->deadline = time_add(time_now_boottime(), spans[phase] * connections->timeout_usec);
        TAILQ_INSERT_TAIL(connections->phases + phase, connection, entry);
        if (connection->deadline < connections->timer_at)
                set_timer(connections, connection->deadline);
}

static int fd_of(const Connection *connection) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        return info ? info->connect_fd : -1;
}

/* During the TLS handshake GnuTLS refuses to send it. */
static void send_timeout(const Connection *connection) {
        static const char answer[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                     "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 28\r\n\r\n"
                                     "The request took too long.\r\n";
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

        if (info && info->tls_session)
                (void) gnutls_record_send(info->tls_session, answer, strlen(answer));
        else
                (void) send(fd_of(connection), answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void cut(Connection *connection) {
        static const struct linger reset = { .l_onoff = 1 };

        leave_phase(connection);
        connection->is_cut = true;
        switch (connection->phase) {
        case PHASE_HEAD:
                if (!connection->is_later) /* a later one may be idle, and has not asked for anything then */
                        send_timeout(connection);
                break;
        case PHASE_BODY:
                send_timeout(connection);
                break;
        case PHASE_ANSWER:
                (void) setsockopt(fd_of(connection), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
                break;
        case _PHASE_MAX:
                break;
        }
        (void) shutdown(fd_of(connection), SHUT_RDWR);
}

static int connections_on_timer(void *userdata) {
        Connections *connections = userdata;
        uint64_t now = time_now_boottime(), next = USEC_INFINITY;
        Connection *first;

        for (Phase i = 0; i < _PHASE_MAX; i++) {
                while ((first = TAILQ_FIRST(connections->phases + i)) && first->deadline <= now)
                        cut(first);
                if (first)
                        next = MIN(next, first->deadline);
        }
        set_timer(connections, next);
        return 0;
}

static Connection *connection_new(Connections *connections, struct MHD_Connection *mhd) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        _cleanup_free_ Connection *connection = calloc(1, sizeof(*connection));
        uint8_t address[16];

        if (!connection)
                return NULL;
        address_from_socket(info ? info->client_addr : NULL, address);
        connection->connections = connections;
        connection->mhd = mhd;
        connection->network = network_ref(connections, address);
        return connection->network ? TAKE_PTR(connection) : NULL;
}

static void connection_free(Connection *connection) {
        leave_phase(connection);
        network_unref(connection->connections, connection->network);
        free(connection);
}

/* Without memory to watch over a connection, it is ended. */
static void on_accepted(Connections *connections, struct MHD_Connection *mhd, void **socket_context) {
        Connection *connection = *socket_context = connection_new(connections, mhd);

        if (connection)
                enter_phase(connection, PHASE_HEAD);
        else
                (void) shutdown(fd_of(&(Connection){ .mhd = mhd }), SHUT_RDWR);
}

void connections_on_change(void *userdata, struct MHD_Connection *connection, void **socket_context,
                enum MHD_ConnectionNotificationCode code) {
        switch (code) {
        case MHD_CONNECTION_NOTIFY_STARTED:
                on_accepted(userdata, connection, socket_context);
                break;
        case MHD_CONNECTION_NOTIFY_CLOSED:
                if (*socket_context)
                        connection_free(*socket_context);
                break;
        }
}

static void change_phase(struct MHD_Connection *mhd, Phase phase) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        Connection *connection = info ? info->socket_context : NULL;

        if (!connection || connection->is_cut)
                return;
        leave_phase(connection);
        connection->is_later = connection->is_later || phase == PHASE_HEAD;
        enter_phase(connection, phase);
}

void connections_on_head(struct MHD_Connection *connection) {
        change_phase(connection, PHASE_BODY);
}

void connections_on_answer(struct MHD_Connection *connection) {
        change_phase(connection, PHASE_ANSWER);
}

void connections_on_completed(struct MHD_Connection *connection) {
        change_phase(connection, PHASE_HEAD);
}

/*
 * A closed connection with an answer that its client does not read is the kernel's alone. The kernel gives
 * it up after the same time as an answer has here. Accepted sockets inherit this from the listening one; a
 * Unix socket does not have it, nor need it.
 */
static void bound_unread(int fd, uint64_t timeout_usec) {
        unsigned msec = (unsigned) MIN(
                        spans[PHASE_ANSWER] * timeout_usec / USEC_PER_MSEC, (uint64_t) INT_MAX);

        (void) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &msec, sizeof(msec));
}

int connections_new(
                EventLoop *loop, int fd, unsigned per_network, uint64_t timeout_usec, Connections **ret) {
        Connections *connections = calloc(1, sizeof(*connections));
        int r;

        if (!connections)
                return -ENOMEM;
        connections->per_network = per_network;
        connections->timeout_usec = MAX(timeout_usec, USEC_PER_SEC);
        connections->timer_at = USEC_INFINITY;
        bound_unread(fd, connections->timeout_usec);
        for (Phase i = 0; i < _PHASE_MAX; i++)
                TAILQ_INIT(connections->phases + i);
        r = event_add_timer(loop, &connections->timer, connections_on_timer, connections);
        if (r < 0) {
                free(connections);
                return r;
        }
        *ret = connections;
        return 0;
}

Connections *connections_free(Connections *connections) {
        if (connections)
                event_source_free(connections->timer);
        free(connections);
        return NULL;
}
