/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity-source.h"

#include "agent/onie-eeprom.h"
#include "agent/process.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define SOURCE_SIZE_MAX 4096
#define COMMAND_TIMEOUT (10 * USEC_PER_SEC)

typedef struct Reader {
        const Config *config;
        const char *root;
        void (*on_skip)(const char *line);
        Identity *identity;
} Reader;

static void skip(const Reader *reader, const char *where, int error, const void *data, size_t n) {
        char line[256], shown[80];

        if (!reader->on_skip || error == -ENODATA)
                return;
        text_escape(shown, sizeof(shown), data, n);
        snprintf(line, sizeof(line), "%s: \"%s\" cannot serve as a serial number (%s)", where, shown,
                        error == -E2BIG ? "too long" : "only A-Z a-z 0-9 . _ - can be in a file name");
        reader->on_skip(line);
}

static int take_serial(
                const Reader *reader, const char *source, const char *where, const void *data, size_t n) {
        int r = identity_parse_value(reader->identity->serial, data, n);

        if (r < 0) {
                skip(reader, where, r, data, n);
                return r;
        }
        snprintf(reader->identity->source, sizeof(reader->identity->source), "%s", source);
        return 0;
}

/* A file of which only the first line counts. */
static int read_line(const Reader *reader, const char *path, char **ret, size_t *ret_size) {
        char full[PATH_MAX];
        int r;

        if ((size_t) snprintf(full, sizeof(full), "%s%s", reader->root, path) >= sizeof(full))
                return -ENAMETOOLONG;
        r = file_read(AT_FDCWD, full, SOURCE_SIZE_MAX, ret, ret_size);
        if (r < 0)
                return r;
        *ret_size = MIN(*ret_size, strcspn(*ret, "\n"));
        return 0;
}

static int read_serial_file(const Reader *reader, const char *source, const char *path) {
        _cleanup_free_ char *data = NULL;
        size_t n;
        int r;

        r = read_line(reader, path, &data, &n);
        if (r < 0)
                return -ENODATA;
        return take_serial(reader, source, path, data, n);
}

static void read_value(const Reader *reader, const char *path, char ret[static IDENTITY_TEXT_MAX + 1]) {
        _cleanup_free_ char *data = NULL;
        size_t n;

        if (*ret == '\0' && read_line(reader, path, &data, &n) >= 0)
                (void) identity_parse_value(ret, data, n);
}

static int read_dmi(const Reader *reader) {
        return read_serial_file(reader, "dmi", "sys/class/dmi/id/product_serial");
}

static int read_device_tree(const Reader *reader) {
        return read_serial_file(reader, "devicetree", "proc/device-tree/serial-number");
}

static int read_file(const Reader *reader) {
        const char *path = reader->config->identity_file;

        return *path ? read_serial_file(reader, "file", path + 1) : -ENODATA;
}

/* An EEPROM answers slowly on its bus: the header first, and of one that is ours only what it says it holds. */
static int read_eeprom(const char *path, uint8_t data[static ONIE_EEPROM_SIZE_MAX], Cursor *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        size_t size;
        int r;

        if (fd < 0)
                return -errno;
        if (pread(fd, data, ONIE_EEPROM_HEADER_SIZE, 0) != ONIE_EEPROM_HEADER_SIZE)
                return -EBADMSG;
        r = onie_eeprom_size(data, ONIE_EEPROM_HEADER_SIZE, &size);
        if (r < 0)
                return r;
        if (pread(fd, data, size, 0) != (ssize_t) size)
                return -EBADMSG;
        return onie_eeprom_parse(data, size, ret);
}

static int take_eeprom(const Reader *reader, const char *path) {
        uint8_t data[ONIE_EEPROM_SIZE_MAX];
        Cursor tlvs, value;
        int r;

        r = read_eeprom(path, data, &tlvs);
        if (r < 0)
                return r;
        if (onie_eeprom_find(tlvs, ONIE_TLV_PLATFORM_NAME, &value) >= 0 ||
                        onie_eeprom_find(tlvs, ONIE_TLV_PRODUCT_NAME, &value) >= 0)
                (void) identity_parse_value(reader->identity->platform, value.p, value.left);
        r = onie_eeprom_find(tlvs, ONIE_TLV_SERIAL_NUMBER, &value);
        if (r < 0)
                return r;
        return take_serial(reader, "onie", path, value.p, value.left);
}

