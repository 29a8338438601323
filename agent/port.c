/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/port.h"

#include "agent/fetch.h"
#include "agent/handover.h"
#include "agent/log.h"
#include "agent/schedule.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/time.h"
#include "net/dhcp4-runner.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Of the last attempt, for status. */
#define TRIES_MAX 16

/* Behind the metrics of what a NOS configures itself, and different for each port. */
#define METRIC_BASE 20000u

#define RESULT_TEXT_MAX (TARGETS_URL_MAX + 320)

/* How long another attempt waits for what the DHCP server says now. */
#define REFRESH_WAIT USEC_PER_SEC

typedef struct Try {
        char *url, *result;
        uint64_t realtime;
} Try;

struct Port {
        const PortContext *context;
        Link link;
        uint64_t carrier_since; /* realtime; 0 without carrier */

        Dhcp4Runner *dhcp4;
        IpPrefix address; /* ours on the port; AF_UNSPEC: none */
        uint64_t bound_since;
        bool fresh;      /* no attempt has been made yet with what the server gave last */
        bool refreshing; /* an attempt waits for the server, until `deadline` */
        uint8_t uuid[16];

        Fetch *fetch;
        uint64_t last_attempt, deadline; /* boottime; 0 and USEC_INFINITY: none */
        int fd_file;
        char *url; /* of fd_file */

        Try tries[TRIES_MAX];
        size_t n_tries;
        unsigned n_more; /* targets that failed besides the one in result_text */
        PortResult result;
        char result_text[RESULT_TEXT_MAX];
};

static void changed(Port *port) {
        port->context->on_change(port->context->userdata);
}

static void set_result(Port *port, PortResult result, const char *format, ...) _printf_(3, 4);

static void set_result(Port *port, PortResult result, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(port->result_text, sizeof(port->result_text), format, arguments);
        va_end(arguments);
        port->result = result;
        changed(port);
}

static void forget_tries(Port *port) {
        while (port->n_tries > 0) {
                port->n_tries--;
                free(port->tries[port->n_tries].url);
                free(port->tries[port->n_tries].result);
        }
}

static void remember_try(Port *port, const char *url, const char *result) {
        _cleanup_free_ char *url_copy = strdup(url), *result_copy = strdup(result);

        if (!url_copy || !result_copy || port->n_tries == TRIES_MAX)
                return; /* status is poorer by a line */
        port->tries[port->n_tries++] = (Try){
                .url = TAKE_PTR(url_copy),
                .result = TAKE_PTR(result_copy),
                .realtime = time_now_realtime(),
        };
}

static void drop_file(Port *port) {
        cleanup_close(&port->fd_file);
        port->fd_file = -1;
        free(TAKE_PTR(port->url));
}

static void end_attempt(Port *port) {
        port->fetch = fetch_free(port->fetch);
        drop_file(port);
        changed(port);
}

static void on_tried(const char *url, const char *result, void *userdata) {
        Port *port = userdata;

        log_message(LOG_DEBUG, NULL, port->link.name, "%s: %s", url, result);
        remember_try(port, url, result);
        /* The first target is the likeliest to be meant. And a file that was there weighs more than one that is not. */
        if (port->result == PORT_RESULT_NO_LEASE)
                set_result(port, PORT_RESULT_NOT_FETCHED, "%s: %s", url, result);
        else
                port->n_more++;
        changed(port);
}

static void on_file(const char *url, int fd_take, void *userdata) {
        Port *port = userdata;
        uint64_t size = 0;

        drop_file(port);
        port->fd_file = fd_take;
        port->url = strdup(url);
        (void) memfd_check_sealed(fd_take, &size);
        log_message(LOG_NOTICE, LOG_ID_FETCHED, port->link.name, "Fetched %s (%ju bytes)", url,
                        (uintmax_t) size);
        changed(port);
        port->context->on_file(port, port->context->userdata);
}

static void on_exhausted(void *userdata) {
        Port *port = userdata;
        size_t n = strlen(port->result_text);

        if (port->result == PORT_RESULT_NOT_FETCHED && port->n_more > 0)
                snprintf(port->result_text + n, sizeof(port->result_text) - n, " (and %u more)",
                                port->n_more);
        end_attempt(port);
        port->context->on_idle(port, port->context->userdata);
}

