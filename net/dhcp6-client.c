/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 8415 §18.2. Rows are states, columns what happens; "-" is dropped and counted.
 *
 *              timer                        ADVERTISE              REPLY
 *  STOPPED     -                            -                      -
 *  INIT        SOLICIT, SOLICITING          -                      -
 *  SOLICITING  REQUEST for what was         REQUEST, REQUESTING    (rapid commit) BOUND
 *              advertised, REQUESTING;
 *              else SOLICIT again
 *  REQUESTING  REQUEST again, 10 times,     -                      BOUND; (no addresses, not on link) SOLICIT, SOLICITING
 *              then SOLICITING                                     (that server)
 *  BOUND       (T1) RENEW, RENEWING         -                      -
 *  RENEWING    RENEW again;                 -                      BOUND; (no binding) REQUEST, REQUESTING
 *              (T2) REBIND, REBINDING                              (that server)
 *  REBINDING   REBIND again;                -                      BOUND; (no binding) REQUEST, REQUESTING
 *              (expiry) LOST, SOLICITING                           (any server)
 *  INFORMING   INFORMATION-REQUEST again    -                      INFORMED
 *  INFORMED    (refresh time)               -                      -
 *              INFORMATION-REQUEST,
 *              INFORMING
 *
 * RECONFIGURE is refused in every state: we never say that we accept it (§18.2.11), and whoever can send it could have us ask
 * again and again.
 *
 * Advertisements: one of preference 255 (§18.2.1), and one that names a file, is taken at once. Of others the best one is taken
 * after a while (ADVERTISE_WAIT_MIN to _MAX, as long again as the first has taken), not after the whole second of §18.2.1.
 *
 * Deviations: no random delay of up to a second before the first message (§18.2.1, §18.2.6): ports get their carrier one by one
 * and a person waits. RELEASE and DECLINE are sent once (§18.2.7, §18.2.8: up to five times): a server keeps neither lease nor
 * address for us longer than it has to. No CONFIRM: a port that gets its carrier back asks for everything anew.
 */

#include "net/dhcp6-client.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* RFC 8415 §7.6. */
#define SOLICIT_INITIAL USEC_PER_SEC
#define SOLICIT_MAX USEC_PER_HOUR
#define REQUEST_INITIAL USEC_PER_SEC
#define REQUEST_MAX (30 * USEC_PER_SEC)
#define REQUESTS_MAX 10
#define RENEW_INITIAL (10 * USEC_PER_SEC)
#define RENEW_MAX (10 * USEC_PER_MINUTE)
#define INFORM_INITIAL USEC_PER_SEC
#define INFORM_MAX USEC_PER_HOUR

#define ADVERTISE_WAIT_MIN (20 * USEC_PER_MSEC)
#define ADVERTISE_WAIT_MAX (500 * USEC_PER_MSEC)

/* As in net/dhcp4-client.c: so that a server that gives away what is taken is not asked without end. */
#define DECLINE_WAIT (10 * USEC_PER_SEC)

/* All that we say, at its longest: two classes of 200 bytes, and two identifiers. */
#define MESSAGE_MAX 1200

const struct in6_addr dhcp6_servers = { .s6_addr = { 0xff, 2, [13] = 1, [15] = 2 } };

struct Dhcp6Client {
        Dhcp6ClientConfig config;
        Dhcp6State state;

        uint32_t xid;
        uint64_t started;  /* when the exchange began, for the elapsed time */
        uint64_t deadline; /* of the state's timer */
        uint64_t delay;    /* between the last two messages of this exchange */
        unsigned attempt;  /* messages sent in this exchange */
        uint64_t n_dropped;
        uint32_t sol_max_rt, inf_max_rt; /* seconds, as a server has set them; 0: none has */

        uint64_t requested;  /* when the message was sent that the lease counts from */
        Dhcp6Lease *offer;   /* SOLICITING, REQUESTING */
        Dhcp6Lease *lease;   /* BOUND, RENEWING, REBINDING, INFORMED; and INFORMING again */
        uint64_t lease_time; /* `requested` of the lease */
        uint64_t t2, expiry;
};

DEFINE_CLEANUP(Dhcp6Lease, dhcp6_lease_free)

