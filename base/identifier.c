/* SPDX-License-Identifier: Apache-2.0 */
#include "base/identifier.h"

#include <errno.h>
#include <string.h>

static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool identifier_is_valid(const char *text, size_t n) {
        if (n < 1 || n > IDENTIFIER_MAX || !is_word(text[0]))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!is_word(text[i]) && text[i] != '.' && text[i] != '-')
                        return false;
        return true;
}

int identifier_parse(const char *text, size_t n, char ret[static IDENTIFIER_MAX + 1]) {
        if (!identifier_is_valid(text, n))
                return -EINVAL;
        memcpy(ret, text, n);
        ret[n] = '\0';
        return 0;
}
