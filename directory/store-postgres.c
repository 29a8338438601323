/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PostgreSQL, for any number of machines. A connection that was lost is made again at the next
 * question. The question that was under way is answered with -EAGAIN, although it may have been done:
 * asking again is harmless (STORE_SAME).
 *
 * The server's only loop waits for the answer to store_get() and store_put(), for at most WAIT_USEC
 * each. When that is over, the connection is closed and the database is `hung`: all questions are
 * answered with -EAGAIN at once. PAUSE_USEC later the next question begins a new connection, and each
 * question after it takes that connection further, without waiting. So a database that hangs costs the
 * loop WAIT_USEC once. One that still accepts connections, but hangs in questions, costs it WAIT_USEC
 * between two pauses.
 *
 * The commands that are not the server wait as long as the database allows (SESSION).
 */

#include "directory/store.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* From each version to the next. Names sort by bytes, as a walk needs it. */
static const char *const migrations[] = {
        "CREATE TABLE certificates (id text COLLATE \"C\" PRIMARY KEY, fingerprint bytea NOT NULL, der bytea NOT NULL,"
        "        added bigint NOT NULL, added_by text NOT NULL);"
        "CREATE TABLE history (id text COLLATE \"C\" NOT NULL, fingerprint bytea NOT NULL, der bytea NOT NULL,"
        "        added bigint NOT NULL, added_by text NOT NULL, replaced bigint NOT NULL, replaced_by text NOT NULL);"
        "CREATE INDEX history_by_id ON history (id);",
};

#define VERSION ((unsigned) ELEMENTSOF(migrations))
#define MIGRATION_LOCK "8886"

/* A commit is durable whatever the server's own setting, and nobody waits for a stuck server for ever. */
#define SESSION \
        "SET synchronous_commit = on; SET statement_timeout = '5s'; SET client_min_messages = warning"
#define CONNECT_USEC (15 * USEC_PER_SEC) /* of three hosts in the URL the last is tried, too */
#define WAIT_USEC USEC_PER_SEC
#define PAUSE_USEC (2 * USEC_PER_SEC)

typedef enum Statement {
        STATEMENT_GET,
        STATEMENT_LOCK,
        STATEMENT_NEXT,
        STATEMENT_INSERT,
        STATEMENT_KEEP,
        STATEMENT_UPDATE,
        STATEMENT_COUNT_HISTORY,
        _STATEMENT_MAX,
} Statement;

static const char *const statements[] = {
        [STATEMENT_GET] = "SELECT id, fingerprint, added, der FROM certificates WHERE id = $1",
        [STATEMENT_LOCK] = "SELECT id, fingerprint, added, der FROM certificates WHERE id = $1 FOR UPDATE",
        [STATEMENT_NEXT] =
                        "SELECT id, fingerprint, added, der FROM certificates WHERE id > $1 ORDER BY id LIMIT 1",
        [STATEMENT_INSERT] = "INSERT INTO certificates (id, fingerprint, added, der, added_by)"
                             " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
        [STATEMENT_KEEP] =
                        "INSERT INTO history SELECT id, fingerprint, der, added, added_by, $2::bigint, $3::text"
                        " FROM certificates WHERE id = $1",
        [STATEMENT_UPDATE] =
                        "UPDATE certificates SET fingerprint = $2, added = $3, der = $4, added_by = $5 WHERE id = $1",
        [STATEMENT_COUNT_HISTORY] = "SELECT count(*) FROM history WHERE id = $1",
};
static_assert(ELEMENTSOF(statements) == _STATEMENT_MAX, "one for each");

typedef struct PostgresStore {
        Store store; /* first */
        char *url;
        PGconn *connection;                   /* NULL: none now */
        PostgresPollingStatusType connecting; /* PGRES_POLLING_OK: it is complete */
        uint64_t deadline;                    /* of the question that is under way */
        bool bulk, hung;
        uint64_t connect_not_before, connect_until; /* while it is hung */
} PostgresStore;

DEFINE_CLEANUP(PGresult, PQclear)

static void disconnect(PostgresStore *postgres) {
        if (postgres->connection)
                PQfinish(postgres->connection);
        postgres->connection = NULL;
}

static void begin_question(PostgresStore *postgres, uint64_t usec) {
        postgres->deadline = postgres->bulk ? USEC_INFINITY : time_add(time_now_boottime(), usec);
}

