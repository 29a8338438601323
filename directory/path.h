/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a request asks for, by its path. Nothing is unescaped: no path of ours needs it, so that one with a "%" is none of ours. */

#include "base/identifier.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum PathKind {
        PATH_UNKNOWN,
        PATH_PAGE,        /* / */
        PATH_STYLE,       /* /style.css */
        PATH_PEM,         /* /certificates/IDENTIFIER.crt (RFC 8886, appendix A.2.1) */
        PATH_DER,         /* /certificates/IDENTIFIER.cer */
        PATH_JSON,        /* /certificates/IDENTIFIER.json */
        PATH_ENROLL,      /* /certificates/IDENTIFIER, to PUT */
        PATH_TAR,         /* /certificates.tar */
        PATH_HEALTH,      /* /healthz */
        PATH_METRICS,     /* /metrics */
        PATH_EST_CACERTS, /* /.well-known/est/cacerts (RFC 7030, section 4.1) */
        PATH_EST_ENROLL,  /* /.well-known/est/simpleenroll (section 4.2) */
} PathKind;

typedef struct Path {
        PathKind kind;
        char id[IDENTIFIER_MAX + 1]; /* of the kinds that have one, else "" */
} Path;

/* `factory` is whose side is asked: an identifier may end in ".crt", which on the public side is no part of it. */
Path path_parse(const char *text, bool factory);

/*
 * The value of `name` in what a form sends (application/x-www-form-urlencoded), decoded into `ret`, of `size` bytes with its NUL. A NUL byte becomes
 * "?". -ENOENT when there is none, -E2BIG, -EBADMSG for what is no such form.
 */
int form_get(const char *text, size_t n, const char *name, char *ret, size_t size);
