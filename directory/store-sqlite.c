/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One file, in WAL mode: readers do not wait for a writer, and a commit is one sync of the log (synchronous=FULL). Several processes on one
 * machine may share it.
 *
 * To begin and to end a transaction costs as much as a lookup. Lookups of one round of the event loop share one (nobody could clear the
 * log as long as it is open); what this process itself enrols ends it.
 */

#include "directory/store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define BUSY_MSEC 5000

/* From each version to the next. */
static const char *const migrations[] = {
        "CREATE TABLE certificates (id TEXT PRIMARY KEY NOT NULL, fingerprint BLOB NOT NULL, der BLOB NOT NULL,"
        "        added INTEGER NOT NULL, added_by TEXT NOT NULL);"
        "CREATE TABLE history (id TEXT NOT NULL, fingerprint BLOB NOT NULL, der BLOB NOT NULL, added INTEGER NOT NULL,"
        "        added_by TEXT NOT NULL, replaced INTEGER NOT NULL, replaced_by TEXT NOT NULL);"
        "CREATE INDEX history_by_id ON history (id);",
};

#define VERSION ((int) ELEMENTSOF(migrations))

typedef enum Statement {
        STATEMENT_GET,
        STATEMENT_NEXT,
        STATEMENT_INSERT,
        STATEMENT_KEEP,
        STATEMENT_UPDATE,
        STATEMENT_COUNT_HISTORY,
        STATEMENT_BEGIN,
        STATEMENT_BEGIN_READING,
        STATEMENT_COMMIT,
        STATEMENT_ROLLBACK,
        _STATEMENT_MAX,
} Statement;

