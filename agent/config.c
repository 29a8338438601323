/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_SIZE_MAX (64 * 1024)
#define FILES_MAX 64
#define LINE_MAX_ 1024
#define SIZE_MAX_ (UINT64_C(1) << 30)

#define MAIN "sdi.conf"
#define DROP_INS "sdi.conf.d"

DEFINE_CLEANUP(Config, config_free)

typedef struct Parser {
        Config *config;
        const char *file;
        const char *rest; /* of the text */
        unsigned line;
        void (*on_warning)(const char *line);
        char *reason; /* 256 bytes; empty as long as there is no error */
        int error;
} Parser;

typedef int (*set_t)(const char *value, void *field);

typedef struct Key {
        const char *section, *name;
        set_t set;
        size_t offset;
        bool strict; /* a bad value is an error: what would be in force without it could be less than was asked for */
} Key;

static int set_boolean(const char *value, void *field) {
        return text_parse_boolean(value, field);
}

static int set_span(const char *value, void *field) {
        uint64_t usec;
        int r;

        r = time_parse_span(value, &usec);
        if (r < 0)
                return r;
        if (usec == 0)
                return -EINVAL;
        *(uint64_t *) field = usec;
        return 0;
}

/* "64M": bytes with K, M or G behind, powers of 1024. */
static int set_size(const char *value, void *field) {
        static const char suffixes[] = "KMG";
        size_t n = strlen(value);
        const char *suffix = n > 0 ? strchr(suffixes, value[n - 1]) : NULL;
        unsigned shift = suffix ? 10 * (unsigned) (suffix - suffixes + 1) : 0;
        char digits[32];
        uint64_t number;
        int r;

        if (n - (suffix != NULL) >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, value, n);
        digits[n - (suffix != NULL)] = '\0';
        r = text_parse_u64(digits, SIZE_MAX_ >> shift, &number);
        if (r < 0)
                return r;
        if (number == 0)
                return -EINVAL;
        *(uint64_t *) field = number << shift;
        return 0;
}

static int set_percent(const char *value, void *field) {
        size_t n = strlen(value);
        uint64_t number;
        char digits[4];
        int r;

        if (n < 2 || n > sizeof(digits) || value[n - 1] != '%')
                return -EINVAL;
        memcpy(digits, value, n - 1);
        digits[n - 1] = '\0';
        r = text_parse_u64(digits, 100, &number);
        if (r < 0)
                return r;
        *(unsigned *) field = (unsigned) number;
        return 0;
}

static int set_string(const char *value, void *field) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*(char **) field);
        *(char **) field = copy;
        return 0;
}

static int set_path(const char *value, void *field) {
        return *value == '\0' || *value == '/' ? set_string(value, field) : -EINVAL;
}

static void list_clear(StringList *list) {
        while (list->n > 0)
                free(list->items[--list->n]);
        list->items[0] = NULL;
}

/* Words, added to what is there already; an empty value clears. */
static int set_list(const char *value, void *field) {
        _cleanup_free_ char *copy = strdup(value);
        StringList *list = field;
        char *state = NULL;

        if (!copy)
                return -ENOMEM;
        if (*value == '\0')
                list_clear(list);
        for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
                if (list->n == CONFIG_LIST_MAX)
                        return -E2BIG;
                list->items[list->n] = strdup(word);
                if (!list->items[list->n])
                        return -ENOMEM;
                list->items[++list->n] = NULL;
        }
        return 0;
}

/* A program with its first arguments; a later assignment replaces. Split at spaces: there is no shell, and no quoting. */
static int set_command(const char *value, void *field) {
        if (*value != '\0' && *value != '/')
                return -EINVAL;
        list_clear(field);
        return set_list(value, field);
}

static int set_names(const char *value, void *field) {
        for (const char *p = value; *p; p++) {
                if (*p != '%')
                        continue;
                if (!p[1] || !strchr("smup%", p[1]))
                        return -EINVAL;
                p++;
        }
        return set_list(value, field);
}

static int set_sources(const char *value, void *field) {
        static const char *const known[] = { "onie", "dmi", "devicetree", "file", "command" };
        _cleanup_free_ char *copy = strdup(value);
        char *state = NULL;

        if (!copy)
                return -ENOMEM;
        for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
                bool found = false;

                for (size_t i = 0; i < ELEMENTSOF(known); i++)
                        found = found || strcmp(word, known[i]) == 0;
                if (!found)
                        return -EINVAL;
        }
        return set_list(value, field);
}

