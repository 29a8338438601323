/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/uplink4.h"

#include "agent/json.h"
#include "agent/log.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "net/dhcp4-runner.h"
#include "net/port-table.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* The network of the address, and what option 121 gives; or a default route. */
#define ROUTES_MAX (1 + DHCP4_ROUTES_MAX)

typedef struct RouteList {
        PortRoute routes[ROUTES_MAX];
        size_t n;
} RouteList;

struct Uplink4 {
        const UplinkContext *context;
        const Link *link;
        Attempts *attempts;

        Dhcp4Runner *runner;
        PortTable *table;
        IpAddress address; /* on the port; AF_UNSPEC: none */
        bool shared; /* it was there before: another client's, of a server that tells clients by their Ethernet address */
        uint64_t bound_since;
        uint8_t uuid[16];
        char refusal[UPLINK_REFUSAL_MAX]; /* of the last address that was; "" when the last one was not */
        char told[UPLINK_REFUSAL_MAX];    /* in the log */
};

DEFINE_CLEANUP(Uplink4, uplink4_free)

static const Dhcp4Lease *lease_of(const Uplink4 *uplink) {
        return dhcp4_client_get_lease(dhcp4_runner_client(uplink->runner));
}

/* A route of ours says which addresses are on the link; the prefix length does not (net/port-table.c). */
static IpPrefix prefix_of(const IpAddress *address) {
        return (IpPrefix){ .address = *address, .length = 32 };
}

static void remove_address(Uplink4 *uplink) {
        IpPrefix prefix = prefix_of(&uplink->address);
        int r = 0;

        if (uplink->address.family == AF_UNSPEC)
                return;
        if (!uplink->shared)
                r = ledger_remove(uplink->context->ledger, uplink->link->ifindex, &prefix);
        if (r < 0)
                log_error_errno(r, "%s: cannot remove the leased address: %m", uplink->link->name);
        port_table_clear(uplink->table);
        uplink->address.family = AF_UNSPEC;
}

static void add_route(const Uplink4 *uplink, const Dhcp4Lease *lease, RouteList *list, IpPrefix destination,
                struct in_addr router) {
        uint32_t mask = ip4_mask(lease->address.length).s_addr;
        PortRoute route = {
                .destination = destination,
                .source = lease->address.address,
                .mtu = lease->mtu < uplink->link->mtu ? lease->mtu : 0,
        };

        if (router.s_addr != INADDR_ANY) {
                route.gateway = IP_ADDRESS_V4(router);
                /* Clouds and some campus networks give a /32 and a router outside of it. */
                route.on_link = ((router.s_addr ^ lease->address.address.v4.s_addr) & mask) != 0;
        }
        list->routes[list->n++] = route;
}

static int set_routes(Uplink4 *uplink, const Dhcp4Lease *lease) {
        const IpPrefix anywhere = { .address = IP_ADDRESS_V4((struct in_addr){ INADDR_ANY }) };
        IpPrefix network = lease->address;
        RouteList list = { 0 };

        network.address.v4.s_addr &= ip4_mask(network.length).s_addr;
        if (network.length < 32)
                add_route(uplink, lease, &list, network, (struct in_addr){ INADDR_ANY });
        for (size_t i = 0; i < lease->n_routes; i++)
                add_route(uplink, lease, &list, lease->routes[i].destination, lease->routes[i].router);
        if (lease->n_routes == 0 && lease->routers.n > 0)
                add_route(uplink, lease, &list, anywhere, lease->routers.addresses[0]);
        return port_table_set_routes(uplink->table, list.routes, list.n);
}

/* Adds the address, or renews it; or leaves it as it is where it is another client's. */
static int set_address(Uplink4 *uplink, const Dhcp4Lease *lease) {
        const AddressTimes times = { .preferred = lease->lifetime, .valid = lease->lifetime };
        const IpAddress *address = &lease->address.address;
        IpPrefix prefix = prefix_of(address);
        bool ours = ledger_has(uplink->context->ledger, uplink->link->ifindex, &prefix);
        int r;

        if (!ours) {
                r = uplink_judge_address(uplink->context, uplink->link, address, uplink->refusal);
                if (r < 0)
                        return r;
                uplink->shared = r > 0;
        }
        if (uplink->shared)
                return 0;
        r = port_table_add_address(uplink->table, address);
        if (r >= 0)
                r = ledger_add(uplink->context->ledger, uplink->link->ifindex, &prefix, &times,
                                ADDRESS_DETECTION_NONE);
        if (r >= 0)
                port_table_withdraw_local(uplink->table, address);
        return r;
}

