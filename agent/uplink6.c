/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/uplink6.h"

#include "agent/json.h"
#include "agent/log.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/time.h"
#include "net/ip6-runner.h"
#include "net/port-table.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/*
 * A server that is not on the link is out of reach without a router, and one with a link-local address until the kernel is done with
 * the detection of duplicates of ours. So long either is waited for.
 */
#define REACH_WAIT (2500 * USEC_PER_MSEC)

/* The link's own, a default route, the prefixes on the link, routes behind routers, and those of a link without a router. */
#define ROUTES_MAX (2 + ROUTER_PREFIXES_MAX + ROUTER_ROUTES_MAX + IP6_ADDRESSES_MAX)

typedef struct RouteList {
        PortRoute routes[ROUTES_MAX];
        size_t n;
} RouteList;

struct Uplink6 {
        const UplinkContext *context;
        const Link *link;
        Attempts *attempts;

        Ip6Runner *runner;
        PortTable *table;
        uint64_t started, lease_since;
        char refusal[UPLINK_REFUSAL_MAX]; /* of the last address that was refused */
        struct in6_addr refused;          /* that address, which a server may give again and again */
        bool quiet;                       /* and has given again */
        bool pending; /* an attempt, as soon as there are lease, address and router: the first with this lease */
};

DEFINE_CLEANUP(Uplink6, uplink6_free)

static const IpPrefix anywhere = { .address = { .family = AF_INET6 } },
                      link_local = {
                              .address = { .family = AF_INET6, .v6.s6_addr = { 0xfe, 0x80 } },
                              .length = 64,
                      };

static const Dhcp6Lease *lease_of(const Uplink6 *uplink) {
        return dhcp6_client_get_lease(ip6_runner_get_dhcp(uplink->runner));
}

static const Ip6Address *chosen(const Uplink6 *uplink) {
        return ip6_addresses_choose(ip6_runner_get_addresses(uplink->runner), time_now_boottime());
}

static bool prefix_has(const IpPrefix *prefix, const struct in6_addr *address) {
        struct in6_addr network = ip6_network(address, prefix->length);

        return IN6_ARE_ADDR_EQUAL(&network, &prefix->address.v6);
}

static void add_route(const Uplink6 *uplink, RouteList *list, IpPrefix destination,
                const struct in6_addr *router) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);
        PortRoute route = {
                .destination = destination,
                .mtu = table->mtu < uplink->link->mtu ? table->mtu : 0,
        };

        if (router)
                route.gateway = IP_ADDRESS_V6(*router);
        if (list->n < ROUTES_MAX)
                list->routes[list->n++] = route;
}

/*
 * Where no router says what is on the link (RFC 5942 §4: then nothing is), an address of DHCPv6 would reach nobody. There its network is
 * taken to have 64 bits, as all have that hosts are in.
 */
static void add_assumed(const Uplink6 *uplink, RouteList *list) {
        const Ip6Addresses *addresses = ip6_runner_get_addresses(uplink->runner);

        for (size_t i = 0; i < ip6_addresses_count(addresses); i++) {
                const Ip6Address *entry = ip6_addresses_get(addresses, i);
                struct in6_addr network = ip6_network(&entry->address, 64);

                if (entry->used && entry->origin == IP6_ORIGIN_DHCP)
                        add_route(uplink, list,
                                        (IpPrefix){ .address = IP_ADDRESS_V6(network), .length = 64 }, NULL);
        }
}

static void add_preferred(const Uplink6 *uplink, RouteList *list, NdPreference preference) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);

        for (size_t i = 0; i < table->n_routes; i++)
                if (table->routes[i].preference == preference)
                        add_route(uplink, list, table->routes[i].destination, &table->routes[i].router);
}

