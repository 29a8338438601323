/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/sdictl-timeline.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sysexits.h>

#define FILE_SIZE_MAX (16 * 1024 * 1024)
#define CLEAR "\033[H\033[2J"

typedef const char *(*path_t)(char *path, size_t size, const char *name);

/*
 * The file may be anything, as its writer is trusted less than we are. It belongs to root or to the owner of its
 * folder, which root has made. Both files are written as a whole.
 */
static int read_json(const char *folder, const char *name, json_t **ret) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        json_auto_t *object = NULL;
        struct stat st;
        size_t n;
        int r;

        fd = file_open(AT_FDCWD, folder, 0, FILE_FOLDER | FILE_ANYBODYS);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        r = file_read_foreign(fd, name, st.st_uid, 0, FILE_SIZE_MAX, &text, &n);
        if (r < 0)
                return r;
        object = json_loadb(text, n, 0, NULL);
        if (!json_is_object(object))
                return -EBADMSG;
        *ret = TAKE_PTR(object);
        return 0;
}

/* 0; -ENOENT when the file is not there; another error after it has been told. */
static int read_status(path_t folder, const char *name, json_t **ret) {
        char path[PATH_MAX];
        int r = read_json(folder(path, sizeof(path), ""), name, ret);

        if (r < 0 && r != -ENOENT)
                sdictl_fail(EX_UNAVAILABLE, "%s: %s", folder(path, sizeof(path), name),
                                r == -EBADMSG ? "no JSON object" : file_trouble(r));
        return r;
}

/* For a terminal: whatever the agent was told by the network or has been made to write. */
static int escape_all(json_t *value) {
        const char *key;
        json_t *member;
        void *next;
        size_t i;
        int r = 0;

        if (json_is_string(value)) {
                size_t size = 4 * json_string_length(value) + sizeof("...");
                _cleanup_free_ char *text = malloc(size);

                if (!text)
                        return -ENOMEM;
                text_escape_again(text, size, json_string_value(value), json_string_length(value));
                return json_string_set(value, text);
        }
        json_array_foreach(value, i, member) r = MIN(r, escape_all(member));
        json_object_foreach_safe(value, next, key, member) r = MIN(r, escape_all(member));
        return r;
}

static const char *text_of(const json_t *value) {
        return json_is_string(value) ? json_string_value(value) : "-";
}

static const char *get(const json_t *object, const char *name) {
        return text_of(json_object_get(object, name));
}

static bool has(const json_t *object, const char *name) {
        return json_is_string(json_object_get(object, name));
}

/* Marks what root's programs know from sdi-agent and sdi-unwrap alone. */
static const char *mark(const json_t *object, const char *name) {
        json_t *claim;
        size_t i;

        json_array_foreach(json_object_get(object, "claims"), i, claim) if (json_is_string(claim) &&
                        strcmp(json_string_value(claim), name) == 0) return " (claimed)";
        return "";
}

static void print_provisioned(const json_t *object) {
        printf("State:       provisioned since %s\n", get(object, "time"));
        printf("From:        %s%s%s%s\n", get(object, "origin"), has(object, "interface") ? " on " : "",
                        has(object, "interface") ? get(object, "interface") : "", mark(object, "origin"));
        printf("SHA-256:     %s%s\n", get(object, "sha256"), mark(object, "sha256"));
        printf("Encrypted:   %s%s\n", json_is_true(json_object_get(object, "encrypted")) ? "yes" : "no",
                        mark(object, "encrypted"));
        if (has(object, "key"))
                printf("Key:         %s%s\n", get(object, "key"), mark(object, "key"));
}

static void print_lease(const json_t *lease) {
        static const char *const names[] = { "option_150", "option_66", "siaddr", "sname", "option_67",
                "file" };

        printf("      lease   %s from %s, for %lld s\n", get(lease, "address"), get(lease, "server"),
                        (long long) json_integer_value(json_object_get(lease, "lifetime")));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const json_t *value = json_object_get(lease, names[i]);
                size_t j;
                json_t *address;

                if (json_is_string(value))
                        printf("      %-10s  %s\n", names[i], text_of(value));
                json_array_foreach((json_t *) value, j, address)
                                printf("      %-10s  %s\n", names[i], text_of(address));
        }
}

static void print_list(const char *name, const json_t *list) {
        json_t *value;
        size_t i;

        json_array_foreach((json_t *) list, i, value) printf("      %-10s  %s\n", name, text_of(value));
}

static void print_lease6(const json_t *lease) {
        static const char *const names[] = { "option_59", "option_60", "vendor_file" };

        print_list("lease6", json_object_get(lease, "addresses"));
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (has(lease, names[i]))
                        printf("      %-10s  %s\n", names[i], get(lease, names[i]));
}

static void print_network6(const json_t *network) {
        json_t *address;
        size_t i;

        json_array_foreach(json_object_get(network, "addresses"), i, address)
                        printf("      address     %s (%s)\n", get(address, "address"), get(address, "from"));
        print_list("router", json_object_get(network, "routers"));
}

