/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t clock_usec(clockid_t clock) {
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                abort(); /* our own mistake: both clocks always exist */
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t time_now_boottime(void) {
        return clock_usec(CLOCK_BOOTTIME);
}

uint64_t time_now_realtime(void) {
        return clock_usec(CLOCK_REALTIME);
}

uint64_t time_add(uint64_t a, uint64_t b) {
        uint64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

static const struct {
        const char *name;
        uint64_t usec;
} units[] = {
        { "us", 1 },
        { "ms", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "m", USEC_PER_MINUTE },
        { "min", USEC_PER_MINUTE },
        { "h", USEC_PER_HOUR },
        { "hr", USEC_PER_HOUR },
        { "d", 24 * USEC_PER_HOUR },
        { "day", 24 * USEC_PER_HOUR },
        { "", USEC_PER_SEC },
};

static int parse_unit(const char *text, size_t n, uint64_t *ret_usec) {
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == n && memcmp(units[i].name, text, n) == 0) {
                        *ret_usec = units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

int time_parse_span(const char *text, uint64_t *ret_usec) {
        uint64_t sum = 0;
        bool any = false;

        for (const char *p = text + strspn(text, " \t"); *p; p += strspn(p, " \t")) {
                uint64_t number = 0, unit;
                size_t n;
                int r;

                if (!isdigit((unsigned char) *p))
                        return -EINVAL;
                for (; isdigit((unsigned char) *p); p++)
                        if (__builtin_mul_overflow(number, 10, &number) ||
                                        __builtin_add_overflow(number, (uint64_t) (*p - '0'), &number))
                                return -ERANGE;

                p += strspn(p, " \t");
                n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
                r = parse_unit(p, n, &unit);
                if (r < 0)
                        return r;
                p += n;

                if (__builtin_mul_overflow(number, unit, &number) ||
                                __builtin_add_overflow(sum, number, &sum) || sum == USEC_INFINITY)
                        return -ERANGE;
                any = true;
        }

        if (!any)
                return -EINVAL;
        *ret_usec = sum;
        return 0;
}

const char *time_format_span(char *text, size_t size, uint64_t usec) {
        static const struct {
                const char *name;
                uint64_t usec;
        } steps[] = {
                { "d", 24 * USEC_PER_HOUR },
                { "h", USEC_PER_HOUR },
                { "min", USEC_PER_MINUTE },
                { "s", USEC_PER_SEC },
                { "ms", USEC_PER_MSEC },
                { "us", 1 },
        };
        size_t used = 0, shown = 0;

        if (usec == USEC_INFINITY) {
                snprintf(text, size, "infinity");
                return text;
        }
        snprintf(text, size, "0s");
        for (size_t i = 0; i < ELEMENTSOF(steps) && shown < 2 && used < size; i++) {
                uint64_t n = usec / steps[i].usec;

                if (n == 0)
                        continue;
                used += (size_t) snprintf(text + used, size - used, "%s%" PRIu64 "%s", shown ? " " : "", n,
                                steps[i].name);
                usec %= steps[i].usec;
                shown++;
        }
        return text;
}

const char *time_format_utc(char *text, size_t size, uint64_t realtime_usec) {
        time_t seconds = (time_t) (realtime_usec / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                snprintf(text, size, "-");
        return text;
}