static int set_key_type(const char *value, void *field) {
        static const char *const known[] = { "rsa2048", "rsa3072", "p256", "p384" };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(value, known[i]) == 0)
                        return set_string(value, field);
        return -EINVAL;
}

/* "0x81010001", as TPM tools write handles and indices; between `first` and `last`. */
static int parse_handle(const char *value, uint32_t first, uint32_t last, uint32_t *ret) {
        unsigned long number;
        char *end;

        if (strncmp(value, "0x", 2) != 0 || strlen(value) > strlen("0x81010001") ||
                        !isxdigit((unsigned char) value[2]))
                return -EINVAL;
        number = strtoul(value, &end, 16);
        if (*end != '\0' || number < first || number > last)
                return -EINVAL;
        *ret = (uint32_t) number;
        return 0;
}

static int set_handle(const char *value, void *field) {
        if (*value != '\0')
                return parse_handle(value, 0x81000000, 0x81ffffff, field); /* persistent objects */
        *(uint32_t *) field = 0;
        return 0;
}

static int set_certificate(const char *value, void *field) {
        uint32_t index;

        if (strncmp(value, "nv:", strlen("nv:")) != 0)
                return set_path(value, field);
        return parse_handle(value + strlen("nv:"), 0x01000000, 0x01ffffff, &index) < 0
                        ? -EINVAL
                        : set_string(value, field);
}

/* What goes into one DHCP option, with a byte or two around it. */
static int set_class(const char *value, void *field) {
        return strlen(value) <= 200 ? set_string(value, field) : -EINVAL;
}

static int set_enterprise(const char *value, void *field) {
        uint64_t number;
        int r = text_parse_u64(value, UINT32_MAX, &number);

        if (r >= 0)
                *(uint32_t *) field = (uint32_t) number;
        return r;
}

/* Up to a few seconds, or none. */
static int set_wait(const char *value, void *field) {
        uint64_t usec;
        int r;

        if (strcmp(value, "no") == 0) {
                *(uint64_t *) field = 0;
                return 0;
        }
        r = time_parse_span(value, &usec);
        if (r < 0 || usec > 10 * USEC_PER_SEC)
                return -EINVAL;
        *(uint64_t *) field = usec;
        return 0;
}

static int set_address_kind(const char *value, void *field) {
        bool stable = strcmp(value, "stable") == 0;

        if (!stable && strcmp(value, "eui64") != 0)
                return -EINVAL;
        *(bool *) field = stable;
        return 0;
}

/* RFC 8886, section 3.1: *this communication with the directory server should be integrity protected*. */
static int set_url(const char *value, void *field) {
        if (*value != '\0' &&
                        (strncmp(value, "https://", strlen("https://")) != 0 || !text_is_graphic(value)))
                return -EINVAL;
        return set_string(value, field);
}

static int set_send(const char *value, void *field) {
        static const char *const known[] = { "certificate", "request", "key" };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(value, known[i]) == 0)
                        return set_string(value, field);
        return -EINVAL;
}

static const Key keys[] = {
        { "Network", "Interfaces", set_list, offsetof(Config, interfaces), false },
        { "Network", "PrepareCommand", set_command, offsetof(Config, prepare_command), false },
        { "Network", "IPv4", set_boolean, offsetof(Config, ipv4), false },
        { "Network", "IPv6", set_boolean, offsetof(Config, ipv6), false },
        { "Network", "IPv6Address", set_address_kind, offsetof(Config, stable_addresses), false },
        { "Network", "VendorClass", set_class, offsetof(Config, vendor_class), false },
        { "Network", "UserClass", set_class, offsetof(Config, user_class), false },
        { "Network", "EnterpriseNumber", set_enterprise, offsetof(Config, enterprise), false },
        { "Network", "ConflictDetection", set_wait, offsetof(Config, conflict_detection_usec), false },
        { "Identity", "Source", set_sources, offsetof(Config, identity_sources), false },
        { "Identity", "File", set_path, offsetof(Config, identity_file), false },
        { "Identity", "Command", set_command, offsetof(Config, identity_command), false },
        { "Install", "Names", set_names, offsetof(Config, names), false },
        { "Install", "EncryptedOnly", set_boolean, offsetof(Config, encrypted_only), true },
        { "Install", "AuthenticatedOnly", set_boolean, offsetof(Config, authenticated_only), true },
        { "Install", "LegacyCiphers", set_boolean, offsetof(Config, legacy_ciphers), true },
        { "Install", "MaximumSize", set_size, offsetof(Config, maximum_size), true },
        { "Retry", "Interval", set_span, offsetof(Config, retry.interval_usec), false },
        { "Retry", "FirstPeriod", set_span, offsetof(Config, retry.first_period_usec), false },
        { "Retry", "LaterInterval", set_span, offsetof(Config, retry.later_interval_usec), false },
        { "Retry", "Jitter", set_percent, offsetof(Config, retry.jitter_percent), false },
        { "Key", "TCTI", set_string, offsetof(Config, tcti), true },
        { "Key", "Type", set_key_type, offsetof(Config, key_type), true },
        { "Key", "Handle", set_handle, offsetof(Config, key_handle), true },
        { "Key", "Certificate", set_certificate, offsetof(Config, key_certificate), true },
        { "Key", "BusEncryption", set_boolean, offsetof(Config, bus_encryption), true },
        { "Load", "Loader", set_command, offsetof(Config, loader), true },
        { "Load", "CheckTimeout", set_span, offsetof(Config, check_timeout_usec), false },
        { "Load", "CommitTimeout", set_span, offsetof(Config, commit_timeout_usec), false },
        { "Enroll", "Directory", set_url, offsetof(Config, enroll_directory), true },
        { "Enroll", "ClientCertificate", set_path, offsetof(Config, enroll_client_certificate), true },
        { "Enroll", "ClientKey", set_path, offsetof(Config, enroll_client_key), true },
        { "Enroll", "CACertificate", set_path, offsetof(Config, enroll_ca), true },
        { "Enroll", "Send", set_send, offsetof(Config, enroll_send), true },
};

