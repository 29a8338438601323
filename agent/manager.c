/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/manager.h"

#include "agent/identity.h"
#include "agent/installer.h"
#include "agent/ledger.h"
#include "agent/log.h"
#include "agent/port.h"
#include "agent/provisioned.h"
#include "agent/status.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/time.h"
#include "net/changes.h"
#include "net/links.h"
#include "net/netlink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

/* So long after the start nobody is told that there is no carrier or no lease yet. */
#define PATIENCE (10 * USEC_PER_SEC)

/*
 * The status is written when nothing has changed for so long, or at the latest so long after the first change: on a switch with
 * hundreds of ports it takes milliseconds, which an answer from the network should not have to wait for.
 */
#define STATUS_QUIET (50 * USEC_PER_MSEC)
#define STATUS_LATEST (500 * USEC_PER_MSEC)

/*
 * So long after somebody has taken an address or a route of ours from a port all of them are set again: he may not be done with it
 * earlier, and if he does it again and again it costs us little.
 */
#define RESTORE_WAIT (300 * USEC_PER_MSEC)

/*
 * After an undisclosed verdict the loader may still be at work, and succeed. Then `provisioned` appears. We look for it at this interval.
 */
#define LATE_INTERVAL (5 * USEC_PER_SEC)

struct Manager {
        EventLoop *loop;
        const char *config_file;
        Config *config; /* NULL: cannot be read */
        char config_reason[256];
        Identity identity;

        Netlink *netlink;
        Ledger *ledger;
        Dhcp4Raw *dhcp4;
        Ip6Raw *ip6;
        Links *links;
        Changes *changes;
        PortContext context;
        Port **ports;
        size_t n_ports;

        Installer *installer;
        HandoverAhead ahead; /* to sdi-unwrap */
        Port *installing;    /* whose file it is; NULL when that port has gone */
        bool provisioned;

        uint64_t started, next; /* boottime: of the first attempt, of the next by the schedule */
        bool first;             /* `next` is the end of our patience, not yet of the schedule */
        uint64_t late_until; /* boottime: so long a commit may still succeed after an undisclosed verdict */
        EventSource *timer, *settle, *status, *restore, *late;
        bool restoring;     /* `restore` is set */
        uint64_t unwritten; /* boottime: of the first change that the status does not show yet; 0: none */
        bool attempted;     /* since the last conclusion */
        char reason[STATUS_REASON_MAX];
        char told[STATUS_REASON_MAX]; /* the reason in the last line of the log */
};

DEFINE_CLEANUP(Manager, manager_free)
DEFINE_CLEANUP(Installer, installer_free)

static void settle_soon(Manager *manager) {
        event_deferred_set(manager->settle);
}

static uint32_t draw(void) {
        uint32_t number = 0;

        (void) !getrandom(&number, sizeof(number), GRND_INSECURE);
        return number;
}

/* By the schedule, or earlier where a port has put an attempt off. */
static uint64_t next_attempt(const Manager *manager) {
        uint64_t when = manager->next;

        for (size_t i = 0; i < manager->n_ports; i++)
                when = MIN(when, port_get_deadline(manager->ports[i]));
        return when;
}

static void arm_timer(Manager *manager) {
        event_timer_set(manager->timer, next_attempt(manager));
}

static void install_next(Manager *manager);

static void finish(Manager *manager, const char *reason) {
        manager->provisioned = true;
        snprintf(manager->reason, sizeof(manager->reason), "%s", reason);
        event_loop_exit(manager->loop, 0);
}

static uint64_t loader_time(const Manager *manager) {
        return time_add(manager->config->check_timeout_usec, manager->config->commit_timeout_usec);
}

static void expect_late_success(Manager *manager, uint64_t now) {
        manager->late_until = time_add(now, loader_time(manager));
        event_timer_set(manager->late, time_add(now, LATE_INTERVAL));
}

