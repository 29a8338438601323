/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fills a store of the directory, for tests/bench-directory:
 *
 *   fill-store URL CERTIFICATE PREFIX COUNT          all at once
 *   fill-store URL CERTIFICATE PREFIX COUNT each     each on stable storage before the next: prints how many a second
 *
 * Every device PREFIXnumber gets a copy of CERTIFICATE (PEM), which lookups only send; its last bytes and the fingerprint are its own.
 */

#include "base/cleanup.h"
#include "base/file.h"
#include "base/time.h"
#include "directory/store.h"
#include "tpm/certificate.h"
#include "tpm/openssl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH 100000

static void make(Record *record, const char *prefix, uint64_t number) {
        char text[32];

        snprintf(record->id, sizeof(record->id), "%s%" PRIu64, prefix, number);
        snprintf(text, sizeof(text), "%" PRIu64, number);
        (void) EVP_Digest(text, strlen(text), record->fingerprint, NULL, EVP_sha256(), NULL);
        memcpy(record->der + record->n_der - 8, record->fingerprint, 8);
}

static int fill(Store *store, Record *record, const char *prefix, uint64_t count, bool each) {
        int r = 0;

        for (uint64_t i = 0; i < count && r >= 0; i++) {
                if (!each && i % BATCH == 0) {
                        if (i > 0)
                                r = store_end_bulk(store);
                        if (r >= 0)
                                r = store_begin_bulk(store);
                }
                make(record, prefix, i);
                if (r >= 0)
                        r = store_put(store, record, "bench", false, NULL);
        }
        return r < 0 || each ? r : store_end_bulk(store);
}

int main(int argc, char **argv) {
        static Record record = { .added = 1 };
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        char reason[STORE_REASON_MAX];
        _cleanup_free_ char *pem = NULL;
        uint64_t begin, count;
        const uint8_t *der;
        size_t n;

        if (argc < 5 || file_read(AT_FDCWD, argv[2], 65536, &pem, &n) < 0 ||
                        certificate_from_pem(pem, n, &certificate) < 0) {
                fprintf(stderr, "usage: fill-store URL CERTIFICATE PREFIX COUNT [each]\n");
                return EXIT_FAILURE;
        }
        der = certificate_get_der(certificate, &record.n_der);
        memcpy(record.der, der, record.n_der);
        count = strtoull(argv[4], NULL, 10);
        if (store_open(argv[1], true, &store, reason) < 0) {
                fprintf(stderr, "%s\n", reason);
                return EXIT_FAILURE;
        }
        begin = time_now_boottime();
        if (fill(store, &record, argv[3], count, argc > 5) < 0) {
                fprintf(stderr, "%s\n", store_reason(store));
                return EXIT_FAILURE;
        }
        printf("%" PRIu64 "\n", count * USEC_PER_SEC / MAX(time_now_boottime() - begin, UINT64_C(1)));
        return EXIT_SUCCESS;
}
