/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

static bool is_padding(uint8_t byte) {
        return byte == '\0' || isspace(byte);
}

static bool is_allowed(uint8_t byte) {
        return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

/* What board makers leave where a serial number should be. Those with other characters never get this far. */
static bool is_placeholder(const char *text) {
        static const char *const placeholders[] = { "none", "unknown", "invalid", "empty", "default", "n.a.",
                "not-specified", "0123456789", "123456789" };

        if (text[strspn(text, "0")] == '\0' || text[strspn(text, "-.")] == '\0')
                return true;
        for (size_t i = 0; i < ELEMENTSOF(placeholders); i++)
                if (strcasecmp(text, placeholders[i]) == 0)
                        return true;
        return false;
}

/* "Default string", "To be filled by O.E.M.", "Not Specified", "System Serial Number": known by their words. */
static bool is_phrase(const uint8_t *p, size_t n) {
        static const char *const phrases[] = { "default string", "to be filled by o.e.m.", "not specified",
                "system serial number", "not applicable" };

        for (size_t i = 0; i < ELEMENTSOF(phrases); i++)
                if (strlen(phrases[i]) == n && strncasecmp((const char *) p, phrases[i], n) == 0)
                        return true;
        return false;
}

int identity_parse_value(char ret[static IDENTITY_TEXT_MAX + 1], const void *data, size_t n) {
        char text[IDENTITY_TEXT_MAX + 1] = "";
        const uint8_t *p = data;

        while (n > 0 && is_padding(p[0])) {
                p++;
                n--;
        }
        while (n > 0 && is_padding(p[n - 1]))
                n--;
        if (n == 0 || is_phrase(p, n))
                return -ENODATA;
        if (n > IDENTITY_TEXT_MAX)
                return -E2BIG;
        for (size_t i = 0; i < n; i++)
                if (!is_allowed(p[i]))
                        return -EBADMSG;

        memcpy(text, p, n);
        if (is_placeholder(text))
                return -ENODATA;
        /* It becomes a part of file names and of arguments. */
        if (text[0] == '.' || text[0] == '-')
                return -EBADMSG;
        strcpy(ret, text);
        return 0;
}

static json_t *string_or_null(const char *text) {
        return *text ? json_string(text) : json_null();
}

int identity_to_json(const Identity *identity, char **ret) {
        json_auto_t *object = NULL;
        char duid[2 * IDENTITY_DUID_SIZE + 1] = "";
        char *text;

        if (identity->has_duid)
                text_hex(duid, identity->duid, sizeof(identity->duid));
        object = json_pack("{s:o, s:o, s:o, s:o, s:o}", "serial", string_or_null(identity->serial), "source",
                        string_or_null(identity->source), "uuid", string_or_null(identity->uuid), "platform",
                        string_or_null(identity->platform), "duid", string_or_null(duid));
        if (!object)
                return -ENOMEM;
        text = json_dumps(object, JSON_INDENT(2));
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/* A member that is absent or null leaves the value empty. */
static int get_value(const json_t *object, const char *name, char ret[static IDENTITY_TEXT_MAX + 1]) {
        const json_t *member = json_object_get(object, name);

        if (!member || json_is_null(member))
                return 0;
        if (!json_is_string(member) ||
                        identity_parse_value(ret, json_string_value(member), json_string_length(member)) < 0)
                return -EBADMSG;
        return 0;
}

static int get_duid(const json_t *object, Identity *identity) {
        const char *text = json_string_value(json_object_get(object, "duid"));

        if (!text)
                return 0;
        if (strlen(text) != 2 * sizeof(identity->duid))
                return -EBADMSG;
        for (size_t i = 0; i < sizeof(identity->duid); i++)
                if (!isxdigit((unsigned char) text[2 * i]) ||
                                sscanf(text + 2 * i, "%2hhx", identity->duid + i) != 1)
                        return -EBADMSG;
        identity->has_duid = true;
        return 0;
}

int identity_from_json(const char *text, size_t n, Identity *ret) {
        json_auto_t *object = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        char source[IDENTITY_TEXT_MAX + 1] = "";
        Identity identity = { 0 };

        if (!json_is_object(object))
                return -EBADMSG;
        if (get_value(object, "serial", identity.serial) < 0 || get_value(object, "source", source) < 0 ||
                        get_value(object, "uuid", identity.uuid) < 0 ||
                        get_value(object, "platform", identity.platform) < 0 ||
                        get_duid(object, &identity) < 0 ||
                        text_copy(identity.source, sizeof(identity.source), source) < 0)
                return -EBADMSG;
        *ret = identity;
        return 0;
}