static int start_fetch(Port *port, const Dhcp4Lease *lease) {
        Targets *targets;
        int r;

        r = targets_new(&targets, lease, &port->context->config->names, port->context->identity,
                        &port->link.address);
        if (r < 0)
                return r;
        if (targets->n_servers == 0 || targets->n_files == 0) {
                if (targets->n_servers == 0)
                        set_result(port, PORT_RESULT_NO_TARGET,
                                        "the lease names no configuration server (options 150, 66, siaddr, sname)");
                else
                        set_result(port, PORT_RESULT_NO_TARGET,
                                        "no file name: the lease has none (option 67), and no serial number is known for Names=");
                targets_free(targets);
                return -ENODATA;
        }
        return fetch_new(&port->fetch, port->context->loop,
                        &(FetchConfig){
                                        .interface = port->link.name,
                                        .ifindex = (uint32_t) port->link.ifindex,
                                        .source = lease->address.address,
                                        .mtu = lease->mtu > 0 ? MIN(lease->mtu, port->link.mtu)
                                                              : port->link.mtu,
                                        .size_max = port->context->config->maximum_size,
                        },
                        targets,
                        &(FetchHandlers){
                                        .tried = on_tried,
                                        .file = on_file,
                                        .exhausted = on_exhausted,
                                        .userdata = port,
                        });
}

static const Dhcp4Lease *lease_of(const Port *port) {
        return port->dhcp4 ? dhcp4_client_get_lease(dhcp4_runner_client(port->dhcp4)) : NULL;
}

static void remove_address(Port *port) {
        int r;

        if (port->address.address.family == AF_UNSPEC)
                return;
        /* The routes have this address as their source and go with it. */
        r = ledger_remove(port->context->ledger, port->link.ifindex, &port->address);
        if (r < 0)
                log_error_errno(r, "%s: cannot remove the leased address: %m", port->link.name);
        port->address.address.family = AF_UNSPEC;
}

/*
 * What the server gave for the last attempt may have been mended since: it is asked again. Where it gave nothing that is of use,
 * there may be another server.
 */
static void refresh(Port *port, uint64_t now) {
        if (port->result == PORT_RESULT_NO_TARGET) {
                dhcp4_runner_restart(port->dhcp4);
                remove_address(port);
        } else
                dhcp4_runner_renew(port->dhcp4);
        port->fresh = true; /* whatever comes of it */
        port->refreshing = true;
        port->deadline = time_add(now, REFRESH_WAIT);
}

void port_attempt(Port *port, uint64_t now) {
        const Dhcp4Lease *lease = lease_of(port);
        int r;

        port->deadline = USEC_INFINITY;
        port->refreshing = false;
        if (!lease || port_is_busy(port))
                return;
        if (!port->fresh) {
                refresh(port, now);
                return;
        }

        port->fresh = false;
        port->last_attempt = now;
        forget_tries(port);
        port->n_more = 0;
        port->result = PORT_RESULT_NO_LEASE; /* until the attempt has one of its own */
        r = start_fetch(port, lease);
        if (r < 0 && r != -ENODATA)
                set_result(port, PORT_RESULT_NOT_FETCHED, "%s", strerror(-r));
        if (r < 0)
                port->context->on_idle(port, port->context->userdata);
        changed(port);
}

static void attempt_soon(Port *port, uint64_t now) {
        uint64_t when = schedule_at_once(port->last_attempt, now);

        if (when <= now)
                port_attempt(port, now);
        else
                port->deadline = when;
}

static int add_route(Port *port, const Dhcp4Lease *lease, IpPrefix destination, struct in_addr router) {
        uint32_t mask = ip4_mask(lease->address.length).s_addr;
        Route route = {
                .ifindex = port->link.ifindex,
                .destination = destination,
                .source = lease->address.address,
                .metric = METRIC_BASE + (uint32_t) port->link.ifindex,
                .mtu = lease->mtu < port->link.mtu ? lease->mtu : 0,
        };

        if (router.s_addr != INADDR_ANY) {
                route.gateway = IP_ADDRESS_V4(router);
                /* Clouds and some campus networks give a /32 and a router outside of it. */
                route.on_link = ((router.s_addr ^ lease->address.address.v4.s_addr) & mask) != 0;
        }
        return netlink_add_route(port->context->netlink, &route);
}

/* A route that the kernel refuses (its router may be nowhere) does not keep us from the others. */
static int add_routes(Port *port, const Dhcp4Lease *lease) {
        const IpPrefix anywhere = { .address = IP_ADDRESS_V4((struct in_addr){ INADDR_ANY }) };
        IpPrefix network = lease->address;
        int r = 0;

        network.address.v4.s_addr &= ip4_mask(network.length).s_addr;
        if (network.length < 32)
                r = add_route(port, lease, network, (struct in_addr){ INADDR_ANY });
        for (size_t i = 0; i < lease->n_routes; i++)
                r = MIN(r, add_route(port, lease, lease->routes[i].destination, lease->routes[i].router));
        if (lease->n_routes == 0 && lease->routers.n > 0)
                r = MIN(r, add_route(port, lease, anywhere, lease->routers.addresses[0]));
        return r;
}

