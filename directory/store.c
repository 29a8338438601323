/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int store_open(const char *url, bool migrate, Store **ret, char reason[static STORE_REASON_MAX]) {
        if (strncmp(url, "sqlite:", strlen("sqlite:")) == 0)
                return store_sqlite.open(url + strlen("sqlite:"), migrate, ret, reason);
        if (strncmp(url, "postgresql://", strlen("postgresql://")) == 0)
                return store_postgres.open(url, migrate, ret, reason);
        snprintf(reason, STORE_REASON_MAX, "a store is sqlite:PATH or postgresql://...");
        return -EINVAL;
}

Store *store_free(Store *store) {
        return store ? store->backend->free(store) : NULL;
}

const char *store_reason(const Store *store) {
        return store->reason;
}

int store_get(Store *store, const char *id, Record *ret) {
        return store->backend->get(store, id, ret);
}

int store_put(Store *store, const Record *record, const char *by, bool replace, Record *ret_stored) {
        return store->backend->put(store, record, by, replace, ret_stored);
}

int store_next(Store *store, const char *after, Record *ret) {
        return store->backend->next(store, after, ret);
}

int store_count_history(Store *store, const char *id, unsigned *ret) {
        return store->backend->count_history(store, id, ret);
}

int store_begin_bulk(Store *store) {
        return store->backend->begin_bulk(store);
}

int store_end_bulk(Store *store) {
        return store->backend->end_bulk(store);
}

void store_rest(Store *store) {
        if (store->backend->rest)
                store->backend->rest(store);
}
