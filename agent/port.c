/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/port.h"

#include "agent/json.h"
#include "agent/log.h"
#include "agent/uplink4.h"
#include "agent/uplink6.h"
#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <string.h>

struct Port {
        const PortContext *context;
        Link link;
        uint64_t carrier_since; /* realtime; 0 without carrier */

        /* NULL without carrier, or where the family is not to be used. */
        Uplink4 *uplink4;
        Uplink6 *uplink6;

        /* They outlast the uplinks: a file is handed over even when the carrier has gone. */
        Attempts *attempts4, *attempts6;
        Attempts *handed;  /* whose file port_get_file() gave last */
        bool had4, had6;   /* an address of that family */
        bool robbed, told; /* since the last port_restore(); in the log, since the carrier came */
};

DEFINE_CLEANUP(Port, port_free)

static void attempt_again(Attempts *attempts) {
        const char *text;

        if (attempts_get_result(attempts, &text) == PORT_RESULT_NOT_FETCHED)
                attempts_soon(attempts, time_now_boottime());
}

/* What one family has tried in vain may be a name that leads to an address of the other, and that has come only now. */
static void follow_addresses(Port *port) {
        bool has4 = port->uplink4 && uplink4_get_address(port->uplink4).family != AF_UNSPEC;
        bool has6 = port->uplink6 && uplink6_get_address(port->uplink6).family != AF_UNSPEC;
        bool new4 = has4 && !port->had4, new6 = has6 && !port->had6;

        port->had4 = has4;
        port->had6 = has6;
        if (new4)
                attempt_again(port->attempts6);
        if (new6)
                attempt_again(port->attempts4);
}

static void on_change(void *userdata) {
        Port *port = userdata;

        follow_addresses(port);
        port->context->on_change(port->context->userdata);
}

static void on_file(void *userdata) {
        Port *port = userdata;

        port->context->on_file(port, port->context->userdata);
}

static void on_idle(void *userdata) {
        Port *port = userdata;

        port->context->on_idle(port, port->context->userdata);
}

/* A name, or the URL of one family, may lead to an address of the other. */
static void set_common(const Port *port, FetchConfig *config) {
        config->ifindex = (uint32_t) port->link.ifindex;
        config->size_max = port->context->uplink.config->maximum_size;
        config->resolver.interface = port->link.name;
        if (port->uplink4)
                config->resolver.source4 = uplink4_get_address(port->uplink4);
        if (port->uplink6)
                config->resolver.source6 = uplink6_get_address(port->uplink6);
}

static bool is_ready4(void *userdata) {
        Port *port = userdata;

        return port->uplink4 && uplink4_is_ready(port->uplink4);
}

static bool is_ready6(void *userdata) {
        Port *port = userdata;

        return port->uplink6 && uplink6_is_ready(port->uplink6);
}

static int prepare4(FetchConfig *ret_config, Targets **ret_targets, void *userdata) {
        Port *port = userdata;

        set_common(port, ret_config);
        return uplink4_prepare(port->uplink4, ret_config, ret_targets);
}

static int prepare6(FetchConfig *ret_config, Targets **ret_targets, void *userdata) {
        Port *port = userdata;

        set_common(port, ret_config);
        return uplink6_prepare(port->uplink6, ret_config, ret_targets);
}

static void refresh4(bool another, void *userdata) {
        Port *port = userdata;

        uplink4_refresh(port->uplink4, another);
}

static void refresh6(bool another, void *userdata) {
        Port *port = userdata;

        uplink6_refresh(port->uplink6, another);
}

static int make_attempts(Port *port) {
        AttemptsConfig config = {
                .loop = port->context->uplink.loop,
                .interface = port->link.name,
                .is_ready = is_ready4,
                .prepare = prepare4,
                .refresh = refresh4,
                .on_change = on_change,
                .on_file = on_file,
                .on_idle = on_idle,
                .userdata = port,
        };
        int r;

        r = attempts_new(&port->attempts4, &config);
        if (r < 0)
                return r;
        config.is_ready = is_ready6;
        config.prepare = prepare6;
        config.refresh = refresh6;
        return attempts_new(&port->attempts6, &config);
}

static void start4(Port *port) {
        const UplinkContext *context = &port->context->uplink;
        int r;

        attempts_set_result(port->attempts4, PORT_RESULT_NO_LEASE, "no DHCP server has answered");
        r = uplink4_new(&port->uplink4, context, &port->link, port->attempts4);
        if (r < 0)
                attempts_set_result(port->attempts4, PORT_RESULT_NO_LEASE, "DHCP cannot start: %s",
                                strerror(-r));
}

static void start6(Port *port) {
        const UplinkContext *context = &port->context->uplink;
        int r;

        attempts_set_result(port->attempts6, PORT_RESULT_NO_LEASE, "no DHCPv6 server has answered");
        r = uplink6_new(&port->uplink6, context, &port->link, port->attempts6);
        if (r < 0)
                attempts_set_result(port->attempts6, PORT_RESULT_NO_LEASE, "IPv6 cannot start: %s",
                                strerror(-r));
}

static void start(Port *port) {
        const UplinkContext *context = &port->context->uplink;

        port->carrier_since = time_now_realtime();
        port->told = false;
        /* Another cable may lead to another network. */
        attempts_reset(port->attempts4);
        attempts_reset(port->attempts6);
        log_message(LOG_INFO, LOG_ID_CARRIER, port->link.name, "Carrier");
        port->context->on_carrier(port->context->userdata);
        if (context->config->ipv4)
                start4(port);
        if (context->config->ipv6)
                start6(port);
}

