/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loader.h"

#include "agent/log.h"
#include "agent/process.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

typedef struct LoaderOutput {
        const char *verb;
        unsigned n_lines;
        char last[160];
} LoaderOutput;

static void on_line(const char *line, size_t n, void *userdata) {
        LoaderOutput *output = userdata;
        char text[4 * PROCESS_LINE_MAX];

        while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\r' || line[n - 1] == '\t'))
                n--;
        if (n == 0)
                return;
        text_escape(output->last, sizeof(output->last), line, n);
        output->n_lines++;
        if (output->n_lines <= LOADER_LINES_MAX)
                log_info("loader %s: %s", output->verb, text_escape(text, sizeof(text), line, n));
        else if (output->n_lines == LOADER_LINES_MAX + 1)
                log_info("loader %s: further lines are not shown", output->verb);
}

/* [Load] Loader= with the verb behind. */
static void build_arguments(
                const StringList *loader, const char *verb, char *arguments[static CONFIG_LIST_MAX + 2]) {
        unsigned n = loader->n;

        memcpy(arguments, loader->items, n * sizeof(*arguments));
        arguments[n++] = (char *) verb;
        arguments[n] = NULL;
}

int loader_call(const StringList *loader, const LoaderCall *call) {
        char origin[HANDOVER_ORIGIN_MAX + 16], interface[IFNAMSIZ + 16], encrypted[] = "SDI_ENCRYPTED=0";
        const HandoverRequest *request = call->request;
        char *environment[] = {
                (char *) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                (char *) "LANG=C.UTF-8",
                request ? origin
                        : NULL, /* all that follows is of a configuration, which a reset has none of */
                interface,
                encrypted,
                (char *) (request && request->flags & HANDOVER_MERGE ? "SDI_MODE=merge"
                                                                     : "SDI_MODE=replace"),
                NULL,
        };
        char *arguments[CONFIG_LIST_MAX + 2];
        _cleanup_close_ int fd = -1;
        mode_t mask;
        int r;

        if (call->fd_configuration >= 0) {
                /* A description of its own: what `check` has read, `commit` reads again from the start. */
                fd = memfd_reopen(call->fd_configuration);
                if (fd < 0)
                        return fd;
        }
        if (request) {
                snprintf(origin, sizeof(origin), "SDI_ORIGIN=%s", request->origin);
                snprintf(interface, sizeof(interface), "SDI_INTERFACE=%s", request->interface);
                if (request->flags & HANDOVER_ENCRYPTED)
                        strcpy(encrypted, "SDI_ENCRYPTED=1");
        }
        build_arguments(loader, call->verb, arguments);
        mask = umask(0077); /* what it writes holds secrets; a loader opens to others what they have to read */
        r = process_run(&(ProcessConfig){
                        .arguments = arguments,
                        .environment = environment,
                        .fd_stdin = fd,
                        .timeout_usec = call->timeout_usec,
                        .kill = call->kill,
                        .on_line = call->on_line,
                        .userdata = call->userdata,
        });
        umask(mask);
        return r;
}

/* What a return value of process_run() other than 0 means for the file. */
static Verdict judge(int result, const LoaderOutput *output, uint64_t timeout_usec, Verdict refusal,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        const char *colon = output->last[0] ? ": " : "";
        char span[TIME_SPAN_MAX];

        if (result == -ETIMEDOUT) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "loader %s took longer than %s", output->verb,
                                time_format_span(span, sizeof(span), timeout_usec));
                return VERDICT_LOADER_TIMEOUT;
        }
        if (result == -ECANCELED) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "loader %s was ended by a signal%s%s",
                                output->verb, colon, output->last);
                return refusal;
        }
        if (result < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "loader cannot be run: %s", strerror(-result));
                return VERDICT_MISCONFIGURED;
        }
        if (result == EX_TEMPFAIL) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "loader %s asks to try again later%s%s",
                                output->verb, colon, output->last);
                return VERDICT_LOADER_BUSY;
        }
        snprintf(ret_reason, HANDOVER_REASON_MAX, "loader %s refused it (status %d)%s%s", output->verb,
                        result, colon, output->last);
        return refusal;
}

Verdict loader_install(const Config *config, const HandoverRequest *request, int fd_configuration,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        const struct {
                const char *verb, *id, *done;
                uint64_t timeout_usec;
                Verdict refusal;
        } steps[] = {
                { "check", LOG_ID_CHECKED, "The loader finds the configuration good",
                                config->check_timeout_usec, VERDICT_CHECK_REFUSED },
                { "commit", LOG_ID_COMMITTED, "The loader has committed the configuration",
                                config->commit_timeout_usec, VERDICT_COMMIT_FAILED },
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                LoaderOutput output = { .verb = steps[i].verb };
                int r;

                r = loader_call(&config->loader,
                                &(LoaderCall){
                                                .verb = steps[i].verb,
                                                .request = request,
                                                .fd_configuration = fd_configuration,
                                                .timeout_usec = steps[i].timeout_usec,
                                                .on_line = on_line,
                                                .userdata = &output,
                                });

                if (r != 0)
                        return judge(r, &output, steps[i].timeout_usec, steps[i].refusal, ret_reason);
                log_message(LOG_NOTICE, steps[i].id, NULL, "%s", steps[i].done);
                if (request->flags & HANDOVER_CHECK_ONLY) {
                        snprintf(ret_reason, HANDOVER_REASON_MAX, "not committed, as sdi-unwrap refuses it");
                        return VERDICT_CHECK_REFUSED;
                }
        }
        return VERDICT_INSTALLED;
}

int loader_reset(const Config *config, char ret_reason[static HANDOVER_REASON_MAX]) {
        LoaderOutput output = { .verb = "reset" };
        int r;

        r = loader_call(&config->loader,
                        &(LoaderCall){
                                        .verb = output.verb,
                                        .fd_configuration = -1,
                                        .timeout_usec = config->commit_timeout_usec,
                                        .on_line = on_line,
                                        .userdata = &output,
                        });
        if (r == 0)
                return 0;
        (void) judge(r, &output, config->commit_timeout_usec, VERDICT_COMMIT_FAILED, ret_reason);
        return -EIO;
}