static int apply_lease(Port *port, const Dhcp4Lease *lease) {
        int r;

        r = ledger_add(port->context->ledger, port->link.ifindex, &lease->address, lease->lifetime);
        if (r < 0)
                return log_error_errno(r, "%s: cannot set the leased address: %m", port->link.name);
        port->address = lease->address;
        r = add_routes(port, lease);
        if (r < 0)
                return log_error_errno(r, "%s: cannot set the routes of the lease: %m", port->link.name);
        return 0;
}

static void on_bound(Port *port, const Dhcp4Lease *lease) {
        char address[IP_ADDRESS_TEXT_MAX], server[IP_ADDRESS_TEXT_MAX], span[TIME_SPAN_MAX];
        IpAddress dhcp_server = IP_ADDRESS_V4(lease->server);
        uint64_t lifetime = lease->lifetime == UINT32_MAX ? USEC_INFINITY : lease->lifetime * USEC_PER_SEC;

        log_message(LOG_NOTICE, LOG_ID_LEASE, port->link.name, "Leased %s/%u from %s for %s",
                        ip_address_format(address, &lease->address.address), lease->address.length,
                        ip_address_format(server, &dhcp_server),
                        time_format_span(span, sizeof(span), lifetime));
        port->bound_since = time_now_realtime();
        port->fresh = true;
        if (apply_lease(port, lease) < 0)
                return;
        if (port->refreshing)
                port_attempt(port, time_now_boottime());
        else
                attempt_soon(port, time_now_boottime());
}

static void on_renewed(Port *port, const Dhcp4Lease *lease) {
        port->fresh = true;
        if (apply_lease(port, lease) >= 0 && port->refreshing)
                port_attempt(port, time_now_boottime());
}

static void on_conflict(Port *port, const Dhcp4Lease *lease) {
        char address[IP_ADDRESS_TEXT_MAX];

        ip_address_format(address, &lease->address.address);
        log_message(LOG_WARNING, NULL, port->link.name,
                        "Another host uses the leased address %s; it is declined", address);
        set_result(port, PORT_RESULT_NO_LEASE, "another host uses the leased address %s", address);
}

static void on_lost(Port *port) {
        log_message(LOG_NOTICE, NULL, port->link.name, "The lease is lost");
        if (port->fetch && port->fd_file < 0)
                end_attempt(port);
        remove_address(port);
        set_result(port, PORT_RESULT_NO_LEASE, "the lease was lost");
}

static void on_dhcp4(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata) {
        Port *port = userdata;

        switch (event) {
        case DHCP4_EVENT_BOUND:
                on_bound(port, lease);
                break;
        case DHCP4_EVENT_RENEWED:
                on_renewed(port, lease);
                break;
        case DHCP4_EVENT_LOST:
                on_lost(port);
                break;
        case DHCP4_EVENT_CONFLICT:
                on_conflict(port, lease);
                break;
        }
        changed(port);
}

/* RFC 4361 §6.1: type 255, an IAID of the port, the DUID of the device; so two ports never share an address. */
static void build_client_id(const Port *port, Dhcp4ClientConfig *config) {
        const Identity *identity = port->context->identity;
        Buffer buffer = BUFFER(config->client_id, sizeof(config->client_id));

        buffer_append_u8(&buffer, 255);
        buffer_append(&buffer, port->link.address.ether_addr_octet + 2, 4);
        if (identity->has_duid)
                buffer_append(&buffer, identity->duid, sizeof(identity->duid));
        else { /* DUID-LL (RFC 8415 §11.4) */
                buffer_append_be16(&buffer, 3);
                buffer_append_be16(&buffer, 1);
                buffer_append(&buffer, &port->link.address, sizeof(port->link.address));
        }
        config->n_client_id = buffer.size;
}

static const char *text_or_null(const char *text) {
        return *text ? text : NULL;
}

/* The device's UUID as bytes, where it has one. */
static const uint8_t *get_uuid(Port *port) {
        const char *p = port->context->identity->uuid;
        unsigned byte;
        size_t n = 0;

        while (n < sizeof(port->uuid)) {
                if (*p == '-') {
                        p++;
                        continue;
                }
                if (!isxdigit((unsigned char) p[0]) || !isxdigit((unsigned char) p[1]) ||
                                sscanf(p, "%2x", &byte) != 1)
                        return NULL;
                port->uuid[n++] = (uint8_t) byte;
                p += 2;
        }
        return *p == '\0' ? port->uuid : NULL;
}

