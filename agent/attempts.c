/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attempts.h"

#include "agent/handover.h"
#include "agent/json.h"
#include "agent/log.h"
#include "agent/schedule.h"
#include "base/memfd.h"
#include "base/time.h"

#include <errno.h>
#include <string.h>

/* Of the last attempt, for status. */
#define TRIES_MAX 16

#define RESULT_TEXT_MAX (TARGETS_URL_MAX + 480)

/* How long another attempt waits for what the DHCP server says now. */
#define REFRESH_WAIT USEC_PER_SEC

typedef struct Try {
        char *url, *result;
        uint64_t realtime;
} Try;

struct Attempts {
        AttemptsConfig config;

        bool fresh;                      /* no attempt has been made yet with what the server gave last */
        bool refreshing;                 /* an attempt waits for the server, until `deadline` */
        uint64_t last_attempt, deadline; /* boottime; 0 and USEC_INFINITY: none */

        Fetch *fetch;
        int fd_file;
        char *url; /* of fd_file */

        Try tries[TRIES_MAX];
        size_t n_tries;
        unsigned n_more; /* targets that failed besides the one in result_text */
        PortResult result;
        char result_text[RESULT_TEXT_MAX];
};

void attempts_changed(Attempts *attempts) {
        attempts->config.on_change(attempts->config.userdata);
}

void attempts_set_result(Attempts *attempts, PortResult result, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(attempts->result_text, sizeof(attempts->result_text), format, arguments);
        va_end(arguments);
        attempts->result = result;
        attempts_changed(attempts);
}

static void forget_tries(Attempts *attempts) {
        while (attempts->n_tries > 0) {
                attempts->n_tries--;
                free(attempts->tries[attempts->n_tries].url);
                free(attempts->tries[attempts->n_tries].result);
        }
}

static void remember_try(Attempts *attempts, const char *url, const char *result) {
        _cleanup_free_ char *url_copy = strdup(url), *result_copy = strdup(result);

        if (!url_copy || !result_copy || attempts->n_tries == TRIES_MAX)
                return; /* status is poorer by a line */
        attempts->tries[attempts->n_tries++] = (Try){
                .url = TAKE_PTR(url_copy),
                .result = TAKE_PTR(result_copy),
                .realtime = time_now_realtime(),
        };
}

static void drop_file(Attempts *attempts) {
        cleanup_close(&attempts->fd_file);
        attempts->fd_file = -1;
        free(TAKE_PTR(attempts->url));
}

static void end_attempt(Attempts *attempts) {
        attempts->fetch = fetch_free(attempts->fetch);
        drop_file(attempts);
        attempts_changed(attempts);
}

static void on_tried(const char *url, const char *result, void *userdata) {
        Attempts *attempts = userdata;

        log_message(LOG_DEBUG, NULL, attempts->config.interface, "%s: %s", url, result);
        remember_try(attempts, url, result);
        /* The first target is the likeliest to be meant. And a file that was there weighs more than one that is not. */
        if (attempts->result == PORT_RESULT_NO_LEASE)
                attempts_set_result(attempts, PORT_RESULT_NOT_FETCHED, "%s: %s", url, result);
        else
                attempts->n_more++;
        attempts_changed(attempts);
}

static void on_file(const char *url, int fd_take, void *userdata) {
        Attempts *attempts = userdata;
        uint64_t size = 0;

        drop_file(attempts);
        attempts->fd_file = fd_take;
        attempts->url = strdup(url);
        (void) memfd_check_sealed(fd_take, &size);
        log_message(LOG_NOTICE, LOG_ID_FETCHED, attempts->config.interface, "Fetched %s (%ju bytes)", url,
                        (uintmax_t) size);
        attempts_changed(attempts);
        attempts->config.on_file(attempts->config.userdata);
}

static void on_exhausted(void *userdata) {
        Attempts *attempts = userdata;
        size_t n = strlen(attempts->result_text);

        if (attempts->result == PORT_RESULT_NOT_FETCHED && attempts->n_more > 0)
                snprintf(attempts->result_text + n, sizeof(attempts->result_text) - n, " (and %u more)",
                                attempts->n_more);
        end_attempt(attempts);
        attempts->config.on_idle(attempts->config.userdata);
}

static int start_fetch(Attempts *attempts) {
        FetchConfig config = { 0 };
        Targets *targets;
        int r;

        r = attempts->config.prepare(&config, &targets, attempts->config.userdata);
        if (r < 0)
                return r;
        return fetch_new(&attempts->fetch, attempts->config.loop, &config, targets,
                        &(FetchHandlers){
                                        .tried = on_tried,
                                        .file = on_file,
                                        .exhausted = on_exhausted,
                                        .userdata = attempts,
                        });
}

