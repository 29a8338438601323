/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 2131 figure 5. Rows are states, columns what happens; "-" is dropped and counted.
 *
 *              timer                       OFFER          ACK              NAK
 *  STOPPED     -                           -              -                -
 *  INIT        DISCOVER, SELECTING         -              -                -
 *  REBOOTING   DISCOVER, SELECTING         -              PROBING          INIT
 *                                                         (that address)
 *  SELECTING   REQUEST for what was        REQUEST,       PROBING (RFC     -
 *              offered, REQUESTING;        REQUESTING     4039)
 *              else DISCOVER again
 *  REQUESTING  REQUEST again, 4 times,     -              PROBING          INIT
 *              then SELECTING                             (that server)    (that server)
 *  PROBING     BOUND                       -              -                -
 *  BOUND       (T1) REQUEST, RENEWING      -              -                -
 *  RENEWING    REQUEST again;              -              BOUND            LOST, INIT
 *              (T2) REQUEST, REBINDING                    (that server)    (that server)
 *  REBINDING   REQUEST again;              -              BOUND            LOST, INIT
 *              (expiry) LOST, SELECTING                   (any server)     (any server)
 *
 * Offers: one that names a configuration server or file is taken at once. One that does not is kept for as long again as it has
 * taken to come (OFFER_WAIT_MIN to _MAX), and taken when no better one has come by then. The same holds for an ACK that comes
 * instead of an offer.
 *
 * An address that the device uses elsewhere (config.refuse) is declined like one that another host has: as soon as the server has
 * committed to it, or has renewed it. An offer of one is kept as one that names no configuration server is.
 *
 * Conflicts: the ARP probe goes out with the REQUEST, so that as a rule the time for its answer has passed when the ACK comes.
 * An answer makes it DECLINE and INIT, wherever it is then.
 *
 * Deviations: no random delay of 1 to 10 s before the first DISCOVER (§4.4.1 SHOULD): ports get their carrier one by one
 * and a person waits. After a NAK we start again at once, but from the second in a row on with the delays of §4.1, so
 * that a server that offers and refuses is not asked without end. One ARP probe and a short wait instead of RFC 5227's
 * three probes in 4 to 7 s.
 */

#include "net/dhcp4-client.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

/* RFC 2131 §3.1.5: "retransmit the DHCPREQUEST message four times, for a total delay of 60 seconds". */
#define REQUESTS_MAX 4

/* RFC 2131 §4.4.5: half of the time that is left, but not more often than once a minute. */
#define RENEW_INTERVAL_MIN USEC_PER_MINUTE

/* How long a better offer is waited for. Servers of one network are about as far away; those that ping an address first are not. */
#define OFFER_WAIT_MIN (20 * USEC_PER_MSEC)
#define OFFER_WAIT_MAX (500 * USEC_PER_MSEC)

/* A server that does not know the address before a restart says nothing (RFC 2131 §4.3.2). */
#define REBOOT_WAIT USEC_PER_SEC

/* RFC 2131 §3.1.5: "the client SHOULD wait a minimum of ten seconds before restarting". */
#define DECLINE_WAIT (10 * USEC_PER_SEC)

/* An answer to a probe may come as late as this. */
#define CONFLICT_HEEDED USEC_PER_SEC

/* The frame, and all that we say, at its longest. */
#define REQUEST_MAX 1400

struct Dhcp4Client {
        Dhcp4ClientConfig config;
        Dhcp4State state;

        uint32_t xid;
        uint64_t started;  /* when the exchange began, for `secs` */
        uint64_t deadline; /* of the state's timer */
        unsigned attempt;  /* messages sent in this state */
        unsigned n_naks;   /* since the last BOUND */
        uint64_t n_dropped;

        uint64_t requested; /* when the REQUEST was sent that the lease counts from (§4.4.1) */
        Dhcp4Lease *offer;  /* SELECTING, REQUESTING, PROBING */
        bool committed;     /* SELECTING: `offer` is a lease already */
        Dhcp4Lease *lease;  /* BOUND, RENEWING, REBINDING */
        uint64_t t1, t2, expiry;

        struct in_addr probed; /* 0.0.0.0: nothing */
        uint64_t probe_time;
        bool conflict; /* `probed` has been answered */
};

DEFINE_CLEANUP(Dhcp4Lease, dhcp4_lease_free)