static int start_dhcp4(Port *port) {
        const PortContext *context = port->context;
        Dhcp4RunnerConfig config = {
                .raw = context->dhcp4,
                .ifindex = port->link.ifindex,
                .interface = port->link.name,
                .client = {
                        .address = port->link.address,
                        .mtu = (uint16_t) MIN(port->link.mtu, UINT16_MAX),
                        .host_name = text_or_null(context->identity->serial),
                        .vendor_class = text_or_null(context->config->vendor_class),
                        .user_class = text_or_null(context->config->user_class),
                        .enterprise = context->config->enterprise,
                        .uuid = get_uuid(port),
                        .previous = ledger_get_previous4(context->ledger, port->link.ifindex),
                        .conflict_wait = context->config->conflict_detection_usec,
                        .notify = on_dhcp4,
                },
                .userdata = port,
        };
        int r;

        build_client_id(port, &config.client);
        r = dhcp4_runner_new(&port->dhcp4, context->loop, &config);
        if (r < 0)
                set_result(port, PORT_RESULT_NO_LEASE, "DHCP cannot start: %s", strerror(-r));
        return r;
}

static void start(Port *port) {
        port->carrier_since = time_now_realtime();
        port->last_attempt = 0; /* another cable may lead to another network */
        log_message(LOG_INFO, LOG_ID_CARRIER, port->link.name, "Carrier");
        set_result(port, PORT_RESULT_NO_LEASE, "no DHCP server has answered");
        if (port->context->config->ipv4)
                (void) start_dhcp4(port);
}

/* A file that has been fetched is still handed over: it needs the network no more. */
static void stop(Port *port) {
        port->dhcp4 = dhcp4_runner_free(port->dhcp4);
        if (port->fetch && port->fd_file < 0)
                end_attempt(port);
        remove_address(port);
        port->carrier_since = 0;
        port->deadline = USEC_INFINITY;
        set_result(port, PORT_RESULT_NO_CARRIER, "no carrier");
}

int port_new(Port **ret, const PortContext *context, const Link *link) {
        Port *port = calloc(1, sizeof(*port));

        if (!port)
                return -ENOMEM;
        port->context = context;
        port->link = *link;
        port->fd_file = -1;
        port->deadline = USEC_INFINITY;
        set_result(port, PORT_RESULT_NO_CARRIER, "no carrier");
        if (link->carrier)
                start(port);
        *ret = port;
        return 0;
}

Port *port_free(Port *port) {
        if (!port)
                return NULL;
        port->dhcp4 = dhcp4_runner_free(port->dhcp4);
        remove_address(port);
        port->fetch = fetch_free(port->fetch);
        drop_file(port);
        forget_tries(port);
        free(port);
        return NULL;
}

void port_set_link(Port *port, const Link *link) {
        bool was = port->link.carrier,
             other = memcmp(&port->link.address, &link->address, sizeof(link->address)) != 0 ||
                        strcmp(port->link.name, link->name) != 0;

        /* Sockets are bound to the name, leases to the address: with another one everything begins anew. */
        if (was && (!link->carrier || other))
                stop(port);
        port->link = *link;
        if (link->carrier && (!was || other))
                start(port);
        changed(port);
}

const Link *port_get_link(const Port *port) {
        return &port->link;
}

void port_retry(Port *port, uint64_t now) {
        if (port->dhcp4)
                dhcp4_runner_retry(port->dhcp4);
        attempt_soon(port, now);
}

uint64_t port_get_deadline(const Port *port) {
        return port->deadline;
}

bool port_is_busy(const Port *port) {
        return port->fetch || port->fd_file >= 0;
}

int port_get_file(const Port *port, const char **ret_url) {
        *ret_url = port->url;
        return port->fd_file;
}

void port_set_verdict(Port *port, Verdict verdict, const char *reason) {
        char text[HANDOVER_REASON_MAX + 64];

        snprintf(text, sizeof(text), "%s%s%s", verdict_to_string(verdict), *reason ? ": " : "", reason);
        remember_try(port, port->url, text);
        if (!verdict_is_final(verdict))
                set_result(port, PORT_RESULT_NOT_INSTALLED, "%s: %s", port->url, reason);

        drop_file(port);
        if (port->fetch && verdict_is_refusal(verdict)) {
                fetch_next_server(port->fetch);
                return;
        }
        end_attempt(port);
        port->context->on_idle(port, port->context->userdata);
}