static void want_routes(const Uplink6 *uplink, RouteList *list) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);

        if (!chosen(uplink))
                return;
        add_route(uplink, list, link_local, NULL);
        for (size_t i = 0; i < table->n_prefixes; i++)
                if (table->prefixes[i].on_link_until > 0)
                        add_route(uplink, list, table->prefixes[i].prefix, NULL);
        if (table->n_routers > 0)
                add_route(uplink, list, anywhere, &table->routers[0].address);
        add_preferred(uplink, list, ND_PREFERENCE_HIGH);
        add_preferred(uplink, list, ND_PREFERENCE_MEDIUM);
        add_preferred(uplink, list, ND_PREFERENCE_LOW);
        if (!table->heard)
                add_assumed(uplink, list);
}

static void sync_routes(Uplink6 *uplink) {
        RouteList wanted = { 0 };
        int r;

        want_routes(uplink, &wanted);
        r = port_table_set_routes(uplink->table, wanted.routes, wanted.n);
        if (r == -EBUSY)
                uplink_tell_busy(uplink->attempts, uplink->link);
        else if (r < 0)
                log_error_errno(r, "%s: cannot set an IPv6 route: %m", uplink->link->name);
}

/* net.ipv6.conf.NAME.optimistic_dad */
static bool sysctl_is_on(const char *name) {
        _cleanup_free_ char *text = NULL;
        char path[128];

        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/optimistic_dad", name);
        return file_read(AT_FDCWD, path, 16, &text, NULL) >= 0 && text[0] == '1';
}

/*
 * The kernel speaks to neighbours from an optimistic address by way of a router only (RFC 4429 §3.2), so without one it is used as one
 * for which the kernel asks nobody: we do.
 */
static AddressDetection detection(const Uplink6 *uplink) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);

        return table->n_routers > 0 && (sysctl_is_on("all") || sysctl_is_on(uplink->link->name))
                        ? ADDRESS_DETECTION_OPTIMISTIC
                        : ADDRESS_DETECTION_NONE;
}

static uint32_t seconds_until(uint64_t when, uint64_t now) {
        if (when == USEC_INFINITY)
                return UINT32_MAX;
        return when <= now ? 0 : (uint32_t) MIN((when - now) / USEC_PER_SEC, (uint64_t) UINT32_MAX - 1);
}

/* What is on the link is said by routers, not by a prefix length. */
static IpPrefix prefix_of(const Ip6Address *address) {
        return (IpPrefix){ .address = IP_ADDRESS_V6(address->address), .length = 128 };
}

/*
 * 0: it is there already, the kernel's own of the same router's advertisement; 1: it has been set, or renewed. To the kernel it is deprecated
 * from the start: our sockets are bound to it, and no other program's is to choose it by itself (RFC 6724 §5, rule 3).
 */
static int add_address(Uplink6 *uplink, const Ip6Address *entry, uint64_t now) {
        const AddressTimes times = { .valid = MAX(seconds_until(entry->valid_until, now), 1u) };
        IpPrefix prefix = prefix_of(entry);
        int r = 0;

        if (!ledger_has(uplink->context->ledger, uplink->link->ifindex, &prefix))
                r = uplink_judge_address(uplink->context, uplink->link, &prefix.address, uplink->refusal);
        if (r > 0)
                return netlink_address_is_tentative(
                                       uplink->context->netlink, uplink->link->ifindex, &entry->address)
                                ? -EAGAIN
                                : 0;
        if (r >= 0)
                r = port_table_add_address(uplink->table, &prefix.address);
        if (r >= 0)
                r = ledger_add(uplink->context->ledger, uplink->link->ifindex, &prefix, &times,
                                detection(uplink));
        return r < 0 ? r : 1;
}

static int set_address(const Ip6Address *entry, uint64_t now, void *userdata) {
        Uplink6 *uplink = userdata;
        int r = add_address(uplink, entry, now);

        if (r >= 0 || r == -EAGAIN)
                return r;
        if (!entry->used)
                port_table_remove_address(uplink->table, &IP_ADDRESS_V6(entry->address));
        if (r == -EADDRINUSE)
                return r;
        if (r == -EBUSY) {
                uplink_tell_busy(uplink->attempts, uplink->link);
                return -EAGAIN;
        }
        return log_error_errno(r, "%s: cannot set an IPv6 address: %m", uplink->link->name);
}

