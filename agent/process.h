/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs a program of the vendor's: no shell, a clean environment, a time limit, its output line by line. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ProcessConfig {
        char *const *arguments;   /* arguments[0] is the absolute path of the program */
        char *const *environment; /* all of it */
        int fd_stdin;             /* or -1 for /dev/null */
        uint64_t timeout_usec;
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