static const Key *find_key(const char *section, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
                        return keys + i;
        return NULL;
}

static void set_error(Parser *parser, int error, const char *text) {
        if (parser->error < 0)
                return; /* the first one is what a person mends first */
        parser->error = error;
        snprintf(parser->reason, 256, "%s:%u: %s", parser->file, parser->line, text);
}

static void warn(Parser *parser, const char *text) {
        char line[512];

        if (!parser->on_warning)
                return;
        snprintf(line, sizeof(line), "%s:%u: %s, ignoring", parser->file, parser->line, text);
        parser->on_warning(line);
}

static int on_assignment(void *userdata, const char *section, const char *name, const char *value) {
        Parser *parser = userdata;
        const Key *key = find_key(section, name);
        char text[160], shown[64], shown_name[64];
        int r;

        if (!key) {
                snprintf(text, sizeof(text), "unknown key [%s] %s=",
                                text_escape(shown, sizeof(shown), section, strlen(section)),
                                text_escape(shown_name, sizeof(shown_name), name, strlen(name)));
                warn(parser, text);
                return 1;
        }

        r = key->set(value, (uint8_t *) parser->config + key->offset);
        if (r >= 0)
                return 1;
        snprintf(text, sizeof(text), "bad value of %s=: \"%s\"", name,
                        text_escape(shown, sizeof(shown), value, strlen(value)));
        if (key->strict || r == -ENOMEM)
                set_error(parser, r == -ENOMEM ? r : -EINVAL, text);
        else
                warn(parser, text);
        return 1;
}

/* fgets() over the text, which also counts: inih as Debian builds it does not tell its handler the line. */
static char *next_line(char *line, int size, void *userdata) {
        Parser *parser = userdata;
        const char *end;
        size_t n;

        if (*parser->rest == '\0')
                return NULL;
        parser->line++;
        end = strchrnul(parser->rest, '\n');
        n = (size_t) (end - parser->rest);
        if (n + 2 > (size_t) size) {
                set_error(parser, -EINVAL, "line too long");
                n = 0;
        }
        memcpy(line, parser->rest, n);
        line[n] = '\0';
        parser->rest = *end ? end + 1 : end;
        return line;
}

static int fail_file(Parser *parser, const char *path, int error) {
        snprintf(parser->reason, 256, "%.160s: %s", path,
                        error == -EPERM ? "owned or writable by somebody other than root; chown and chmod it, or "
                                          "remove it"
                                        : file_trouble(error));
        return error;
}

