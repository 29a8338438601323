/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/known-devices.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LINE_MAX_ 256

typedef struct Device {
        char id[IDENTIFIER_MAX + 1]; /* first: what the tree compares */
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        unsigned line;
} Device;

struct KnownDevices {
        char *path;
        int fd;
        off_t read; /* up to here it is in the tree */
        unsigned line;
        void *tree; /* of Device, by tsearch(3) */
};

static int compare(const void *a, const void *b) {
        return strcmp(a, b);
}

KnownDevices *known_devices_free(KnownDevices *known) {
        if (known) {
                tdestroy(known->tree, free);
                cleanup_close(&known->fd);
                free(known->path);
                free(known);
        }
        return NULL;
}

int known_devices_parse_fingerprint(
                const char *text, size_t n, uint8_t ret[static CERTIFICATE_FINGERPRINT_SIZE]) {
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE] = {};
        size_t digits = 0;

        for (size_t i = 0; i < n; i++) {
                int digit = text_parse_hex_digit(text[i]);

                if (text[i] == ' ' || text[i] == ':' || text[i] == '\t')
                        continue;
                if (digit < 0 || digits == 2 * sizeof(fingerprint))
                        return -EINVAL;
                fingerprint[digits / 2] = (uint8_t) (fingerprint[digits / 2] << 4 | digit);
                digits++;
        }
        if (digits != 2 * sizeof(fingerprint))
                return -EINVAL;
        memcpy(ret, fingerprint, sizeof(fingerprint));
        return 0;
}

int known_devices_parse_line(const char *text, size_t n, char ret_id[static IDENTIFIER_MAX + 1],
                uint8_t ret_fingerprint[static CERTIFICATE_FINGERPRINT_SIZE]) {
        size_t length = 0;

        while (n > 0 && (text[n - 1] == '\r' || text[n - 1] == ' ' || text[n - 1] == '\t'))
                n--;
        if (n == 0 || text[0] == '#')
                return 0;
        while (length < n && text[length] != ' ' && text[length] != '\t')
                length++;
        if (!identifier_is_valid(text, length) ||
                        known_devices_parse_fingerprint(text + length, n - length, ret_fingerprint) < 0)
                return -EBADMSG;
        return identifier_parse(text, length, ret_id) < 0 ? -EBADMSG : 1;
}

/* The first line of a device counts: whoever can only add lines cannot replace a key. */
static int remember(KnownDevices *known, const Device *device) {
        Device *copy = malloc(sizeof(Device)), **node;

        if (!copy)
                return -ENOMEM;
        *copy = *device;
        node = tsearch(copy, &known->tree, compare);
        if (!node || *node != copy)
                free(copy);
        return node ? 0 : -ENOMEM;
}

static int on_line(KnownDevices *known, const char *text, size_t n,
                char reason[static KNOWN_DEVICES_REASON_MAX]) {
        Device device = { .line = ++known->line };
        int r;

        r = known_devices_parse_line(text, n, device.id, device.fingerprint);
        if (r > 0)
                r = remember(known, &device);
        if (r < 0)
                snprintf(reason, KNOWN_DEVICES_REASON_MAX, "%.300s:%u: %s", known->path, known->line,
                                r == -EBADMSG ? "not an identifier and a fingerprint" : strerror(-r));
        return r;
}

/* What others have added since. A last line without an end is one that somebody could not write in full. */
static int read_more(KnownDevices *known, char reason[static KNOWN_DEVICES_REASON_MAX]) {
        char data[64 * 1024];
        ssize_t n;

        while ((n = pread(known->fd, data, sizeof(data), known->read)) > 0) {
                const char *p = data, *end;

                while ((end = memchr(p, '\n', (size_t) (data + n - p)))) {
                        int r = on_line(known, p, (size_t) (end - p), reason);

                        if (r < 0)
                                return r;
                        p = end + 1;
                }
                if (p == data) {
                        snprintf(reason, KNOWN_DEVICES_REASON_MAX, "%.300s:%u: %s", known->path,
                                        known->line + 1,
                                        n == sizeof(data) ? "line too long"
                                                          : "the last line is not complete");
                        return -EBADMSG;
                }
                known->read += p - data;
        }
        if (n < 0) {
                snprintf(reason, KNOWN_DEVICES_REASON_MAX, "%.300s: %s", known->path, strerror(errno));
                return -errno;
        }
        return 0;
}

