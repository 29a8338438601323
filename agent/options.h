/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The command line that the daemons share: --config=FILE, --debug, --help, --version, and at most one switch of their own. */

#include <stdbool.h>

typedef struct Options {
        const char *config; /* NULL: the usual files */
        bool debug;
        bool own; /* the program's own switch was given */
} Options;

/*
 * Parses, and ends the program for --help, --version and for what cannot be understood. `own` is the name of the program's
 * own switch without the dashes, or NULL; `own_help` a line about it.
 */
Options options_parse(int argc, char **argv, const char *about, const char *own, const char *own_help);