/* A link to /dev/null masks the file, as systemd has it: there is nothing in it. */
static int parse_file(Parser *parser, int fd_folder, const char *name, const char *path) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = file_read_foreign(fd_folder, name, 0, FILE_FOLLOW, FILE_SIZE_MAX, &text, &size);
        if (r == -ENODATA)
                return 0;
        if (r < 0)
                return fail_file(parser, path, r);

        parser->file = path;
        parser->rest = text;
        parser->line = 0;
        if (strlen(text) != size)
                set_error(parser, -EINVAL, "NUL byte in the file");

        /* As systemd has it: no continuation by indentation, no comment behind a value. */
        ini_allow_multiline = false;
        ini_allow_inline_comments = false;
        ini_use_stack = false;
        ini_max_line = LINE_MAX_;
        ini_initial_alloc = LINE_MAX_;
        r = ini_parse_stream(next_line, parser, on_assignment, parser);
        if (r > 0) {
                parser->line = (unsigned) r;
                set_error(parser, -EINVAL, "neither a [Section] nor Key=value");
        }
        return parser->error;
}

/* Where files are: below a folder that only root can write to, so that no name in it is anybody else's. */
typedef struct Place {
        const char *path;
        int fd, fd_drop_ins; /* -1: not there */
} Place;

typedef struct DropIn {
        char name[NAME_MAX + 1];
        const Place *place;
} DropIn;

static int compare_drop_ins(const void *a, const void *b) {
        return strcmp(((const DropIn *) a)->name, ((const DropIn *) b)->name);
}

static int add_drop_in(DropIn *drop_ins, size_t *n, const Place *place, const char *name) {
        size_t i = 0;

        while (i < *n && strcmp(drop_ins[i].name, name) != 0)
                i++;
        if (i == FILES_MAX)
                return -E2BIG;
        snprintf(drop_ins[i].name, sizeof(drop_ins[i].name), "%s", name);
        drop_ins[i].place = place;
        *n = MAX(*n, i + 1);
        return 0;
}

static int list_drop_ins(DropIn *drop_ins, size_t *n, const Place *place) {
        _cleanup_close_ int fd = openat(place->fd_drop_ins, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!directory)
                return -errno;
        TAKE_FD(fd); /* closed with the list */
        while (r >= 0 && (entry = readdir(directory))) {
                size_t length = strlen(entry->d_name);

                if (entry->d_name[0] != '.' && length > 5 &&
                                strcmp(entry->d_name + length - 5, ".conf") == 0)
                        r = add_drop_in(drop_ins, n, place, entry->d_name);
        }
        closedir(directory);
        return r;
}

/* -1 in *ret: it is not there. */
static int open_folder(Parser *parser, int fd_parent, const char *name, const char *path, int *ret) {
        int fd = file_open(fd_parent, name, 0, FILE_FOLDER | FILE_FOLLOW);

        *ret = MAX(fd, -1);
        return fd < 0 && fd != -ENOENT ? fail_file(parser, path, fd) : 0;
}

static int open_place(Parser *parser, Place *place) {
        char path[PATH_MAX];
        int r;

        r = open_folder(parser, AT_FDCWD, place->path, place->path, &place->fd);
        if (r < 0 || place->fd < 0)
                return r;
        snprintf(path, sizeof(path), "%s/" DROP_INS, place->path);
        return open_folder(parser, place->fd, DROP_INS, path, &place->fd_drop_ins);
}

/* The first of these that is there: the administrator's, else the vendor's. */
static int parse_main(Parser *parser, const Place *const *places, size_t n_places) {
        char path[PATH_MAX];

        for (size_t i = 0; i < n_places; i++) {
                if (places[i]->fd < 0 || faccessat(places[i]->fd, MAIN, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                snprintf(path, sizeof(path), "%s/" MAIN, places[i]->path);
                return parse_file(parser, places[i]->fd, MAIN, path);
        }
        return 0;
}

static int parse_drop_ins(Parser *parser, const Place *places, size_t n_places) {
        _cleanup_free_ DropIn *drop_ins = calloc(FILES_MAX, sizeof(*drop_ins));
        char path[PATH_MAX];
        size_t n = 0;
        int r = 0;

        if (!drop_ins)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < n_places; i++)
                if (places[i].fd_drop_ins >= 0) {
                        r = list_drop_ins(drop_ins, &n, places + i);
                        if (r < 0)
                                snprintf(parser->reason, 256, "%s/" DROP_INS ": %s", places[i].path,
                                                strerror(-r));
                }
        qsort(drop_ins, n, sizeof(*drop_ins), compare_drop_ins);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                snprintf(path, sizeof(path), "%s/" DROP_INS "/%s", drop_ins[i].place->path,
                                drop_ins[i].name);
                r = parse_file(parser, drop_ins[i].place->fd_drop_ins, drop_ins[i].name, path);
        }
        return r;
}