static int on_late(void *userdata) {
        Manager *manager = userdata;
        uint64_t now = time_now_boottime();

        if (provisioned_exists())
                finish(manager, "");
        else if (now < manager->late_until)
                event_timer_set(manager->late, time_add(now, LATE_INTERVAL));
        return 0;
}

static void on_verdict(Verdict verdict, const char *reason, void *userdata) {
        Manager *manager = userdata;
        _cleanup_(installer_freep) _unused_ Installer *installer =
                        TAKE_PTR(manager->installer); /* owns `reason` */
        Port *port = TAKE_PTR(manager->installing);

        if (verdict_is_final(verdict)) {
                finish(manager, reason);
                return;
        }
        if (verdict == VERDICT_UNDISCLOSED)
                expect_late_success(manager, time_now_boottime());
        if (port)
                port_set_verdict(port, verdict, reason);
        install_next(manager);
        settle_soon(manager);
}

static int install(Manager *manager, Port *port) {
        uint64_t timeout = time_add(HANDOVER_MARGIN_USEC, loader_time(manager));
        const char *url;
        int fd = port_get_file(port, &url);

        return installer_new(&manager->installer, manager->loop, &manager->ahead, url,
                        port_get_link(port)->name, fd, timeout, on_verdict, manager);
}

/* One file at a time goes to sdi-unwrap: a second one could not be installed beside the first. */
static void install_next(Manager *manager) {
        const char *url;

        for (size_t i = 0; i < manager->n_ports && !manager->installer; i++) {
                Port *port = manager->ports[i];
                int r;

                if (port_get_file(port, &url) < 0)
                        continue;
                r = install(manager, port);
                if (r < 0)
                        port_set_verdict(port, VERDICT_UNAVAILABLE, strerror(-r));
                else
                        manager->installing = port;
        }
}

static void on_port_change(void *userdata) {
        settle_soon(userdata);
}

static void on_port_file(Port *port, void *userdata) {
        (void) port;
        install_next(userdata);
}

static void on_port_idle(Port *port, void *userdata) {
        Manager *manager = userdata;

        (void) port;
        manager->attempted = true;
        settle_soon(manager);
}

static size_t find_port(const Manager *manager, int ifindex) {
        size_t i = 0;

        while (i < manager->n_ports && port_get_link(manager->ports[i])->ifindex != ifindex)
                i++;
        return i;
}

static void add_port(Manager *manager, const Link *link) {
        Port **more = reallocarray(manager->ports, manager->n_ports + 1, sizeof(*more));
        int r;

        if (!more) {
                log_error("%s: out of memory, the port is left out", link->name);
                return;
        }
        manager->ports = more;
        r = port_new(manager->ports + manager->n_ports, &manager->context, link);
        if (r < 0)
                log_error_errno(r, "%s: the port is left out: %m", link->name);
        else
                manager->n_ports++;
}

static void remove_port(Manager *manager, size_t i) {
        Port *port = manager->ports[i];

        if (manager->installing == port)
                manager->installing = NULL; /* the hand-over goes on, its verdict counts */
        manager->ports[i] = manager->ports[--manager->n_ports];
        port_free(port);
}

static void on_link(LinkEvent event, const Link *link, void *userdata) {
        Manager *manager = userdata;
        size_t i = find_port(manager, link->ifindex);

        switch (event) {
        case LINK_ADDED:
                add_port(manager, link);
                break;
        case LINK_CHANGED:
                if (i < manager->n_ports)
                        port_set_link(manager->ports[i], link);
                break;
        case LINK_REMOVED:
                if (i < manager->n_ports)
                        remove_port(manager, i);
                break;
        }
        settle_soon(manager);
}

/* A file can be here in a few round trips, and sdi-unwrap with its libraries and the TPM then be ready. */
static void on_port_carrier(void *userdata) {
        Manager *manager = userdata;

        if (!manager->installer)
                installer_prepare(&manager->ahead);
}

static void on_config_warning(const char *line) {
        log_warning("%s", line);
}