static void remove_address(const Ip6Address *address, void *userdata) {
        Uplink6 *uplink = userdata;
        IpPrefix prefix = prefix_of(address);
        int r;

        r = ledger_remove(uplink->context->ledger, uplink->link->ifindex, &prefix);
        if (r < 0)
                log_error_errno(r, "%s: cannot remove an IPv6 address: %m", uplink->link->name);
        port_table_remove_address(uplink->table, &prefix.address);
}

/* Whether packets get there without a router: only then need none be waited for. */
static bool is_on_link(const Uplink6 *uplink, const IpAddress *address) {
        const PortRoute *routes;
        size_t n;

        if (address->family != AF_INET6)
                return true;
        n = port_table_get_routes(uplink->table, &routes);
        for (size_t i = 0; i < n; i++)
                if (routes[i].gateway.family == AF_UNSPEC &&
                                prefix_has(&routes[i].destination, &address->v6))
                        return true;
        return false;
}

/* The server of the lease; or, where that is a name, the first DNS server. One with a link-local address only after the wait. */
static bool can_be_reached(const Uplink6 *uplink) {
        const Dhcp6Lease *lease = lease_of(uplink);
        BootUrl url;

        if (!lease->boot_url || boot_url_parse(lease->boot_url, &url) < 0)
                return true; /* nothing is to be reached */
        if (url.address.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&url.address.v6))
                return false;
        if (ip6_runner_get_table(uplink->runner)->n_routers > 0)
                return true;
        if (url.address.family != AF_UNSPEC)
                return is_on_link(uplink, &url.address);
        return lease->n_dns > 0 && is_on_link(uplink, &IP_ADDRESS_V6(lease->dns[0]));
}

/* There is a lease, or an address, or a router, that was not there before. */
static void attempt_if_ready(Uplink6 *uplink) {
        uint64_t now = time_now_boottime(), end = time_add(uplink->started, REACH_WAIT);

        if (!uplink->pending || !uplink6_is_ready(uplink))
                return;
        if (now < end && !can_be_reached(uplink)) {
                attempts_later(uplink->attempts, end);
                return;
        }
        attempts_soon(uplink->attempts, now);
}

static void on_lease(Uplink6 *uplink) {
        char span[TIME_SPAN_MAX], address[IP_ADDRESS_TEXT_MAX];
        const Dhcp6Lease *lease = lease_of(uplink);
        bool first = uplink->lease_since == 0;

        if (first) {
                uplink->lease_since = time_now_realtime();
                uplink->pending = true;
                uplink->quiet = lease->n_addresses > 0 &&
                                IN6_ARE_ADDR_EQUAL(&lease->addresses[0].address, &uplink->refused);
                if (lease->n_addresses == 0)
                        log_message(LOG_NOTICE, LOG_ID_LEASE, uplink->link->name,
                                        "A DHCPv6 server has answered; addresses are made from routers' prefixes");
                else
                        log_message(uplink->quiet ? LOG_DEBUG : LOG_NOTICE, LOG_ID_LEASE, uplink->link->name,
                                        "Leased %s by DHCPv6 for %s",
                                        ip_address_format(address,
                                                        &IP_ADDRESS_V6(lease->addresses[0].address)),
                                        time_format_span(span, sizeof(span),
                                                        lease->lifetime == UINT32_MAX
                                                                        ? USEC_INFINITY
                                                                        : lease->lifetime * USEC_PER_SEC));
        }
        if (!attempts_refreshed(uplink->attempts, time_now_boottime()))
                attempt_if_ready(uplink);
}

static void on_lease_lost(Uplink6 *uplink) {
        uplink->lease_since = 0;
        log_message(uplink->quiet ? LOG_DEBUG : LOG_NOTICE, NULL, uplink->link->name,
                        "The DHCPv6 lease is lost");
        attempts_stop(uplink->attempts);
        attempts_set_result(uplink->attempts, PORT_RESULT_NO_LEASE, "the DHCPv6 lease was lost");
}

