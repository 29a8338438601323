/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A factory reset: all that an owner has put on the device goes, and the device itself, its key and its enrolment, stays. A file
 * says that it has begun. Each step can be repeated, and the file goes last: a reset that was interrupted is ended by the next one,
 * which sdi-factory-reset-finish.service does at the next boot.
 *
 * The loader needs all that root can do. To read what a TPM answers takes little of it. So the units have a sandbox,
 * and have a unit of its own run the loader, without the TPM. By hand, and where there is no systemd, one process does
 * it all.
 */

#include "agent/sdictl.h"

#include "agent/keyring.h"
#include "agent/loader.h"
#include "agent/log.h"
#include "agent/process.h"
#include "agent/provisioned.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LOADER_UNIT "sdi-loader-reset.service"

typedef enum LoaderPart {
        LOADER_HERE, /* as all else, in this process */
        LOADER_BY_UNIT,
        LOADER_ONLY,
} LoaderPart;

typedef struct Options {
        bool yes, no_reboot;
        LoaderPart loader;
} Options;

static int fail_file(const char *path, int error) {
        return sdictl_fail(error == -EACCES || error == -EPERM ? EX_NOPERM : EX_CANTCREAT, "%s: %s", path,
                        strerror(-error));
}

static int begin(void) {
        char path[PATH_MAX];
        int r;

        r = file_replace(
                        config_state_path(path, sizeof(path), PROVISIONED_RESET), "", 0, 0644, FILE_DURABLE);
        if (r == -ENOENT)
                return sdictl_fail(EX_CANTCREAT, "%s: the folder is not there", path);
        return r < 0 ? fail_file(path, r) : 0;
}

static int reset_loader(const Config *config) {
        char reason[HANDOVER_REASON_MAX];

        return loader_reset(config, reason) < 0 ? sdictl_fail(EX_TEMPFAIL, "%s", reason) : 0;
}

static void on_line(const char *line, size_t n, void *userdata) {
        char text[4 * PROCESS_LINE_MAX];

        (void) userdata;
        log_info("systemctl: %s", text_escape(text, sizeof(text), line, n));
}

/* The unit ends when the loader does, whose time is limited. */
static int reset_loader_by_unit(const Config *config) {
        int r = process_run(&(ProcessConfig){
                        .arguments = (char *[]){ (char *) "/usr/bin/systemctl", (char *) "start",
                                        (char *) LOADER_UNIT, NULL },
                        .environment = (char *[]){ (char *) "LANG=C.UTF-8", NULL },
                        .fd_stdin = -1,
                        .timeout_usec = time_add(config->commit_timeout_usec, USEC_PER_MINUTE),
                        .on_line = on_line,
        });

        return r == 0 ? 0
                      : sdictl_fail(EX_TEMPFAIL,
                                        "the loader has not reset the device; `journalctl --unit=" LOADER_UNIT
                                        "` says why");
}

/* A device without a TPM has no operator's key either. */
static int remove_operator(const Config *config) {
        char reason[TPM_REASON_MAX], path[PATH_MAX];
        int r;

        r = keyring_remove(config, KEYRING_OPERATOR, reason);
        if (r >= 0 || r == -ENOENT ||
                        (r == -ENODEV && access(keyring_where(config, KEYRING_OPERATOR, path), F_OK) < 0))
                return 0;
        return sdictl_fail(EX_TEMPFAIL, "the operator's key cannot be removed: %s", reason);
}

static int remove_state(const char *path) {
        int r = file_remove(path);

        return r < 0 && r != -ENOENT ? fail_file(path, r) : 0;
}

/* In the agent's folder there may be anything under this name: that must not leave a device half reset. */
static void remove_status(void) {
        char path[PATH_MAX];
        int r = file_remove(config_agent_path(path, sizeof(path), "status.json"));

        if (r < 0 && r != -ENOENT)
                log_warning("%s: %s; it stays until the next boot", path, file_trouble(r));
}

static int reset(const Config *config, LoaderPart loader) {
        char path[PATH_MAX];
        int r;

        r = begin();
        if (r == 0)
                r = loader == LOADER_BY_UNIT ? reset_loader_by_unit(config) : reset_loader(config);
        if (r == 0)
                r = remove_operator(config);
        if (r == 0)
                remove_status();
        if (r == 0)
                r = remove_state(config_state_path(path, sizeof(path), "provisioned"));
        if (r == 0)
                r = remove_state(config_state_path(path, sizeof(path), PROVISIONED_RESET));
        return r;
}

/* In the unit, for whoever resets the device: he has the lock. */
static int only_loader(const Config *config) {
        return provisioned_is_reset() ? reset_loader(config)
                                      : sdictl_fail(EX_USAGE, "no factory reset has begun");
}

/* 0 when it is meant. */
static int confirm(void) {
        char answer[8];

        if (!isatty(STDIN_FILENO))
                return sdictl_fail(EX_USAGE,
                                "the configuration and the operator's key are removed; if that is meant, say --yes");
        fputs("The configuration of this device and the operator's key are removed. Type \"yes\" if that is meant: ",
                        stdout);
        fflush(stdout);
        if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "yes\n") != 0)
                return sdictl_fail(EX_USAGE, "not confirmed, nothing was changed");
        return 0;
}

static int parse(int argc, char **argv, Options *ret) {
        static const struct option options[] = {
                { "yes", no_argument, NULL, 'y' },
                { "no-reboot", no_argument, NULL, 'n' },
                { "loader", required_argument, NULL, 'l' },
                { NULL, 0, NULL, 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'y':
                        ret->yes = true;
                        break;
                case 'n':
                        ret->no_reboot = true;
                        break;
                case 'l':
                        if (strcmp(optarg, "unit") != 0 && strcmp(optarg, "only") != 0)
                                return sdictl_fail(EX_USAGE, "\"%s\" is neither unit nor only", optarg);
                        ret->loader = optarg[0] == 'u' ? LOADER_BY_UNIT : LOADER_ONLY;
                        break;
                default:
                        return EX_USAGE;
                }
        return optind < argc ? sdictl_fail(EX_USAGE, "unexpected argument \"%s\"", argv[optind]) : 0;
}

int sdictl_factory_reset(const Config *config, int argc, char **argv) {
        _cleanup_close_ int fd_lock = -1;
        Options options = { 0 };
        int r;

        r = parse(argc, argv, &options);
        if (r == 0 && options.loader == LOADER_ONLY)
                return only_loader(config);
        if (r == 0 && !options.yes)
                r = confirm();
        if (r != 0)
                return r;
        r = sdictl_lock(&fd_lock);
        if (r == 0)
                r = reset(config, options.loader);
        if (r != 0)
                return r;
        log_info("This device has been reset");
        if (options.no_reboot)
                return EXIT_SUCCESS;
        execlp("systemctl", "systemctl", "reboot", NULL);
        return sdictl_fail(EX_OSERR, "reset, but it cannot be rebooted: systemctl: %s", strerror(errno));
}
