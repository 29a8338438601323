/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/settings.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "directory/address.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FILE_SIZE_MAX (64 * 1024)
#define LINE_MAX_ 1024

DEFINE_CLEANUP(Settings, settings_free)

typedef struct Parser {
        Settings *settings;
        const char *file;
        const char *rest; /* of the text */
        unsigned line;
        char *reason;
        int error;
} Parser;

typedef int (*set_t)(const char *value, void *field);

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

static int set_store(const char *value, void *field) {
        if (strncmp(value, "sqlite:/", strlen("sqlite:/")) != 0 &&
                        strncmp(value, "postgresql://", strlen("postgresql://")) != 0)
                return -EINVAL;
        return set_string(value, field);
}

static int set_number(const char *value, void *field) {
        return text_parse_u64(value, 1000000, field);
}

static int set_span(const char *value, void *field) {
        return time_parse_span(value, field);
}

static void words_clear(Words *words) {
        while (words->n > 0)
                free(words->items[--words->n]);
}

/* Unlike in sdi.conf(5) an assignment replaces: a policy is read where it stands. */
static int set_words(const char *value, void *field) {
        _cleanup_free_ char *copy = strdup(value);
        Words *words = field;
        char *state = NULL;

        if (!copy)
                return -ENOMEM;
        words_clear(words);
        for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
                if (words->n == SETTINGS_WORDS_MAX)
                        return -E2BIG;
                words->items[words->n] = strdup(word);
                if (!words->items[words->n])
                        return -ENOMEM;
                words->n++;
        }
        return 0;
}

static int set_known_words(const char *value, void *field, const char *const *known, size_t n_known) {
        const Words *words = field;
        int r;

        r = set_words(value, field);
        for (unsigned i = 0; i < words->n && r >= 0; i++) {
                bool found = false;

                for (size_t k = 0; k < n_known; k++)
                        found = found || strcmp(words->items[i], known[k]) == 0;
                r = found ? 0 : -EINVAL;
        }
        return r;
}

static int set_accept(const char *value, void *field) {
        static const char *const known[] = { "certificate", "request", "key" };

        return set_known_words(value, field, known, ELEMENTSOF(known));
}

static int set_key_types(const char *value, void *field) {
        static const char *const known[] = { "rsa2048", "rsa3072", "rsa4096", "p256", "p384" };

        return set_known_words(value, field, known, ELEMENTSOF(known));
}

static int parse_network(char *text, Network *ret) {
        char *slash = strchr(text, '/');
        uint64_t bits;
        unsigned before;
        int r;

        if (slash)
                *slash = '\0';
        r = address_parse(text, ret->address, &before);
        if (r >= 0)
                r = slash ? text_parse_u64(slash + 1, 128 - before, &bits) : 0;
        if (r < 0)
                return -EINVAL;
        ret->bits = slash ? before + (unsigned) bits : 128;
        return 0;
}

static int set_networks(const char *value, void *field) {
        _cleanup_free_ char *copy = strdup(value);
        Networks *networks = field;
        char *state = NULL;

        if (!copy)
                return -ENOMEM;
        networks->n = 0;
        for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
                if (networks->n == SETTINGS_WORDS_MAX)
                        return -E2BIG;
                if (parse_network(word, networks->items + networks->n) < 0)
                        return -EINVAL;
                networks->n++;
        }
        return 0;
}

static int set_pattern(const char *value, void *field) {
        Policy *policy = field;
        char anchored[LINE_MAX_ + 8];

        if (policy->has_pattern)
                regfree(&policy->pattern);
        policy->has_pattern = false;
        if (*value) {
                snprintf(anchored, sizeof(anchored), "^(%s)$", value);
                if (regcomp(&policy->pattern, anchored, REG_EXTENDED | REG_NOSUB) != 0)
                        return -EINVAL;
                policy->has_pattern = true;
        }
        return set_string(value, &policy->identifier);
}