static const char *const state_names[] = {
        [DHCP4_STATE_STOPPED] = "stopped",
        [DHCP4_STATE_INIT] = "init",
        [DHCP4_STATE_REBOOTING] = "rebooting",
        [DHCP4_STATE_SELECTING] = "selecting",
        [DHCP4_STATE_REQUESTING] = "requesting",
        [DHCP4_STATE_PROBING] = "probing",
        [DHCP4_STATE_BOUND] = "bound",
        [DHCP4_STATE_RENEWING] = "renewing",
        [DHCP4_STATE_REBINDING] = "rebinding",
};
static_assert(ELEMENTSOF(state_names) == _DHCP4_STATE_MAX, "a state without a name");

const char *dhcp4_state_to_string(Dhcp4State state) {
        return state_names[state];
}

uint64_t dhcp4_retransmit_usec(unsigned attempt, uint32_t random) {
        uint64_t base = (4 * USEC_PER_SEC) << MIN(attempt, 4u);

        return base - USEC_PER_SEC + random % (2 * USEC_PER_SEC + 1);
}

static uint32_t draw(Dhcp4Client *client) {
        return client->config.random(client->config.userdata);
}

static void set_state(Dhcp4Client *client, Dhcp4State state) {
        client->state = state;
        client->attempt = 0;
}

/* What every message of ours has: who we are. */
static void begin_message(const Dhcp4Client *client, Buffer *buffer, Dhcp4Type type, struct in_addr ciaddr,
                uint64_t now) {
        const Dhcp4ClientConfig *config = &client->config;
        uint64_t secs = (now - client->started) / USEC_PER_SEC;

        dhcp4_build_begin(buffer,
                        &(Dhcp4Header){
                                        .xid = client->xid,
                                        .secs = (uint16_t) MIN(secs, (uint64_t) UINT16_MAX),
                                        .ciaddr = ciaddr,
                                        .chaddr = config->address,
                        },
                        type);
        dhcp4_append_option(buffer, DHCP4_OPTION_CLIENT_ID, config->client_id, config->n_client_id);
}

/* RFC 4578's number of this machine, as boot loaders give it: UEFI on x86-64, on ARM 64. */
#if defined(__x86_64__)
#define ARCHITECTURE 7
#elif defined(__aarch64__)
#define ARCHITECTURE 11
#endif

static void append_text(Buffer *buffer, Dhcp4Option code, const char *text) {
        if (text)
                dhcp4_append_option(buffer, code, text, strlen(text));
}

/* What a server can tell devices apart by, in the first DISCOVER already. */
static void append_identity(const Dhcp4ClientConfig *config, Buffer *buffer) {
        uint8_t memory[4 + 1 + UINT8_MAX];
        Buffer value;

        append_text(buffer, DHCP4_OPTION_HOST_NAME, config->host_name);
        append_text(buffer, DHCP4_OPTION_VENDOR_CLASS, config->vendor_class);
        if (config->user_class) { /* RFC 3004 §4: a list of texts, each with its size */
                value = BUFFER(memory, sizeof(memory));
                buffer_append_u8(&value, (uint8_t) strlen(config->user_class));
                buffer_append(&value, config->user_class, strlen(config->user_class));
                dhcp4_append_option(buffer, DHCP4_OPTION_USER_CLASS, value.p, value.size);
        }
#ifdef ARCHITECTURE
        dhcp4_append_be16(buffer, DHCP4_OPTION_ARCHITECTURE, ARCHITECTURE);
#endif
        if (config->uuid) { /* RFC 4578 §2.3: type 0 */
                value = BUFFER(memory, sizeof(memory));
                buffer_append_u8(&value, 0);
                buffer_append(&value, config->uuid, 16);
                dhcp4_append_option(buffer, DHCP4_OPTION_UUID, value.p, value.size);
        }
        if (config->enterprise != 0 &&
                        config->vendor_class) { /* RFC 3925 §3: its data is a list like that of option 77 */
                size_t n = strlen(config->vendor_class);

                value = BUFFER(memory, sizeof(memory));
                buffer_append_be32(&value, config->enterprise);
                buffer_append_u8(&value, (uint8_t) (n + 1));
                buffer_append_u8(&value, (uint8_t) n);
                buffer_append(&value, config->vendor_class, n);
                dhcp4_append_option(buffer, DHCP4_OPTION_VENDOR_IDENTIFYING, value.p, value.size);
        }
}