static Store *postgres_free(Store *store) {
        PostgresStore *postgres = (PostgresStore *) store;

        disconnect(postgres);
        free(postgres->url);
        free(postgres);
        return NULL;
}

static void keep_reason(PostgresStore *postgres, const char *text) {
        snprintf(postgres->store.reason, sizeof(postgres->store.reason), "%.*s",
                        (int) MIN(strcspn(text, "\n"), (size_t) 200), text);
}

static int set_hung(PostgresStore *postgres) {
        keep_reason(postgres, "the database does not answer");
        disconnect(postgres);
        postgres->hung = true;
        postgres->connect_not_before = time_add(time_now_boottime(), PAUSE_USEC);
        return -EAGAIN;
}

/* 1 when the socket is ready, 0 at the deadline. */
static int wait_for_socket(const PostgresStore *postgres, short events) {
        struct pollfd descriptor = { PQsocket(postgres->connection), events, 0 };
        uint64_t now = time_now_boottime();
        int msec = -1;

        if (postgres->deadline != USEC_INFINITY)
                msec = postgres->deadline > now ? (int) ((postgres->deadline - now) / USEC_PER_MSEC + 1) : 0;
        return poll(&descriptor, 1, msec) != 0;
}

/* Until PQgetResult() does not block. */
static int wait_for_result(PostgresStore *postgres) {
        for (;;) {
                int unsent = PQflush(postgres->connection);

                if (unsent < 0 || (unsent == 0 && !PQisBusy(postgres->connection)))
                        return 0; /* PQgetResult() tells */
                if (!wait_for_socket(postgres, unsent ? POLLIN | POLLOUT : POLLIN))
                        return set_hung(postgres);
                if (PQconsumeInput(postgres->connection) != 1)
                        return 0;
        }
}

/* A class of SQLSTATE: 08 connection, 40 rollback, 53 resources, 55 and 57 not in this state, or cancelled. */
static int check(PostgresStore *postgres, const PGresult *result) {
        ExecStatusType status = PQresultStatus(result);
        const char *state;

        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
                return 0;
        keep_reason(postgres, PQerrorMessage(postgres->connection));
        state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (PQstatus(postgres->connection) != CONNECTION_OK) {
                disconnect(postgres);
                return -EAGAIN;
        }
        if (!state || strncmp(state, "08", 2) == 0 || strncmp(state, "40", 2) == 0 ||
                        strncmp(state, "53", 2) == 0 || strncmp(state, "55", 2) == 0 ||
                        strncmp(state, "57", 2) == 0)
                return -EAGAIN;
        return -EIO;
}

/* Gives the result of the last statement that was sent, or the first error. `ret` may be NULL. */
static int receive(PostgresStore *postgres, bool sent, PGresult **ret) {
        _cleanup_(PQclearp) PGresult *last = NULL;
        int r = 0;

        if (!sent) {
                keep_reason(postgres, PQerrorMessage(postgres->connection));
                disconnect(postgres);
                return -EAGAIN;
        }
        for (;;) {
                PGresult *result;
                int waited = wait_for_result(postgres);

                if (waited < 0)
                        return waited;
                result = PQgetResult(postgres->connection);
                if (!result)
                        break;
                PQclear(last);
                last = result;
                if (r >= 0)
                        r = check(postgres, result);
                if (!postgres->connection)
                        return r;
        }
        if (r >= 0 && ret)
                *ret = TAKE_PTR(last);
        return r;
}

static int execute(PostgresStore *postgres, const char *sql) {
        return receive(postgres, PQsendQuery(postgres->connection, sql) == 1, NULL);
}

static int get_number(PostgresStore *postgres, const char *sql, unsigned *ret) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r = receive(postgres, PQsendQuery(postgres->connection, sql) == 1, &result);

        if (r >= 0)
                *ret = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0)
                                ? (unsigned) strtoul(PQgetvalue(result, 0, 0), NULL, 10)
                                : 0;
        return r;
}

static void roll_back(PostgresStore *postgres) {
        if (postgres->connection)
                (void) execute(postgres, "ROLLBACK");
}