static const char *const state_names[] = {
        [DHCP6_STATE_STOPPED] = "stopped",
        [DHCP6_STATE_INIT] = "init",
        [DHCP6_STATE_SOLICITING] = "soliciting",
        [DHCP6_STATE_REQUESTING] = "requesting",
        [DHCP6_STATE_BOUND] = "bound",
        [DHCP6_STATE_RENEWING] = "renewing",
        [DHCP6_STATE_REBINDING] = "rebinding",
        [DHCP6_STATE_INFORMING] = "informing",
        [DHCP6_STATE_INFORMED] = "informed",
};
static_assert(ELEMENTSOF(state_names) == _DHCP6_STATE_MAX, "a state without a name");

const char *dhcp6_state_to_string(Dhcp6State state) {
        return state_names[state];
}

/* §15: RT = 2 RTprev + RAND RTprev, RAND between -0.1 and +0.1; §18.2.1 wants the first RAND of a SOLICIT above 0. */
uint64_t dhcp6_retransmit_usec(uint64_t previous, uint64_t initial, uint64_t maximum, uint32_t random) {
        uint64_t unit = previous == 0 ? initial : previous, base = previous == 0 ? initial : 2 * previous;

        if (base > maximum)
                unit = base = maximum;
        if (previous == 0)
                return base + 1 + random % (unit / 10);
        return base - unit / 10 + random % (unit / 5 + 1);
}

static uint32_t draw(Dhcp6Client *client) {
        return client->config.random(client->config.userdata);
}

static void set_state(Dhcp6Client *client, Dhcp6State state) {
        client->state = state;
        client->attempt = 0;
        client->delay = 0;
}

static void new_exchange(Dhcp6Client *client, Dhcp6State state, uint64_t now) {
        set_state(client, state);
        client->xid = draw(client) & 0xffffff;
        client->started = now;
}

static void append_class(Buffer *buffer, const char *text) {
        buffer_append_be16(buffer, (uint16_t) strlen(text));
        buffer_append(buffer, text, strlen(text));
}

/* RFC 4578's number of this machine, which option 61 uses as well. */
#if defined(__x86_64__)
#define ARCHITECTURE 7
#elif defined(__aarch64__)
#define ARCHITECTURE 11
#endif

#define FQDN_FLAG_SERVER_UPDATES 1 /* RFC 4704 §4.1: S */

/* What a server can tell devices apart by, in the first SOLICIT already. */
static void append_identity(const Dhcp6ClientConfig *config, Buffer *buffer) {
        uint8_t memory[256];
        Buffer value;

        if (config->user_class) {
                value = BUFFER(memory, sizeof(memory));
                append_class(&value, config->user_class);
                dhcp6_append_option(buffer, DHCP6_OPTION_USER_CLASS, value.p, value.size);
        }
        if (config->vendor_class && config->enterprise != 0) {
                value = BUFFER(memory, sizeof(memory));
                buffer_append_be32(&value, config->enterprise);
                append_class(&value, config->vendor_class);
                dhcp6_append_option(buffer, DHCP6_OPTION_VENDOR_CLASS, value.p, value.size);
        }
        if (config->host_name) {
                value = BUFFER(memory, sizeof(memory));
                buffer_append_u8(&value, FQDN_FLAG_SERVER_UPDATES);
                domain_name_append(&value, config->host_name);
                dhcp6_append_option(buffer, DHCP6_OPTION_FQDN, value.p, value.size);
        }
#ifdef ARCHITECTURE
        dhcp6_append_be16(buffer, DHCP6_OPTION_ARCHITECTURE, ARCHITECTURE);
#endif
}

static void append_wishes(Buffer *buffer) {
        static const uint16_t wishes[] = {
                DHCP6_OPTION_BOOT_URL,
                DHCP6_OPTION_BOOT_PARAMETERS,
                DHCP6_OPTION_DNS,
                DHCP6_OPTION_DOMAINS,
                DHCP6_OPTION_VENDOR_OPTIONS,
                DHCP6_OPTION_REFRESH_TIME,
                DHCP6_OPTION_FQDN,
                DHCP6_OPTION_SOL_MAX_RT,
                DHCP6_OPTION_INF_MAX_RT,
        };

        buffer_append_be16(buffer, DHCP6_OPTION_ORO);
        buffer_append_be16(buffer, sizeof(wishes));
        for (size_t i = 0; i < ELEMENTSOF(wishes); i++)
                buffer_append_be16(buffer, wishes[i]);
}