static const struct {
        const char *section, *name;
        set_t set;
        size_t offset;
        const char *value; /* when the file does not say */
} keys[] = {
        { "Store", "URL", set_store, offsetof(Settings, store),
                        "sqlite:/var/lib/sdi-directory/directory.db" },
        { "Public", "Certificate", set_path, offsetof(Settings, public_certificate), "" },
        { "Public", "Key", set_path, offsetof(Settings, public_key), "" },
        { "Public", "MissesPerMinute", set_number, offsetof(Settings, misses_per_minute), "60" },
        { "Public", "MissBurst", set_number, offsetof(Settings, miss_burst), "100" },
        { "Public", "MetricsNetworks", set_networks, offsetof(Settings, metrics_networks),
                        "127.0.0.0/8 ::1" },
        { "Factory", "Certificate", set_path, offsetof(Settings, factory_certificate), "" },
        { "Factory", "Key", set_path, offsetof(Settings, factory_key), "" },
        { "Factory", "ClientCA", set_path, offsetof(Settings, client_ca), "" },
        { "Factory", "Networks", set_networks, offsetof(Settings, factory_networks), "" },
        { "Factory", "EnrollRoles", set_words, offsetof(Settings, enroll_roles), "station" },
        { "Factory", "ReplaceRoles", set_words, offsetof(Settings, replace_roles), "" },
        { "Authority", "Certificate", set_path, offsetof(Settings, authority_certificate), "" },
        { "Authority", "Key", set_path, offsetof(Settings, authority_key), "" },
        { "Policy", "Identifier", set_pattern, offsetof(Settings, policy), "" },
        { "Policy", "Accept", set_accept, offsetof(Settings, policy.accept), "certificate request key" },
        { "Policy", "KeyTypes", set_key_types, offsetof(Settings, policy.key_types),
                        "rsa2048 rsa3072 p256 p384" },
        { "Policy", "Extensions", set_words, offsetof(Settings, policy.extensions),
                        "subjectKeyIdentifier authorityKeyIdentifier keyUsage basicConstraints subjectAltName" },
        { "Policy", "ExtendedKeyUsages", set_words, offsetof(Settings, policy.extended_key_usages), "" },
        { "Policy", "Issuers", set_path, offsetof(Settings, policy.issuers), "" },
        { "Policy", "MinimumLifetime", set_span, offsetof(Settings, policy.minimum_lifetime_usec), "0" },
        { "Limits", "Connections", set_number, offsetof(Settings, connections), "4000" },
        { "Limits", "ConnectionsPerAddress", set_number, offsetof(Settings, connections_per_address),
                        "256" },
        { "Limits", "Timeout", set_span, offsetof(Settings, timeout_usec), "15s" },
};

static void set_error(Parser *parser, const char *format, const char *detail) {
        char text[160], shown[80];

        if (parser->error < 0)
                return; /* the first one is what a person mends first */
        parser->error = -EINVAL;
        snprintf(text, sizeof(text), "%s%s", format,
                        text_escape(shown, sizeof(shown), detail, strlen(detail)));
        snprintf(parser->reason, SETTINGS_REASON_MAX, "%.300s:%u: %s", parser->file, parser->line, text);
}

static int on_assignment(void *userdata, const char *section, const char *name, const char *value) {
        Parser *parser = userdata;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
                        continue;
                if (keys[i].set(value, (uint8_t *) parser->settings + keys[i].offset) < 0)
                        set_error(parser, "bad value of this key: ", name);
                return 1;
        }
        set_error(parser, "unknown key: ", name);
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
                set_error(parser, "line too long", "");
                n = 0;
        }
        memcpy(line, parser->rest, n);
        line[n] = '\0';
        parser->rest = *end ? end + 1 : end;
        return line;
}

static int parse(Parser *parser, const char *path) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        parser->file = path;
        r = file_read(AT_FDCWD, path, FILE_SIZE_MAX, &text, &size);
        if (r < 0) {
                snprintf(parser->reason, SETTINGS_REASON_MAX, "%.300s: %s", path, strerror(-r));
                return r;
        }
        parser->rest = text;
        if (strlen(text) != size)
                set_error(parser, "NUL byte in the file", "");
        ini_allow_multiline = false;
        ini_allow_inline_comments = false;
        ini_use_stack = false;
        ini_max_line = LINE_MAX_;
        ini_initial_alloc = LINE_MAX_;
        r = ini_parse_stream(next_line, parser, on_assignment, parser);
        if (r > 0) {
                parser->line = (unsigned) r;
                set_error(parser, "neither a [Section] nor Key=value", "");
        }
        return parser->error;
}

int settings_load(const char *path, Settings **ret, char reason[static SETTINGS_REASON_MAX]) {
        _cleanup_(settings_freep) Settings *settings = calloc(1, sizeof(*settings));
        Parser parser = { .settings = settings, .reason = reason };
        int r = 0;

        snprintf(reason, SETTINGS_REASON_MAX, "out of memory");
        if (!settings)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++)
                r = keys[i].set(keys[i].value, (uint8_t *) settings + keys[i].offset);
        if (r >= 0)
                r = parse(&parser, path ? path : SETTINGS_FILE);
        if (r < 0)
                return r;
        reason[0] = '\0';
        *ret = TAKE_PTR(settings);
        return 0;
}

Settings *settings_free(Settings *settings) {
        if (!settings)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                void *field = (uint8_t *) settings + keys[i].offset;

                if (keys[i].set == set_words || keys[i].set == set_accept || keys[i].set == set_key_types)
                        words_clear(field);
                else if (keys[i].set == set_string || keys[i].set == set_path || keys[i].set == set_store)
                        free(*(char **) field);
        }
        if (settings->policy.has_pattern)
                regfree(&settings->policy.pattern);
        free(settings->policy.identifier);
        free(settings);
        return NULL;
}

bool words_have(const Words *words, const char *word) {
        for (unsigned i = 0; i < words->n; i++)
                if (strcmp(words->items[i], word) == 0)
                        return true;
        return false;
}

static bool network_has(const Network *network, const uint8_t address[static 16]) {
        unsigned bytes = network->bits / 8, rest = network->bits % 8;

        if (memcmp(network->address, address, bytes) != 0)
                return false;
        return rest == 0 || ((network->address[bytes] ^ address[bytes]) >> (8 - rest)) == 0;
}

bool networks_have(const Networks *networks, const uint8_t address[static 16]) {
        for (unsigned i = 0; i < networks->n; i++)
                if (network_has(networks->items + i, address))
                        return true;
        return false;
}