static const char *const statements[] = {
        [STATEMENT_GET] = "SELECT id, fingerprint, added, der FROM certificates WHERE id = ?1",
        [STATEMENT_NEXT] =
                        "SELECT id, fingerprint, added, der FROM certificates WHERE id > ?1 ORDER BY id LIMIT 1",
        [STATEMENT_INSERT] =
                        "INSERT INTO certificates (id, fingerprint, added, der, added_by) VALUES (?1, ?2, ?3, ?4, ?5)",
        [STATEMENT_KEEP] =
                        "INSERT INTO history SELECT id, fingerprint, der, added, added_by, ?3, ?5 FROM certificates WHERE id = ?1",
        [STATEMENT_UPDATE] =
                        "UPDATE certificates SET fingerprint = ?2, added = ?3, der = ?4, added_by = ?5 WHERE id = ?1",
        [STATEMENT_COUNT_HISTORY] = "SELECT count(*) FROM history WHERE id = ?1",
        [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
        [STATEMENT_BEGIN_READING] = "BEGIN",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
};
static_assert(ELEMENTSOF(statements) == _STATEMENT_MAX, "one for each");

typedef struct SqliteStore {
        Store store; /* first */
        sqlite3 *database;
        sqlite3_stmt *statements[_STATEMENT_MAX];
        bool bulk;
        bool reading; /* a transaction of lookups is open */
} SqliteStore;

static Store *sqlite_free(Store *store) {
        SqliteStore *sqlite = (SqliteStore *) store;

        for (Statement i = 0; i < _STATEMENT_MAX; i++)
                sqlite3_finalize(sqlite->statements[i]);
        sqlite3_close(sqlite->database);
        free(sqlite);
        return NULL;
}

static int check(SqliteStore *sqlite, int rc) {
        if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
                return 0;
        snprintf(sqlite->store.reason, sizeof(sqlite->store.reason), "%.200s",
                        sqlite3_errmsg(sqlite->database));
        switch (rc & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_FULL:
        case SQLITE_NOMEM:
                return -EAGAIN;
        default: /* an enumeration of SQLite's */
                return -EIO;
        }
}

/* Runs a statement that gives no rows. */
static int run(SqliteStore *sqlite, Statement statement) {
        sqlite3_stmt *prepared = sqlite->statements[statement];
        int r = check(sqlite, sqlite3_step(prepared));

        sqlite3_reset(prepared);
        return r;
}

static int run_with_record(SqliteStore *sqlite, Statement statement, const Record *record, const char *by) {
        sqlite3_stmt *prepared = sqlite->statements[statement];
        int r;

        sqlite3_bind_text(prepared, 1, record->id, -1, SQLITE_STATIC);
        sqlite3_bind_blob(prepared, 2, record->fingerprint, sizeof(record->fingerprint), SQLITE_STATIC);
        sqlite3_bind_int64(prepared, 3, (sqlite3_int64) record->added);
        sqlite3_bind_blob(prepared, 4, record->der, (int) record->n_der, SQLITE_STATIC);
        sqlite3_bind_text(prepared, 5, by, -1, SQLITE_STATIC);
        r = run(sqlite, statement);
        sqlite3_clear_bindings(prepared);
        return r;
}

/* A database is input, too: it may be an old copy, or somebody's. */
static int read_record(SqliteStore *sqlite, sqlite3_stmt *row, Record *ret) {
        size_t n_id = (size_t) sqlite3_column_bytes(row, 0), n_der = (size_t) sqlite3_column_bytes(row, 3);
        const char *id = (const char *) sqlite3_column_text(row, 0);
        const void *fingerprint = sqlite3_column_blob(row, 1), *der = sqlite3_column_blob(row, 3);

        if (!id || identifier_parse(id, n_id, ret->id) < 0 ||
                        sqlite3_column_bytes(row, 1) != STORE_FINGERPRINT_SIZE || !fingerprint || !der ||
                        n_der > sizeof(ret->der)) {
                snprintf(sqlite->store.reason, sizeof(sqlite->store.reason),
                                "a record in the database is not one of ours");
                return -EIO;
        }
        memcpy(ret->fingerprint, fingerprint, STORE_FINGERPRINT_SIZE);
        memcpy(ret->der, der, n_der);
        ret->n_der = n_der;
        ret->added = (uint64_t) sqlite3_column_int64(row, 2);
        return 0;
}

static int select_record(SqliteStore *sqlite, Statement statement, const char *id, Record *ret) {
        sqlite3_stmt *prepared = sqlite->statements[statement];
        int rc, r;

        sqlite3_bind_text(prepared, 1, id, -1, SQLITE_STATIC);
        rc = sqlite3_step(prepared);
        if (rc == SQLITE_ROW)
                r = read_record(sqlite, prepared, ret);
        else
                r = rc == SQLITE_DONE ? -ENOENT : check(sqlite, rc);
        sqlite3_reset(prepared);
        sqlite3_clear_bindings(prepared);
        return r;
}

static void sqlite_rest(Store *store) {
        SqliteStore *sqlite = (SqliteStore *) store;

        if (sqlite->reading)
                (void) run(sqlite, STATEMENT_COMMIT);
        sqlite->reading = false;
}

static void begin_reading(SqliteStore *sqlite) {
        if (!sqlite->reading)
                sqlite->reading = run(sqlite, STATEMENT_BEGIN_READING) >= 0;
}

static int sqlite_get(Store *store, const char *id, Record *ret) {
        begin_reading((SqliteStore *) store);
        return select_record((SqliteStore *) store, STATEMENT_GET, id, ret);
}

static int sqlite_next(Store *store, const char *after, Record *ret) {
        sqlite_rest(store);
        return select_record((SqliteStore *) store, STATEMENT_NEXT, after, ret);
}

static int put_in_transaction(
                SqliteStore *sqlite, const Record *record, const char *by, bool replace, Record *stored) {
        int r;

        r = select_record(sqlite, STATEMENT_GET, record->id, stored);
        if (r == -ENOENT) {
                r = run_with_record(sqlite, STATEMENT_INSERT, record, by);
                *stored = *record;
                return r < 0 ? r : STORE_ADDED;
        }
        if (r < 0)
                return r;
        if (memcmp(stored->fingerprint, record->fingerprint, sizeof(record->fingerprint)) == 0)
                return STORE_SAME;
        if (!replace)
                return STORE_CONFLICT;
        r = run_with_record(sqlite, STATEMENT_KEEP, record, by);
        if (r >= 0)
                r = run_with_record(sqlite, STATEMENT_UPDATE, record, by);
        *stored = *record;
        return r < 0 ? r : STORE_REPLACED;
}

static int sqlite_put(Store *store, const Record *record, const char *by, bool replace, Record *ret_stored) {
        SqliteStore *sqlite = (SqliteStore *) store;
        static Record unwanted;
        int r, outcome;

        sqlite_rest(store);
        r = sqlite->bulk ? 0 : run(sqlite, STATEMENT_BEGIN);
        if (r < 0)
                return r;
        outcome = put_in_transaction(sqlite, record, by, replace, ret_stored ? ret_stored : &unwanted);
        if (sqlite->bulk)
                return outcome;
        r = outcome < 0 ? outcome : run(sqlite, STATEMENT_COMMIT);
        if (r < 0 && sqlite3_get_autocommit(sqlite->database) == 0)
                (void) run(sqlite, STATEMENT_ROLLBACK);
        return r < 0 ? r : outcome;
}

static int sqlite_count_history(Store *store, const char *id, unsigned *ret) {
        SqliteStore *sqlite = (SqliteStore *) store;
        sqlite3_stmt *prepared = sqlite->statements[STATEMENT_COUNT_HISTORY];
        int r;

        sqlite_rest(store);
        sqlite3_bind_text(prepared, 1, id, -1, SQLITE_STATIC);
        r = check(sqlite, sqlite3_step(prepared));
        if (r >= 0)
                *ret = (unsigned) sqlite3_column_int(prepared, 0);
        sqlite3_reset(prepared);
        return r;
}

static int sqlite_begin_bulk(Store *store) {
        SqliteStore *sqlite = (SqliteStore *) store;
        int r;

        sqlite_rest(store);
        r = run(sqlite, STATEMENT_BEGIN);
        sqlite->bulk = r >= 0;
        return r;
}

static int sqlite_end_bulk(Store *store) {
        SqliteStore *sqlite = (SqliteStore *) store;

        sqlite->bulk = false;
        return run(sqlite, STATEMENT_COMMIT);
}

static int get_version(SqliteStore *sqlite, int *ret) {
        sqlite3_stmt *prepared = NULL;
        int r;

        r = check(sqlite, sqlite3_prepare_v2(sqlite->database, "PRAGMA user_version", -1, &prepared, NULL));
        if (r >= 0)
                r = check(sqlite, sqlite3_step(prepared));
        if (r >= 0)
                *ret = sqlite3_column_int(prepared, 0);
        sqlite3_finalize(prepared);
        return r;
}

static int execute(SqliteStore *sqlite, const char *sql) {
        return check(sqlite, sqlite3_exec(sqlite->database, sql, NULL, NULL, NULL));
}

static int migrate_schema(SqliteStore *sqlite, bool migrate) {
        char set_version[64];
        int version = 0, r;

        r = execute(sqlite, "BEGIN IMMEDIATE");
        if (r >= 0)
                r = get_version(sqlite, &version);
        if (r >= 0 && (version > VERSION || (version > 0 && version < VERSION && !migrate))) {
                snprintf(sqlite->store.reason, sizeof(sqlite->store.reason),
                                "its schema is version %d, this program has %d; `sdi-directory migrate` brings an older one there",
                                version, VERSION);
                r = -ESTALE;
        }
        for (; r >= 0 && version < VERSION; version++) {
                snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", version + 1);
                r = execute(sqlite, migrations[version]);
                if (r >= 0)
                        r = execute(sqlite, set_version);
        }
        if (r < 0) {
                (void) sqlite3_exec(sqlite->database, "ROLLBACK", NULL, NULL, NULL);
                return r;
        }
        return execute(sqlite, "COMMIT");
}

static int prepare(SqliteStore *sqlite) {
        int r = 0;

        for (Statement i = 0; i < _STATEMENT_MAX && r >= 0; i++)
                r = check(sqlite,
                                sqlite3_prepare_v3(sqlite->database, statements[i], -1,
                                                SQLITE_PREPARE_PERSISTENT, sqlite->statements + i, NULL));
        return r;
}

static int sqlite_open(const char *path, bool migrate, Store **ret, char reason[static STORE_REASON_MAX]) {
        SqliteStore *sqlite = calloc(1, sizeof(*sqlite));
        int r;

        if (!sqlite) {
                snprintf(reason, STORE_REASON_MAX, "out of memory");
                return -ENOMEM;
        }
        sqlite->store.backend = &store_sqlite;
        r = check(sqlite,
                        sqlite3_open_v2(path, &sqlite->database,
                                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                        NULL));
        if (r >= 0) {
                sqlite3_busy_timeout(sqlite->database, BUSY_MSEC);
                r = execute(sqlite,
                                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                "PRAGMA mmap_size = 2147418112;" /* as much as SQLite can */
                                "PRAGMA trusted_schema = OFF;");
        }
        if (r >= 0)
                r = migrate_schema(sqlite, migrate);
        if (r >= 0)
                r = prepare(sqlite);
        if (r < 0) {
                snprintf(reason, STORE_REASON_MAX, "%s", sqlite->store.reason);
                sqlite_free(&sqlite->store);
                return r;
        }
        *ret = &sqlite->store;
        return 0;
}

const StoreBackend store_sqlite = {
        .open = sqlite_open,
        .free = sqlite_free,
        .get = sqlite_get,
        .put = sqlite_put,
        .next = sqlite_next,
        .count_history = sqlite_count_history,
        .begin_bulk = sqlite_begin_bulk,
        .end_bulk = sqlite_end_bulk,
        .rest = sqlite_rest,
};