static int set_lease(Uplink4 *uplink, const Dhcp4Lease *lease) {
        int r;

        r = set_address(uplink, lease);
        if (r < 0) {
                if (uplink->address.family == AF_UNSPEC)
                        port_table_clear(uplink->table);
                return r;
        }
        uplink->address = lease->address.address;
        r = set_routes(uplink, lease);
        /* The configuration server may be where no route is needed. */
        if (r < 0 && r != -EBUSY)
                log_error_errno(r, "%s: cannot set a route of the lease: %m", uplink->link->name);
        return r == -EBUSY ? r : 0;
}

static int apply_lease(Uplink4 *uplink, const Dhcp4Lease *lease) {
        int r = set_lease(uplink, lease);

        if (r == -EBUSY)
                uplink_tell_busy(uplink->attempts, uplink->link);
        else if (r < 0)
                log_error_errno(r, "%s: cannot use the lease: %m", uplink->link->name);
        return r;
}

/* Whether the device uses the address elsewhere. */
static bool refuse(struct in_addr address, void *userdata) {
        Uplink4 *uplink = userdata;

        uplink->refusal[0] = '\0';
        return uplink_judge_address(
                               uplink->context, uplink->link, &IP_ADDRESS_V4(address), uplink->refusal) < 0;
}

static void on_bound(Uplink4 *uplink, const Dhcp4Lease *lease) {
        char address[IP_ADDRESS_TEXT_MAX], server[IP_ADDRESS_TEXT_MAX], span[TIME_SPAN_MAX];
        IpAddress dhcp_server = IP_ADDRESS_V4(lease->server);
        uint64_t lifetime = lease->lifetime == UINT32_MAX ? USEC_INFINITY : lease->lifetime * USEC_PER_SEC;
        uint64_t now = time_now_boottime();

        log_message(LOG_NOTICE, LOG_ID_LEASE, uplink->link->name, "Leased %s/%u from %s for %s",
                        ip_address_format(address, &lease->address.address), lease->address.length,
                        ip_address_format(server, &dhcp_server),
                        time_format_span(span, sizeof(span), lifetime));
        uplink->bound_since = time_now_realtime();
        if (apply_lease(uplink, lease) < 0)
                return;
        if (!attempts_refreshed(uplink->attempts, now))
                attempts_soon(uplink->attempts, now);
}

static void on_renewed(Uplink4 *uplink, const Dhcp4Lease *lease) {
        if (apply_lease(uplink, lease) >= 0)
                (void) attempts_refreshed(uplink->attempts, time_now_boottime());
}

static void on_conflict(Uplink4 *uplink, const Dhcp4Lease *lease) {
        char address[IP_ADDRESS_TEXT_MAX], reason[UPLINK_REFUSAL_MAX + 80];

        ip_address_format(address, &lease->address.address);
        if (uplink->refusal[0])
                snprintf(reason, sizeof(reason), "the leased address %s is refused: %s", address,
                                uplink->refusal);
        else
                snprintf(reason, sizeof(reason), "another host uses the leased address %s", address);
        log_message(strcmp(uplink->told, uplink->refusal) == 0 && uplink->refusal[0] ? LOG_DEBUG
                                                                                     : LOG_WARNING,
                        NULL, uplink->link->name, "%c%s; it is declined", toupper(reason[0]), reason + 1);
        memcpy(uplink->told, uplink->refusal, sizeof(uplink->told));
        attempts_set_result(uplink->attempts, PORT_RESULT_NO_LEASE, "%s", reason);
}

static void on_lost(Uplink4 *uplink) {
        log_message(LOG_NOTICE, NULL, uplink->link->name, "The lease is lost");
        attempts_stop(uplink->attempts);
        remove_address(uplink);
        attempts_set_result(uplink->attempts, PORT_RESULT_NO_LEASE, "the lease was lost");
}

