/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/wrap.h"

#include "base/file.h"
#include "base/text.h"
#include "operator/device-certificate.h"
#include "operator/inspect.h"
#include "operator/progress.h"
#include "operator/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define OUTPUT_SIZE_MAX (128 << 20)
#define FETCHES_MAX 256 /* begun at a time; how many connections they share is an option */

typedef struct Wrap {
        JobList *list;
        const WrapOptions *options;
        WrapSummary *summary;
        Worker workers[WORKERS_MAX];
        unsigned n_workers;
        Fetcher *fetcher;
        size_t n_fetching, n_with_workers, n_ended;
        size_t next; /* the first job that has not begun */
        int error;   /* nothing more is begun */
        char *reason;
} Wrap;

static void say(const char *id, const char *text) {
        progress_hide();
        fprintf(stderr, "sdi-wrap: %s: %s\n", id, text);
}

static void end_job(Wrap *wrap, Job *job, int status) {
        job->ended = true;
        job->status = status;
        wrap->n_ended++;
        if (status != EX_OK)
                wrap->summary->n_failed++;
}

static void fail_job(Wrap *wrap, Job *job, int status, const char *text) {
        say(job->id, text);
        end_job(wrap, job, status);
}

static void give_up(Wrap *wrap, int error, const char *text) {
        if (wrap->error >= 0)
                snprintf(wrap->reason, JOB_REASON_MAX, "%s", text);
        wrap->error = error;
}

static const char *format(
                char text[static CERTIFICATE_FINGERPRINT_TEXT], const DeviceCertificate *certificate) {
        return certificate_format_fingerprint(text, certificate->fingerprint);
}

static void say_changed(const Wrap *wrap, const Job *job, const DeviceCertificate *certificate,
                const uint8_t *recorded, const char *where) {
        char ours[CERTIFICATE_FINGERPRINT_TEXT], theirs[CERTIFICATE_FINGERPRINT_TEXT];

        progress_hide();
        fprintf(stderr,
                        "sdi-wrap: %s: THE KEY IS NOT THE ONE THAT IS PINNED. Nothing has been encrypted to it.\n"
                        "    pinned: %s\n            (%s)\n"
                        "    now:    %s\n            (%s)\n"
                        "    Either the vendor has given the device another key, or somebody wants to read its configuration. Ask the vendor, by\n"
                        "    another way, or compare with `sdictl key show` on the device, before you change what is pinned.\n",
                        job->id, certificate_format_fingerprint(ours, recorded), where,
                        format(theirs, certificate),
                        wrap->options->fetch.directory ? wrap->options->fetch.directory : "--certificate=");
}

/* 0 when the key may be used; else the job has ended. */
static int check_key(Wrap *wrap, Job *job, const DeviceCertificate *certificate) {
        char reason[KNOWN_DEVICES_REASON_MAX], text[CERTIFICATE_FINGERPRINT_TEXT], where[64];
        uint8_t recorded[CERTIFICATE_FINGERPRINT_SIZE];
        unsigned line;
        int r;

        if (wrap->options->pin) {
                if (memcmp(wrap->options->pin, certificate->fingerprint, sizeof(recorded)) == 0)
                        return 0;
                say_changed(wrap, job, certificate, wrap->options->pin, "--pin=");
                end_job(wrap, job, EX_NOPERM);
                return -EPERM;
        }
        r = known_devices_check(
                        wrap->options->known, job->id, certificate->fingerprint, recorded, &line, reason);
        if (r < 0) {
                fail_job(wrap, job, EX_IOERR, reason);
                return r;
        }
        switch ((KnownVerdict) r) {
        case KNOWN_SAME:
                return 0;
        case KNOWN_NEW:
                wrap->summary->n_new++;
                if (wrap->options->verbose) {
                        progress_hide();
                        fprintf(stderr, "sdi-wrap: %s: first use of the key %s; from now on it has to be this one\n",
                                        job->id, format(text, certificate));
                }
                return 0;
        case KNOWN_CHANGED:
                break;
        }
        snprintf(where, sizeof(where), "line %u of the known devices", line);
        say_changed(wrap, job, certificate, recorded, where);
        end_job(wrap, job, EX_NOPERM);
        return -EPERM;
}

