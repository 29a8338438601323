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
#include "base/event.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

DEFINE_CLEANUP(EventLoop, event_loop_free)
DEFINE_CLEANUP(Manager, manager_free)
DEFINE_CLEANUP(Netlink, nl_socket_free)

static int on_hangup(void *userdata) {
        sd_notify(false, "RELOADING=1");
        manager_retry(userdata);
        sd_notify(false, "READY=1");
        return 0;
}

static EventSource *watchdog;

/* Twice in each WatchdogSec=, if systemd watches at all. */
static int on_watchdog(void *userdata) {
        uint64_t usec;

        (void) userdata;
        if (sd_watchdog_enabled(false, &usec) > 0) {
                sd_notify(false, "WATCHDOG=1");
                event_timer_set(watchdog, time_add(time_now_boottime(), usec / 2));
        }
        return 0;
}

/* What a killed agent has left in the kernel goes, in ExecStopPost= or when there is nothing else to do. */
static int clean_up(void) {
        _cleanup_(nl_socket_freep) Netlink *netlink = NULL;
        char path[PATH_MAX];
        int r;

        r = netlink_open(&netlink);
        if (r >= 0)
                r = ledger_clean_up(config_agent_path(path, sizeof(path), "addresses"), netlink);
        provisioned_tidy();
        return r < 0 ? log_error_errno(r, "Cannot remove addresses and routes: %m") : 0;
}

static int add_sources(EventLoop *loop, Manager *manager) {
        int r;

        r = event_add_signal(loop, SIGHUP, on_hangup, manager);
        if (r >= 0)
                r = event_add_timer(loop, &watchdog, on_watchdog, NULL);
        return r < 0 ? r : on_watchdog(NULL);
}

/* The exit status that the loop ends with, or negative errno. */
static int run(const char *config_file) {
        _cleanup_(event_loop_freep) EventLoop *loop = NULL;
        _cleanup_(manager_freep) Manager *manager = NULL;
        int r;

        r = event_loop_new(&loop);
        if (r >= 0)
                r = event_add_signal(loop, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = event_add_signal(loop, SIGINT, NULL, NULL);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop: %m");
        r = manager_new(&manager, loop, config_file);
        if (r < 0)
                return r;
        r = add_sources(loop, manager);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop: %m");

        sd_notify(false, "READY=1");
        r = event_loop_run(loop);
        sd_notify(false, "STOPPING=1");
        watchdog = event_source_free(watchdog);
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