static int parse_all(Parser *parser) {
        /* The later one wins for drop-ins of one name. */
        Place places[] = {
                { "/usr/lib/sdi", -1, -1 },
                { "/run/sdi", -1, -1 },
                { "/etc/sdi", -1, -1 },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(places); i++)
                r = open_place(parser, places + i);
        if (r >= 0)
                r = parse_main(parser, (const Place *[]){ places + 2, places }, 2);
        if (r >= 0)
                r = parse_drop_ins(parser, places, ELEMENTSOF(places));
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                cleanup_close(&places[i].fd);
                cleanup_close(&places[i].fd_drop_ins);
        }
        return r;
}

static int set_defaults(Config *config) {
        static const struct {
                const char *value;
                size_t offset;
        } strings[] = {
                { "sdi", offsetof(Config, vendor_class) },
                { "", offsetof(Config, user_class) },
                { "", offsetof(Config, identity_file) },
                { "device:/dev/tpmrm0", offsetof(Config, tcti) },
                { "rsa2048", offsetof(Config, key_type) },
                { "", offsetof(Config, key_certificate) },
                { "", offsetof(Config, enroll_directory) },
                { "", offsetof(Config, enroll_client_certificate) },
                { "", offsetof(Config, enroll_client_key) },
                { "", offsetof(Config, enroll_ca) },
                { "certificate", offsetof(Config, enroll_send) },
        };

        config->ipv4 = config->ipv6 = config->stable_addresses = true;
        config->bus_encryption = true;
        config->conflict_detection_usec = USEC_PER_MSEC;
        config->maximum_size = 64 << 20;
        config->retry = RETRY_POLICY_DEFAULT;
        config->check_timeout_usec = USEC_PER_MINUTE;
        config->commit_timeout_usec = 10 * USEC_PER_MINUTE;
        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                int r = set_string(strings[i].value, (uint8_t *) config + strings[i].offset);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Lists have their default only where no file says anything, since assignments add to each other. */
static int set_list_defaults(Config *config) {
        int r = 0;

        if (config->identity_sources.n == 0)
                r = set_list("onie dmi devicetree", &config->identity_sources);
        if (r >= 0 && config->names.n == 0)
                r = set_list("%s.enc %s.cfg %m.enc %m.cfg", &config->names);
        if (r >= 0 && config->loader.n == 0)
                r = set_command("/usr/libexec/sdi/loader", &config->loader);
        return r;
}

int config_load(Config **ret, const char *file, void (*on_warning)(const char *line),
                char ret_reason[static 256]) {
        _cleanup_(config_freep) Config *config = calloc(1, sizeof(*config));
        Parser parser = { .config = config, .on_warning = on_warning, .reason = ret_reason };
        int r;

        if (!config)
                return -ENOMEM;
        snprintf(ret_reason, 256, "out of memory");
        r = set_defaults(config);
        if (r >= 0)
                r = file ? parse_file(&parser, AT_FDCWD, file, file) : parse_all(&parser);
        if (r >= 0)
                r = set_list_defaults(config);
        if (r < 0)
                return r;

        ret_reason[0] = '\0';
        *ret = TAKE_PTR(config);
        return 0;
}

Config *config_free(Config *config) {
        if (!config)
                return NULL;
        list_clear(&config->interfaces);
        list_clear(&config->identity_sources);
        list_clear(&config->prepare_command);
        list_clear(&config->identity_command);
        list_clear(&config->names);
        list_clear(&config->loader);
        free(config->vendor_class);
        free(config->user_class);
        free(config->identity_file);
        free(config->tcti);
        free(config->key_type);
        free(config->key_certificate);
        free(config->enroll_directory);
        free(config->enroll_client_certificate);
        free(config->enroll_client_key);
        free(config->enroll_ca);
        free(config->enroll_send);
        free(config);
        return NULL;
}

static const char *folder_path(char *path, size_t size, const char *variable, const char *fallback,
                const char *below, const char *name) {
        const char *folder = secure_getenv(variable);

        snprintf(path, size, "%s/%s%s", folder && folder[0] == '/' ? folder : fallback, below, name);
        return path;
}

const char *config_runtime_path(char *path, size_t size, const char *name) {
        return folder_path(path, size, "RUNTIME_DIRECTORY", "/run/sdi", "", name);
}

const char *config_agent_path(char *path, size_t size, const char *name) {
        return folder_path(path, size, "RUNTIME_DIRECTORY", "/run/sdi", "agent/", name);
}

const char *config_state_path(char *path, size_t size, const char *name) {
        return folder_path(path, size, "STATE_DIRECTORY", "/var/lib/sdi", "", name);
}
