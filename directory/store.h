/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The database of certificates (RFC 8886, section 3.2), by identifier. There is one current certificate for each; what was replaced stays as
 * history. SQLite for one machine, PostgreSQL for any number of them; nothing above this file knows which.
 *
 * An outcome of store_put() other than an error is on stable storage when it is returned.
 */

#include "base/cleanup.h"
#include "base/identifier.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_FINGERPRINT_SIZE 32
#define STORE_CERTIFICATE_MAX 16384
#define STORE_REASON_MAX 256

typedef struct Record {
        char id[IDENTIFIER_MAX + 1];
        uint8_t fingerprint[STORE_FINGERPRINT_SIZE]; /* SHA-256 of the SubjectPublicKeyInfo */
        uint64_t added;                              /* seconds since 1970 */
        uint8_t der[STORE_CERTIFICATE_MAX];
        size_t n_der;
} Record;

typedef enum StoreOutcome {
        STORE_ADDED,
        STORE_SAME,     /* the key is known already; what is stored stays */
        STORE_REPLACED, /* and the old one is history */
        STORE_CONFLICT, /* another key is stored, and this one may not replace it */
} StoreOutcome;

typedef struct Store Store;

typedef struct StoreBackend {
        int (*open)(const char *address, bool migrate, Store **ret, char reason[static STORE_REASON_MAX]);
        Store *(*free)(Store *store);
        int (*get)(Store *store, const char *id, Record *ret);
        int (*put)(Store *store, const Record *record, const char *by, bool replace, Record *ret_stored);
        int (*next)(Store *store, const char *after, Record *ret);
        int (*count_history)(Store *store, const char *id, unsigned *ret);
        int (*begin_bulk)(Store *store);
        int (*end_bulk)(Store *store);
        void (*rest)(Store *store); /* NULL: it keeps nothing open */
} StoreBackend;

/* What each kind of store begins with. */
struct Store {
        const StoreBackend *backend;
        char reason[STORE_REASON_MAX]; /* of the last error */
};

/*
 * "sqlite:PATH" or "postgresql://...". -ESTALE when its schema is not the one of this program, unless `migrate` brings it there
 * (a new file of SQLite always gets it). -EAGAIN when it cannot be reached: the same may succeed later.
 */
int store_open(const char *url, bool migrate, Store **ret, char reason[static STORE_REASON_MAX]);

/* Accepts NULL, returns NULL. */
Store *store_free(Store *store);

/* The errors of all of these: -EAGAIN when the database cannot do it now, -EIO when it is broken; store_reason() tells. */
const char *store_reason(const Store *store);

/* -ENOENT when there is none. */
int store_get(Store *store, const char *id, Record *ret);

/* An outcome. `by` is who asked for it. ret_stored is what is stored after an outcome but STORE_CONFLICT, and may be NULL. */
int store_put(Store *store, const Record *record, const char *by, bool replace, Record *ret_stored);

/* The first one after this identifier, by bytes: for a walk through all of them, which begins with "". -ENOENT at the end. */
int store_next(Store *store, const char *after, Record *ret);

/* How many certificates of this device have been replaced. */
int store_count_history(Store *store, const char *id, unsigned *ret);

/* Between these two nothing is on stable storage: for `import`, which can begin again. */
int store_begin_bulk(Store *store);
int store_end_bulk(Store *store);

/* To be called before the process waits: what store_get() has kept open for the next question is closed. */
void store_rest(Store *store);

extern const StoreBackend store_sqlite, store_postgres;

DEFINE_CLEANUP(Store, store_free)