static int read_identity(Manager *manager) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        size_t n;
        int r;

        r = file_read(AT_FDCWD, config_runtime_path(path, sizeof(path), "identity.json"), 64 * 1024, &text,
                        &n);
        if (r >= 0)
                r = identity_from_json(text, n, &manager->identity);
        if (r < 0)
                return log_error_errno(r, "%s (of `sdictl prepare`): %m, going on without", path);
        if (manager->identity.serial[0] == '\0')
                log_warning("This device has no serial number (see `sdictl identity`): names with %%s are left out");
        return 0;
}

static void read_config(Manager *manager) {
        int r;

        r = config_load(&manager->config, manager->config_file, on_config_warning, manager->config_reason);
        if (r < 0)
                snprintf(manager->reason, sizeof(manager->reason), "%s", manager->config_reason);
}

/* /etc/machine-id (machine-id(5)): of this installation alone, and told nobody. Without one, addresses are by EUI-64. */
static void read_secret(UplinkContext *context) {
        _cleanup_free_ char *text = NULL;

        if (file_read(AT_FDCWD, "/etc/machine-id", 64, &text, NULL) < 0 ||
                        strspn(text, "0123456789abcdef") != 2 * sizeof(context->secret))
                return;
        for (size_t i = 0; i < sizeof(context->secret); i++)
                if (sscanf(text + 2 * i, "%2hhx", context->secret + i) != 1)
                        return;
        context->has_secret = true;
}

static void on_removal(int ifindex, const IpPrefix *address, void *userdata) {
        Manager *manager = userdata;
        bool any = false;

        if (address && !ledger_has(manager->ledger, ifindex, address))
                return; /* not ours, or not any more */
        for (size_t i = 0; i < manager->n_ports; i++)
                if (ifindex == 0 || port_get_link(manager->ports[i])->ifindex == ifindex) {
                        port_set_robbed(manager->ports[i]);
                        any = true;
                }
        if (!any || manager->restoring)
                return;
        manager->restoring = true;
        event_timer_set(manager->restore, time_now_boottime() + RESTORE_WAIT);
}

static void on_received_for(const struct in6_addr *address, void *userdata) {
        Manager *manager = userdata;

        for (size_t i = 0; i < manager->n_ports; i++)
                port_set_received(manager->ports[i], address);
}

static int on_restore(void *userdata) {
        Manager *manager = userdata;

        manager->restoring = false;
        for (size_t i = 0; i < manager->n_ports; i++)
                port_restore(manager->ports[i]);
        settle_soon(manager);
        return 0;
}

/* Ports come with their first events, so all that they use is there before. */
static int start_network(Manager *manager) {
        int r;

        manager->context = (PortContext){
                .uplink = {
                        .loop = manager->loop,
                        .netlink = manager->netlink,
                        .ledger = manager->ledger,
                        .dhcp4 = manager->dhcp4,
                        .ip6 = manager->ip6,
                        .config = manager->config,
                        .identity = &manager->identity,
                },
                .on_carrier = on_port_carrier,
                .on_change = on_port_change,
                .on_file = on_port_file,
                .on_idle = on_port_idle,
                .userdata = manager,
        };
        read_secret(&manager->context.uplink);
        r = links_new(&manager->links, manager->loop, manager->netlink, manager->config->interfaces.items,
                        on_link, manager);
        if (r >= 0)
                r = changes_new(&manager->changes, manager->loop, manager->netlink,
                                &(ChangesHandlers){
                                                .removed = on_removal,
                                                .received_for = on_received_for,
                                                .userdata = manager,
                                });
        if (r >= 0)
                r = links_start(manager->links);
        return r < 0 ? log_error_errno(r, "Cannot read the links of this device: %m") : 0;
}

static const RetryPolicy *policy(const Manager *manager) {
        static const RetryPolicy fallback = RETRY_POLICY_DEFAULT;

        return manager->config ? &manager->config->retry : &fallback;
}