static void print_transfer(const json_t *transfer) {
        long long bytes = json_integer_value(json_object_get(transfer, "bytes"));
        long long size = json_integer_value(json_object_get(transfer, "size"));

        if (size > 0)
                printf("      fetching  %lld of %lld bytes\n", bytes, size);
        else
                printf("      fetching  %lld bytes\n", bytes);
}

static void print_port(const json_t *port) {
        const json_t *lease = json_object_get(port, "lease"), *transfer = json_object_get(port, "transfer");
        const json_t *lease6 = json_object_get(port, "lease6"), *network = json_object_get(port, "ipv6");
        json_t *try;
        size_t i;

        printf("\n%-5s %s  %s, DHCP %s, DHCPv6 %s\n", get(port, "name"), get(port, "mac"),
                        json_is_true(json_object_get(port, "carrier")) ? "carrier" : "no carrier",
                        get(port, "dhcp4"), get(port, "dhcp6"));
        if (json_is_object(lease))
                print_lease(lease);
        if (json_is_object(network))
                print_network6(network);
        if (json_is_object(lease6))
                print_lease6(lease6);
        if (json_is_object(transfer))
                print_transfer(transfer);
        json_array_foreach(json_object_get(port, "tried"), i, try) printf(
                        "      tried   %s %s: %s\n", get(try, "time"), get(try, "url"), get(try, "result"));
}

static void print_status(const json_t *status) {
        json_t *port;
        size_t i;

        printf("State:        %s\n", get(status, "state"));
        if (has(status, "reason"))
                printf("Reason:       %s\n", get(status, "reason"));
        printf("Serial:       %s\n", get(status, "serial"));
        if (has(status, "next_attempt"))
                printf("Next attempt: %s (now %s)\n", get(status, "next_attempt"), get(status, "time"));
        json_array_foreach(json_object_get(status, "ports"), i, port) print_port(port);
}

/* What is to be shown: what the device was provisioned with, if it was; else what the agent says. */
static int print(bool as_json, bool *ret_provisioned) {
        json_auto_t *provisioned = NULL, *status = NULL, *timeline = NULL;
        json_t *shown;
        int r;

        r = read_status(config_state_path, "provisioned", &provisioned);
        *ret_provisioned = provisioned;
        if (r == -ENOENT) {
                r = read_status(config_agent_path, "status.json", &status);
                if (r == -ENOENT)
                        sdictl_fail(EX_UNAVAILABLE,
                                        "not provisioned, and sdi-agent has not run since the boot");
        }
        if (r < 0)
                return EX_UNAVAILABLE;
        shown = provisioned ? provisioned : status;
        timeline = sdictl_timeline();
        if (as_json) {
                if (provisioned)
                        json_object_set_new(provisioned, "state", json_string("provisioned"));
                json_object_set(shown, "timeline", timeline);
                json_dumpf(shown, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
                putchar('\n');
        } else {
                if (escape_all(shown) < 0)
                        return sdictl_fail(EX_OSERR, "out of memory");
                if (provisioned)
                        print_provisioned(provisioned);
                else
                        print_status(status);
                sdictl_print_timeline(timeline);
        }
        fflush(stdout);
        return EXIT_SUCCESS;
}

/* Shows the status again whenever its file, or `provisioned`, has been replaced. */
static int watch(bool as_json) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC);
        bool provisioned = false, terminal = isatty(STDOUT_FILENO);
        char path[PATH_MAX], events[4096];

        if (fd < 0 || inotify_add_watch(fd, config_agent_path(path, sizeof(path), "."), IN_MOVED_TO) < 0)
                return sdictl_fail(EX_OSERR, "cannot watch the status: %s", strerror(errno));
        /* The state folder may not be there before the first provisioning. */
        (void) inotify_add_watch(fd, config_state_path(path, sizeof(path), "."), IN_MOVED_TO);
        for (;;) {
                if (terminal)
                        fputs(CLEAR, stdout);
                (void) print(as_json, &provisioned);
                if (provisioned)
                        return EXIT_SUCCESS;
                if (read(fd, events, sizeof(events)) < 0 && errno != EINTR)
                        return sdictl_fail(EX_OSERR, "cannot watch the status: %s", strerror(errno));
        }
}

int sdictl_status(const Config *config, int argc, char **argv) {
        static const struct option options[] = {
                { "json", no_argument, NULL, 'j' },
                { "watch", no_argument, NULL, 'w' },
                { NULL, 0, NULL, 0 },
        };
        bool as_json = false, watching = false, provisioned;
        int c;

        (void) config;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == '?')
                        return EX_USAGE;
                as_json = as_json || c == 'j';
                watching = watching || c == 'w';
        }
        if (optind < argc)
                return sdictl_fail(EX_USAGE, "unexpected argument \"%s\"", argv[optind]);
        return watching ? watch(as_json) : print(as_json, &provisioned);
}

int sdictl_retry(const Config *config, int argc, char **argv) {
        (void) config;
        (void) argv;
        if (argc != 1)
                return sdictl_fail(EX_USAGE, "takes no arguments");
        execlp("systemctl", "systemctl", "reload", "sdi-agent.service", (char *) NULL);
        return sdictl_fail(EX_OSERR, "systemctl: %s", strerror(errno));
}