static void make_folders(const char *path) {
        char folder[PATH_MAX];

        snprintf(folder, sizeof(folder), "%s", path);
        for (char *p = folder + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                (void) mkdir(folder, 0700); /* open(2) says what is wrong */
                *p = '/';
        }
}

int known_devices_open(const char *path, KnownDevices **ret, char reason[static KNOWN_DEVICES_REASON_MAX]) {
        _cleanup_(known_devices_freep) KnownDevices *known = calloc(1, sizeof(*known));
        int r;

        snprintf(reason, KNOWN_DEVICES_REASON_MAX, "out of memory");
        if (!known)
                return -ENOMEM;
        known->fd = -1;
        known->path = strdup(path);
        if (!known->path)
                return -ENOMEM;
        make_folders(path);
        known->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (known->fd < 0) {
                r = -errno;
                snprintf(reason, KNOWN_DEVICES_REASON_MAX, "%.300s: %s", path, strerror(-r));
                return r;
        }
        r = read_more(known, reason);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(known);
        return 0;
}

static const Device *look_up(const KnownDevices *known, const char *id) {
        Device *const *node = tfind(id, &known->tree, compare);

        return node ? *node : NULL;
}

static int append(KnownDevices *known, const char *id,
                const uint8_t fingerprint[static CERTIFICATE_FINGERPRINT_SIZE]) {
        char line[LINE_MAX_], hex[2 * CERTIFICATE_FINGERPRINT_SIZE + 1];
        off_t end = lseek(known->fd, 0, SEEK_END);
        int n, r;

        n = snprintf(line, sizeof(line), "%s %s\n", id,
                        text_hex(hex, fingerprint, CERTIFICATE_FINGERPRINT_SIZE));
        r = file_write_all(known->fd, line, (size_t) n);
        if (r < 0 && end >= 0 && ftruncate(known->fd, end) < 0)
                return -errno; /* half a line stays, and the next run says so */
        return r;
}

/* Under the lock: somebody else may have recorded the device in the meantime. */
static int record(KnownDevices *known, const char *id,
                const uint8_t fingerprint[static CERTIFICATE_FINGERPRINT_SIZE], const Device **ret,
                char reason[static KNOWN_DEVICES_REASON_MAX]) {
        int r;

        r = read_more(known, reason);
        *ret = look_up(known, id);
        if (r < 0 || *ret)
                return r;
        r = append(known, id, fingerprint);
        if (r < 0)
                snprintf(reason, KNOWN_DEVICES_REASON_MAX, "%.300s: %s", known->path, strerror(-r));
        return r < 0 ? r : read_more(known, reason);
}

int known_devices_check(KnownDevices *known, const char *id,
                const uint8_t fingerprint[static CERTIFICATE_FINGERPRINT_SIZE],
                uint8_t ret_recorded[static CERTIFICATE_FINGERPRINT_SIZE], unsigned *ret_line,
                char reason[static KNOWN_DEVICES_REASON_MAX]) {
        const Device *device = look_up(known, id);

        if (!device) {
                int r;

                if (flock(known->fd, LOCK_EX) < 0) {
                        snprintf(reason, KNOWN_DEVICES_REASON_MAX, "%.300s: %s", known->path,
                                        strerror(errno));
                        return -errno;
                }
                r = record(known, id, fingerprint, &device, reason);
                (void) flock(known->fd, LOCK_UN);
                if (r < 0)
                        return r;
                if (!device)
                        return KNOWN_NEW;
        }
        memcpy(ret_recorded, device->fingerprint, CERTIFICATE_FINGERPRINT_SIZE);
        *ret_line = device->line;
        return memcmp(device->fingerprint, fingerprint, CERTIFICATE_FINGERPRINT_SIZE) == 0 ? KNOWN_SAME
                                                                                           : KNOWN_CHANGED;
}
