/* SPDX-License-Identifier: Apache-2.0 */

/* sdictl(1): what a person on the device can see and do. */

#include "agent/sdictl.h"

#include "agent/log.h"
#include "base/cleanup.h"
#include "base/secrecy.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

DEFINE_CLEANUP(Config, config_free)

typedef struct Command {
        const char *name;
        int (*run)(const Config *config, int argc, char **argv);
        bool needs_config; /* the others work, and tell what is wrong, when sdi.conf cannot be read */
        bool secret;       /* it has a configuration, or what the TPM says, in its memory */
        const char *usage, *about;
} Command;

static const Command commands[] = {
        { "status", sdictl_status, false, false, "status [--json] [--watch]",
                        "what the agent is doing, and why not more" },
        { "retry", sdictl_retry, false, false, "retry", "try again now" },
        { "load", sdictl_load, true, true, "load [--replace|--merge] FILE|-",
                        "install a configuration from a file" },
        { "identity", sdictl_identity, true, false, "identity [--json] [--save]",
                        "serial number and other names" },
        { "prepare", sdictl_prepare, true, false, "prepare", "what root does before the agent starts" },
        { "key", sdictl_key, true, true, "key list|create|show|certificate|request|remove",
                        "the keys in the TPM" },
        { "factory-reset", sdictl_factory_reset, true, true, "factory-reset [--yes] [--no-reboot]",
                        "make it a new device again, but for its key" },
};

static const char *command_name = "";

int sdictl_fail(int status, const char *format, ...) {
        va_list arguments;

        fprintf(stderr, "sdictl%s%s: ", *command_name ? " " : "", command_name);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        return status;
}

static void help(FILE *stream) {
        fprintf(stream, "sdictl [--config=FILE] COMMAND\n\nSecure Device Install (RFC 8886) on this device.\n\n");
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                fprintf(stream, "  %-50s %s\n", commands[i].usage, commands[i].about);
        fprintf(stream, "\nsdictl --help, sdictl --version; sdictl(1)\n");
}

static void on_config_warning(const char *line) {
        fprintf(stderr, "sdictl: %s\n", line);
}

static const Command *find_command(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (strcmp(commands[i].name, name) == 0)
                        return commands + i;
        return NULL;
}

static int run(const char *config_file, int argc, char **argv) {
        _cleanup_(config_freep) Config *config = NULL;
        const Command *command = find_command(argv[0]);
        char reason[256];
        int r;

        if (!command)
                return sdictl_fail(EX_USAGE, "unknown command \"%s\"; sdictl --help lists them", argv[0]);
        command_name = command->name;
        if (command->needs_config && config_load(&config, config_file, on_config_warning, reason) < 0)
                return sdictl_fail(EX_CONFIG, "%s", reason);
        r = command->secret ? secrecy_begin() : 0;
        if (r < 0)
                return sdictl_fail(EX_OSERR, "core dumps cannot be switched off: %s", strerror(-r));
        return command->run(config, argc, argv);
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                { NULL, 0, NULL, 0 },
        };
        const char *config_file = NULL;
        int c;

        log_open("sdictl", LOG_INFO);
        /* "+": options behind the command are the command's. */
        while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0)
                switch (c) {
                case 'c':
                        config_file = optarg;
                        break;
                case 'h':
                        help(stdout);
                        return EXIT_SUCCESS;
                case 'v':
                        printf("sdictl %s\n", SDI_VERSION);
                        return EXIT_SUCCESS;
                default:
                        return EX_USAGE;
                }
        if (optind == argc) {
                help(stderr);
                return EX_USAGE;
        }
        argc -= optind;
        argv += optind;
        optind = 0; /* getopt_long() starts over for the command */
        return run(config_file, argc, argv);
}