static void tell_no_carrier(Port *port) {
        attempts_set_result(port->attempts4, PORT_RESULT_NO_CARRIER, "no carrier");
        attempts_set_result(port->attempts6, PORT_RESULT_NO_CARRIER, "no carrier");
}

static void stop(Port *port) {
        port->uplink4 = uplink4_free(port->uplink4);
        port->uplink6 = uplink6_free(port->uplink6);
        attempts_stop(port->attempts4);
        attempts_stop(port->attempts6);
        port->carrier_since = 0;
        tell_no_carrier(port);
}

int port_new(Port **ret, const PortContext *context, const Link *link) {
        _cleanup_(port_freep) Port *port = calloc(1, sizeof(*port));
        int r;

        if (!port)
                return -ENOMEM;
        port->context = context;
        port->link = *link;
        r = make_attempts(port);
        if (r < 0)
                return r;
        tell_no_carrier(port);
        if (link->carrier)
                start(port);
        *ret = TAKE_PTR(port);
        return 0;
}

Port *port_free(Port *port) {
        if (!port)
                return NULL;
        uplink4_free(port->uplink4);
        uplink6_free(port->uplink6);
        attempts_free(port->attempts4);
        attempts_free(port->attempts6);
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
        on_change(port);
}

const Link *port_get_link(const Port *port) {
        return &port->link;
}

void port_attempt(Port *port, uint64_t now) {
        attempts_start(port->attempts4, now);
        attempts_start(port->attempts6, now);
}

void port_retry(Port *port, uint64_t now) {
        if (port->uplink4)
                uplink4_retry(port->uplink4);
        if (port->uplink6)
                uplink6_retry(port->uplink6);
        attempts_soon(port->attempts4, now);
        attempts_soon(port->attempts6, now);
}

void port_set_robbed(Port *port) {
        port->robbed = true;
}

void port_restore(Port *port) {
        if (!port->robbed)
                return;
        port->robbed = false;
        log_message(port->told ? LOG_DEBUG : LOG_NOTICE, NULL, port->link.name,
                        "Another program has removed what we had set on this port; it is set again");
        port->told = true;
        if (port->uplink4)
                uplink4_restore(port->uplink4);
        if (port->uplink6)
                uplink6_restore(port->uplink6);
        attempt_again(port->attempts4);
        attempt_again(port->attempts6);
}

void port_set_received(Port *port, const struct in6_addr *address) {
        if (port->uplink6)
                uplink6_set_received(port->uplink6, address);
}

uint64_t port_get_deadline(const Port *port) {
        return MIN(attempts_get_deadline(port->attempts4), attempts_get_deadline(port->attempts6));
}

void port_dispatch_timer(Port *port, uint64_t now) {
        if (attempts_get_deadline(port->attempts4) <= now)
                attempts_start(port->attempts4, now);
        if (attempts_get_deadline(port->attempts6) <= now)
                attempts_start(port->attempts6, now);
}

bool port_is_busy(const Port *port) {
        return attempts_is_busy(port->attempts4) || attempts_is_busy(port->attempts6);
}

int port_get_file(Port *port, const char **ret_url) {
        port->handed = attempts_get_file(port->attempts4, ret_url) >= 0 ? port->attempts4 : port->attempts6;
        return attempts_get_file(port->handed, ret_url);
}

void port_set_verdict(Port *port, Verdict verdict, const char *reason) {
        attempts_set_verdict(port->handed, verdict, reason);
}

/* Of equal ones that of IPv4, which more networks have. */
PortResult port_get_result(const Port *port, const char **ret_text) {
        PortResult result4 = attempts_get_result(port->attempts4, ret_text);
        const char *text6;

        if (attempts_get_result(port->attempts6, &text6) <= result4)
                return result4;
        return attempts_get_result(port->attempts6, ret_text);
}

static json_t *tries_to_json(const Port *port) {
        json_t *array = json_array();

        if (attempts_append_tries(port->attempts4, array) < 0 ||
                        attempts_append_tries(port->attempts6, array) < 0) {
                json_decref(array);
                return NULL;
        }
        return array;
}

static json_t *transfer_to_json(const Port *port) {
        json_t *transfer = attempts_transfer_to_json(port->attempts4);

        if (!json_is_null(transfer))
                return transfer;
        return attempts_transfer_to_json(port->attempts6);
}

json_t *port_to_json(const Port *port) {
        const uint8_t *a = port->link.address.ether_addr_octet;
        char mac[18];
        const char *text;

        (void) port_get_result(port, &text);
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
        return json_pack("{s:s, s:s, s:b, s:o, s:s, s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:s}", "name",
                        port->link.name, "mac", mac, "carrier", port->link.carrier, "carrier_since",
                        json_time(port->carrier_since), "dhcp4",
                        port->uplink4 ? uplink4_get_state(port->uplink4) : "off", "dropped",
                        port->uplink4 ? (json_int_t) uplink4_get_dropped(port->uplink4) : 0, "lease",
                        port->uplink4 ? uplink4_lease_to_json(port->uplink4) : json_null(), "dhcp6",
                        port->uplink6 ? uplink6_get_state(port->uplink6) : "off", "lease6",
                        port->uplink6 ? uplink6_lease_to_json(port->uplink6) : json_null(), "ipv6",
                        port->uplink6 ? uplink6_network_to_json(port->uplink6) : json_null(), "transfer",
                        transfer_to_json(port), "tried", tries_to_json(port), "result", text);
}
