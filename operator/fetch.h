/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Certificates from a directory (RFC 8886, section 4.2): https://DIRECTORY/certificates/IDENTIFIER.crt, many at a time over a few
 * connections. What may be over soon (no answer, half an answer, 429, 5xx) is tried again, a few times, later and later.
 */

#include "base/cleanup.h"
#include "operator/job.h"

#include <curl/curl.h>
#include <stdbool.h>

typedef struct FetchOptions {
        const char *directory; /* with "%s" for the identifier in it, or without: then /certificates/%s.crt is added */
        const char *authority; /* CA certificates, PEM, instead of the system's; or NULL */
        bool insecure;         /* http:// is good enough, as the key is pinned */
        unsigned n_connections;
} FetchOptions;

#define FETCH_REASON_MAX 256

/* `status` is EX_OK and the certificate what the directory sent; or else there is a reason. */
typedef void (*fetch_handler_t)(
                void *userdata, size_t job, int status, const char *reason, const void *data, size_t n);

typedef struct Fetcher Fetcher;

/* -EINVAL with a reason for a URL that will not do. */
int fetcher_new(const FetchOptions *options, fetch_handler_t handler, void *userdata, Fetcher **ret,
                char reason[static FETCH_REASON_MAX]);

/* Accepts NULL, returns NULL. */
Fetcher *fetcher_free(Fetcher *fetcher);

/* The answer comes from fetcher_run(), always. */
int fetcher_add(Fetcher *fetcher, size_t job, const char *id);

/* Waits until something happens, here or on one of the other descriptors, and calls the handler for what was fetched. */
int fetcher_run(Fetcher *fetcher, struct curl_waitfd *others, unsigned n_others);

DEFINE_CLEANUP(Fetcher, fetcher_free)