static void append_wishes(const Dhcp4Client *client, Buffer *buffer) {
        static const uint8_t parameters[] = {
                DHCP4_OPTION_SUBNET_MASK,
                DHCP4_OPTION_CLASSLESS_ROUTES, /* RFC 3442: before the router */
                DHCP4_OPTION_ROUTER,
                DHCP4_OPTION_DNS,
                DHCP4_OPTION_HOST_NAME,
                DHCP4_OPTION_DOMAIN_NAME,
                DHCP4_OPTION_MTU,
                DHCP4_OPTION_VENDOR_SPECIFIC,
                DHCP4_OPTION_LEASE_TIME,
                DHCP4_OPTION_SERVER_ID,
                DHCP4_OPTION_T1,
                DHCP4_OPTION_T2,
                DHCP4_OPTION_TFTP_SERVER_NAME,
                DHCP4_OPTION_BOOT_FILE,
                DHCP4_OPTION_VENDOR_INFORMATION,
                DHCP4_OPTION_TFTP_SERVERS,
        };

        dhcp4_append_option(buffer, DHCP4_OPTION_PARAMETER_LIST, parameters, sizeof(parameters));
        dhcp4_append_be16(buffer, DHCP4_OPTION_MAX_MESSAGE_SIZE, client->config.mtu);
        append_identity(&client->config, buffer);
}

static void send_message(Dhcp4Client *client, Dhcp4Type type, struct in_addr source,
                struct in_addr destination, Buffer *buffer) {
        dhcp4_build_end(buffer);
        assert(buffer_status(buffer) == 0);
        (void) client->config.send(
                        type, source, destination, buffer->p, buffer->size, client->config.userdata);
}