static void on_dhcp4(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata) {
        Uplink4 *uplink = userdata;

        switch (event) {
        case DHCP4_EVENT_BOUND:
                on_bound(uplink, lease);
                break;
        case DHCP4_EVENT_RENEWED:
                on_renewed(uplink, lease);
                break;
        case DHCP4_EVENT_LOST:
                on_lost(uplink);
                break;
        case DHCP4_EVENT_CONFLICT:
                on_conflict(uplink, lease);
                break;
        }
        attempts_changed(uplink->attempts);
}

/* RFC 4361 §6.1: type 255, an IAID of the port, the DUID of the device; so two ports never share an address. */
static void build_client_id(const Uplink4 *uplink, Dhcp4ClientConfig *config) {
        const Identity *identity = uplink->context->identity;
        const struct ether_addr *address = &uplink->link->address;
        Buffer buffer = BUFFER(config->client_id, sizeof(config->client_id));

        buffer_append_u8(&buffer, 255);
        buffer_append(&buffer, address->ether_addr_octet + 2, 4);
        if (identity->has_duid)
                buffer_append(&buffer, identity->duid, sizeof(identity->duid));
        else { /* DUID-LL (RFC 8415 §11.4) */
                buffer_append_be16(&buffer, 3);
                buffer_append_be16(&buffer, 1);
                buffer_append(&buffer, address, sizeof(*address));
        }
        config->n_client_id = buffer.size;
}

/* The device's UUID as bytes, where it has one. */
static const uint8_t *get_uuid(Uplink4 *uplink) {
        const char *p = uplink->context->identity->uuid;
        unsigned byte;
        size_t n = 0;

        while (n < sizeof(uplink->uuid)) {
                if (*p == '-') {
                        p++;
                        continue;
                }
                if (!isxdigit((unsigned char) p[0]) || !isxdigit((unsigned char) p[1]) ||
                                sscanf(p, "%2x", &byte) != 1)
                        return NULL;
                uplink->uuid[n++] = (uint8_t) byte;
                p += 2;
        }
        return *p == '\0' ? uplink->uuid : NULL;
}

int uplink4_new(Uplink4 **ret, const UplinkContext *context, const Link *link, Attempts *attempts) {
        _cleanup_(uplink4_freep) Uplink4 *uplink = calloc(1, sizeof(*uplink));
        Dhcp4RunnerConfig config = {
                .raw = context->dhcp4,
                .ifindex = link->ifindex,
                .interface = link->name,
                .client = {
                        .address = link->address,
                        .mtu = (uint16_t) MIN(link->mtu, (uint32_t) UINT16_MAX),
                        .host_name = uplink_text(context->identity->serial),
                        .vendor_class = uplink_text(context->config->vendor_class),
                        .user_class = uplink_text(context->config->user_class),
                        .enterprise = context->config->enterprise,
                        .previous = ledger_get_previous4(context->ledger, link->ifindex),
                        .conflict_wait = context->config->conflict_detection_usec,
                        .refuse = refuse,
                        .notify = on_dhcp4,
                },
                .userdata = uplink,
        };
        int r;

        if (!uplink)
                return -ENOMEM;
        uplink->context = context;
        uplink->link = link;
        uplink->attempts = attempts;
        config.client.uuid = get_uuid(uplink);
        build_client_id(uplink, &config.client);
        r = port_table_new(&uplink->table, context->netlink, AF_INET, link->ifindex, link->name);
        if (r < 0)
                return r;
        r = dhcp4_runner_new(&uplink->runner, context->loop, &config);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(uplink);
        return 0;
}

Uplink4 *uplink4_free(Uplink4 *uplink) {
        if (!uplink)
                return NULL;
        if (uplink->shared)
                dhcp4_runner_abandon(uplink->runner);
        dhcp4_runner_free(uplink->runner);
        remove_address(uplink);
        port_table_free(uplink->table);
        free(uplink);
        return NULL;
}

void uplink4_retry(Uplink4 *uplink) {
        dhcp4_runner_retry(uplink->runner);
}

bool uplink4_is_ready(Uplink4 *uplink) {
        const Dhcp4Lease *lease = lease_of(uplink);

        return lease && (uplink->address.family != AF_UNSPEC || apply_lease(uplink, lease) >= 0);
}