static void set_next(Manager *manager, uint64_t now) {
        manager->next = schedule_next(policy(manager), manager->started, now, draw());
        manager->first = false;
}

/* An attempt by the schedule, or because a person wants it (`retry`). */
static void attempt(Manager *manager, bool retry, uint64_t now) {
        manager->attempted = true;
        if (!manager->config) {
                read_config(manager);
                /* The identity, which only root can read, depends on it too: systemd starts all of it anew. */
                if (manager->config)
                        event_loop_exit(manager->loop, EX_TEMPFAIL);
                return;
        }
        links_bring_up(manager->links);
        for (size_t i = 0; i < manager->n_ports; i++)
                if (retry)
                        port_retry(manager->ports[i], now);
                else
                        port_attempt(manager->ports[i], now);
}

static int on_timer(void *userdata) {
        Manager *manager = userdata;
        uint64_t now = time_now_boottime();

        if (now >= manager->next) {
                set_next(manager, now);
                attempt(manager, false, now);
        } else
                for (size_t i = 0; i < manager->n_ports; i++)
                        port_dispatch_timer(manager->ports[i], now);
        settle_soon(manager);
        return 0;
}

static bool is_busy(const Manager *manager) {
        for (size_t i = 0; i < manager->n_ports; i++)
                if (port_is_busy(manager->ports[i]))
                        return true;
        return manager->installer;
}

/* The weightiest result of all ports; *ret_refused where a file was there. */
static const Port *choose_reason(Manager *manager, bool *ret_refused) {
        const Port *chosen = NULL;
        const char *text = "no port of this device matches Interfaces=";
        PortResult weight = 0;

        for (size_t i = 0; i < manager->n_ports; i++) {
                const char *t;
                PortResult result = port_get_result(manager->ports[i], &t);

                if (chosen && result <= weight)
                        continue;
                chosen = manager->ports[i];
                weight = result;
                text = t;
        }
        if (chosen && weight == PORT_RESULT_NO_CARRIER)
                text = "no port has a carrier";
        snprintf(manager->reason, sizeof(manager->reason), "%s",
                        manager->config ? text : manager->config_reason);
        *ret_refused = weight == PORT_RESULT_NOT_INSTALLED;
        return weight > PORT_RESULT_NO_CARRIER ? chosen : NULL;
}

/* After an attempt of whatever port, when nothing is under way any more: why there is still no configuration. */
static void conclude(Manager *manager, uint64_t now) {
        char span[TIME_SPAN_MAX];
        const Port *port;
        uint64_t wait;
        bool refused, again;

        if (!manager->attempted || is_busy(manager))
                return;
        manager->attempted = false;
        if (manager->first)
                set_next(manager, now);
        port = choose_reason(manager, &refused);
        again = strcmp(manager->reason, manager->told) == 0;
        wait = MAX(next_attempt(manager), now) - now;
        log_message(again ? LOG_DEBUG : LOG_NOTICE, refused ? LOG_ID_REFUSED : LOG_ID_NO_CONFIGURATION,
                        port ? port_get_link(port)->name : NULL,
                        "No configuration yet: %s; next attempt in %s", manager->reason,
                        time_format_span(span, sizeof(span),
                                        (wait + USEC_PER_SEC / 2) / USEC_PER_SEC * USEC_PER_SEC));
        snprintf(manager->told, sizeof(manager->told), "%s", manager->reason);
}

static const char *state_of(const Manager *manager) {
        if (manager->provisioned)
                return "provisioned";
        if (!manager->config)
                return "misconfigured";
        if (manager->installer)
                return "installing";
        return is_busy(manager) ? "fetching" : "waiting";
}

static void write_status(const Manager *manager) {
        int r;

        r = status_write(&(Status){
                        .state = state_of(manager),
                        .reason = manager->reason,
                        .identity = &manager->identity,
                        .ports = manager->ports,
                        .n_ports = manager->n_ports,
                        .next_attempt = manager->provisioned ? USEC_INFINITY : next_attempt(manager),
        });
        if (r < 0)
                log_debug("Cannot write the status: %s", strerror(-r));
}

