/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "directory/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static char folder[64], url[96];

static int setup(void **state) {
        (void) state;
        strcpy(folder, "/tmp/sdi store.XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        snprintf(url, sizeof(url), "sqlite:%s/db", folder);
        return 0;
}

static int teardown(void **state) {
        static const char *const names[] = { "db", "db-wal", "db-shm" };
        char path[128];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
                unlink(path);
        }
        return rmdir(folder);
}

static Record make(const char *id, uint8_t key) {
        Record record = { .added = 1000 + key, .n_der = 3 };

        strcpy(record.id, id);
        memset(record.fingerprint, key, sizeof(record.fingerprint));
        memset(record.der, key, record.n_der);
        return record;
}

static Store *open_store(void) {
        char reason[STORE_REASON_MAX];
        Store *store = NULL;

        assert_int_equal(store_open(url, false, &store, reason), 0);
        return store;
}

static void test_outcomes(void **state) {
        _cleanup_(store_freep) Store *store = open_store();
        const Record first = make("SN1", 1), second = make("SN1", 2), other = make("SN2", 1);
        Record stored;
        unsigned n;

        (void) state;
        assert_int_equal(store_get(store, "SN1", &stored), -ENOENT);
        assert_int_equal(store_put(store, &first, "a", false, &stored), STORE_ADDED);
        assert_int_equal(store_put(store, &first, "b", false, &stored), STORE_SAME);
        assert_int_equal(store_put(store, &second, "b", false, &stored), STORE_CONFLICT);
        assert_int_equal(store_put(store, &other, "b", false, NULL), STORE_ADDED);
        assert_int_equal(store_get(store, "SN1", &stored), 0);
        assert_memory_equal(stored.fingerprint, first.fingerprint, sizeof(first.fingerprint));
        assert_int_equal(stored.n_der, 3);
        assert_int_equal(stored.added, 1001);
        assert_int_equal(store_put(store, &second, "c", true, &stored), STORE_REPLACED);
        assert_int_equal(store_get(store, "SN1", &stored), 0);
        assert_memory_equal(stored.der, second.der, 3);
        assert_int_equal(store_count_history(store, "SN1", &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(store_put(store, &second, "c", true, &stored), STORE_SAME);
        assert_int_equal(store_count_history(store, "SN1", &n), 0);
        assert_int_equal(n, 1);
}

static void test_survives(void **state) {
        Store *store = open_store();
        const Record record = make("SN1", 1);
        Record stored;

        (void) state;
        assert_int_equal(store_put(store, &record, "a", false, NULL), STORE_ADDED);
        store_free(store);
        store = open_store();
        assert_int_equal(store_get(store, "SN1", &stored), 0);
        store_free(store);
}

static void test_walk(void **state) {
        static const char *const ids[] = { "B", "a", "A", "a-", "a.b", "_", "9" };
        _cleanup_(store_freep) Store *store = open_store();
        Record record = {};
        char last[IDENTIFIER_MAX + 1] = "";
        unsigned n = 0;
        int r;

        (void) state;
        assert_int_equal(store_begin_bulk(store), 0);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                record = make(ids[i], 1);
                assert_int_equal(store_put(store, &record, "a", false, NULL), STORE_ADDED);
        }
        assert_int_equal(store_end_bulk(store), 0);
        record.id[0] = '\0';
        while ((r = store_next(store, record.id, &record)) >= 0) {
                assert_true(strcmp(last, record.id) < 0);
                strcpy(last, record.id);
                n++;
        }
        assert_int_equal(r, -ENOENT);
        assert_int_equal(n, ELEMENTSOF(ids));
}

/* All of the log goes into the file, unless somebody reads. */
static int checkpoint(void) {
        sqlite3 *database = NULL;
        int rc;

        assert_int_equal(sqlite3_open(url + strlen("sqlite:"), &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, "SELECT count(*) FROM certificates", NULL, NULL, NULL),
                        SQLITE_OK);
        rc = sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_close(database);
        return rc;
}

static void change(const char *sql) {
        sqlite3 *database = NULL;

        assert_int_equal(sqlite3_open(url + strlen("sqlite:"), &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(database);
}

/* Until a store rests its lookups share a transaction; after that they see what another process has committed. */
static void test_others(void **state) {
        _cleanup_(store_freep) Store *store = open_store(), *other = open_store();
        const Record first = make("SN1", 1), second = make("SN1", 2);
        Record stored;

        (void) state;
        assert_int_equal(store_get(store, "SN1", &stored), -ENOENT);
        assert_int_equal(store_put(other, &first, "a", false, NULL), STORE_ADDED);
        assert_int_equal(store_get(store, "SN1", &stored), -ENOENT);
        store_rest(store);
        assert_int_equal(store_get(store, "SN1", &stored), 0);
        assert_int_equal(store_put(other, &second, "b", false, NULL), STORE_CONFLICT);
        assert_int_equal(store_get(store, "SN1", &stored), 0);
        assert_memory_equal(stored.der, first.der, 3);
        assert_int_equal(store_put(other, &second, "c", true, NULL), STORE_REPLACED);
        store_rest(store);
        assert_int_equal(store_get(store, "SN1", &stored), 0);
        assert_memory_equal(stored.der, second.der, 3);
        assert_int_equal(store_put(store, &first, "d", true, NULL), STORE_REPLACED);
        assert_int_equal(store_get(other, "SN1", &stored), 0);
        assert_memory_equal(stored.der, first.der, 3);
}

#define MANY 2000

static void fill(Store *store) {
        Record record;
        char id[16];

        assert_int_equal(store_begin_bulk(store), 0);
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(id, sizeof(id), "SN%u", i);
                record = make(id, (uint8_t) i);
                record.n_der = 1000;
                assert_int_equal(store_put(store, &record, "a", false, NULL), STORE_ADDED);
        }
        assert_int_equal(store_end_bulk(store), 0);
}

/* The log can be cleared as soon as a store rests, and the file, which is mapped, become longer and shorter. */
static void test_file_changes(void **state) {
        _cleanup_(store_freep) Store *store = open_store(), *other = open_store();
        const Record first = make("X", 1);
        Record stored;
        char id[16];

        (void) state;
        assert_int_equal(store_get(store, "X", &stored), -ENOENT);
        assert_int_equal(store_put(other, &first, "a", false, NULL), STORE_ADDED);
        assert_int_equal(checkpoint(), SQLITE_BUSY);
        store_rest(store);
        assert_int_equal(checkpoint(), SQLITE_OK);
        fill(other);
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(id, sizeof(id), "SN%u", i);
                assert_int_equal(store_get(store, id, &stored), 0);
                assert_int_equal(stored.fingerprint[0], (uint8_t) i);
        }
        store_rest(store);
        store_rest(other);
        change("DELETE FROM certificates; VACUUM");
        assert_int_equal(checkpoint(), SQLITE_OK);
        assert_int_equal(store_get(store, "SN1", &stored), -ENOENT);
        fill(store);
        assert_int_equal(store_get(other, "SN1999", &stored), 0);
}

/* A database of a later program is left alone. */
static void test_newer_schema(void **state) {
        char reason[STORE_REASON_MAX];
        Store *store = open_store();

        (void) state;
        store = store_free(store);
        change("PRAGMA user_version = 99");
        assert_int_equal(store_open(url, true, &store, reason), -ESTALE);
        assert_non_null(strstr(reason, "version 99"));
        assert_null(store);
}

/* What is in a database is not trusted because it is there. */
static void test_foreign_record(void **state) {
        _cleanup_(store_freep) Store *store = open_store();
        Record record;

        (void) state;
        change("INSERT INTO certificates VALUES ('SN1', x'00', x'00', 0, ''), ('SN2', zeroblob(32), zeroblob(20000), 0, '')");
        assert_int_equal(store_get(store, "SN1", &record), -EIO);
        assert_int_equal(store_get(store, "SN2", &record), -EIO);
        assert_string_equal(store_reason(store), "a record in the database is not one of ours");
}

static void test_not_a_database(void **state) {
        char reason[STORE_REASON_MAX];
        Store *store = NULL;
        FILE *file = fopen(url + strlen("sqlite:"), "we");

        (void) state;
        for (unsigned i = 0; i < 1000; i++)
                fputs("nonsense", file);
        fclose(file);
        assert_int_equal(store_open(url, false, &store, reason), -EIO);
        assert_int_equal(store_open("sqlite:/nonexistent/db", false, &store, reason), -EIO);
        assert_int_equal(store_open("mysql:x", false, &store, reason), -EINVAL);
        assert_null(store);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_survives, setup, teardown),
                cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_others, setup, teardown),
                cmocka_unit_test_setup_teardown(test_file_changes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_newer_schema, setup, teardown),
                cmocka_unit_test_setup_teardown(test_foreign_record, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_a_database, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
