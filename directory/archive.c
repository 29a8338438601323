/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/archive.h"

#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "directory/pem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING ".crt"
#define BATCH 1000 /* records in a transaction */

static int fail(char reason[static STORE_REASON_MAX], int error, const char *what, const char *text) {
        snprintf(reason, STORE_REASON_MAX, "%.120s: %.120s", what, text);
        return error;
}

static int sync_folder(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

static int write_file(const char *path, const Record *record, ArchiveSummary *summary) {
        _cleanup_free_ char *there = NULL, *pem = NULL;
        size_t n_there, n;
        int r;

        r = pem_from_der(record->der, record->n_der, &pem, &n);
        if (r < 0)
                return r;
        if (file_read_foreign(AT_FDCWD, path, 0, FILE_ANYBODYS, n, &there, &n_there) >= 0 && n_there == n &&
                        memcmp(there, pem, n) == 0) {
                summary->n_same++;
                return 0;
        }
        r = file_replace(path, pem, n, 0644, 0); /* all of them are synced at the end */
        if (r >= 0)
                summary->n_written++;
        return r;
}

int archive_export(Store *store, const char *folder, ArchiveSummary *ret,
                char reason[static STORE_REASON_MAX]) {
        char certificates[PATH_MAX], path[PATH_MAX + IDENTIFIER_MAX + 8];
        static Record record;
        int r;

        *ret = (ArchiveSummary){};
        record.id[0] = '\0';
        snprintf(certificates, sizeof(certificates), "%.4000s/certificates", folder);
        if ((mkdir(folder, 0755) < 0 && errno != EEXIST) ||
                        (mkdir(certificates, 0755) < 0 && errno != EEXIST))
                return fail(reason, -errno, certificates, strerror(errno));
        while ((r = store_next(store, record.id, &record)) >= 0) {
                snprintf(path, sizeof(path), "%s/%s" ENDING, certificates, record.id);
                r = write_file(path, &record, ret);
                if (r < 0)
                        return fail(reason, r, path, strerror(-r));
        }
        if (r != -ENOENT)
                return fail(reason, r, "the store", store_reason(store));
        r = sync_folder(certificates);
        return r < 0 ? fail(reason, r, certificates, strerror(-r)) : 0;
}

static int refuse(ArchiveSummary *summary, const char *name, const char *why) {
        char shown[4 * NAME_MAX + sizeof("...")];

        fprintf(stderr, "sdi-directory: %s: %s\n", text_escape(shown, sizeof(shown), name, strlen(name)),
                        why);
        summary->n_refused++;
        return 0;
}

static int import_file(Store *store, const SubmissionRules *rules, int fd_folder, const char *name,
                ArchiveSummary *summary) {
        char id[IDENTIFIER_MAX + 1], type[SUBMISSION_TYPE_MAX], reason[SUBMISSION_REASON_MAX];
        _cleanup_free_ char *text = NULL;
        static Record record;
        SubmissionKind kind;
        size_t n;
        int r;

        if (identifier_parse(name, strlen(name) - strlen(ENDING), id) < 0)
                return refuse(summary, name, "its name is not an identifier of a device");
        r = file_read_foreign(
                        fd_folder, name, 0, FILE_ANYBODYS | FILE_FOLLOW, SUBMISSION_SIZE_MAX, &text, &n);
        if (r < 0)
                return refuse(summary, name, file_trouble(r));
        record = (Record){ .added = time_now_realtime() / USEC_PER_SEC };
        if (submission_parse(rules, id, text, n, &record, &kind, type, reason) < 0)
                return refuse(summary, name, reason);
        r = store_put(store, &record, "import", false, NULL);
        if (r == STORE_CONFLICT)
                return refuse(summary, name, "another key is known for this device");
        if (r == STORE_SAME)
                summary->n_same++;
        else if (r >= 0)
                summary->n_written++;
        return r < 0 ? r : 0;
}

static DIR *open_tree(const char *folder) {
        char certificates[PATH_MAX];
        DIR *directory;

        snprintf(certificates, sizeof(certificates), "%.4000s/certificates", folder);
        directory = opendir(certificates);
        return directory ? directory : opendir(folder);
}

static int import_all(Store *store, const SubmissionRules *rules, DIR *directory, ArchiveSummary *summary) {
        const struct dirent *entry;
        unsigned n = 0;
        int r = store_begin_bulk(store);

        while (r >= 0 && (entry = readdir(directory))) {
                size_t length = strlen(entry->d_name);

                if (length <= strlen(ENDING) || strcmp(entry->d_name + length - strlen(ENDING), ENDING) != 0)
                        continue;
                r = import_file(store, rules, dirfd(directory), entry->d_name, summary);
                if (r >= 0 && ++n % BATCH == 0) {
                        r = store_end_bulk(store);
                        if (r >= 0)
                                r = store_begin_bulk(store);
                }
        }
        return r < 0 ? r : store_end_bulk(store);
}

int archive_import(Store *store, const SubmissionRules *rules, const char *folder, ArchiveSummary *ret,
                char reason[static STORE_REASON_MAX]) {
        DIR *directory = open_tree(folder);
        int r;

        *ret = (ArchiveSummary){};
        if (!directory)
                return fail(reason, -errno, folder, strerror(errno));
        r = import_all(store, rules, directory, ret);
        closedir(directory);
        return r < 0 ? fail(reason, r, "the store", store_reason(store)) : 0;
}