int attempts_new(Attempts **ret, const AttemptsConfig *config) {
        Attempts *attempts = calloc(1, sizeof(*attempts));

        if (!attempts)
                return -ENOMEM;
        attempts->config = *config;
        attempts->fd_file = -1;
        attempts->deadline = USEC_INFINITY;
        *ret = attempts;
        return 0;
}

Attempts *attempts_free(Attempts *attempts) {
        if (!attempts)
                return NULL;
        fetch_free(attempts->fetch);
        drop_file(attempts);
        forget_tries(attempts);
        free(attempts);
        return NULL;
}

void attempts_reset(Attempts *attempts) {
        attempts->last_attempt = 0;
}

void attempts_stop(Attempts *attempts) {
        if (attempts->fetch && attempts->fd_file < 0)
                end_attempt(attempts);
        attempts->deadline = USEC_INFINITY;
}

/*
 * What the server gave for the last attempt may have been mended since: it is asked again. Where it gave nothing that is of use,
 * there may be another server.
 */
static void refresh(Attempts *attempts, uint64_t now) {
        attempts->config.refresh(attempts->result == PORT_RESULT_NO_TARGET, attempts->config.userdata);
        attempts->fresh = true; /* whatever comes of it */
        attempts->refreshing = true;
        attempts->deadline = time_add(now, REFRESH_WAIT);
}

void attempts_start(Attempts *attempts, uint64_t now) {
        int r;

        attempts->deadline = USEC_INFINITY;
        attempts->refreshing = false;
        if (!attempts->config.is_ready(attempts->config.userdata) || attempts_is_busy(attempts))
                return;
        if (!attempts->fresh) {
                refresh(attempts, now);
                return;
        }

        attempts->fresh = false;
        attempts->last_attempt = now;
        forget_tries(attempts);
        attempts->n_more = 0;
        attempts->result = PORT_RESULT_NO_LEASE; /* until the attempt has one of its own */
        r = start_fetch(attempts);
        if (r < 0 && r != -ENODATA)
                attempts_set_result(attempts, PORT_RESULT_NOT_FETCHED, "%s", strerror(-r));
        if (r < 0)
                attempts->config.on_idle(attempts->config.userdata);
        attempts_changed(attempts);
}

void attempts_soon(Attempts *attempts, uint64_t now) {
        uint64_t when = schedule_at_once(attempts->last_attempt, now);

        if (when <= now)
                attempts_start(attempts, now);
        else
                attempts->deadline = when;
}

void attempts_later(Attempts *attempts, uint64_t when) {
        attempts->deadline = MIN(attempts->deadline, when);
}

bool attempts_refreshed(Attempts *attempts, uint64_t now) {
        bool waiting = attempts->refreshing;

        attempts->fresh = true;
        if (waiting)
                attempts_start(attempts, now);
        return waiting;
}

uint64_t attempts_get_deadline(const Attempts *attempts) {
        return attempts->deadline;
}

bool attempts_is_busy(const Attempts *attempts) {
        return attempts->fetch || attempts->fd_file >= 0;
}

int attempts_get_file(const Attempts *attempts, const char **ret_url) {
        *ret_url = attempts->url;
        return attempts->fd_file;
}

void attempts_set_verdict(Attempts *attempts, Verdict verdict, const char *reason) {
        char text[HANDOVER_REASON_MAX + 64];

        snprintf(text, sizeof(text), "%s%s%s", verdict_to_string(verdict), *reason ? ": " : "", reason);
        remember_try(attempts, attempts->url, text);
        if (!verdict_is_final(verdict))
                attempts_set_result(attempts, PORT_RESULT_NOT_INSTALLED, "%s: %s", attempts->url, reason);

        drop_file(attempts);
        if (attempts->fetch && verdict_is_refusal(verdict)) {
                fetch_next_server(attempts->fetch);
                return;
        }
        end_attempt(attempts);
        attempts->config.on_idle(attempts->config.userdata);
}

PortResult attempts_get_result(const Attempts *attempts, const char **ret_text) {
        *ret_text = attempts->result_text;
        return attempts->result;
}

int attempts_append_tries(const Attempts *attempts, json_t *array) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < attempts->n_tries; i++) {
                const Try *try = attempts->tries + i;

                r = json_array_append_new(array,
                                json_pack("{s:s, s:s, s:o}", "url", try->url, "result", try->result, "time",
                                                json_time(try->realtime)));
        }
        return r;
}

json_t *attempts_transfer_to_json(const Attempts *attempts) {
        uint64_t bytes, size;

        if (!attempts->fetch || !fetch_get_progress(attempts->fetch, &bytes, &size))
                return json_null();
        return json_pack("{s:I, s:o}", "bytes", (json_int_t) bytes, "size",
                        size > 0 ? json_integer((json_int_t) size) : json_null());
}