static void on_conflict(Uplink6 *uplink, const Ip6Address *entry) {
        char address[IP_ADDRESS_TEXT_MAX], reason[UPLINK_REFUSAL_MAX + 80];

        ip_address_format(address, &IP_ADDRESS_V6(entry->address));
        if (entry->refused)
                snprintf(reason, sizeof(reason), "the address %s is refused: %s", address, uplink->refusal);
        else
                snprintf(reason, sizeof(reason), "another host uses the address %s", address);
        log_message(uplink->quiet && entry->refused ? LOG_DEBUG : LOG_WARNING, NULL, uplink->link->name,
                        "%c%s; it is given up", toupper(reason[0]), reason + 1);
        if (entry->refused)
                uplink->refused = entry->address;
        attempts_set_result(uplink->attempts, PORT_RESULT_NO_LEASE, "%s", reason);
}

static void on_link_local_conflict(Uplink6 *uplink) {
        log_message(LOG_WARNING, NULL, uplink->link->name,
                        "Another host has this port's link-local address; IPv6 is not used here");
        attempts_set_result(uplink->attempts, PORT_RESULT_NO_LEASE,
                        "another host has this port's link-local address");
}

static void on_address_lost(Uplink6 *uplink) {
        sync_routes(uplink);
        if (!chosen(uplink))
                attempts_stop(uplink->attempts);
}

static void on_event(Ip6Event event, const Ip6Address *address, void *userdata) {
        Uplink6 *uplink = userdata;

        if (!uplink->runner)
                return; /* it has not been handed to us yet */
        switch (event) {
        case IP6_EVENT_ROUTERS:
        case IP6_EVENT_ADDRESS_READY:
                sync_routes(uplink);
                attempt_if_ready(uplink);
                break;
        case IP6_EVENT_ADDRESS_LOST:
                on_address_lost(uplink);
                break;
        case IP6_EVENT_ADDRESS_CONFLICT:
                on_conflict(uplink, address);
                break;
        case IP6_EVENT_LINK_LOCAL_CONFLICT:
                on_link_local_conflict(uplink);
                break;
        case IP6_EVENT_LEASE:
                on_lease(uplink);
                break;
        case IP6_EVENT_LEASE_LOST:
                on_lease_lost(uplink);
                break;
        }
        attempts_changed(uplink->attempts);
}

/* RFC 8415 §11: the DUID of the device, DUID-LL where that is not known; and an IAID of the port, which is that of option 61 in DHCPv4. */
static void set_identity(const Uplink6 *uplink, Dhcp6ClientConfig *config) {
        const Identity *identity = uplink->context->identity;
        const uint8_t *a = uplink->link->address.ether_addr_octet;
        Buffer buffer = BUFFER(config->client_id, sizeof(config->client_id));

        if (identity->has_duid)
                buffer_append(&buffer, identity->duid, sizeof(identity->duid));
        else {
                buffer_append_be16(&buffer, 3);
                buffer_append_be16(&buffer, 1);
                buffer_append(&buffer, a, ETH_ALEN);
        }
        config->n_client_id = buffer.size;
        config->iaid = (uint32_t) a[2] << 24 | (uint32_t) a[3] << 16 | (uint32_t) a[4] << 8 | a[5];
        /* A serial number of 64 characters is no label. */
        config->host_name = domain_name_is_valid(identity->serial) ? identity->serial : NULL;
}

int uplink6_new(Uplink6 **ret, const UplinkContext *context, const Link *link, Attempts *attempts) {
        _cleanup_(uplink6_freep) Uplink6 *uplink = calloc(1, sizeof(*uplink));
        Ip6RunnerConfig config = {
                .raw = context->ip6,
                .ifindex = link->ifindex,
                .address = link->address,
                .stable = context->config->stable_addresses && context->has_secret,
                .conflict_wait = context->config->conflict_detection_usec,
                .dhcp = {
                        .vendor_class = uplink_text(context->config->vendor_class),
                        .user_class = uplink_text(context->config->user_class),
                        .enterprise = context->config->enterprise,
                },
                .set_address = set_address,
                .remove_address = remove_address,
                .notify = on_event,
                .userdata = uplink,
        };
        int r;

        if (!uplink)
                return -ENOMEM;
        uplink->context = context;
        uplink->link = link;
        uplink->attempts = attempts;
        uplink->started = time_now_boottime();
        memcpy(config.secret, context->secret, sizeof(config.secret));
        set_identity(uplink, &config.dhcp);
        r = port_table_new(&uplink->table, context->netlink, AF_INET6, link->ifindex, link->name);
        if (r < 0)
                return r;
        r = ip6_runner_new(&uplink->runner, context->loop, &config);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(uplink);
        return 0;
}