static int migrate_in_transaction(PostgresStore *postgres, unsigned *version) {
        char set_version[96];
        int r = 0;

        for (; *version < VERSION && r >= 0; (*version)++)
                r = execute(postgres, migrations[*version]);
        snprintf(set_version, sizeof(set_version),
                        "DELETE FROM sdi_schema; INSERT INTO sdi_schema VALUES (%u)", VERSION);
        return r < 0 ? r : execute(postgres, set_version);
}

/* One at a time, and all or nothing. */
static int migrate_schema(PostgresStore *postgres) {
        unsigned version = 0;
        int r;

        r = execute(postgres,
                        "BEGIN; SELECT pg_advisory_xact_lock(" MIGRATION_LOCK
                        "); CREATE TABLE IF NOT EXISTS sdi_schema (version integer NOT NULL)");
        if (r >= 0)
                r = get_number(postgres, "SELECT max(version) FROM sdi_schema", &version);
        if (r >= 0 && version > VERSION) {
                keep_reason(postgres, "its schema is newer than this program");
                r = -ESTALE;
        }
        if (r >= 0)
                r = migrate_in_transaction(postgres, &version);
        if (r < 0)
                roll_back(postgres);
        return r < 0 ? r : execute(postgres, "COMMIT");
}

static int check_schema(PostgresStore *postgres) {
        unsigned version = 0;
        int r;

        r = get_number(postgres, "SELECT CASE WHEN to_regclass('sdi_schema') IS NULL THEN 0 ELSE 1 END",
                        &version);
        if (r >= 0 && version != 0)
                r = get_number(postgres, "SELECT max(version) FROM sdi_schema", &version);
        if (r < 0)
                return r;
        if (version == VERSION)
                return 0;
        snprintf(postgres->store.reason, sizeof(postgres->store.reason),
                        "its schema is version %u, this program has %u; `sdi-directory migrate` brings an older one there",
                        version, VERSION);
        return -ESTALE;
}

static int prepare(PostgresStore *postgres) {
        int r = 0;

        for (Statement i = 0; i < _STATEMENT_MAX && r >= 0; i++) {
                char name[8];

                snprintf(name, sizeof(name), "s%u", i);
                r = receive(postgres, PQsendPrepare(postgres->connection, name, statements[i], 0, NULL) == 1,
                                NULL);
        }
        return r;
}

static int start_connecting(PostgresStore *postgres) {
        static const char *const keywords[] = { "dbname", "tcp_user_timeout", "fallback_application_name",
                NULL };
        const char *const values[] = { postgres->url, "5000", "sdi-directory", NULL };

        postgres->connection = PQconnectStartParams(keywords, values, 1);
        if (!postgres->connection)
                return -ENOMEM;
        postgres->connecting = PGRES_POLLING_WRITING; /* as libpq has it at the beginning */
        postgres->connect_until = time_add(time_now_boottime(), CONNECT_USEC);
        if (PQstatus(postgres->connection) == CONNECTION_BAD)
                postgres->connecting = PGRES_POLLING_FAILED;
        return 0;
}

/* Until the connection is complete. At the deadline -EAGAIN: the next question may go on with it. */
static int go_on_connecting(PostgresStore *postgres) {
        while (postgres->connecting == PGRES_POLLING_READING ||
                        postgres->connecting == PGRES_POLLING_WRITING) {
                if (!wait_for_socket(postgres,
                                    postgres->connecting == PGRES_POLLING_READING ? POLLIN : POLLOUT))
                        return postgres->hung && time_now_boottime() < postgres->connect_until
                                        ? -EAGAIN
                                        : set_hung(postgres);
                postgres->connecting = PQconnectPoll(postgres->connection);
        }
        if (postgres->connecting == PGRES_POLLING_OK)
                return 0;
        keep_reason(postgres, PQerrorMessage(postgres->connection));
        disconnect(postgres);
        return -EAGAIN;
}

static int start_session(PostgresStore *postgres, bool migrate) {
        int r;

        if (PQsetnonblocking(postgres->connection, 1) != 0)
                return -EAGAIN;
        r = execute(postgres, SESSION);
        if (r >= 0)
                r = migrate ? migrate_schema(postgres) : check_schema(postgres);
        return r < 0 ? r : prepare(postgres);
}

