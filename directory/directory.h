/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What both sides of the server share. */

#include "directory/http.h"
#include "directory/metrics.h"
#include "directory/settings.h"
#include "directory/store.h"
#include "directory/submission.h"
#include "directory/throttle.h"

typedef struct Directory {
        const Settings *settings;
        Store *store;
        Authority *authority; /* NULL: none */
        X509_STORE *issuers;  /* NULL: none */
        Throttle *throttle;
        Metrics metrics;
} Directory;

/* The handlers of the public side; `userdata` is the Directory. */
void public_on_head(void *userdata, Request *request);
void public_on_request(void *userdata, Request *request);

/* Of the factory's side. */
bool factory_may_connect(void *userdata, const uint8_t address[static 16]);
void factory_on_head(void *userdata, Request *request);
void factory_on_request(void *userdata, Request *request);

/* /healthz, for both sides. */
void directory_answer_health(Directory *directory, Request *request);

/* For both sides; `userdata` is the Directory. */
void directory_on_rest(void *userdata);

/* 503: the same may succeed later. */
void directory_answer_failed(Directory *directory, Request *request, int error);

/* A question about a device, from whoever asks: 0, -ENOENT, -EBUSY when he has asked too much, or an error of the store. */
int directory_look_up(Directory *directory, const Request *request, const char *id, Record *ret,
                uint64_t *ret_wait_usec);