static void send_discover(Dhcp4Client *client, uint64_t now) {
        struct in_addr any = { INADDR_ANY };
        uint8_t memory[REQUEST_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        begin_message(client, &buffer, DHCP4_DISCOVER, any, now);
        dhcp4_append_option(&buffer, DHCP4_OPTION_RAPID_COMMIT, NULL, 0);
        append_wishes(client, &buffer);
        client->requested = now;
        send_message(client, DHCP4_DISCOVER, any, (struct in_addr){ INADDR_BROADCAST }, &buffer);
        client->deadline = time_add(now, dhcp4_retransmit_usec(client->attempt++, draw(client)));
}

/* RFC 2131 table 5: which of ciaddr, option 50 and option 54 a REQUEST carries depends on the state. */
static void send_request(Dhcp4Client *client, uint64_t now) {
        struct in_addr ciaddr = { INADDR_ANY }, destination = { INADDR_BROADCAST };
        uint8_t memory[REQUEST_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        if (client->lease)
                ciaddr = client->lease->address.address.v4;
        if (client->state == DHCP4_STATE_RENEWING)
                destination = client->lease->server;

        begin_message(client, &buffer, DHCP4_REQUEST, ciaddr, now);
        if (client->state == DHCP4_STATE_REQUESTING) {
                dhcp4_append_address(
                                &buffer, DHCP4_OPTION_REQUESTED_ADDRESS, client->offer->address.address.v4);
                dhcp4_append_address(&buffer, DHCP4_OPTION_SERVER_ID, client->offer->server);
        }
        if (client->state == DHCP4_STATE_REBOOTING)
                dhcp4_append_address(&buffer, DHCP4_OPTION_REQUESTED_ADDRESS, client->config.previous);
        append_wishes(client, &buffer);
        client->requested = now;
        client->attempt++;
        send_message(client, DHCP4_REQUEST, ciaddr, destination, &buffer);
}

static void new_exchange(Dhcp4Client *client, uint64_t now) {
        client->xid = draw(client);
        client->started = now;
}

/* RFC 5227 §2.1.1. A probe that is lost, or cannot be sent, is one that nobody answers. */
static void probe(Dhcp4Client *client, struct in_addr address, uint64_t now) {
        if (client->config.conflict_wait == 0 || address.s_addr == client->probed.s_addr)
                return;
        client->probed = address;
        client->probe_time = now;
        client->conflict = false;
        (void) client->config.probe(address, client->config.userdata);
}

static void forget_offer(Dhcp4Client *client) {
        client->offer = dhcp4_lease_free(client->offer);
        client->probed = (struct in_addr){ INADDR_ANY };
}

static void enter_selecting(Dhcp4Client *client, uint64_t now) {
        forget_offer(client);
        new_exchange(client, now);
        set_state(client, DHCP4_STATE_SELECTING);
        send_discover(client, now);
}

static void enter_rebooting(Dhcp4Client *client, uint64_t now) {
        new_exchange(client, now);
        set_state(client, DHCP4_STATE_REBOOTING);
        client->deadline = time_add(now, REBOOT_WAIT);
        send_request(client, now);
        probe(client, client->config.previous, now);
}

static void enter_requesting(Dhcp4Client *client, uint64_t now) {
        set_state(client, DHCP4_STATE_REQUESTING);
        client->deadline = time_add(now, dhcp4_retransmit_usec(0, draw(client)));
        send_request(client, now);
        probe(client, client->offer->address.address.v4, now);
}

static void retransmit_request(Dhcp4Client *client, uint64_t now) {
        client->deadline = time_add(now, dhcp4_retransmit_usec(client->attempt, draw(client)));
        send_request(client, now);
}

/* RENEWING and REBINDING ask until `end`, which is T2 or the expiry. */
static void renew_until(Dhcp4Client *client, uint64_t end, uint64_t now) {
        uint64_t left = end > now ? end - now : 0;

        client->deadline = MIN(end, time_add(now, MAX(left / 2, RENEW_INTERVAL_MIN)));
        send_request(client, now);
}

static void enter_renewing(Dhcp4Client *client, uint64_t now) {
        new_exchange(client, now);
        set_state(client, DHCP4_STATE_RENEWING);
        renew_until(client, client->t2, now);
}

static void enter_rebinding(Dhcp4Client *client, uint64_t now) {
        set_state(client, DHCP4_STATE_REBINDING);
        renew_until(client, client->expiry, now);
}

static void lose_lease(Dhcp4Client *client) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *lease = TAKE_PTR(client->lease);

        if (lease)
                client->config.notify(DHCP4_EVENT_LOST, lease, client->config.userdata);
}

static uint64_t after(uint64_t from, uint32_t seconds) {
        return seconds == UINT32_MAX ? USEC_INFINITY : time_add(from, seconds * USEC_PER_SEC);
}

static void enter_bound(Dhcp4Client *client, Dhcp4Lease *lease_take) {
        bool renewed = client->lease;

        client->offer = dhcp4_lease_free(client->offer);
        dhcp4_lease_free(client->lease);
        client->lease = lease_take;
        client->t1 = after(client->requested, lease_take->t1);
        client->t2 = after(client->requested, lease_take->t2);
        client->expiry = after(client->requested, lease_take->lifetime);
        client->n_naks = 0;

        set_state(client, DHCP4_STATE_BOUND);
        client->deadline = client->t1;
        client->config.notify(renewed ? DHCP4_EVENT_RENEWED : DHCP4_EVENT_BOUND, client->lease,
                        client->config.userdata);
}

static void enter_init(Dhcp4Client *client, uint64_t when) {
        forget_offer(client);
        set_state(client, DHCP4_STATE_INIT);
        client->deadline = when;
}

/* RFC 2131 §4.4.4 and table 5. The lease is `offer` in PROBING, else `lease`. */
static void decline(Dhcp4Client *client, uint64_t now) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *lease =
                        client->lease ? TAKE_PTR(client->lease) : TAKE_PTR(client->offer);
        struct in_addr any = { INADDR_ANY };
        bool used = client->state != DHCP4_STATE_PROBING;
        uint8_t memory[REQUEST_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        if (used)
                client->config.notify(DHCP4_EVENT_LOST, lease, client->config.userdata);
        new_exchange(client, now);
        begin_message(client, &buffer, DHCP4_DECLINE, any, now);
        dhcp4_append_address(&buffer, DHCP4_OPTION_REQUESTED_ADDRESS, lease->address.address.v4);
        dhcp4_append_address(&buffer, DHCP4_OPTION_SERVER_ID, lease->server);
        send_message(client, DHCP4_DECLINE, any, (struct in_addr){ INADDR_BROADCAST }, &buffer);
        enter_init(client, time_add(now, DECLINE_WAIT));
        client->config.notify(DHCP4_EVENT_CONFLICT, lease, client->config.userdata);
}

static bool is_refused(const Dhcp4Client *client, const Dhcp4Lease *lease) {
        return client->config.refuse &&
                        client->config.refuse(lease->address.address.v4, client->config.userdata);
}

/* A server has given us a lease. Its address can be used when nobody has answered the probe for long enough. */
static void enter_probing(Dhcp4Client *client, Dhcp4Lease *lease_take, uint64_t now) {
        uint64_t end;

        probe(client, lease_take->address.address.v4, now);
        end = time_add(client->probe_time, client->config.conflict_wait);
        dhcp4_lease_free(client->offer);
        client->offer = lease_take;
        set_state(client, DHCP4_STATE_PROBING);
        client->deadline = end;
        if (client->conflict || is_refused(client, client->offer))
                decline(client, now);
        else if (client->config.conflict_wait == 0 || end <= now)
                enter_bound(client, TAKE_PTR(client->offer));
}

void dhcp4_client_dispatch_timer(Dhcp4Client *client, uint64_t now) {
        if (now < client->deadline)
                return;

        switch (client->state) {
        case DHCP4_STATE_STOPPED:
                break;
        case DHCP4_STATE_INIT:
        case DHCP4_STATE_REBOOTING:
                enter_selecting(client, now);
                break;
        case DHCP4_STATE_SELECTING:
                if (!client->offer)
                        send_discover(client, now);
                else if (client->committed)
                        enter_probing(client, TAKE_PTR(client->offer), now);
                else
                        enter_requesting(client, now);
                break;
        case DHCP4_STATE_PROBING:
                enter_bound(client, TAKE_PTR(client->offer));
                break;
        case DHCP4_STATE_REQUESTING:
                if (client->attempt < REQUESTS_MAX)
                        retransmit_request(client, now);
                else
                        enter_selecting(client, now);
                break;
        case DHCP4_STATE_BOUND:
                enter_renewing(client, now);
                break;
        case DHCP4_STATE_RENEWING:
                if (now < client->t2)
                        renew_until(client, client->t2, now);
                else
                        enter_rebinding(client, now);
                break;
        case DHCP4_STATE_REBINDING:
                if (now < client->expiry)
                        renew_until(client, client->expiry, now);
                else {
                        lose_lease(client);
                        enter_selecting(client, now);
                }
                break;
        case _DHCP4_STATE_MAX:
                assert(false);
        }
}

static bool same_address(const Dhcp4Lease *a, const Dhcp4Lease *b) {
        return a->address.address.v4.s_addr == b->address.address.v4.s_addr;
}

static bool same_server(const Dhcp4Lease *a, const Dhcp4Lease *b) {
        return a->server.s_addr == b->server.s_addr;
}

/* An offer that may not be the best: it is kept until its time is over. */
static void keep_offer(Dhcp4Client *client, Dhcp4Lease *lease_take, bool committed, uint64_t now) {
        uint64_t taken = now - client->requested;

        client->offer = lease_take;
        client->committed = committed;
        client->deadline = time_add(now, MIN(MAX(taken, OFFER_WAIT_MIN), OFFER_WAIT_MAX));
}

/* Each on_<message>() returns 0, -ENOMEM, or another error for what is to be dropped. */
static int on_offer(Dhcp4Client *client, const Dhcp4Message *message, uint64_t now) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *lease = NULL;
        int r;

        if (client->state != DHCP4_STATE_SELECTING)
                return -EPROTO;
        r = dhcp4_lease_new(&lease, message, client->config.enterprise);
        if (r < 0)
                return r;
        if (dhcp4_lease_has_configuration(lease) && !is_refused(client, lease)) {
                dhcp4_lease_free(client->offer);
                client->offer = TAKE_PTR(lease);
                enter_requesting(client, now);
        } else if (!client->offer)
                keep_offer(client, TAKE_PTR(lease), false, now);
        return 0;
}