static void append_server_id(Buffer *buffer, const Dhcp6Lease *lease) {
        dhcp6_append_option(buffer, DHCP6_OPTION_SERVER_ID, lease->server_id, lease->n_server_id);
}

/* The addresses that a message is about; §18.2.4: their lifetimes are the server's to say. */
static void append_ia(const Dhcp6Client *client, Buffer *buffer, const Dhcp6Lease *lease) {
        Dhcp6Ia ia = { .iaid = client->config.iaid };

        for (size_t i = 0; lease && i < lease->n_addresses; i++)
                ia.addresses[ia.n_addresses++] = (Dhcp6IaAddress){ .address = lease->addresses[i].address };
        dhcp6_append_ia(buffer, &ia);
}

/* What every message of ours has: who we are, and for how long we have been asking (§21.9: in hundredths of a second). */
static void begin_message(const Dhcp6Client *client, Buffer *buffer, Dhcp6Type type, uint64_t now) {
        const Dhcp6ClientConfig *config = &client->config;
        uint64_t elapsed = (now - client->started) / (10 * USEC_PER_MSEC);

        dhcp6_build_begin(buffer, type, client->xid);
        dhcp6_append_option(buffer, DHCP6_OPTION_CLIENT_ID, config->client_id, config->n_client_id);
        dhcp6_append_be16(buffer, DHCP6_OPTION_ELAPSED_TIME, (uint16_t) MIN(elapsed, (uint64_t) UINT16_MAX));
}

static void send_message(Dhcp6Client *client, Dhcp6Type type, const Dhcp6Lease *unicast, Buffer *buffer) {
        bool directly = unicast && !IN6_IS_ADDR_UNSPECIFIED(&unicast->unicast) && unicast->n_addresses > 0;

        assert(buffer_status(buffer) == 0);
        (void) client->config.send(type, directly ? &unicast->addresses[0].address : NULL,
                        directly ? &unicast->unicast : &dhcp6_servers, buffer->p, buffer->size,
                        client->config.userdata);
}

static void set_retransmit(Dhcp6Client *client, uint64_t initial, uint64_t maximum, uint64_t now) {
        client->delay = dhcp6_retransmit_usec(client->delay, initial, maximum, draw(client));
        client->deadline = time_add(now, client->delay);
        client->attempt++;
}

static uint64_t max_rt(uint32_t seconds, uint64_t otherwise) {
        return seconds > 0 ? seconds * USEC_PER_SEC : otherwise;
}

