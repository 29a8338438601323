/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ownership in C: a variable marked _cleanup_(f) is freed by f when it leaves its scope, unless TAKE_PTR() or
 * TAKE_FD() has moved what it owns to somebody else. A constructor ends with `*ret = TAKE_PTR(x); return 0;`.
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

/* Each argument is evaluated once: it may be a call that does something. `n` makes the names differ in one another. */
#define _PICK_NAMED(a, op, b, n)                \
        ({                                      \
                __auto_type _a##n = (a);        \
                __auto_type _b##n = (b);        \
                _a##n op _b##n ? _a##n : _b##n; \
        })
#define _PICK(a, op, b, n) _PICK_NAMED(a, op, b, n)
#define MIN(a, b) _PICK(a, <, b, __COUNTER__)
#define MAX(a, b) _PICK(a, >, b, __COUNTER__)

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(text, first) __attribute__((format(printf, text, first)))
#define _unused_ __attribute__((unused))

#define TAKE_PTR(pointer)                               \
        ({                                              \
                __typeof__(pointer) _taken = (pointer); \
                (pointer) = NULL;                       \
                _taken;                                 \
        })

#define TAKE_FD(fd)                   \
        ({                            \
                int _taken_fd = (fd); \
                (fd) = -1;            \
                _taken_fd;            \
        })

/* Defines `type_freep(type **)` for use with _cleanup_(); f takes a pointer and accepts NULL. */
#define DEFINE_CLEANUP(type, f)                   \
        static inline void f##p(type **pointer) { \
                if (*pointer)                     \
                        f(*pointer);              \
        }

static inline void cleanup_free(void *pointer) {
        free(*(void **) pointer);
}

static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

static inline void cleanup_fclose(FILE **file) {
        if (*file)
                fclose(*file);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)
