/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/identity-source.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define IDENTITY_SIZE_MAX (64 * 1024)

static void on_skip(const char *line) {
        fprintf(stderr, "sdictl identity: %s\n", line);
}

static void print(const Identity *identity) {
        char duid[2 * IDENTITY_DUID_SIZE + 1];

        printf("Serial number: %s%s%s%s\n", identity->serial[0] ? identity->serial : "none found",
                        identity->serial[0] ? " (" : "", identity->source, identity->serial[0] ? ")" : "");
        printf("UUID:          %s\n", identity->uuid[0] ? identity->uuid : "-");
        printf("Platform:      %s\n", identity->platform[0] ? identity->platform : "-");
        printf("DHCP DUID:     %s\n",
                        identity->has_duid ? text_hex(duid, identity->duid, sizeof(identity->duid))
                                           : "of each port's address");
}

/* No serial number is a result, too; the agent goes on with the names that need none. */
static int read_identity(const Config *config, Identity *ret, char **ret_text) {
        int r;

        r = identity_read(config, "/", on_skip, ret);
        if (r < 0 && r != -ENODATA)
                return r;
        return identity_to_json(ret, ret_text);
}

int sdictl_save_identity(const Config *config) {
        _cleanup_free_ char *text = NULL;
        Identity identity;
        char path[PATH_MAX];
        int r;

        r = read_identity(config, &identity, &text);
        if (r < 0)
                return sdictl_fail(EX_OSERR, "%s", strerror(-r));
        config_runtime_path(path, sizeof(path), "identity.json");
        r = file_replace(path, text, strlen(text), 0644, 0);
        return r < 0 ? sdictl_fail(EX_CANTCREAT, "%s: %s", path, strerror(-r)) : EXIT_SUCCESS;
}

int sdictl_saved_identity(Identity *ret) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        size_t n;
        int r;

        config_runtime_path(path, sizeof(path), "identity.json");
        r = file_read_foreign(AT_FDCWD, path, 0, 0, IDENTITY_SIZE_MAX, &text, &n);
        if (r >= 0)
                r = identity_from_json(text, n, ret);
        if (r < 0)
                return sdictl_fail(EX_NOINPUT, "%s: %s", path, file_trouble(r));
        return EXIT_SUCCESS;
}

int sdictl_identity(const Config *config, int argc, char **argv) {
        static const struct option options[] = {
                { "json", no_argument, NULL, 'j' },
                { "save", no_argument, NULL, 's' },
                { NULL, 0, NULL, 0 },
        };
        _cleanup_free_ char *text = NULL;
        bool as_json = false, save = false;
        Identity identity;
        int c, r;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == '?')
                        return EX_USAGE;
                as_json = as_json || c == 'j';
                save = save || c == 's';
        }
        if (optind < argc)
                return sdictl_fail(EX_USAGE, "unexpected argument \"%s\"", argv[optind]);
        if (save)
                return sdictl_save_identity(config);

        r = read_identity(config, &identity, &text);
        if (r < 0)
                return sdictl_fail(EX_OSERR, "%s", strerror(-r));
        if (as_json)
                puts(text);
        else
                print(&identity);
        return identity.serial[0] ? EXIT_SUCCESS : EX_UNAVAILABLE;
}