static void send_solicit(Dhcp6Client *client, uint64_t now) {
        uint8_t memory[MESSAGE_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        begin_message(client, &buffer, DHCP6_SOLICIT, now);
        dhcp6_append_option(&buffer, DHCP6_OPTION_RAPID_COMMIT, NULL, 0);
        append_ia(client, &buffer, NULL);
        append_wishes(&buffer);
        append_identity(&client->config, &buffer);
        client->requested = now;
        set_retransmit(client, SOLICIT_INITIAL, max_rt(client->sol_max_rt, SOLICIT_MAX), now);
        send_message(client, DHCP6_SOLICIT, NULL, &buffer);
}

/* REQUEST for `offer`; RENEW and REBIND for `lease`. */
static void send_request(Dhcp6Client *client, Dhcp6Type type, const Dhcp6Lease *lease, uint64_t now) {
        uint8_t memory[MESSAGE_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        begin_message(client, &buffer, type, now);
        if (type != DHCP6_REBIND)
                append_server_id(&buffer, lease);
        append_ia(client, &buffer, lease);
        append_wishes(&buffer);
        append_identity(&client->config, &buffer);
        client->requested = now;
        send_message(client, type, type == DHCP6_RENEW ? lease : NULL, &buffer);
}

static void send_inform(Dhcp6Client *client, uint64_t now) {
        uint8_t memory[MESSAGE_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        begin_message(client, &buffer, DHCP6_INFORMATION_REQUEST, now);
        append_wishes(&buffer);
        append_identity(&client->config, &buffer);
        client->requested = now;
        set_retransmit(client, INFORM_INITIAL, max_rt(client->inf_max_rt, INFORM_MAX), now);
        send_message(client, DHCP6_INFORMATION_REQUEST, NULL, &buffer);
}

/* RELEASE and DECLINE: said once. */
static void send_last_word(Dhcp6Client *client, Dhcp6Type type, const Dhcp6Lease *lease, uint64_t now) {
        uint8_t memory[MESSAGE_MAX];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        new_exchange(client, client->state, now);
        begin_message(client, &buffer, type, now);
        append_server_id(&buffer, lease);
        append_ia(client, &buffer, lease);
        send_message(client, type, type == DHCP6_RELEASE ? lease : NULL, &buffer);
}

static void enter_soliciting(Dhcp6Client *client, uint64_t now) {
        client->offer = dhcp6_lease_free(client->offer);
        new_exchange(client, DHCP6_STATE_SOLICITING, now);
        send_solicit(client, now);
}

static void enter_requesting(Dhcp6Client *client, uint64_t now) {
        new_exchange(client, DHCP6_STATE_REQUESTING, now);
        set_retransmit(client, REQUEST_INITIAL, REQUEST_MAX, now);
        send_request(client, DHCP6_REQUEST, client->offer, now);
}

static void enter_informing(Dhcp6Client *client, uint64_t now) {
        client->offer = dhcp6_lease_free(client->offer);
        new_exchange(client, DHCP6_STATE_INFORMING, now);
        send_inform(client, now);
}

static void lose_lease(Dhcp6Client *client) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *lease = TAKE_PTR(client->lease);

        if (lease && lease->n_addresses > 0)
                client->config.notify(DHCP6_EVENT_LOST, lease, client->config.userdata);
}

static uint64_t after(uint64_t from, uint32_t seconds) {
        return seconds == UINT32_MAX ? USEC_INFINITY : time_add(from, seconds * USEC_PER_SEC);
}

static void take_lease(Dhcp6Client *client, Dhcp6Lease *lease_take) {
        client->offer = dhcp6_lease_free(client->offer);
        dhcp6_lease_free(client->lease);
        client->lease = lease_take;
        client->lease_time = client->requested;
}

static void enter_bound(Dhcp6Client *client, Dhcp6Lease *lease_take) {
        bool renewed = client->lease && client->lease->n_addresses > 0;

        take_lease(client, lease_take);
        client->t2 = after(client->requested, lease_take->t2);
        client->expiry = after(client->requested, lease_take->lifetime);
        set_state(client, DHCP6_STATE_BOUND);
        client->deadline = after(client->requested, lease_take->t1);
        client->config.notify(renewed ? DHCP6_EVENT_RENEWED : DHCP6_EVENT_BOUND, client->lease,
                        client->config.userdata);
}

static void enter_informed(Dhcp6Client *client, Dhcp6Lease *lease_take) {
        take_lease(client, lease_take);
        set_state(client, DHCP6_STATE_INFORMED);
        client->deadline = after(client->requested, lease_take->refresh_time);
        client->config.notify(DHCP6_EVENT_INFORMED, client->lease, client->config.userdata);
}

/* RENEWING and REBINDING ask until `end`, which is T2 or the expiry. */
static void renew_until(Dhcp6Client *client, Dhcp6Type type, uint64_t end, uint64_t now) {
        set_retransmit(client, RENEW_INITIAL, RENEW_MAX, now);
        client->deadline = MIN(client->deadline, end);
        send_request(client, type, client->lease, now);
}

static void enter_renewing(Dhcp6Client *client, uint64_t now) {
        new_exchange(client, DHCP6_STATE_RENEWING, now);
        renew_until(client, DHCP6_RENEW, client->t2, now);
}

static void enter_rebinding(Dhcp6Client *client, uint64_t now) {
        new_exchange(client, DHCP6_STATE_REBINDING, now);
        renew_until(client, DHCP6_REBIND, client->expiry, now);
}

/* Keeps what it has while it asks whoever is there for new bindings (§18.2.10.1). */
static void request_again(Dhcp6Client *client, Dhcp6Lease *answer_take, uint64_t now) {
        Dhcp6Lease *lease = client->lease;

        /* The server does not know these addresses: what is asked for are the same, and ours until their time is over. */
        memcpy(answer_take->addresses, lease->addresses, sizeof(lease->addresses));
        answer_take->n_addresses = lease->n_addresses;
        dhcp6_lease_free(client->offer);
        client->offer = answer_take;
        enter_requesting(client, now);
}

void dhcp6_client_dispatch_timer(Dhcp6Client *client, uint64_t now) {
        if (now < client->deadline)
                return;

        switch (client->state) {
        case DHCP6_STATE_STOPPED:
                break;
        case DHCP6_STATE_INIT:
                enter_soliciting(client, now);
                break;
        case DHCP6_STATE_SOLICITING:
                if (client->offer)
                        enter_requesting(client, now);
                else
                        send_solicit(client, now);
                break;
        case DHCP6_STATE_REQUESTING:
                if (client->attempt < REQUESTS_MAX && (!client->lease || now < client->expiry)) {
                        set_retransmit(client, REQUEST_INITIAL, REQUEST_MAX, now);
                        send_request(client, DHCP6_REQUEST, client->offer, now);
                } else {
                        lose_lease(client);
                        enter_soliciting(client, now);
                }
                break;
        case DHCP6_STATE_BOUND:
                enter_renewing(client, now);
                break;
        case DHCP6_STATE_RENEWING:
                if (now < client->t2)
                        renew_until(client, DHCP6_RENEW, client->t2, now);
                else
                        enter_rebinding(client, now);
                break;
        case DHCP6_STATE_REBINDING:
                if (now < client->expiry)
                        renew_until(client, DHCP6_REBIND, client->expiry, now);
                else {
                        lose_lease(client);
                        enter_soliciting(client, now);
                }
                break;
        case DHCP6_STATE_INFORMING:
                send_inform(client, now);
                break;
        case DHCP6_STATE_INFORMED:
                enter_informing(client, now);
                break;
        case _DHCP6_STATE_MAX:
                assert(false);
        }
}

static bool same_server(const Dhcp6Lease *a, const Dhcp6Lease *b) {
        return a->n_server_id == b->n_server_id && memcmp(a->server_id, b->server_id, a->n_server_id) == 0;
}

/* §21.24: from every server, whether it has something for us or not. */
static void take_max_rt(Dhcp6Client *client, const Dhcp6Lease *lease) {
        if (lease->sol_max_rt > 0)
                client->sol_max_rt = lease->sol_max_rt;
        if (lease->inf_max_rt > 0)
                client->inf_max_rt = lease->inf_max_rt;
}

/* Each on_<message>() returns 0, or an error for what is to be dropped. It owns the lease. */
static int on_advertise(Dhcp6Client *client, Dhcp6Lease *lease_take, uint64_t now) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *lease = lease_take;
        uint64_t taken = now - client->requested;

        if (client->state != DHCP6_STATE_SOLICITING)
                return -EPROTO;
        take_max_rt(client, lease);
        if (lease->n_addresses == 0)
                return -ENODATA;

        if (lease->preference == UINT8_MAX || dhcp6_lease_has_configuration(lease)) {
                dhcp6_lease_free(client->offer);
                client->offer = TAKE_PTR(lease);
                enter_requesting(client, now);
        } else if (!client->offer) {
                client->offer = TAKE_PTR(lease);
                client->deadline = time_add(now, MIN(MAX(taken, ADVERTISE_WAIT_MIN), ADVERTISE_WAIT_MAX));
        } else if (lease->preference > client->offer->preference) {
                dhcp6_lease_free(client->offer);
                client->offer = TAKE_PTR(lease);
        }
        return 0;
}

static bool has_status(const Dhcp6Message *message, uint32_t iaid, Dhcp6Status status) {
        if (message->status == status)
                return true;
        for (size_t i = 0; i < message->n_ias; i++)
                if (message->ias[i].iaid == iaid && message->ias[i].status == status)
                        return true;
        return false;
}

/* The answer to a REQUEST. */
static int on_requested(
                Dhcp6Client *client, const Dhcp6Message *message, Dhcp6Lease *lease_take, uint64_t now) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *lease = lease_take;
        uint32_t iaid = client->config.iaid;

        if (!same_server(lease, client->offer))
                return -EPROTO;
        if (lease->n_addresses > 0) {
                enter_bound(client, TAKE_PTR(lease));
                return 0;
        }
        if (!has_status(message, iaid, DHCP6_STATUS_NO_ADDRESSES) &&
                        !has_status(message, iaid, DHCP6_STATUS_NOT_ON_LINK))
                return -ENODATA; /* §18.2.10: asked again when the timer says */
        lose_lease(client);
        /* The same server may advertise the same again: not at once. */
        client->offer = dhcp6_lease_free(client->offer);
        new_exchange(client, DHCP6_STATE_INIT, now);
        client->deadline =
                        time_add(now, dhcp6_retransmit_usec(0, SOLICIT_INITIAL, SOLICIT_MAX, draw(client)));
        return 0;
}