/* RFC 4039 §3.1: the server has committed to what it would have offered. */
static int on_rapid_commit(
                Dhcp4Client *client, const Dhcp4Message *message, Dhcp4Lease *lease_take, uint64_t now) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *lease = lease_take;
        Cursor value;

        if (!dhcp4_message_option(message, DHCP4_OPTION_RAPID_COMMIT, &value) || value.left != 0)
                return -EPROTO;
        if (dhcp4_lease_has_configuration(lease) && !is_refused(client, lease))
                enter_probing(client, TAKE_PTR(lease), now);
        else if (!client->offer)
                keep_offer(client, TAKE_PTR(lease), true, now);
        return 0;
}

static int on_ack(Dhcp4Client *client, const Dhcp4Message *message, uint64_t now) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *lease = NULL;
        int r;

        r = dhcp4_lease_new(&lease, message, client->config.enterprise);
        if (r < 0)
                return r;

        switch (client->state) {
        case DHCP4_STATE_STOPPED:
        case DHCP4_STATE_INIT:
        case DHCP4_STATE_PROBING:
        case DHCP4_STATE_BOUND:
                return -EPROTO;
        case DHCP4_STATE_REBOOTING:
                if (lease->address.address.v4.s_addr != client->config.previous.s_addr)
                        return -EPROTO;
                enter_probing(client, TAKE_PTR(lease), now);
                return 0;
        case DHCP4_STATE_SELECTING:
                return on_rapid_commit(client, message, TAKE_PTR(lease), now);
        case DHCP4_STATE_REQUESTING:
                if (!same_server(lease, client->offer) || !same_address(lease, client->offer))
                        return -EPROTO;
                enter_probing(client, TAKE_PTR(lease), now);
                return 0;
        case DHCP4_STATE_RENEWING:
        case DHCP4_STATE_REBINDING:
                if (!same_address(lease, client->lease) ||
                                (client->state == DHCP4_STATE_RENEWING &&
                                                !same_server(lease, client->lease)))
                        return -EPROTO;
                if (is_refused(client, lease))
                        decline(client, now);
                else
                        enter_bound(client, TAKE_PTR(lease));
                return 0;
        case _DHCP4_STATE_MAX:
                break;
        }
        assert(false);
        return -EPROTO;
}

