/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* To standard error, which is the journal's under systemd: a line for each thing that an auditor asks for, and for what is wrong. */

#include "base/cleanup.h"

#include <stdbool.h>

/* Whether to write systemd's priorities before the lines (sd-daemon(3)). */
void audit_open(void);

/* accepted or refused, who, what, why. All of the texts are escaped here; each but `from` may be NULL. */
typedef struct Audit {
        bool accepted;
        const char *id;
        const char *kind, *type; /* of the submission and of its key */
        const char *fingerprint;
        const char *by;   /* the subject of the client's certificate */
        const char *from; /* its address */
        const char *why;
} Audit;

void audit_log(const Audit *audit);

void audit_error(const char *format, ...) _printf_(1, 2);
void audit_notice(const char *format, ...) _printf_(1, 2);
