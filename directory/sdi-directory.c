/* SPDX-License-Identifier: Apache-2.0 */

/* The vendor's directory of certificates (RFC 8886, section 3.2). */

#include "base/file.h"
#include "base/secrecy.h"
#include "base/text.h"
#include "base/time.h"
#include "directory/archive.h"
#include "directory/audit.h"
#include "directory/directory.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#define LISTEN_FDS_START 3
#define SOCKETS_MAX 8
#define FILE_SIZE_MAX 65536
#define FDS_MIN 1024

enum {
        OPTION_CONFIG = 256,
        OPTION_HELP,
        OPTION_VERSION,
};

static const char help_text[] =
                "sdi-directory [--config=FILE] [COMMAND]\n\n"
                "The directory in which a vendor publishes the certificates of his devices (RFC 8886).\n\n"
                "  serve            on the sockets that systemd gives it; without a command\n"
                "  migrate          bring the database to the schema of this program\n"
                "  export FOLDER    write FOLDER/certificates/IDENTIFIER.crt, for any web server\n"
                "  import FOLDER    take such files in\n\n"
                "  --config=FILE    instead of " SETTINGS_FILE "\n"
                "  --help, --version\n";

/* What is open, as far as a command needs it. */
typedef struct Server {
        Settings *settings;
        Directory directory;
        char *texts[5]; /* of the certificates and keys for TLS */
        unsigned n_texts;
        EventLoop *loop;
        Listener *listeners[SOCKETS_MAX];
        unsigned n_listeners;
} Server;

static void server_done(Server *server) {
        while (server->n_listeners > 0)
                listener_free(server->listeners[--server->n_listeners]);
        if (server->loop)
                event_loop_free(server->loop);
        while (server->n_texts > 0) {
                char *text = server->texts[--server->n_texts];

                OPENSSL_cleanse(text, strlen(text));
                free(text);
        }
        throttle_free(server->directory.throttle);
        X509_STORE_free(server->directory.issuers);
        authority_free(server->directory.authority);
        store_free(server->directory.store);
        settings_free(server->settings);
}

static int open_settings(Server *server, const char *path) {
        char reason[SETTINGS_REASON_MAX];
        const Settings *settings;

        if (settings_load(path, &server->settings, reason) < 0) {
                audit_error("%s", reason);
                return EX_CONFIG;
        }
        settings = server->directory.settings = server->settings;
        openssl_start();
        if (settings->authority_certificate[0] &&
                        authority_load(settings->authority_certificate, settings->authority_key,
                                        &server->directory.authority, reason) < 0) {
                audit_error("%s", reason);
                return EX_CONFIG;
        }
        if (submission_load_issuers(&settings->policy, &server->directory.issuers, reason) < 0) {
                audit_error("%s", reason);
                return EX_CONFIG;
        }
        return EX_OK;
}

static int open_store(Server *server, bool migrate) {
        char reason[STORE_REASON_MAX];
        int r;

        r = store_open(server->settings->store, migrate, &server->directory.store, reason);
        if (r >= 0)
                return EX_OK;
        audit_error("the store: %s", reason); /* not its URL: there may be a password in it */
        return r == -EAGAIN ? EX_TEMPFAIL : r == -ESTALE ? EX_CONFIG : EX_UNAVAILABLE;
}

/* *ret stays NULL for a path that is not set. */
static int read_text(Server *server, const char *path, const char **ret) {
        char *text;
        int r;

        if (path[0] == '\0')
                return 0;
        r = file_read(AT_FDCWD, path, FILE_SIZE_MAX, &text, NULL);
        if (r < 0) {
                audit_error("%s: %s", path, strerror(-r));
                return r;
        }
        *ret = server->texts[server->n_texts++] = text;
        return 0;
}

static int add_listener(Server *server, int fd, bool factory) {
        const Settings *settings = server->settings;
        ListenerOptions options = {
                .fd = fd,
                .connections = (unsigned) settings->connections,
                .connections_per_network = (unsigned) settings->connections_per_address,
                .timeout_usec = settings->timeout_usec,
                .factory = factory,
                .may_connect = factory ? factory_may_connect : NULL,
                .on_head = factory ? factory_on_head : public_on_head,
                .on_request = factory ? factory_on_request : public_on_request,
                .on_rest = directory_on_rest,
                .userdata = &server->directory,
        };
        int r;

        if (factory &&
                        (!settings->factory_certificate[0] || !settings->factory_key[0] ||
                                        !settings->client_ca[0])) {
                audit_error("a socket for the factory needs [Factory] Certificate=, Key= and ClientCA=");
                return -EINVAL;
        }
        r = read_text(server, factory ? settings->factory_certificate : settings->public_certificate,
                        &options.certificate);
        if (r >= 0)
                r = read_text(server, factory ? settings->factory_key : settings->public_key, &options.key);
        if (r >= 0 && factory)
                r = read_text(server, settings->client_ca, &options.client_ca);
        if (r < 0)
                return r;
        r = listener_new(server->loop, &options, &server->listeners[server->n_listeners]);
        if (r < 0) {
                audit_error("cannot listen on the %s side; are its certificate and key PEM, and do they fit?",
                                factory ? "factory's" : "public");
                return r;
        }
        server->n_listeners++;
        return 0;
}