static int connect_now(PostgresStore *postgres, bool migrate) {
        int r = 0;

        if (postgres->hung) {
                if (!postgres->connection && time_now_boottime() < postgres->connect_not_before)
                        return -EAGAIN;
                postgres->deadline = 0; /* not to wait again for a database that hangs */
        }
        if (!postgres->connection)
                r = start_connecting(postgres);
        if (r >= 0)
                r = go_on_connecting(postgres);
        if (r < 0)
                return r;
        if (postgres->hung)
                begin_question(postgres, WAIT_USEC);
        r = start_session(postgres, migrate);
        if (r < 0)
                disconnect(postgres);
        else
                postgres->hung = false;
        return r;
}

static bool is_connected(const PostgresStore *postgres) {
        return postgres->connection && postgres->connecting == PGRES_POLLING_OK;
}

typedef struct Parameters {
        const char *values[5];
        int lengths[5];
        int formats[5];
        int n;
        uint64_t numbers[5];
} Parameters;

static void add_text(Parameters *parameters, const char *text) {
        parameters->values[parameters->n++] = text;
}

static void add_bytes(Parameters *parameters, const void *data, size_t n) {
        parameters->values[parameters->n] = data;
        parameters->lengths[parameters->n] = (int) n;
        parameters->formats[parameters->n++] = 1;
}

static void add_number(Parameters *parameters, uint64_t number) {
        parameters->numbers[parameters->n] = htobe64(number);
        add_bytes(parameters, parameters->numbers + parameters->n, sizeof(uint64_t));
}

/* Connects when that is needed. A result, which the caller frees, or an error. */
static int run(PostgresStore *postgres, Statement statement, const Parameters *parameters, PGresult **ret) {
        char name[8];
        int r;

        r = is_connected(postgres) ? 0 : connect_now(postgres, false);
        if (r < 0)
                return r;
        snprintf(name, sizeof(name), "s%u", statement);
        return receive(postgres,
                        PQsendQueryPrepared(postgres->connection, name, parameters->n, parameters->values,
                                        parameters->lengths, parameters->formats, 1) == 1,
                        ret);
}

static int read_record(PostgresStore *postgres, const PGresult *result, Record *ret) {
        size_t n_id = (size_t) PQgetlength(result, 0, 0), n_der = (size_t) PQgetlength(result, 0, 3);
        uint64_t added;

        if (identifier_parse(PQgetvalue(result, 0, 0), n_id, ret->id) < 0 ||
                        PQgetlength(result, 0, 1) != STORE_FINGERPRINT_SIZE ||
                        PQgetlength(result, 0, 2) != sizeof(added) || n_der > sizeof(ret->der)) {
                keep_reason(postgres, "a record in the database is not one of ours");
                return -EIO;
        }
        memcpy(ret->fingerprint, PQgetvalue(result, 0, 1), STORE_FINGERPRINT_SIZE);
        memcpy(&added, PQgetvalue(result, 0, 2), sizeof(added));
        ret->added = be64toh(added);
        memcpy(ret->der, PQgetvalue(result, 0, 3), n_der);
        ret->n_der = n_der;
        return 0;
}

static int select_record(PostgresStore *postgres, Statement statement, const char *id, Record *ret) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        Parameters parameters = {};
        int r;

        add_text(&parameters, id);
        r = run(postgres, statement, &parameters, &result);
        if (r < 0)
                return r;
        return PQntuples(result) == 0 ? -ENOENT : read_record(postgres, result, ret);
}

static int postgres_get(Store *store, const char *id, Record *ret) {
        begin_question((PostgresStore *) store, WAIT_USEC);
        return select_record((PostgresStore *) store, STATEMENT_GET, id, ret);
}

static int postgres_next(Store *store, const char *after, Record *ret) {
        begin_question((PostgresStore *) store, USEC_INFINITY);
        return select_record((PostgresStore *) store, STATEMENT_NEXT, after, ret);
}

static void add_record(Parameters *parameters, const Record *record, const char *by) {
        add_text(parameters, record->id);
        add_bytes(parameters, record->fingerprint, sizeof(record->fingerprint));
        add_number(parameters, record->added);
        add_bytes(parameters, record->der, record->n_der);
        add_text(parameters, by);
}