static int on_nak(Dhcp4Client *client, const Dhcp4Message *message, uint64_t now) {
        struct in_addr server;
        bool expected = false;
        int r;

        r = dhcp4_message_address(message, DHCP4_OPTION_SERVER_ID, &server);
        if (r < 0)
                return r; /* RFC 2131 table 3: MUST */

        switch (client->state) {
        case DHCP4_STATE_STOPPED:
        case DHCP4_STATE_INIT:
        case DHCP4_STATE_SELECTING:
        case DHCP4_STATE_PROBING:
        case DHCP4_STATE_BOUND:
                break;
        case DHCP4_STATE_REQUESTING:
                expected = server.s_addr == client->offer->server.s_addr;
                break;
        case DHCP4_STATE_RENEWING:
                expected = server.s_addr == client->lease->server.s_addr;
                break;
        case DHCP4_STATE_REBOOTING:
        case DHCP4_STATE_REBINDING:
                expected = true;
                break;
        case _DHCP4_STATE_MAX:
                assert(false);
        }
        if (!expected)
                return -EPROTO;
        lose_lease(client);
        enter_init(client,
                        client->n_naks == 0 ? now
                                            : time_add(now,
                                                              dhcp4_retransmit_usec(client->n_naks - 1,
                                                                              draw(client))));
        client->n_naks++;
        return 0;
}

/* RFC 6842 §3: a server returns our client identifier, if it is one that does; another one is for another client. */
static bool client_id_is_ours(const Dhcp4Client *client, const Dhcp4Message *message) {
        const Dhcp4ClientConfig *config = &client->config;
        Cursor value;

        return !dhcp4_message_option(message, DHCP4_OPTION_CLIENT_ID, &value) ||
                        (value.left == config->n_client_id &&
                                        memcmp(value.p, config->client_id, value.left) == 0);
}

static int on_message(Dhcp4Client *client, const Dhcp4Message *message, uint64_t now) {
        const Dhcp4Header *header = &message->header;

        if (!header->reply || header->xid != client->xid ||
                        memcmp(&header->chaddr, &client->config.address, sizeof(header->chaddr)) != 0 ||
                        !client_id_is_ours(client, message))
                return -EPROTO;

        switch (message->type) {
        case DHCP4_OFFER:
                return on_offer(client, message, now);
        case DHCP4_ACK:
                return on_ack(client, message, now);
        case DHCP4_NAK:
                return on_nak(client, message, now);
        case DHCP4_DISCOVER:
        case DHCP4_REQUEST:
        case DHCP4_DECLINE:
        case DHCP4_RELEASE:
                break;
        }
        return -EPROTO;
}