static int hand_over(Wrap *wrap, Job *job, const DeviceCertificate *certificate) {
        Worker *worker = wrap->workers;
        const uint8_t *der;
        size_t n;
        int r;

        for (unsigned i = 1; i < wrap->n_workers; i++)
                if (wrap->workers[i].n_pending < worker->n_pending)
                        worker = wrap->workers + i;
        der = certificate_get_der(certificate->read, &n);
        r = worker_send(worker, (size_t) (job - wrap->list->jobs), der, n);
        if (r >= 0)
                wrap->n_with_workers++;
        return r;
}

static void on_certificate(
                void *userdata, size_t index, int status, const char *reason, const void *data, size_t n) {
        Wrap *wrap = userdata;
        Job *job = wrap->list->jobs + index;
        DeviceCertificate certificate = {};
        char why[DEVICE_CERTIFICATE_REASON_MAX];
        int r;

        if (wrap->fetcher)
                wrap->n_fetching--;
        if (status != EX_OK) {
                fail_job(wrap, job, status, reason);
                return;
        }
        if (device_certificate_parse(data, n, &certificate) < 0)
                fail_job(wrap, job, EX_DATAERR,
                                wrap->fetcher ? "what the directory sent is not a certificate"
                                              : "not a certificate");
        else if (device_certificate_check_name(&certificate, job->id, why) < 0)
                fail_job(wrap, job, EX_DATAERR, why);
        else if (check_key(wrap, job, &certificate) >= 0) {
                r = hand_over(wrap, job, &certificate);
                if (r < 0) {
                        fail_job(wrap, job, EX_OSERR, strerror(-r));
                        give_up(wrap, r, "a process that encrypts has ended by itself");
                }
        }
        device_certificate_done(&certificate);
}

static void on_answer(Wrap *wrap, const WorkerAnswer *answer) {
        Job *job = wrap->list->jobs + answer->job;

        wrap->n_with_workers--;
        if (answer->status != EX_OK) {
                fail_job(wrap, job, answer->status, answer->reason);
                return;
        }
        if (answer->remark[0])
                say(job->id, answer->remark);
        if (wrap->options->verbose) {
                progress_hide();
                printf("%s: encrypted for %s\n", job->output, job->id);
        }
        wrap->summary->n_made++;
        end_job(wrap, job, EX_OK);
}

static void read_answers(Wrap *wrap) {
        for (unsigned i = 0; i < wrap->n_workers; i++) {
                WorkerAnswer answer;
                int r;

                while ((r = worker_receive(wrap->workers + i, &answer)) >= 0)
                        on_answer(wrap, &answer);
                if (r == -EPIPE)
                        give_up(wrap, r, "a process that encrypts has ended by itself");
        }
}

/* As make(1) has it, and it has to be whole: a run before may have been cut short. */
static bool is_done(const Job *job) {
        char reason[INSPECT_REASON_MAX];
        _cleanup_free_ char *text = NULL;
        struct stat input, output;
        size_t n;

        if (stat(job->input, &input) < 0 || stat(job->output, &output) < 0)
                return false;
        if (output.st_mtim.tv_sec < input.st_mtim.tv_sec ||
                        (output.st_mtim.tv_sec == input.st_mtim.tv_sec &&
                                        output.st_mtim.tv_nsec < input.st_mtim.tv_nsec))
                return false;
        return file_read(AT_FDCWD, job->output, OUTPUT_SIZE_MAX, &text, &n) >= 0 &&
                        inspect_check_form(text, n, reason) >= 0;
}