static int on_status(void *userdata) {
        Manager *manager = userdata;

        manager->unwritten = 0;
        write_status(manager);
        return 0;
}

/* Runs when nothing else is to be done: events that come together make one conclusion. */
static int on_settle(void *userdata) {
        Manager *manager = userdata;
        uint64_t now = time_now_boottime();

        conclude(manager, now);
        arm_timer(manager);
        if (manager->unwritten == 0)
                manager->unwritten = now;
        event_timer_set(manager->status, MIN(now + STATUS_QUIET, manager->unwritten + STATUS_LATEST));
        return 0;
}

static int add_sources(Manager *manager) {
        int r;

        r = event_add_timer(manager->loop, &manager->timer, on_timer, manager);
        if (r >= 0)
                r = event_add_timer(manager->loop, &manager->status, on_status, manager);
        if (r >= 0)
                r = event_add_timer(manager->loop, &manager->restore, on_restore, manager);
        if (r >= 0)
                r = event_add_timer(manager->loop, &manager->late, on_late, manager);
        if (r >= 0)
                r = event_add_deferred(manager->loop, &manager->settle, on_settle, manager);
        if (r < 0)
                return r;
        settle_soon(manager);
        return 0;
}

int manager_new(Manager **ret, EventLoop *loop, const char *config_file) {
        _cleanup_(manager_freep) Manager *manager = calloc(1, sizeof(*manager));
        char path[PATH_MAX];
        int r;

        if (!manager)
                return -ENOMEM;
        manager->loop = loop;
        manager->ahead.fd = -1;
        /* The links may have carrier already; and while they get it, a TPM can do its first tests. */
        installer_prepare(&manager->ahead);
        manager->config_file = config_file;
        manager->started = time_now_boottime();
        manager->next = time_add(manager->started, PATIENCE);
        manager->first = true;

        r = netlink_open(&manager->netlink);
        if (r < 0)
                return log_error_errno(r, "Cannot open a netlink socket: %m");
        r = ledger_open(&manager->ledger, config_agent_path(path, sizeof(path), "addresses"),
                        manager->netlink);
        if (r < 0)
                return log_error_errno(r, "Cannot remove what an earlier run has left: %m");
        r = dhcp4_raw_new(&manager->dhcp4, loop);
        if (r < 0)
                return log_error_errno(r, "Cannot open a packet socket: %m");
        r = ip6_raw_new(&manager->ip6, loop);
        if (r < 0)
                return log_error_errno(r, "Cannot open a packet socket: %m");
        r = add_sources(manager);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop: %m");

        (void) read_identity(manager);
        read_config(manager);
        if (manager->config)
                r = start_network(manager);
        else
                manager->attempted = true; /* and that is its result */
        if (r < 0)
                return r;
        *ret = TAKE_PTR(manager);
        return 0;
}

Manager *manager_free(Manager *manager) {
        if (!manager)
                return NULL;
        manager->installing = NULL;
        manager->installer = installer_free(manager->installer);
        cleanup_close(&manager->ahead.fd);
        if (manager->provisioned || manager->unwritten > 0)
                write_status(manager); /* with the leases through which a configuration came */
        while (manager->n_ports > 0)
                port_free(manager->ports[--manager->n_ports]);
        free(manager->ports);
        links_free(manager->links);
        changes_free(manager->changes);
        dhcp4_raw_free(manager->dhcp4);
        ip6_raw_free(manager->ip6);
        ledger_free(manager->ledger);
        netlink_free(manager->netlink);
        event_source_free(manager->timer);
        event_source_free(manager->settle);
        event_source_free(manager->status);
        event_source_free(manager->restore);
        event_source_free(manager->late);
        config_free(manager->config);
        free(manager);
        return NULL;
}

void manager_retry(Manager *manager) {
        attempt(manager, true, time_now_boottime());
        settle_soon(manager);
}