PortResult port_get_result(const Port *port, const char **ret_text) {
        *ret_text = port->result_text;
        return port->result;
}

static json_t *time_to_json(uint64_t realtime) {
        char text[TIME_UTC_MAX];

        return realtime == 0 ? json_null() : json_string(time_format_utc(text, sizeof(text), realtime));
}

static json_t *list_to_json(const Ip4List *list) {
        json_t *array = json_array();
        char text[IP_ADDRESS_TEXT_MAX];

        for (size_t i = 0; i < list->n; i++) {
                IpAddress address = IP_ADDRESS_V4(list->addresses[i]);

                if (json_array_append_new(array, json_string(ip_address_format(text, &address))) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }
        return array;
}

static json_t *routes_to_json(const Dhcp4Lease *lease) {
        json_t *array = json_array();
        char destination[IP_ADDRESS_TEXT_MAX], router[IP_ADDRESS_TEXT_MAX];

        for (size_t i = 0; i < lease->n_routes; i++) {
                const Ip4Route *route = lease->routes + i;
                IpAddress via = IP_ADDRESS_V4(route->router);

                if (json_array_append_new(array,
                                    json_sprintf("%s/%u via %s",
                                                    ip_address_format(destination,
                                                                    &route->destination.address),
                                                    route->destination.length,
                                                    ip_address_format(router, &via))) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }
        return array;
}

static json_t *string_or_null(const char *text) {
        return text ? json_string(text) : json_null();
}

static json_t *lease_to_json(const Port *port, const Dhcp4Lease *lease) {
        char prefix[IP_ADDRESS_TEXT_MAX + 8], server[IP_ADDRESS_TEXT_MAX], next_server[IP_ADDRESS_TEXT_MAX];
        IpAddress server_address = IP_ADDRESS_V4(lease->server), next = IP_ADDRESS_V4(lease->next_server);

        snprintf(prefix, sizeof(prefix), "%s/%u", ip_address_format(server, &lease->address.address),
                        lease->address.length);
        return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address",
                        prefix, "server", ip_address_format(server, &server_address), "since",
                        time_to_json(port->bound_since), "lifetime", (json_int_t) lease->lifetime, "routers",
                        list_to_json(&lease->routers), "routes", routes_to_json(lease), "mtu", lease->mtu,
                        "option_150", list_to_json(&lease->tftp_servers), "option_66",
                        string_or_null(lease->tftp_server_name), "siaddr",
                        lease->next_server.s_addr ? json_string(ip_address_format(next_server, &next))
                                                  : json_null(),
                        "sname", string_or_null(lease->server_name), "option_67",
                        string_or_null(lease->boot_file), "file", string_or_null(lease->file), "vendor_file",
                        string_or_null(lease->vendor_file));
}

static json_t *tries_to_json(const Port *port) {
        json_t *array = json_array();

        for (size_t i = 0; i < port->n_tries; i++) {
                const Try *try = port->tries + i;

                if (json_array_append_new(array,
                                    json_pack("{s:s, s:s, s:o}", "url", try->url, "result", try->result,
                                                    "time", time_to_json(try->realtime))) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }
        return array;
}

static json_t *transfer_to_json(const Port *port) {
        uint64_t bytes, size;

        if (!port->fetch || !fetch_get_progress(port->fetch, &bytes, &size))
                return json_null();
        return json_pack("{s:I, s:o}", "bytes", (json_int_t) bytes, "size",
                        size > 0 ? json_integer((json_int_t) size) : json_null());
}

json_t *port_to_json(const Port *port) {
        const uint8_t *a = port->link.address.ether_addr_octet;
        const Dhcp4Lease *lease = lease_of(port);
        char mac[18];

        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
        return json_pack("{s:s, s:s, s:b, s:o, s:s, s:I, s:o, s:o, s:o, s:s}", "name", port->link.name,
                        "mac", mac, "carrier", port->link.carrier, "carrier_since",
                        time_to_json(port->carrier_since), "dhcp4",
                        port->dhcp4 ? dhcp4_state_to_string(dhcp4_client_get_state(
                                                      dhcp4_runner_client(port->dhcp4)))
                                    : "off",
                        "dropped",
                        port->dhcp4 ? (json_int_t) dhcp4_client_get_dropped(dhcp4_runner_client(port->dhcp4))
                                    : 0,
                        "lease", lease ? lease_to_json(port, lease) : json_null(), "transfer",
                        transfer_to_json(port), "tried", tries_to_json(port), "result", port->result_text);
}