static void get_dns(const Dhcp4Lease *lease, ResolverConfig *resolver) {
        for (size_t i = 0; i < lease->dns.n; i++)
                resolver->servers[resolver->n_servers++] = IP_ADDRESS_V4(lease->dns.addresses[i]);
        if (lease->domain)
                resolver->domains[resolver->n_domains++] = lease->domain;
}

int uplink4_prepare(const Uplink4 *uplink, FetchConfig *config, Targets **ret) {
        const Dhcp4Lease *lease = lease_of(uplink);
        Targets *targets;
        int r;

        r = targets_new4(&targets, lease, &uplink->context->config->names, uplink->context->identity,
                        &uplink->link->address);
        if (r < 0)
                return r;
        if (targets->n_servers == 0 || targets->n_files == 0) {
                attempts_set_result(uplink->attempts, PORT_RESULT_NO_TARGET, "%s",
                                targets->n_servers == 0
                                                ? "the lease names no configuration server (options 150, 66, siaddr, sname)"
                                                : "no file name: the lease has none (option 67), and no serial number is known for Names=");
                targets_free(targets);
                return -ENODATA;
        }
        config->mtu = lease->mtu > 0 ? MIN(lease->mtu, uplink->link->mtu) : uplink->link->mtu;
        config->resolver.family = AF_INET;
        get_dns(lease, &config->resolver);
        *ret = targets;
        return 0;
}

void uplink4_refresh(Uplink4 *uplink, bool another) {
        if (another) {
                if (uplink->shared)
                        dhcp4_runner_abandon(uplink->runner);
                dhcp4_runner_restart(uplink->runner);
                remove_address(uplink);
        } else
                dhcp4_runner_renew(uplink->runner);
}

void uplink4_restore(Uplink4 *uplink) {
        if (uplink->address.family == AF_UNSPEC)
                return;
        (void) port_table_restore(uplink->table);
        (void) apply_lease(uplink, lease_of(uplink));
}

IpAddress uplink4_get_address(const Uplink4 *uplink) {
        return uplink->address;
}

const char *uplink4_get_state(const Uplink4 *uplink) {
        return dhcp4_state_to_string(dhcp4_client_get_state(dhcp4_runner_client(uplink->runner)));
}

uint64_t uplink4_get_dropped(const Uplink4 *uplink) {
        return dhcp4_client_get_dropped(dhcp4_runner_client(uplink->runner));
}

static json_t *list_to_json(const Ip4List *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->n; i++)
                if (json_array_append_new(array, json_address(IP_ADDRESS_V4(list->addresses[i]))) < 0) {
                        json_decref(array);
                        return NULL;
                }
        return array;
}

static json_t *routes_to_json(const Dhcp4Lease *lease) {
        json_t *array = json_array();

        for (size_t i = 0; i < lease->n_routes; i++)
                if (json_array_append_new(array,
                                    json_route(&lease->routes[i].destination,
                                                    IP_ADDRESS_V4(lease->routes[i].router))) < 0) {
                        json_decref(array);
                        return NULL;
                }
        return array;
}

json_t *uplink4_lease_to_json(const Uplink4 *uplink) {
        const Dhcp4Lease *lease = lease_of(uplink);
        char prefix[IP_ADDRESS_TEXT_MAX + 8], address[IP_ADDRESS_TEXT_MAX];

        if (!lease)
                return json_null();
        snprintf(prefix, sizeof(prefix), "%s/%u", ip_address_format(address, &lease->address.address),
                        lease->address.length);
        return json_pack("{s:s, s:o, s:o, s:I, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                        "address", prefix, "server", json_address(IP_ADDRESS_V4(lease->server)), "since",
                        json_time(uplink->bound_since), "lifetime", (json_int_t) lease->lifetime, "routers",
                        list_to_json(&lease->routers), "routes", routes_to_json(lease), "mtu", lease->mtu,
                        "dns", list_to_json(&lease->dns), "domain", json_string_or_null(lease->domain),
                        "option_150", list_to_json(&lease->tftp_servers), "option_66",
                        json_string_or_null(lease->tftp_server_name), "siaddr",
                        lease->next_server.s_addr ? json_address(IP_ADDRESS_V4(lease->next_server))
                                                  : json_null(),
                        "sname", json_string_or_null(lease->server_name), "option_67",
                        json_string_or_null(lease->boot_file), "file", json_string_or_null(lease->file),
                        "vendor_file", json_string_or_null(lease->vendor_file));
}