/* sd_listen_fds(3). Each socket has the name of its side; without names the first is the public one. */
static int add_listeners(Server *server) {
        const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"),
                   *names = getenv("LISTEN_FDNAMES");
        _cleanup_free_ char *copy = names ? strdup(names) : NULL;
        char *state = NULL;
        uint64_t n = 0;

        if (!pid || !fds || strtol(pid, NULL, 10) != getpid() || text_parse_u64(fds, 2, &n) < 0 || n == 0) {
                audit_error("no socket: start sdi-directory-public.socket or sdi-directory-factory.socket");
                return -EINVAL;
        }
        for (int i = 0; i < (int) n; i++) {
                const char *name = copy ? strtok_r(i == 0 ? copy : NULL, ":", &state) : NULL;
                bool factory = name && (strcmp(name, "factory") == 0 || strcmp(name, "public") == 0)
                                ? strcmp(name, "factory") == 0
                                : i == 1;
                int r = add_listener(server, LISTEN_FDS_START + i, factory);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* A connection is a descriptor. */
static void raise_limits(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &limit);
        }
}

static int serve(Server *server) {
        int r;

        raise_limits();
        signal(SIGPIPE, SIG_IGN);
        r = throttle_new(server->settings->misses_per_minute, server->settings->miss_burst,
                        &server->directory.throttle);
        if (r >= 0)
                r = event_loop_new(&server->loop);
        if (r >= 0)
                r = event_add_signal(server->loop, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = event_add_signal(server->loop, SIGINT, NULL, NULL);
        if (r < 0) {
                audit_error("cannot start: %s", strerror(-r));
                return EX_OSERR;
        }
        if (add_listeners(server) < 0)
                return EX_CONFIG;
        r = event_loop_run(server->loop);
        if (r < 0)
                audit_error("ended: %s", strerror(-r));
        return r < 0 ? EX_OSERR : EX_OK;
}

static int move_tree(Server *server, const char *command, const char *folder) {
        const SubmissionRules rules = { &server->settings->policy, server->directory.authority,
                server->directory.issuers };
        bool import = strcmp(command, "import") == 0;
        char reason[STORE_REASON_MAX];
        ArchiveSummary summary;
        int r;

        r = import ? archive_import(server->directory.store, &rules, folder, &summary, reason)
                   : archive_export(server->directory.store, folder, &summary, reason);
        printf("%llu %s, %llu were there already, %llu refused\n", (unsigned long long) summary.n_written,
                        import ? "imported" : "written", (unsigned long long) summary.n_same,
                        (unsigned long long) summary.n_refused);
        if (r < 0) {
                audit_error("%s", reason);
                return EX_IOERR;
        }
        return summary.n_refused > 0 ? EX_DATAERR : EX_OK;
}

static int usage(void) {
        fputs(help_text, stderr);
        return EX_USAGE;
}

static int run(Server *server, const char *config, char **words, int n_words) {
        const char *command = n_words > 0 ? words[0] : "serve";
        bool is_serve = strcmp(command, "serve") == 0, is_migrate = strcmp(command, "migrate") == 0,
             is_tree = strcmp(command, "export") == 0 || strcmp(command, "import") == 0;
        int status;

        if ((!is_serve && !is_migrate && !is_tree) || n_words > (is_tree ? 2 : 1) ||
                        (is_tree && n_words < 2))
                return usage();
        status = open_settings(server, config);
        if (status == EX_OK)
                status = open_store(server, is_migrate);
        if (status != EX_OK || is_migrate)
                return status;
        return is_tree ? move_tree(server, command, words[1]) : serve(server);
}

int main(int argc, char **argv) {
        static const struct option known[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {},
        };
        _cleanup_(server_done) Server server = {};
        const char *config = NULL;
        int c;

        while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIG:
                        config = optarg;
                        break;
                case OPTION_HELP:
                        fputs(help_text, stdout);
                        return EX_OK;
                case OPTION_VERSION:
                        puts("sdi-directory " SDI_VERSION);
                        return EX_OK;
                default: /* getopt_long() has said what it does not know */
                        return EX_USAGE;
                }
        audit_open();
        (void) secrecy_begin(); /* it has the private keys of its servers */
        return run(&server, config, argv + optind, argc - optind);
}