Uplink6 *uplink6_free(Uplink6 *uplink) {
        if (!uplink)
                return NULL;
        ip6_runner_free(uplink->runner);
        port_table_free(uplink->table);
        free(uplink);
        return NULL;
}

void uplink6_retry(Uplink6 *uplink) {
        ip6_runner_retry(uplink->runner);
}

void uplink6_set_received(Uplink6 *uplink, const struct in6_addr *address) {
        port_table_withdraw_local(uplink->table, &IP_ADDRESS_V6(*address));
        ip6_runner_set_received(uplink->runner, address);
}

bool uplink6_is_ready(const Uplink6 *uplink) {
        return lease_of(uplink) && chosen(uplink);
}

static void add_dns(ResolverConfig *resolver, struct in6_addr server) {
        if (resolver->n_servers < RESOLVER_SERVERS_MAX)
                resolver->servers[resolver->n_servers++] = IP_ADDRESS_V6(server);
}

static void add_domain(ResolverConfig *resolver, const char *domain) {
        if (resolver->n_domains < RESOLVER_DOMAINS_MAX)
                resolver->domains[resolver->n_domains++] = domain;
}

static void get_dns(const Uplink6 *uplink, ResolverConfig *resolver) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);
        const Dhcp6Lease *lease = lease_of(uplink);

        for (size_t i = 0; i < lease->n_dns; i++)
                add_dns(resolver, lease->dns[i]);
        for (size_t i = 0; i < table->n_dns; i++)
                add_dns(resolver, table->dns[i].server);
        for (size_t i = 0; i < lease->n_domains; i++)
                add_domain(resolver, lease->domains[i]);
        for (size_t i = 0; i < table->n_domains; i++)
                add_domain(resolver, table->domains[i].name);
}

int uplink6_prepare(Uplink6 *uplink, FetchConfig *config, Targets **ret) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);
        const Dhcp6Lease *lease = lease_of(uplink);
        const char *reason = NULL;
        Targets *targets;
        int r;

        uplink->pending = false; /* whoever has started it */
        r = targets_new6(&targets, lease, &uplink->context->config->names, uplink->context->identity,
                        &uplink->link->address);
        if (r == -EPROTONOSUPPORT || r == -ENAMETOOLONG || r == -EBADMSG) {
                attempts_set_result(uplink->attempts, PORT_RESULT_NO_TARGET,
                                "the URL of DHCPv6 (option 59) cannot be used: \"%.300s\"",
                                lease->boot_url ? lease->boot_url : lease->vendor_file);
                return -ENODATA;
        }
        if (r < 0)
                return r;
        if (targets->n_servers == 0)
                reason = "DHCPv6 names no configuration server (option 59)";
        else if (targets->n_files == 0)
                reason = "no file name: the URL of DHCPv6 has none (option 59), and no serial number is known for Names=";
        if (reason) {
                attempts_set_result(uplink->attempts, PORT_RESULT_NO_TARGET, "%s", reason);
                targets_free(targets);
                return -ENODATA;
        }
        config->mtu = table->mtu > 0 ? MIN(table->mtu, uplink->link->mtu) : uplink->link->mtu;
        config->resolver.family = AF_INET6;
        get_dns(uplink, &config->resolver);
        *ret = targets;
        return 0;
}

void uplink6_refresh(Uplink6 *uplink, bool another) {
        (void) another; /* one that is asked again may say more than it did; others are heard of when it falls silent */
        ip6_runner_renew(uplink->runner);
}