static void begin(Wrap *wrap, Job *job) {
        const WrapOptions *options = wrap->options;

        if (options->resume && is_done(job)) {
                wrap->summary->n_skipped++;
                end_job(wrap, job, EX_OK);
        } else if (!wrap->fetcher)
                on_certificate(wrap, (size_t) (job - wrap->list->jobs), EX_OK, "", options->certificate,
                                options->n_certificate);
        else if (fetcher_add(wrap->fetcher, (size_t) (job - wrap->list->jobs), job->id) < 0)
                give_up(wrap, -ENOMEM, "out of memory");
        else
                wrap->n_fetching++;
}

/* What has been begun never is more than the workers may have. */
static void begin_more(Wrap *wrap) {
        size_t room = MIN((size_t) wrap->n_workers * WORKER_BATCH, (size_t) FETCHES_MAX);

        while (wrap->error >= 0 && wrap->next < wrap->list->n &&
                        wrap->n_fetching + wrap->n_with_workers < room)
                begin(wrap, wrap->list->jobs + wrap->next++);
}

static int wait_for_something(Wrap *wrap) {
        struct curl_waitfd fds[WORKERS_MAX];

        for (unsigned i = 0; i < wrap->n_workers; i++)
                fds[i] = (struct curl_waitfd){ .fd = wrap->workers[i].fd, .events = CURL_WAIT_POLLIN };
        return fetcher_run(wrap->fetcher, fds, wrap->n_workers);
}

static int wait_for_workers(Wrap *wrap) {
        struct pollfd fds[WORKERS_MAX];

        for (unsigned i = 0; i < wrap->n_workers; i++)
                fds[i] = (struct pollfd){ .fd = wrap->workers[i].fd, .events = POLLIN };
        return poll(fds, wrap->n_workers, -1) < 0 && errno != EINTR ? -errno : 0;
}

static int do_all(Wrap *wrap) {
        int r;

        for (;;) {
                begin_more(wrap);
                if (wrap->list->n > 1)
                        progress_show(wrap->n_ended, wrap->summary->n_failed, wrap->list->n);
                if (wrap->n_fetching == 0 && wrap->n_with_workers == 0 &&
                                (wrap->error < 0 || wrap->next == wrap->list->n))
                        return wrap->error;
                r = wrap->fetcher ? wait_for_something(wrap) : wait_for_workers(wrap);
                if (r < 0) {
                        give_up(wrap, r, strerror(-r));
                        return r;
                }
                read_answers(wrap);
                if (wrap->error == -EPIPE)
                        return wrap->error; /* its answers will not come any more */
        }
}

static int start_workers(Wrap *wrap) {
        unsigned n = (unsigned) MIN((size_t) MIN(MAX(wrap->options->n_workers, 1U), (unsigned) WORKERS_MAX),
                        wrap->list->n);

        while (wrap->n_workers < n) {
                int r = worker_start(wrap->list, wrap->options->flags, wrap->workers, wrap->n_workers,
                                wrap->workers + wrap->n_workers);

                if (r < 0) {
                        give_up(wrap, r, strerror(-r));
                        return r;
                }
                wrap->n_workers++;
        }
        return 0;
}

int wrap_run(JobList *list, const WrapOptions *options, WrapSummary *ret,
                char reason[static JOB_REASON_MAX]) {
        Wrap wrap = { .list = list, .options = options, .summary = ret, .reason = reason };
        int r;

        *ret = (WrapSummary){};
        r = start_workers(&wrap); /* before libcurl is there: a child has nothing of it */
        if (r >= 0 && options->fetch.directory)
                r = fetcher_new(&options->fetch, on_certificate, &wrap, &wrap.fetcher, reason);
        if (r >= 0)
                r = do_all(&wrap);
        for (unsigned i = 0; i < wrap.n_workers; i++)
                worker_stop(wrap.workers + i);
        fetcher_free(wrap.fetcher);
        progress_hide();
        for (size_t i = 0; i < list->n && ret->status == EX_OK; i++)
                ret->status = list->jobs[i].status;
        return r;
}