static int read_onie(const Reader *reader) {
        char pattern[PATH_MAX];
        int r = -ENODATA;
        glob_t found;

        snprintf(pattern, sizeof(pattern), "%ssys/bus/i2c/drivers/at24/*/eeprom", reader->root);
        if (glob(pattern, 0, NULL, &found) != 0)
                return -ENODATA;
        for (size_t i = 0; i < found.gl_pathc && r < 0; i++)
                r = take_eeprom(reader, found.gl_pathv[i]);
        globfree(&found);
        return r;
}

typedef struct FirstLine {
        char text[PROCESS_LINE_MAX];
        size_t n;
        bool there;
} FirstLine;

static void keep_first_line(const char *line, size_t n, void *userdata) {
        FirstLine *first = userdata;

        if (first->there)
                return;
        memcpy(first->text, line, n);
        first->n = n;
        first->there = true;
}

static int read_command(const Reader *reader) {
        char *const *arguments = reader->config->identity_command.items;
        FirstLine first = { 0 };
        char line[256];
        int r;

        if (!arguments[0])
                return -ENODATA;
        r = process_run(&(ProcessConfig){
                        .arguments = arguments,
                        .environment = (char *[]){ (char *) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL },
                        .fd_stdin = -1,
                        .timeout_usec = COMMAND_TIMEOUT,
                        .on_line = keep_first_line,
                        .userdata = &first,
        });
        if (r != 0) {
                if (r < 0)
                        snprintf(line, sizeof(line), "%s: %s", arguments[0], strerror(-r));
                else
                        snprintf(line, sizeof(line), "%s: ended with status %d", arguments[0], r);
                if (reader->on_skip)
                        reader->on_skip(line);
                return -ENODATA;
        }
        return take_serial(reader, "command", arguments[0], first.text, first.n);
}

static const struct {
        const char *name;
        int (*read)(const Reader *reader);
} sources[] = {
        { "onie", read_onie },
        { "dmi", read_dmi },
        { "devicetree", read_device_tree },
        { "file", read_file },
        { "command", read_command },
};

static int read_source(const Reader *reader, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(sources); i++)
                if (strcmp(sources[i].name, name) == 0)
                        return sources[i].read(reader);
        return -ENODATA;
}

int identity_read(const Config *config, const char *root, void (*on_skip)(const char *line), Identity *ret) {
        Identity identity = { 0 };
        Reader reader = { .config = config, .root = root, .on_skip = on_skip, .identity = &identity };
        int r = -ENODATA;

        for (char *const *name = config->identity_sources.items; *name && r < 0; name++)
                r = read_source(&reader, *name);
        read_value(&reader, "sys/class/dmi/id/product_uuid", identity.uuid);
        read_value(&reader, "sys/class/dmi/id/product_name", identity.platform);
        if (r >= 0)
                r = identity_set_duid(&identity);
        else
                r = -ENODATA;
        *ret = identity;
        return r;
}

int identity_set_duid(Identity *identity) {
        static const uint8_t name_space[16] = { 0x90, 0x4c, 0x4f, 0xda, 0xdc, 0x73, 0x4c, 0x83, 0x8c, 0xa4,
                0xca, 0x2f, 0x1f, 0xf0, 0x3f, 0xeb };
        uint8_t named[sizeof(name_space) + IDENTITY_TEXT_MAX], digest[EVP_MAX_MD_SIZE];
        size_t n = strlen(identity->serial);

        memcpy(named, name_space, sizeof(name_space));
        memcpy(named + sizeof(name_space), identity->serial, n);
        if (EVP_Digest(named, sizeof(name_space) + n, digest, NULL, EVP_sha1(), NULL) != 1)
                return -ENOMEM;

        digest[6] = (digest[6] & 0x0f) | 0x50; /* version 5 */
        digest[8] = (digest[8] & 0x3f) | 0x80; /* variant */
        identity->duid[0] = 0;
        identity->duid[1] = 4; /* DUID-UUID */
        memcpy(identity->duid + 2, digest, 16);
        identity->has_duid = true;
        return 0;
}
