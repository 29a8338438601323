/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs a program of the vendor's: no shell, a clean environment, a time limit, its output line by line. */

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a program may go on after it was asked to end. */
#define PROCESS_GRACE_USEC (5 * USEC_PER_SEC)

typedef struct ProcessConfig {
        char *const *arguments;   /* arguments[0] is the absolute path of the program */
        char *const *environment; /* all of it */
        int fd_stdin;             /* or -1 for /dev/null */
        uint64_t timeout_usec;
        bool kill; /* at the end of the time SIGKILL at once, instead of SIGTERM and, PROCESS_GRACE_USEC later, SIGKILL */
        /* Gets each line of standard output and standard error, without its newline; long ones come in parts. */
        void (*on_line)(const char *line, size_t n, void *userdata);
        void *userdata;
} ProcessConfig;

#define PROCESS_LINE_MAX 512

/*
 * Waits for the program. Returns its exit status; -ETIMEDOUT after it was ended for taking too long; -ECANCELED if a signal
 * ended it; or the error that kept it from starting, as of execve(2). Whatever the program left running in its session is
 * killed.
 */
int process_run(const ProcessConfig *config);