static int on_renewed(
                Dhcp6Client *client, const Dhcp6Message *message, Dhcp6Lease *lease_take, uint64_t now) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *lease = lease_take;

        if (client->state == DHCP6_STATE_RENEWING && !same_server(lease, client->lease))
                return -EPROTO;
        if (lease->n_addresses > 0) {
                enter_bound(client, TAKE_PTR(lease));
                return 0;
        }
        if (has_status(message, client->config.iaid, DHCP6_STATUS_USE_MULTICAST)) { /* §18.2.10 */
                client->lease->unicast = in6addr_any;
                send_request(client, DHCP6_RENEW, client->lease, now);
                return 0;
        }
        if (!has_status(message, client->config.iaid, DHCP6_STATUS_NO_BINDING))
                return -ENODATA;
        request_again(client, TAKE_PTR(lease), now);
        return 0;
}

static int on_reply(Dhcp6Client *client, const Dhcp6Message *message, Dhcp6Lease *lease_take, uint64_t now) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *lease = lease_take;

        switch (client->state) {
        case DHCP6_STATE_STOPPED:
        case DHCP6_STATE_INIT:
        case DHCP6_STATE_BOUND:
        case DHCP6_STATE_INFORMED:
                return -EPROTO;
        case DHCP6_STATE_SOLICITING: /* §18.2.10: without the option it is none that we have asked for */
                if (!message->rapid_commit || lease->n_addresses == 0)
                        return -EPROTO;
                take_max_rt(client, lease);
                enter_bound(client, TAKE_PTR(lease));
                return 0;
        case DHCP6_STATE_REQUESTING:
                take_max_rt(client, lease);
                return on_requested(client, message, TAKE_PTR(lease), now);
        case DHCP6_STATE_RENEWING:
        case DHCP6_STATE_REBINDING:
                take_max_rt(client, lease);
                return on_renewed(client, message, TAKE_PTR(lease), now);
        case DHCP6_STATE_INFORMING:
                if (message->status != DHCP6_STATUS_SUCCESS)
                        return -ENODATA;
                take_max_rt(client, lease);
                lease->n_addresses = 0; /* §18.2.10.4: none was asked for */
                enter_informed(client, TAKE_PTR(lease));
                return 0;
        case _DHCP6_STATE_MAX:
                break;
        }
        assert(false);
        return -EPROTO;
}

