/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
        OPTION_CONFIG = 256,
        OPTION_DEBUG,
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_OWN,
};

static void help(const char *program, const char *about, const char *own, const char *own_help) {
        printf("%s [OPTION...]\n\n%s\n\n"
               "  --config=FILE   read FILE and no other configuration\n"
               "  --debug         log more\n",
                        program, about);
        if (own)
                printf("  --%-13s %s\n", own, own_help);
        printf("  --help          show this\n"
               "  --version       show the version\n");
}

Options options_parse(int argc, char **argv, const char *about, const char *own, const char *own_help) {
        const struct option known[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "debug", no_argument, NULL, OPTION_DEBUG },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                { own, no_argument, NULL, OPTION_OWN },
                { NULL, 0, NULL, 0 },
        };
        Options options = { 0 };
        int c;

        while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIG:
                        options.config = optarg;
                        break;
                case OPTION_DEBUG:
                        options.debug = true;
                        break;
                case OPTION_OWN:
                        options.own = true;
                        break;
                case OPTION_HELP:
                        help(program_invocation_short_name, about, own, own_help);
                        exit(EXIT_SUCCESS);
                case OPTION_VERSION:
                        printf("%s %s\n", program_invocation_short_name, SDI_VERSION);
                        exit(EXIT_SUCCESS);
                default: /* getopt_long() has said what it does not know */
                        exit(EX_USAGE);
                }
        if (optind < argc) {
                fprintf(stderr, "%s: unexpected argument \"%s\"\n", program_invocation_short_name,
                                argv[optind]);
                exit(EX_USAGE);
        }
        return options;
}
