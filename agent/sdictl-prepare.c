/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/process.h"
#include "base/text.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define COMMAND_TIMEOUT (2 * USEC_PER_MINUTE)

static void on_line(const char *line, size_t n, void *userdata) {
        char text[4 * PROCESS_LINE_MAX];

        (void) userdata;
        fprintf(stderr, "%s\n", text_escape(text, sizeof(text), line, n));
}

static int run_command(char *const *arguments) {
        int r;

        r = process_run(&(ProcessConfig){
                        .arguments = arguments,
                        .environment = (char *[]){ (char *) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL },
                        .fd_stdin = -1,
                        .timeout_usec = COMMAND_TIMEOUT,
                        .on_line = on_line,
        });
        if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s: %s", arguments[0], strerror(-r));
        if (r > 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s: ended with status %d", arguments[0], r);
        return EX_OK;
}

int sdictl_prepare(const Config *config, int argc, char **argv) {
        char *const *command = config->prepare_command.items;
        int status = EX_OK, r;

        if (argc > 1)
                return sdictl_fail(EX_USAGE, "unexpected argument \"%s\"", argv[1]);
        if (command[0])
                status = run_command(command);
        r = sdictl_save_identity(
                        config); /* in any case: a port that could not be prepared may not be the one */
        return status != EX_OK ? status : r;
}
