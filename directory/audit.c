/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/audit.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 256

static bool with_priorities;

void audit_open(void) {
        with_priorities = getenv("JOURNAL_STREAM") != NULL;
        setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
}

/* In quotes; what would end them is escaped as well. */
static void append(char *line, size_t size, const char *name, const char *text) {
        char escaped[TEXT_MAX];
        size_t used = strlen(line);

        if (!text || size - used < sizeof(escaped) + 16)
                return;
        text_escape(escaped, sizeof(escaped), text, strlen(text));
        for (char *p = escaped; (p = strchr(p, '"')); p++)
                *p = '\'';
        snprintf(line + used, size - used, " %s=\"%s\"", name, escaped);
}

static void write_line(char priority, const char *line) {
        if (with_priorities)
                fprintf(stderr, "<%c>%s\n", priority, line);
        else
                fprintf(stderr, "sdi-directory: %s\n", line);
}

void audit_log(const Audit *audit) {
        char line[2048] = "";

        snprintf(line, sizeof(line), "audit: %s", audit->accepted ? "accepted" : "refused");
        append(line, sizeof(line), "id", audit->id);
        append(line, sizeof(line), "kind", audit->kind);
        append(line, sizeof(line), "key", audit->type);
        append(line, sizeof(line), "fingerprint", audit->fingerprint);
        append(line, sizeof(line), "by", audit->by);
        append(line, sizeof(line), "from", audit->from);
        append(line, sizeof(line), "why", audit->why);
        write_line(audit->accepted ? '6' : '5', line);
}

void audit_error(const char *format, ...) {
        char line[1024], shown[1200];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        /* A database server may have said it. */
        write_line('3', text_escape_again(shown, sizeof(shown), line, strlen(line)));
}

void audit_notice(const char *format, ...) {
        char line[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        write_line('5', line);
}
