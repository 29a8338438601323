/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/directory.h"

#include "base/time.h"
#include "directory/audit.h"

#include <errno.h>
#include <string.h>

void directory_answer_health(Directory *directory, Request *request) {
        static Record record;
        int r;

        if (!request_is_read(request)) {
                request_answer_method(request, "GET, HEAD");
                return;
        }
        r = store_get(directory->store, "healthz",
                        &record); /* a name like others; that the database answers is what counts */
        if (r < 0 && r != -ENOENT)
                directory_answer_failed(directory, request, r);
        else
                request_answer_text(request, MHD_HTTP_OK, "ok");
}

void directory_on_rest(void *userdata) {
        const Directory *directory = userdata;

        store_rest(directory->store);
}

void directory_answer_failed(Directory *directory, Request *request, int error) {
        static const char text[] = "The directory cannot do it now. Try again.\n";
        static const char *const headers[] = { MHD_HTTP_HEADER_RETRY_AFTER, "2",
                MHD_HTTP_HEADER_CACHE_CONTROL, "no-store", NULL };

        metrics_count(&directory->metrics, COUNTER_STORE_FAILED);
        audit_error("the store cannot answer: %s",
                        error == -ENOMEM ? "out of memory" : store_reason(directory->store));
        request_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text,
                        strlen(text), headers);
}

int directory_look_up(Directory *directory, const Request *request, const char *id, Record *ret,
                uint64_t *ret_wait_usec) {
        uint64_t now = time_now_boottime();
        int r;

        if (!throttle_allows(directory->throttle, request->address, now, ret_wait_usec)) {
                metrics_count(&directory->metrics, COUNTER_THROTTLED);
                return -EBUSY;
        }
        r = store_get(directory->store, id, ret);
        if (r == -ENOENT) {
                throttle_on_miss(directory->throttle, request->address, now);
                metrics_count(&directory->metrics, COUNTER_UNKNOWN);
        } else if (r >= 0)
                metrics_count(&directory->metrics, COUNTER_FOUND);
        return r;
}