void uplink6_restore(Uplink6 *uplink) {
        const Ip6Addresses *addresses = ip6_runner_get_addresses(uplink->runner);

        (void) port_table_restore(uplink->table);
        for (size_t i = 0; i < ip6_addresses_count(addresses); i++)
                if (ip6_addresses_get(addresses, i)->used)
                        (void) set_address(ip6_addresses_get(addresses, i), time_now_boottime(), uplink);
        sync_routes(uplink);
}

IpAddress uplink6_get_address(const Uplink6 *uplink) {
        const Ip6Address *address = chosen(uplink);

        return address ? IP_ADDRESS_V6(address->address) : (IpAddress){ 0 };
}

const char *uplink6_get_state(const Uplink6 *uplink) {
        return dhcp6_state_to_string(dhcp6_client_get_state(ip6_runner_get_dhcp(uplink->runner)));
}

static int append_addresses(json_t *array, const struct in6_addr *addresses, size_t n) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = json_array_append_new(array, json_address(IP_ADDRESS_V6(addresses[i])));
        return r;
}

json_t *uplink6_lease_to_json(const Uplink6 *uplink) {
        const Dhcp6Lease *lease = lease_of(uplink);
        struct in6_addr addresses[DHCP6_ADDRESSES_MAX];
        json_auto_t *given = NULL, *dns = NULL;

        if (!lease)
                return json_null();
        for (size_t i = 0; i < lease->n_addresses; i++)
                addresses[i] = lease->addresses[i].address;
        given = json_array();
        dns = json_array();
        if (append_addresses(given, addresses, lease->n_addresses) < 0 ||
                        append_addresses(dns, lease->dns, lease->n_dns) < 0)
                return NULL;
        return json_pack("{s:O, s:o, s:I, s:O, s:o, s:o, s:o}", "addresses", given, "since",
                        json_time(uplink->lease_since), "lifetime", (json_int_t) lease->lifetime, "dns", dns,
                        "option_59", json_string_or_null(lease->boot_url), "option_60",
                        json_string_or_null(lease->boot_parameters), "vendor_file",
                        json_string_or_null(lease->vendor_file));
}

static int append_used(json_t *array, const Ip6Addresses *addresses) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ip6_addresses_count(addresses); i++) {
                const Ip6Address *entry = ip6_addresses_get(addresses, i);

                if (entry->used)
                        r = json_array_append_new(array,
                                        json_pack("{s:o, s:s}", "address",
                                                        json_address(IP_ADDRESS_V6(entry->address)), "from",
                                                        entry->origin == IP6_ORIGIN_DHCP ? "dhcp"
                                                                                         : "router"));
        }
        return r;
}

static int append_table(json_t *routers, json_t *routes, json_t *dns, const RouterTable *table) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < table->n_routers; i++)
                r = json_array_append_new(routers, json_address(IP_ADDRESS_V6(table->routers[i].address)));
        for (size_t i = 0; r == 0 && i < table->n_routes; i++)
                r = json_array_append_new(routes,
                                json_route(&table->routes[i].destination,
                                                IP_ADDRESS_V6(table->routes[i].router)));
        for (size_t i = 0; r == 0 && i < table->n_dns; i++)
                r = json_array_append_new(dns, json_address(IP_ADDRESS_V6(table->dns[i].server)));
        return r;
}

json_t *uplink6_network_to_json(const Uplink6 *uplink) {
        const RouterTable *table = ip6_runner_get_table(uplink->runner);
        json_auto_t *addresses = json_array(), *routers = json_array(), *routes = json_array(),
                    *dns = json_array();

        if (append_used(addresses, ip6_runner_get_addresses(uplink->runner)) < 0 ||
                        append_table(routers, routes, dns, table) < 0)
                return NULL;
        return json_pack("{s:O, s:O, s:O, s:O, s:i}", "addresses", addresses, "routers", routers, "routes",
                        routes, "dns", dns, "mtu", (int) table->mtu);
}