int dhcp4_client_dispatch_message(Dhcp4Client *client, uint64_t now, const uint8_t *data, size_t size) {
        Dhcp4Message message;
        int r;

        r = dhcp4_message_parse(&message, data, size);
        if (r >= 0)
                r = on_message(client, &message, now);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                client->n_dropped++;
        return 0;
}

int dhcp4_client_new(Dhcp4Client **ret, const Dhcp4ClientConfig *config) {
        Dhcp4Client *client;

        assert(config->send && config->notify && config->random);
        assert(config->conflict_wait == 0 || config->probe);
        assert((!config->user_class || strlen(config->user_class) < UINT8_MAX) &&
                        (!config->vendor_class || strlen(config->vendor_class) < UINT8_MAX));
        assert(config->n_client_id >= 2 && config->n_client_id <= sizeof(config->client_id));
        client = calloc(1, sizeof(*client));
        if (!client)
                return -ENOMEM;
        client->config = *config;
        client->deadline = USEC_INFINITY;
        *ret = client;
        return 0;
}

Dhcp4Client *dhcp4_client_free(Dhcp4Client *client) {
        if (!client)
                return NULL;
        dhcp4_lease_free(client->offer);
        dhcp4_lease_free(client->lease);
        free(client);
        return NULL;
}

void dhcp4_client_start(Dhcp4Client *client, uint64_t now) {
        if (client->state != DHCP4_STATE_STOPPED)
                return;
        if (client->config.previous.s_addr != INADDR_ANY)
                enter_rebooting(client, now);
        else
                enter_selecting(client, now);
}

void dhcp4_client_retry(Dhcp4Client *client, uint64_t now) {
        if (client->state == DHCP4_STATE_INIT || client->state == DHCP4_STATE_SELECTING)
                enter_selecting(client, now);
}

void dhcp4_client_renew(Dhcp4Client *client, uint64_t now) {
        if (client->state == DHCP4_STATE_BOUND)
                enter_renewing(client, now);
}

void dhcp4_client_dispatch_conflict(Dhcp4Client *client, uint64_t now, struct in_addr address) {
        if (client->probed.s_addr == INADDR_ANY || client->probed.s_addr != address.s_addr ||
                        now > time_add(client->probe_time, client->config.conflict_wait + CONFLICT_HEEDED)) {
                client->n_dropped++;
                return;
        }
        if (client->state == DHCP4_STATE_PROBING || client->lease)
                decline(client, now);
        else
                client->conflict = true; /* told to the server once it has given us the address */
}

/* RFC 2131 §4.4.6: unicast to the server, once; the lease ends all the same if it is lost. */
static void send_release(Dhcp4Client *client, uint64_t now) {
        struct in_addr address = client->lease->address.address.v4;
        uint8_t memory[REQUEST_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        new_exchange(client, now);
        begin_message(client, &buffer, DHCP4_RELEASE, address, now);
        dhcp4_append_address(&buffer, DHCP4_OPTION_SERVER_ID, client->lease->server);
        send_message(client, DHCP4_RELEASE, address, client->lease->server, &buffer);
}

void dhcp4_client_abandon(Dhcp4Client *client) {
        client->lease = dhcp4_lease_free(client->lease);
        client->config.previous = (struct in_addr){ INADDR_ANY };
        forget_offer(client);
        set_state(client, DHCP4_STATE_STOPPED);
        client->deadline = USEC_INFINITY;
}

void dhcp4_client_stop(Dhcp4Client *client, uint64_t now) {
        if (client->lease)
                send_release(client, now);
        dhcp4_client_abandon(client);
}

uint64_t dhcp4_client_get_timeout(const Dhcp4Client *client) {
        return client->deadline;
}

Dhcp4State dhcp4_client_get_state(const Dhcp4Client *client) {
        return client->state;
}

const Dhcp4Lease *dhcp4_client_get_lease(const Dhcp4Client *client) {
        return client->lease;
}

uint64_t dhcp4_client_get_expiry(const Dhcp4Client *client) {
        return client->expiry;
}

uint64_t dhcp4_client_get_dropped(const Dhcp4Client *client) {
        return client->n_dropped;
}
