/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sdi-agent: gets a configuration for a device that has none (RFC 8886 §4.3). Brings up the ports, asks DHCP for the
 * configuration server and the file, fetches it by TFTP and hands it to sdi-unwrap, until one has been installed. Sees no
 * decrypted byte and cannot open the TPM.
 */

#include "agent/config.h"
#include "agent/ledger.h"
#include "agent/log.h"
#include "agent/manager.h"
#include "agent/options.h"
#include "agent/provisioned.h"
#include "base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

DEFINE_CLEANUP(Manager, manager_free)
DEFINE_CLEANUP(Ledger, ledger_free)
DEFINE_CLEANUP(Netlink, nl_socket_free)

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        (void) source;
        (void) info;
        (void) sd_notify(0, "RELOADING=1");
        manager_retry(userdata);
        (void) sd_notify(0, "READY=1");
        return 0;
}

/* What a killed agent has left in the kernel goes, in ExecStopPost= or when there is nothing else to do. */
static int clean_up(void) {
        _cleanup_(nl_socket_freep) Netlink *netlink = NULL;
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        char path[PATH_MAX];
        int r;

        r = netlink_open(&netlink);
        if (r >= 0)
                r = ledger_open(&ledger, config_runtime_path(path, sizeof(path), "addresses"), netlink);
        return r < 0 ? log_error_errno(r, "Cannot remove addresses and routes: %m") : 0;
}

/* SIGTERM and SIGINT end the loop; they are blocked here so that only the loop sees them. */
static int new_event_loop(sd_event **ret) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        sigset_t signals;
        int r;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(event);
        return 0;
}

/* The exit status that the loop ends with, or negative errno. */
static int run(const char *config_file) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(manager_freep) Manager *manager = NULL;
        int r;

        r = new_event_loop(&event);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop: %m");
        r = manager_new(&manager, event, config_file);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, manager);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop: %m");

        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(event);
        (void) sd_notify(0, "STOPPING=1");
        return r < 0 ? log_error_errno(r, "The event loop has failed: %m") : r;
}

int main(int argc, char **argv) {
        Options options = options_parse(argc, argv,
                        "Fetches and installs the configuration of a device that has none.", "clean-up",
                        "remove the addresses and routes of an earlier run, and end");
        int r;

        log_open("sdi-agent", options.debug ? LOG_DEBUG : LOG_INFO);
        umask(0022);
        if (!options.own && !provisioned_exists()) {
                r = run(options.config);
                return r < 0 ? EXIT_FAILURE : r;
        }
        if (!options.own)
                log_notice("This device is provisioned already");
        r = clean_up();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
