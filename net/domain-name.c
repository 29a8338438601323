/* SPDX-License-Identifier: Apache-2.0 */
#include "net/domain-name.h"

#include <errno.h>
#include <string.h>

#define LABEL_MAX 63

static bool is_host_character(uint8_t c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                        c == '_';
}

int domain_name_parse(Cursor *cursor, char ret[static DOMAIN_NAME_MAX]) {
        char name[DOMAIN_NAME_MAX];
        Cursor rest = *cursor;
        size_t size = 0;
        uint8_t n;

        for (;;) {
                const uint8_t *label;

                if (cursor_u8(&rest, &n) < 0 || n > LABEL_MAX || cursor_take(&rest, n, &label) < 0)
                        return -EBADMSG;
                if (n == 0)
                        break;
                if (size + n + 1 > sizeof(name))
                        return -EBADMSG;
                for (uint8_t i = 0; i < n; i++) {
                        if (!is_host_character(label[i]))
                                return -EBADMSG;
                        name[size++] = (char) label[i];
                }
                name[size++] = '.';
        }
        *cursor = rest;
        if (size == 0)
                return -ENODATA;
        name[size - 1] = '\0';
        memcpy(ret, name, size);
        return 0;
}

bool domain_name_is_valid(const char *name) {
        size_t label = 0, size = strlen(name);

        if (size > 0 && name[size - 1] == '.')
                size--;
        if (size == 0 || size >= DOMAIN_NAME_MAX)
                return false;
        for (size_t i = 0; i < size; i++) {
                if (name[i] == '.') {
                        if (label == 0)
                                return false;
                        label = 0;
                } else if (!is_host_character((uint8_t) name[i]) || ++label > LABEL_MAX)
                        return false;
        }
        return label > 0;
}

void domain_name_append(Buffer *buffer, const char *name) {
        bool partial = !strchr(name, '.');

        while (*name) {
                size_t n = strcspn(name, ".");

                buffer_append_u8(buffer, (uint8_t) n);
                buffer_append(buffer, name, n);
                name += n + (name[n] == '.');
        }
        if (!partial)
                buffer_append_u8(buffer, 0);
}
