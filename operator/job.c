/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/job.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define ENDING ".cfg"
#define SHOWN_MAX 200

static int refuse(char reason[static JOB_REASON_MAX], int error, const char *path, size_t n,
                const char *text) {
        char shown[SHOWN_MAX];

        snprintf(reason, JOB_REASON_MAX, "%s: %s", text_escape(shown, sizeof(shown), path, n), text);
        return error;
}

/* "folder/SN19842256.cfg" is for SN19842256. */
static int identify(const char *path, const char *device, char ret[static IDENTIFIER_MAX + 1]) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');

        if (device)
                return identifier_parse(device, strlen(device), ret);
        return identifier_parse(name, dot ? (size_t) (dot - name) : strlen(name), ret);
}

/* Beside the configuration, or in the folder that was named. */
static char *name_output(const char *input, const char *id, const JobOptions *options) {
        const char *slash = strrchr(input, '/');
        char *output;

        if (options->output)
                return strdup(options->output);
        if (options->folder)
                return asprintf(&output, "%s/%s.enc", options->folder, id) < 0 ? NULL : output;
        return asprintf(&output, "%.*s%s.enc", slash ? (int) (slash + 1 - input) : 0, input, id) < 0
                        ? NULL
                        : output;
}

/* Room grows by powers of two. */
static int reserve(JobList *list) {
        Job *more;

        if (list->n == JOBS_MAX)
                return -E2BIG;
        if (list->n != 0 && (list->n & (list->n - 1)) != 0)
                return 0;
        more = reallocarray(list->jobs, list->n ? 2 * list->n : 1, sizeof(Job));
        if (!more)
                return -ENOMEM;
        list->jobs = more;
        return 0;
}

static int add(JobList *list, const char *path, size_t n, const JobOptions *options,
                char reason[static JOB_REASON_MAX]) {
        _cleanup_free_ char *input = NULL, *output = NULL;
        Job job = {};
        int r;

        if (n == 0 || n >= PATH_MAX || memchr(path, '\0', n))
                return refuse(reason, -EINVAL, path, n, "not a path");
        r = reserve(list);
        if (r < 0)
                return refuse(reason, r, path, n, strerror(-r));
        input = strndup(path, n);
        if (!input)
                return refuse(reason, -ENOMEM, path, n, strerror(ENOMEM));
        if (identify(input, options->device, job.id) < 0)
                return refuse(reason, -EINVAL, path, n,
                                options->device ? "--device= is not an identifier of a device"
                                                : "its name is not an identifier of a device; --device= says which it is for");
        output = name_output(input, job.id, options);
        if (!output)
                return refuse(reason, -ENOMEM, path, n, strerror(ENOMEM));
        if (strcmp(input, output) == 0)
                return refuse(reason, -EINVAL, path, n, "the output would replace the configuration");
        job.input = TAKE_PTR(input);
        job.output = TAKE_PTR(output);
        list->jobs[list->n++] = job;
        return 0;
}

int job_list_add_file(JobList *list, const char *path, const JobOptions *options,
                char reason[static JOB_REASON_MAX]) {
        return add(list, path, strlen(path), options, reason);
}

static int is_configuration(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > strlen(ENDING) &&
                        strcmp(entry->d_name + n - strlen(ENDING), ENDING) == 0;
}

int job_list_add_folder(JobList *list, const char *path, const JobOptions *options,
                char reason[static JOB_REASON_MAX]) {
        struct dirent **entries = NULL;
        int n, r = 0;

        n = scandir(path, &entries, is_configuration, alphasort);
        if (n <= 0)
                r = refuse(reason, n < 0 ? -errno : -ENOENT, path, strlen(path),
                                n < 0 ? strerror(errno) : "no file in it ends in " ENDING);
        for (int i = 0; i < n; i++) {
                char file[PATH_MAX];

                if (r >= 0 &&
                                (size_t) snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) >=
                                                sizeof(file))
                        r = refuse(reason, -ENAMETOOLONG, path, strlen(path), strerror(ENAMETOOLONG));
                if (r >= 0)
                        r = job_list_add_file(list, file, options, reason);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int job_list_add_lines(JobList *list, const char *text, size_t size, const char *name,
                const JobOptions *options, char reason[static JOB_REASON_MAX]) {
        char why[JOB_REASON_MAX];
        unsigned line = 0;

        for (size_t at = 0, n; at < size; at += n + 1) {
                const char *p = text + at, *end = memchr(p, '\n', size - at);
                size_t length;
                int r;

                n = end ? (size_t) (end - p) : size - at;
                length = n > 0 && p[n - 1] == '\r' ? n - 1 : n;
                line++;
                if (length == 0 || p[0] == '#')
                        continue;
                r = add(list, p, length, options, why);
                if (r < 0) {
                        snprintf(reason, JOB_REASON_MAX, "%.200s:%u: %.280s", name, line, why);
                        return r;
                }
        }
        return 0;
}

static int compare_outputs(const void *a, const void *b) {
        return strcmp((*(const Job *const *) a)->output, (*(const Job *const *) b)->output);
}

int job_list_check(const JobList *list, char reason[static JOB_REASON_MAX]) {
        _cleanup_free_ const Job **sorted = calloc(list->n + 1, sizeof(Job *));

        if (!sorted)
                return refuse(reason, -ENOMEM, "", 0, strerror(ENOMEM));
        for (size_t i = 0; i < list->n; i++)
                sorted[i] = list->jobs + i;
        qsort(sorted, list->n, sizeof(*sorted), compare_outputs);
        for (size_t i = 1; i < list->n; i++)
                if (compare_outputs(sorted + i - 1, sorted + i) == 0)
                        return refuse(reason, -EEXIST, sorted[i]->output, strlen(sorted[i]->output),
                                        "two configurations would become this one file");
        return 0;
}

void job_list_done(JobList *list) {
        for (size_t i = 0; i < list->n; i++) {
                free(list->jobs[i].input);
                free(list->jobs[i].output);
        }
        free(list->jobs);
        *list = (JobList){};
}
