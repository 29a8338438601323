/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/snapshot.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define CONTENT_MAX (64 * 1024 * 1024)

typedef struct Entry {
        char *name;
        char kind[96]; /* type, mode, owner, size or device; of a command its exit status */
        char *content; /* of a file; where a link points; what a command prints */
        size_t n_content;
} Entry;

struct Snapshot {
        Entry *entries; /* in the order in which they were found, which is always the same */
        size_t n;
};

DEFINE_CLEANUP(Snapshot, snapshot_free)

Snapshot *snapshot_free(Snapshot *snapshot) {
        if (!snapshot)
                return NULL;
        for (size_t i = 0; i < snapshot->n; i++) {
                free(snapshot->entries[i].name);
                free(snapshot->entries[i].content);
        }
        free(snapshot->entries);
        free(snapshot);
        return NULL;
}

static int add(Snapshot *snapshot, const char *name, Entry **ret) {
        Entry *entries = reallocarray(snapshot->entries, snapshot->n + 1, sizeof(*entries));

        if (!entries)
                return -ENOMEM;
        snapshot->entries = entries;
        entries[snapshot->n] = (Entry){ .name = strdup(name) };
        if (!entries[snapshot->n].name)
                return -ENOMEM;
        *ret = &entries[snapshot->n++];
        return 0;
}

static int read_content(Entry *entry, const FTSENT *found) {
        const struct stat *st = found->fts_statp;

        if (S_ISREG(st->st_mode))
                return file_read(AT_FDCWD, found->fts_accpath, CONTENT_MAX, &entry->content,
                                &entry->n_content);
        if (!S_ISLNK(st->st_mode))
                return 0;
        entry->n_content = (size_t) st->st_size;
        entry->content = calloc(1, entry->n_content + 1);
        if (!entry->content)
                return -ENOMEM;
        return readlink(found->fts_accpath, entry->content, entry->n_content) < 0 ? -errno : 0;
}

static int add_found(Snapshot *snapshot, const FTSENT *found) {
        const struct stat *st = found->fts_statp;
        Entry *entry;
        int r;

        if (found->fts_info == FTS_DP)
                return 0; /* a folder, for the second time */
        if (found->fts_info == FTS_NS && found->fts_errno == ENOENT)
                return 0;
        if (found->fts_info == FTS_NS || found->fts_info == FTS_DNR || found->fts_info == FTS_ERR)
                return -found->fts_errno;
        r = add(snapshot, found->fts_path, &entry);
        if (r < 0)
                return r;
        snprintf(entry->kind, sizeof(entry->kind), "mode %o, owner %u:%u, device %ju",
                        (unsigned) st->st_mode, (unsigned) st->st_uid, (unsigned) st->st_gid,
                        (uintmax_t) st->st_rdev);
        r = read_content(entry, found);
        return r == -ENOENT ? 0 : r; /* gone since */
}

static int by_name(const FTSENT **a, const FTSENT **b) {
        return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_path(Snapshot *snapshot, const char *path) {
        char *paths[] = { (char *) path, NULL };
        FTSENT *found;
        int r = 0;
        FTS *tree;

        tree = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
        if (!tree)
                return -errno;
        while (r >= 0 && (errno = 0, found = fts_read(tree)))
                r = add_found(snapshot, found);
        if (r >= 0 && errno != 0)
                r = -errno;
        fts_close(tree);
        return r;
}

static int add_command(Snapshot *snapshot, const char *command) {
        _cleanup_close_ int fd = -1;
        uint64_t size;
        Entry *entry;
        int r, status;
        FILE *output;

        r = add(snapshot, command, &entry);
        if (r < 0)
                return r;
        output = popen(command, "re");
        if (!output)
                return -errno;
        fd = memfd_copy("output", fileno(output), CONTENT_MAX, &size);
        status = pclose(output);
        if (fd < 0)
                return fd == -EFBIG ? -E2BIG : fd;
        snprintf(entry->kind, sizeof(entry->kind), "wait status %d", status);
        entry->content = malloc(size + 1);
        if (!entry->content)
                return -ENOMEM;
        entry->n_content = size;
        return pread(fd, entry->content, size, 0) == (ssize_t) size ? 0 : -EIO;
}

int snapshot_take(Snapshot **ret, char *const *paths, char *const *commands, char ret_reason[static 256]) {
        _cleanup_(snapshot_freep) Snapshot *snapshot = calloc(1, sizeof(*snapshot));
        const char *what = "";
        int r = 0;

        if (!snapshot)
                return -ENOMEM;
        for (; r >= 0 && *paths; paths++)
                r = add_path(snapshot, what = *paths);
        for (; r >= 0 && *commands; commands++)
                r = add_command(snapshot, what = *commands);
        if (r < 0) {
                snprintf(ret_reason, 256, "%s: %s", what, strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(snapshot);
        return 0;
}

static const Entry *find(const Snapshot *snapshot, const char *name) {
        for (size_t i = 0; i < snapshot->n; i++)
                if (strcmp(snapshot->entries[i].name, name) == 0)
                        return &snapshot->entries[i];
        return NULL;
}

static bool describe(char ret_what[static 256], const char *name, const char *what) {
        char text[200];

        snprintf(ret_what, 256, "%s: %s", text_escape(text, sizeof(text), name, strlen(name)), what);
        return true;
}

bool snapshot_differs(const Snapshot *before, const Snapshot *after, char ret_what[static 256]) {
        for (size_t i = 0; i < before->n; i++) {
                const Entry *a = &before->entries[i], *b = find(after, a->name);

                if (!b)
                        return describe(ret_what, a->name, "is gone");
                if (a->n_content != b->n_content ||
                                (a->n_content > 0 && memcmp(a->content, b->content, a->n_content) != 0))
                        return describe(ret_what, a->name, "is another");
                if (strcmp(a->kind, b->kind) != 0) {
                        char what[2 * sizeof(a->kind) + 16];

                        snprintf(what, sizeof(what), "was %s, is %s", a->kind, b->kind);
                        return describe(ret_what, a->name, what);
                }
        }
        for (size_t i = 0; i < after->n; i++)
                if (!find(before, after->entries[i].name))
                        return describe(ret_what, after->entries[i].name, "is new");
        return false;
}
