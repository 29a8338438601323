/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl-timeline.h"

#include "agent/log.h"
#include "agent/process.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* Of more entries in our journal, the last. */
#define ENTRIES_MAX 1000
#define ENTRIES_MAX_ARGUMENT "--lines=1000"

#define JOURNAL_TIMEOUT (5 * USEC_PER_SEC)

/* The way of a configuration; units/sdi.catalog explains each step. */
typedef enum Step {
        STEP_LINK,
        STEP_LEASE,
        STEP_FETCH,
        STEP_UNWRAP,
        STEP_CHECK,
        STEP_COMMIT,
        STEP_PROVISIONED, /* this one and the next end the way */
        STEP_REFUSED,
        _STEP_MAX,
} Step;

static const struct {
        const char *id, *name;
} steps[_STEP_MAX] = {
        [STEP_LINK] = { LOG_ID_CARRIER, "link" },
        [STEP_LEASE] = { LOG_ID_LEASE, "lease" },
        [STEP_FETCH] = { LOG_ID_FETCHED, "fetch" },
        [STEP_UNWRAP] = { LOG_ID_UNWRAPPED, "unwrap" },
        [STEP_CHECK] = { LOG_ID_CHECKED, "check" },
        [STEP_COMMIT] = { LOG_ID_COMMITTED, "commit" },
        [STEP_PROVISIONED] = { LOG_ID_PROVISIONED, "provisioned" },
        [STEP_REFUSED] = { LOG_ID_REFUSED, "refused" },
};

typedef struct Entry {
        Step step;
        char interface[IFNAMSIZ]; /* "" where the step knows none */
        uint64_t usec;            /* since the boot */
} Entry;

typedef struct Journal {
        Entry entries[ENTRIES_MAX];
        size_t n;
} Journal;

/* Any process may write to the journal: what is not as ours would be is left out. */
static void on_line(const char *line, size_t n, void *userdata) {
        json_auto_t *object = json_loadb(line, n, 0, NULL);
        const char *id = json_string_value(json_object_get(object, "MESSAGE_ID"));
        const char *usec = json_string_value(json_object_get(object, "__MONOTONIC_TIMESTAMP"));
        const char *interface = json_string_value(json_object_get(object, "INTERFACE"));
        Journal *journal = userdata;

        if (!id || !usec || journal->n == ENTRIES_MAX ||
                        (interface && (strlen(interface) >= IFNAMSIZ || !text_is_graphic(interface))))
                return;
        for (Step step = 0; step < _STEP_MAX; step++)
                if (strcmp(id, steps[step].id) == 0) {
                        Entry *entry = journal->entries + journal->n++;

                        *entry = (Entry){ .step = step, .usec = strtoull(usec, NULL, 10) };
                        if (interface)
                                strcpy(entry->interface, interface);
                        return;
                }
}

static int read_journal(Journal *journal) {
        static const char *const fixed[] = { "/usr/bin/journalctl", "--boot", "--quiet", "--no-pager",
                "--output=json", "--output-fields=MESSAGE_ID,INTERFACE", ENTRIES_MAX_ARGUMENT,
                "SYSLOG_IDENTIFIER=sdi-agent", "SYSLOG_IDENTIFIER=sdi-unwrap",
                "SYSLOG_IDENTIFIER=sdi-load" };
        char matches[_STEP_MAX][64], *arguments[ELEMENTSOF(fixed) + _STEP_MAX + 1];
        char *environment[] = { (char *) "LANG=C.UTF-8", NULL };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                arguments[n++] = (char *) fixed[i];
        for (Step step = 0; step < _STEP_MAX; step++) {
                snprintf(matches[step], sizeof(matches[step]), "MESSAGE_ID=%s", steps[step].id);
                arguments[n++] = matches[step];
        }
        arguments[n] = NULL;
        return process_run(&(ProcessConfig){
                        .arguments = arguments,
                        .environment = environment,
                        .fd_stdin = -1,
                        .timeout_usec = JOURNAL_TIMEOUT,
                        .on_line = on_line,
                        .userdata = journal,
        });
}

/* The last entry of that step before `end`, on the port of `on` where that is not NULL. */
static const Entry *find_last(const Journal *journal, size_t end, Step step, const Entry *on) {
        while (end-- > 0) {
                const Entry *entry = journal->entries + end;

                if (entry->step == step && (!on || strcmp(entry->interface, on->interface) == 0))
                        return entry;
        }
        return NULL;
}

static int append(json_t *array, const Entry *entry) {
        if (!entry)
                return 0;
        return json_array_append_new(array,
                        json_pack("{s:s, s:o, s:f}", "step", steps[entry->step].name, "interface",
                                        *entry->interface ? json_string(entry->interface) : json_null(),
                                        "seconds", (double) entry->usec / (double) USEC_PER_SEC));
}

/*
 * The way of the file that was fetched last: the port through which it came, and what became of it. Where none was fetched: of the
 * last lease, or of the last port that has got a carrier.
 */
static int append_way(json_t *array, const Journal *journal) {
        const Entry *fetch = find_last(journal, journal->n, STEP_FETCH, NULL);
        size_t end = fetch ? (size_t) (fetch - journal->entries) : journal->n;
        const Entry *lease = find_last(journal, end, STEP_LEASE, fetch);
        int r;

        r = append(array, find_last(journal, end, STEP_LINK, fetch ? fetch : lease));
        if (r == 0)
                r = append(array, lease);
        if (r == 0)
                r = append(array, fetch);
        for (size_t i = end + 1; r == 0 && i < journal->n; i++) {
                const Entry *entry = journal->entries + i;

                if (entry->step > STEP_FETCH)
                        r = append(array, entry);
                if (entry->step >= STEP_PROVISIONED)
                        break;
        }
        return r;
}

json_t *sdictl_timeline(void) {
        _cleanup_free_ Journal *journal = calloc(1, sizeof(*journal));
        json_t *array = json_array();

        if (journal && array && read_journal(journal) == 0 && append_way(array, journal) == 0)
                return array;
        json_decref(array);
        return json_null();
}

void sdictl_print_timeline(const json_t *timeline) {
        double before = 0;
        json_t *entry;
        size_t i;

        if (json_array_size(timeline) > 0)
                printf("\nTimeline, in seconds since the boot:\n");
        json_array_foreach((json_t *) timeline, i, entry) {
                const char *interface = json_string_value(json_object_get(entry, "interface"));
                double seconds = json_real_value(json_object_get(entry, "seconds"));
                char since[32] = "";

                if (i > 0)
                        snprintf(since, sizeof(since), "+%.0f ms", (seconds - before) * 1000);
                printf("%10.3f %12s  %s%s%s\n", seconds, since,
                                json_string_value(json_object_get(entry, "step")), interface ? " on " : "",
                                interface ? interface : "");
                before = seconds;
        }
}
