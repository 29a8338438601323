/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/path.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define CERTIFICATES "/certificates/"

static const struct {
        const char *text;
        PathKind kind;
} fixed[] = {
        { "/", PATH_PAGE },
        { "/style.css", PATH_STYLE },
        { "/certificates.tar", PATH_TAR },
        { "/healthz", PATH_HEALTH },
        { "/metrics", PATH_METRICS },
        { "/.well-known/est/cacerts", PATH_EST_CACERTS },
        { "/.well-known/est/simpleenroll", PATH_EST_ENROLL },
};

static const struct {
        const char *text;
        PathKind kind;
} endings[] = {
        { ".crt", PATH_PEM },
        { ".cer", PATH_DER },
        { ".json", PATH_JSON },
};

static Path parse_certificate(const char *name, bool factory) {
        Path path = {};
        size_t n = strlen(name);

        if (factory) {
                if (identifier_parse(name, n, path.id) >= 0)
                        path.kind = PATH_ENROLL;
                return path;
        }
        for (size_t i = 0; i < ELEMENTSOF(endings); i++) {
                size_t n_ending = strlen(endings[i].text);

                if (n > n_ending && strcmp(name + n - n_ending, endings[i].text) == 0 &&
                                identifier_parse(name, n - n_ending, path.id) >= 0)
                        path.kind = endings[i].kind;
        }
        return path;
}

Path path_parse(const char *text, bool factory) {
        if (strncmp(text, CERTIFICATES, strlen(CERTIFICATES)) == 0)
                return parse_certificate(text + strlen(CERTIFICATES), factory);
        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (strcmp(text, fixed[i].text) == 0)
                        return (Path){ .kind = fixed[i].kind };
        return (Path){};
}

/* "%41" of at most n bytes. */
static int decode_percent(const char *text, size_t n, char *ret) {
        int high, low;

        if (n < 3)
                return -EBADMSG;
        high = text_parse_hex_digit(text[1]);
        low = text_parse_hex_digit(text[2]);
        if (high < 0 || low < 0)
                return -EBADMSG;
        *ret = (char) (high << 4 | low);
        return 0;
}

static int decode(const char *text, size_t n, char *ret, size_t size) {
        size_t used = 0;

        for (size_t i = 0; i < n; i++) {
                char c = text[i] == '+' ? ' ' : text[i];

                if (c == '%') {
                        if (decode_percent(text + i, n - i, &c) < 0)
                                return -EBADMSG;
                        i += 2;
                }
                if (used + 1 >= size)
                        return -E2BIG;
                ret[used++] = c ? c : '?';
        }
        ret[used] = '\0';
        return 0;
}

int form_get(const char *text, size_t n, const char *name, char *ret, size_t size) {
        size_t n_name = strlen(name);

        while (n > 0) {
                const char *end = memchr(text, '&', n);
                size_t length = end ? (size_t) (end - text) : n;

                if (length > n_name && memcmp(text, name, n_name) == 0 && text[n_name] == '=')
                        return decode(text + n_name + 1, length - n_name - 1, ret, size);
                length += end != NULL;
                text += length;
                n -= length;
        }
        return -ENOENT;
}
