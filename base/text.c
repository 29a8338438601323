/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const char hex_digits[] = "0123456789abcdef";

static const char *escape(char *text, size_t size, const void *data, size_t n, bool backslash) {
        const uint8_t *p = data;
        size_t used = 0;

        assert(size >= sizeof("..."));
        for (size_t i = 0; i < n; i++) {
                bool plain = p[i] >= 0x20 && p[i] < 0x7f && (p[i] != '\\' || !backslash);

                if (size - used < (plain ? 1 : 4) + sizeof("...")) {
                        memcpy(text + used, "...", 3);
                        used += 3;
                        break;
                }
                if (plain)
                        text[used++] = (char) p[i];
                else {
                        text[used++] = '\\';
                        text[used++] = 'x';
                        text[used++] = hex_digits[p[i] >> 4];
                        text[used++] = hex_digits[p[i] & 0xf];
                }
        }
        text[used] = '\0';
        return text;
}

const char *text_escape(char *text, size_t size, const void *data, size_t n) {
        return escape(text, size, data, n, true);
}

const char *text_escape_again(char *text, size_t size, const void *data, size_t n) {
        return escape(text, size, data, n, false);
}

const char *text_hex(char *text, const void *data, size_t n) {
        const uint8_t *p = data;

        for (size_t i = 0; i < n; i++) {
                text[2 * i] = hex_digits[p[i] >> 4];
                text[2 * i + 1] = hex_digits[p[i] & 0xf];
        }
        text[2 * n] = '\0';
        return text;
}

int text_parse_hex_digit(char digit) {
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'a' && digit <= 'f')
                return digit - 'a' + 10;
        return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -EINVAL;
}

bool text_is_graphic(const char *text) {
        for (const char *p = text; *p; p++)
                if (*p <= 0x20 || *p >= 0x7f)
                        return false;
        return true;
}

int text_copy(char *text, size_t size, const char *source) {
        size_t n = strlen(source);

        if (n >= size)
                return -E2BIG;
        memcpy(text, source, n + 1);
        return 0;
}

int text_parse_u64(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (!*text)
                return -EINVAL;
        for (const char *p = text; *p; p++) {
                if (*p < '0' || *p > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(value, 10, &value) ||
                                __builtin_add_overflow(value, (uint64_t) (*p - '0'), &value))
                        return -ERANGE;
        }
        if (value > max)
                return -ERANGE;
        *ret = value;
        return 0;
}

int text_parse_boolean(const char *text, bool *ret) {
        static const char *const yes[] = { "yes", "true", "on", "1" },
                                 *const no[] = { "no", "false", "off", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                if (strcasecmp(text, yes[i]) == 0) {
                        *ret = true;
                        return 0;
                }
                if (strcasecmp(text, no[i]) == 0) {
                        *ret = false;
                        return 0;
                }
        }
        return -EINVAL;
}