/* §16.3, §16.10: with our identifier, and that of the server. */
static bool is_for_us(const Dhcp6Client *client, const Dhcp6Message *message) {
        const Dhcp6ClientConfig *config = &client->config;

        return message->xid == client->xid && message->client_id.left == config->n_client_id &&
                        memcmp(message->client_id.p, config->client_id, config->n_client_id) == 0;
}

static int on_message(Dhcp6Client *client, const Dhcp6Message *message, uint64_t now) {
        Dhcp6Lease *lease;
        int r;

        if ((message->type != DHCP6_ADVERTISE && message->type != DHCP6_REPLY) ||
                        client->state == DHCP6_STATE_STOPPED || !is_for_us(client, message))
                return -EPROTO;
        r = dhcp6_lease_new(&lease, message, client->config.iaid, client->config.enterprise);
        if (r < 0)
                return r;
        return message->type == DHCP6_ADVERTISE ? on_advertise(client, lease, now)
                                                : on_reply(client, message, lease, now);
}

int dhcp6_client_dispatch_message(Dhcp6Client *client, uint64_t now, const uint8_t *data, size_t size) {
        Dhcp6Message message;
        int r;

        r = dhcp6_message_parse(&message, data, size);
        if (r >= 0)
                r = on_message(client, &message, now);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                client->n_dropped++;
        return 0;
}