static int replace_in_transaction(
                PostgresStore *postgres, const Record *record, const char *by, Record *stored) {
        Parameters keep = {}, update = {};
        int r;

        r = select_record(postgres, STATEMENT_LOCK, record->id, stored);
        if (r < 0)
                return r == -ENOENT ? -EAGAIN : r;
        if (memcmp(stored->fingerprint, record->fingerprint, sizeof(record->fingerprint)) == 0)
                return STORE_SAME;
        add_text(&keep, record->id);
        add_number(&keep, record->added);
        add_text(&keep, by);
        add_record(&update, record, by);
        r = run(postgres, STATEMENT_KEEP, &keep, NULL);
        if (r >= 0)
                r = run(postgres, STATEMENT_UPDATE, &update, NULL);
        *stored = *record;
        return r < 0 ? r : STORE_REPLACED;
}

static int replace_record(PostgresStore *postgres, const Record *record, const char *by, Record *stored) {
        int outcome, r;

        r = execute(postgres, "BEGIN");
        if (r < 0)
                return r;
        outcome = replace_in_transaction(postgres, record, by, stored);
        if (outcome < 0) {
                roll_back(postgres);
                return outcome;
        }
        r = execute(postgres, "COMMIT");
        return r < 0 ? r : outcome;
}

static int postgres_put(
                Store *store, const Record *record, const char *by, bool replace, Record *ret_stored) {
        PostgresStore *postgres = (PostgresStore *) store;
        Parameters parameters = {};
        _cleanup_(PQclearp) PGresult *result = NULL;
        static Record unwanted;
        Record *stored = ret_stored ? ret_stored : &unwanted;
        int r;

        begin_question(postgres, WAIT_USEC);
        add_record(&parameters, record, by);
        r = run(postgres, STATEMENT_INSERT, &parameters, &result);
        if (r < 0)
                return r;
        if (strcmp(PQcmdTuples(result), "1") == 0) {
                *stored = *record;
                return STORE_ADDED;
        }
        r = select_record(postgres, STATEMENT_GET, record->id, stored);
        if (r < 0)
                return r == -ENOENT ? -EAGAIN : r;
        if (memcmp(stored->fingerprint, record->fingerprint, sizeof(record->fingerprint)) == 0)
                return STORE_SAME;
        return replace ? replace_record(postgres, record, by, stored) : STORE_CONFLICT;
}

static int postgres_count_history(Store *store, const char *id, unsigned *ret) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        Parameters parameters = {};
        uint64_t count;
        int r;

        begin_question((PostgresStore *) store, USEC_INFINITY);
        add_text(&parameters, id);
        r = run((PostgresStore *) store, STATEMENT_COUNT_HISTORY, &parameters, &result);
        if (r < 0)
                return r;
        memcpy(&count, PQgetvalue(result, 0, 0), sizeof(count));
        *ret = (unsigned) be64toh(count);
        return 0;
}

static int postgres_begin_bulk(Store *store) {
        PostgresStore *postgres = (PostgresStore *) store;

        postgres->bulk = true;
        begin_question(postgres, USEC_INFINITY);
        return execute(postgres, "BEGIN; SET LOCAL statement_timeout = 0");
}

static int postgres_end_bulk(Store *store) {
        PostgresStore *postgres = (PostgresStore *) store;

        begin_question(postgres, USEC_INFINITY);
        postgres->bulk = false;
        return execute(postgres, "COMMIT");
}

static int postgres_open(
                const char *address, bool migrate, Store **ret, char reason[static STORE_REASON_MAX]) {
        PostgresStore *postgres = calloc(1, sizeof(*postgres));
        int r = -ENOMEM;

        if (postgres) {
                postgres->store.backend = &store_postgres;
                postgres->url = strdup(address);
                begin_question(postgres, migrate ? USEC_INFINITY : CONNECT_USEC);
                if (postgres->url)
                        r = connect_now(postgres, migrate);
        }
        snprintf(reason, STORE_REASON_MAX, "%s",
                        postgres && postgres->store.reason[0] ? postgres->store.reason : "out of memory");
        if (r < 0) {
                if (postgres)
                        postgres_free(&postgres->store);
                return r;
        }
        *ret = &postgres->store;
        return 0;
}

const StoreBackend store_postgres = {
        .open = postgres_open,
        .free = postgres_free,
        .get = postgres_get,
        .put = postgres_put,
        .next = postgres_next,
        .count_history = postgres_count_history,
        .begin_bulk = postgres_begin_bulk,
        .end_bulk = postgres_end_bulk,
};