int dhcp6_client_new(Dhcp6Client **ret, const Dhcp6ClientConfig *config) {
        Dhcp6Client *client;

        assert(config->send && config->notify && config->random);
        assert(config->n_client_id >= 3 && config->n_client_id <= sizeof(config->client_id));
        assert((!config->user_class || strlen(config->user_class) <= 200) &&
                        (!config->vendor_class || strlen(config->vendor_class) <= 200));
        assert(!config->host_name || domain_name_is_valid(config->host_name));
        client = calloc(1, sizeof(*client));
        if (!client)
                return -ENOMEM;
        client->config = *config;
        client->deadline = USEC_INFINITY;
        *ret = client;
        return 0;
}

Dhcp6Client *dhcp6_client_free(Dhcp6Client *client) {
        if (!client)
                return NULL;
        dhcp6_lease_free(client->offer);
        dhcp6_lease_free(client->lease);
        free(client);
        return NULL;
}

void dhcp6_client_start(Dhcp6Client *client, uint64_t now) {
        if (client->state == DHCP6_STATE_STOPPED || client->state == DHCP6_STATE_INFORMING ||
                        client->state == DHCP6_STATE_INFORMED)
                enter_soliciting(client, now);
}

void dhcp6_client_inform(Dhcp6Client *client, uint64_t now) {
        if (client->state == DHCP6_STATE_STOPPED ||
                        (client->state == DHCP6_STATE_SOLICITING && !client->offer))
                enter_informing(client, now);
}

void dhcp6_client_retry(Dhcp6Client *client, uint64_t now) {
        if (client->state == DHCP6_STATE_INIT || client->state == DHCP6_STATE_SOLICITING)
                enter_soliciting(client, now);
        else if (client->state == DHCP6_STATE_INFORMING)
                enter_informing(client, now);
}

void dhcp6_client_renew(Dhcp6Client *client, uint64_t now) {
        if (client->state == DHCP6_STATE_BOUND)
                enter_renewing(client, now);
        else if (client->state == DHCP6_STATE_INFORMED)
                enter_informing(client, now);
}

void dhcp6_client_decline(Dhcp6Client *client, uint64_t now, const struct in6_addr *address) {
        bool ours = false;

        for (size_t i = 0; client->lease && i < client->lease->n_addresses; i++)
                ours = ours || IN6_ARE_ADDR_EQUAL(&client->lease->addresses[i].address, address);
        if (!ours)
                return;
        send_last_word(client, DHCP6_DECLINE, client->lease, now);
        client->offer = dhcp6_lease_free(client->offer);
        new_exchange(client, DHCP6_STATE_INIT, now);
        client->deadline = time_add(now, DECLINE_WAIT);
        lose_lease(client);
}

void dhcp6_client_stop(Dhcp6Client *client, uint64_t now) {
        if (client->lease && client->lease->n_addresses > 0)
                send_last_word(client, DHCP6_RELEASE, client->lease, now);
        client->lease = dhcp6_lease_free(client->lease);
        client->offer = dhcp6_lease_free(client->offer);
        set_state(client, DHCP6_STATE_STOPPED);
        client->deadline = USEC_INFINITY;
}

uint64_t dhcp6_client_get_timeout(const Dhcp6Client *client) {
        return client->deadline;
}

Dhcp6State dhcp6_client_get_state(const Dhcp6Client *client) {
        return client->state;
}

const Dhcp6Lease *dhcp6_client_get_lease(const Dhcp6Client *client) {
        return client->lease;
}

uint64_t dhcp6_client_get_requested(const Dhcp6Client *client) {
        return client->lease_time;
}

uint64_t dhcp6_client_get_dropped(const Dhcp6Client *client) {
        return client->n_dropped;
}
