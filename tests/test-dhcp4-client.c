/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/dhcp4-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define T0 (1000 * USEC_PER_SEC)
#define ADDRESS 0xc0000207u
#define SERVER 0xc0000201u
#define OTHER_SERVER 0xc0000202u
#define CONFLICT_WAIT (50 * USEC_PER_MSEC)

/* A client on a clock of the test's, what it sent last, and what it told. */
typedef struct Fixture {
        Dhcp4Client *client;
        uint64_t now;
        uint32_t random;

        unsigned n_sent, n_bound, n_renewed, n_lost, n_conflicts, n_probes;
        bool refused; /* all addresses */
        struct in_addr probed;
        Dhcp4Message sent; /* parsed back */
        struct in_addr source, destination;
} Fixture;

static int on_send(Dhcp4Type type, struct in_addr source, struct in_addr destination, const uint8_t *data,
                size_t size, void *userdata) {
        Fixture *f = userdata;

        f->n_sent++;
        f->source = source;
        f->destination = destination;
        assert_int_equal(dhcp4_message_parse(&f->sent, data, size), 0);
        assert_int_equal(f->sent.type, type);
        assert_true(size >= 300);
        return f->n_sent % 3 == 0 ? -ENOBUFS : 0; /* an error is a lost packet and changes nothing */
}

static void on_notify(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata) {
        Fixture *f = userdata;

        assert_int_equal(ntohl(lease->address.address.v4.s_addr), ADDRESS);
        switch (event) {
        case DHCP4_EVENT_BOUND:
                f->n_bound++;
                break;
        case DHCP4_EVENT_RENEWED:
                f->n_renewed++;
                break;
        case DHCP4_EVENT_LOST:
                f->n_lost++;
                break;
        case DHCP4_EVENT_CONFLICT:
                f->n_conflicts++;
                break;
        }
}

static int on_probe(struct in_addr address, void *userdata) {
        Fixture *f = userdata;

        f->probed = address;
        f->n_probes++;
        return 0;
}

static bool on_refuse(struct in_addr address, void *userdata) {
        Fixture *f = userdata;

        assert_int_equal(ntohl(address.s_addr), ADDRESS);
        return f->refused;
}

static uint32_t on_random(void *userdata) {
        Fixture *f = userdata;

        return f->random += 0x10000001;
}

static const uint8_t uuid[16] = { 0x4c, 0x4c, 0x45, 0x44 };

static int setup_with(void **state, struct in_addr previous, uint64_t conflict_wait) {
        Fixture *f = calloc(1, sizeof(*f));
        Dhcp4ClientConfig config = {
                .address = { { 2, 0, 0, 0, 0, 1 } },
                .mtu = 1500,
                .client_id = { 255, 0, 0, 0, 1, 0, 4 },
                .n_client_id = 23,
                .host_name = "SN19842256",
                .vendor_class = "sdi",
                .user_class = "leaf",
                .enterprise = 32473,
                .uuid = uuid,
                .previous = previous,
                .conflict_wait = conflict_wait,
                .probe = on_probe,
                .refuse = on_refuse,
                .send = on_send,
                .notify = on_notify,
                .random = on_random,
                .userdata = f,
        };

        *state = f;
        f->now = T0;
        return dhcp4_client_new(&f->client, &config);
}

static int setup(void **state) {
        return setup_with(state, (struct in_addr){ INADDR_ANY }, 0);
}

static int setup_previous(void **state) {
        return setup_with(state, (struct in_addr){ htonl(ADDRESS) }, 0);
}

static int setup_probing(void **state) {
        return setup_with(state, (struct in_addr){ INADDR_ANY }, CONFLICT_WAIT);
}

static int teardown(void **state) {
        Fixture *f = *state;

        dhcp4_client_free(f->client);
        free(f);
        return 0;
}

static Dhcp4State state_of(const Fixture *f) {
        return dhcp4_client_get_state(f->client);
}

typedef struct Answer {
        Dhcp4Type type;
        uint32_t server, address, lifetime;
        uint32_t xid_off; /* from the right one */
        uint8_t mac_off;
        bool request;
        bool bare;  /* names no configuration server */
        bool rapid; /* has option 80 */
        const char *client_id;
} Answer;

static void answer(Fixture *f, Answer a) {
        uint8_t memory[600];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        dhcp4_build_begin(&buffer,
                        &(Dhcp4Header){
                                        .reply = !a.request,
                                        .xid = f->sent.header.xid + a.xid_off,
                                        .yiaddr = { htonl(a.address ? a.address : ADDRESS) },
                                        .chaddr = { { 2, 0, 0, 0, 0, (uint8_t) (1 + a.mac_off) } },
                        },
                        a.type);
        dhcp4_append_address(&buffer, DHCP4_OPTION_SERVER_ID,
                        (struct in_addr){ htonl(a.server ? a.server : SERVER) });
        dhcp4_append_address(&buffer, DHCP4_OPTION_LEASE_TIME,
                        (struct in_addr){ htonl(a.lifetime ? a.lifetime : 3600) });
        if (!a.bare)
                dhcp4_append_option(&buffer, DHCP4_OPTION_TFTP_SERVER_NAME, "192.0.2.3", 9);
        if (a.rapid)
                dhcp4_append_option(&buffer, DHCP4_OPTION_RAPID_COMMIT, NULL, 0);
        if (a.client_id)
                dhcp4_append_option(&buffer, DHCP4_OPTION_CLIENT_ID, a.client_id, 23);
        dhcp4_build_end(&buffer);
        assert_int_equal(dhcp4_client_dispatch_message(f->client, f->now, memory, buffer.size), 0);
}

/* Moves the clock to the client's next time and fires it; returns how long that was. */
static uint64_t wait(Fixture *f) {
        uint64_t next = dhcp4_client_get_timeout(f->client), passed = next - f->now;

        assert_true(next != USEC_INFINITY);
        assert_true(next >= f->now);
        f->now = next;
        dhcp4_client_dispatch_timer(f->client, f->now);
        return passed;
}

static void bind_client(Fixture *f) {
        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
}

static void assert_around(uint64_t usec, uint64_t seconds) {
        assert_true(usec >= (seconds - 1) * USEC_PER_SEC && usec <= (seconds + 1) * USEC_PER_SEC);
}

static struct in_addr sent_address(const Fixture *f, Dhcp4Option code) {
        struct in_addr address = { 0 };

        (void) dhcp4_message_address(&f->sent, code, &address);
        return address;
}

static void assert_option(const Fixture *f, Dhcp4Option code, const char *expected, size_t n) {
        Cursor value;

        assert_true(dhcp4_message_option(&f->sent, code, &value));
        assert_int_equal(value.left, n);
        assert_memory_equal(value.p, expected, n);
}

/* RFC 2131 table 5, and what an operator may match on in the first DISCOVER. */
static void test_discover(void **state) {
        static const uint8_t wanted[] = { DHCP4_OPTION_TFTP_SERVER_NAME, DHCP4_OPTION_BOOT_FILE,
                DHCP4_OPTION_TFTP_SERVERS, DHCP4_OPTION_CLASSLESS_ROUTES, DHCP4_OPTION_MTU,
                DHCP4_OPTION_VENDOR_SPECIFIC, DHCP4_OPTION_VENDOR_INFORMATION };
        Fixture *f = *state;
        Cursor value;

        dhcp4_client_start(f->client, f->now);
        assert_int_equal(f->n_sent, 1);
        assert_int_equal(f->sent.type, DHCP4_DISCOVER);
        assert_int_equal(f->destination.s_addr, INADDR_BROADCAST);
        assert_int_equal(f->sent.header.ciaddr.s_addr, 0);
        assert_false(f->sent.header.broadcast);
        assert_false(dhcp4_message_option(&f->sent, DHCP4_OPTION_SERVER_ID, &value));
        assert_false(dhcp4_message_option(&f->sent, DHCP4_OPTION_REQUESTED_ADDRESS, &value));

        assert_true(dhcp4_message_option(&f->sent, DHCP4_OPTION_HOST_NAME, &value));
        assert_memory_equal(value.p, "SN19842256", 10);
        assert_true(dhcp4_message_option(&f->sent, DHCP4_OPTION_VENDOR_CLASS, &value));
        assert_memory_equal(value.p, "sdi", 3);
        assert_true(dhcp4_message_option(&f->sent, DHCP4_OPTION_CLIENT_ID, &value));
        assert_int_equal(value.left, 23);
        assert_true(dhcp4_message_option(&f->sent, DHCP4_OPTION_RAPID_COMMIT, &value));
        assert_int_equal(value.left, 0);
        assert_option(f, DHCP4_OPTION_USER_CLASS, "\x04leaf", 5);
        assert_option(f, DHCP4_OPTION_VENDOR_IDENTIFYING, "\x00\x00\x7e\xd9\x04\x03sdi", 9);
        assert_option(f, DHCP4_OPTION_UUID,
                        "\x00\x4c\x4c\x45\x44\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 17);
        assert_true(dhcp4_message_option(&f->sent, DHCP4_OPTION_ARCHITECTURE, &value));
        assert_int_equal(value.left, 2);
        assert_true(dhcp4_message_option(&f->sent, DHCP4_OPTION_PARAMETER_LIST, &value));
        for (size_t i = 0; i < sizeof(wanted); i++)
                assert_non_null(memchr(value.p, wanted[i], value.left));
}

static void test_init_to_bound(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
        assert_int_equal(f->sent.type, DHCP4_REQUEST);
        assert_int_equal(f->sent.header.ciaddr.s_addr, 0);
        assert_int_equal(f->destination.s_addr, INADDR_BROADCAST);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_REQUESTED_ADDRESS).s_addr), ADDRESS);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr), SERVER);

        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_int_equal(f->n_bound, 1);
        assert_int_equal(f->n_sent, 2);
        assert_int_equal(dhcp4_client_get_dropped(f->client), 0);
        assert_true(dhcp4_client_get_expiry(f->client) == T0 + USEC_PER_HOUR);
        assert_true(dhcp4_client_get_timeout(f->client) == T0 + USEC_PER_HOUR / 2);
}

/* RFC 2131 §4.1: 4, 8, 16, 32, 64, 64, ... for ever, each up to a second off; `secs` counts. */
static void test_discover_is_repeated(void **state) {
        static const uint64_t seconds[] = { 4, 8, 16, 32, 64, 64, 64 };
        Fixture *f = *state;
        uint32_t xid;

        dhcp4_client_start(f->client, f->now);
        xid = f->sent.header.xid;
        for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
                assert_around(wait(f), seconds[i]);
                assert_int_equal(f->sent.type, DHCP4_DISCOVER);
                assert_int_equal(f->sent.header.xid, xid);
                assert_int_equal(f->sent.header.secs, (f->now - T0) / USEC_PER_SEC);
        }
        for (unsigned i = 0; i < 2000; i++)
                wait(f);
        assert_int_equal(f->sent.header.secs, UINT16_MAX);
        assert_int_equal(f->n_sent, 1 + ELEMENTSOF(seconds) + 2000);
}

static void test_retransmit_is_within_its_bounds(void **state) {
        (void) state;
        for (unsigned attempt = 0; attempt < 10; attempt++) {
                uint64_t middle = (4u << (attempt < 4 ? attempt : 4)) * USEC_PER_SEC;

                for (uint64_t random = 0; random <= UINT32_MAX; random += 65537) {
                        uint64_t usec = dhcp4_retransmit_usec(attempt, (uint32_t) random);

                        assert_true(usec >= middle - USEC_PER_SEC && usec <= middle + USEC_PER_SEC);
                }
        }
}

static void test_request_is_given_up(void **state) {
        static const uint64_t seconds[] = { 4, 8, 16 };
        Fixture *f = *state;
        uint32_t xid;

        dhcp4_client_start(f->client, f->now);
        xid = f->sent.header.xid;
        answer(f, (Answer){ .type = DHCP4_OFFER });
        for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
                assert_around(wait(f), seconds[i]);
                assert_int_equal(f->sent.type, DHCP4_REQUEST);
                assert_int_equal(f->sent.header.xid, xid);
        }
        assert_around(wait(f), 32);
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_int_equal(f->sent.type, DHCP4_DISCOVER);
        assert_int_not_equal(f->sent.header.xid, xid);
}

/* A REQUEST that was repeated counts from its own time (§4.4.1). */
static void test_lease_counts_from_the_request(void **state) {
        Fixture *f = *state;
        uint64_t requested;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        wait(f);
        requested = f->now;
        f->now += 2 * USEC_PER_SEC;
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_true(dhcp4_client_get_expiry(f->client) == requested + USEC_PER_HOUR);
}

static void test_renew(void **state) {
        Fixture *f = *state;
        uint64_t renewed;

        bind_client(f);
        assert_true(wait(f) == USEC_PER_HOUR / 2);
        renewed = f->now;
        assert_int_equal(state_of(f), DHCP4_STATE_RENEWING);
        assert_int_equal(f->sent.type, DHCP4_REQUEST);
        assert_int_equal(ntohl(f->sent.header.ciaddr.s_addr), ADDRESS);
        assert_int_equal(ntohl(f->source.s_addr), ADDRESS);
        assert_int_equal(ntohl(f->destination.s_addr), SERVER);
        assert_int_equal(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr, 0);
        assert_int_equal(sent_address(f, DHCP4_OPTION_REQUESTED_ADDRESS).s_addr, 0);

        f->now += USEC_PER_SEC;
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_int_equal(f->n_bound, 1);
        assert_int_equal(f->n_renewed, 1);
        assert_true(dhcp4_client_get_expiry(f->client) == renewed + USEC_PER_HOUR);
}

/* §4.4.5: half of what is left until T2, at least a minute; then the same until the end, by broadcast to any server. */
static void test_rebind_and_expire(void **state) {
        Fixture *f = *state;
        unsigned n_renew = 0, n_rebind = 0;

        bind_client(f);
        wait(f);
        while (state_of(f) == DHCP4_STATE_RENEWING) {
                n_renew++;
                assert_int_equal(ntohl(f->destination.s_addr), SERVER);
                wait(f);
        }
        assert_true(f->now == T0 + USEC_PER_HOUR / 8 * 7);
        assert_int_equal(state_of(f), DHCP4_STATE_REBINDING);
        while (state_of(f) == DHCP4_STATE_REBINDING) {
                n_rebind++;
                assert_int_equal(f->destination.s_addr, INADDR_BROADCAST);
                assert_int_equal(ntohl(f->sent.header.ciaddr.s_addr), ADDRESS);
                assert_int_equal(f->n_lost, 0);
                wait(f);
        }
        assert_true(f->now == T0 + USEC_PER_HOUR);
        assert_int_equal(f->n_lost, 1);
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_int_equal(f->sent.header.ciaddr.s_addr, 0);
        assert_null(dhcp4_client_get_lease(f->client));
        assert_in_range(n_renew, 4, 6);
        assert_in_range(n_rebind, 3, 5);
}

static void test_rebind_to_another_server(void **state) {
        Fixture *f = *state;

        bind_client(f);
        do
                wait(f);
        while (state_of(f) != DHCP4_STATE_REBINDING);
        answer(f, (Answer){ .type = DHCP4_ACK, .server = OTHER_SERVER });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_int_equal(f->n_renewed, 1);
        assert_int_equal(f->n_lost, 0);
        assert_int_equal(ntohl(dhcp4_client_get_lease(f->client)->server.s_addr), OTHER_SERVER);
}

static void test_infinite_lease(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER, .lifetime = UINT32_MAX });
        answer(f, (Answer){ .type = DHCP4_ACK, .lifetime = UINT32_MAX });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_true(dhcp4_client_get_timeout(f->client) == USEC_INFINITY);
        assert_true(dhcp4_client_get_expiry(f->client) == USEC_INFINITY);
}

/* At once after the first NAK; from the second in a row on with growing pauses, until a lease was had again. */
static void test_nak_storm(void **state) {
        static const uint64_t seconds[] = { 4, 8, 16, 32, 64, 64 };
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        answer(f, (Answer){ .type = DHCP4_NAK });
        assert_int_equal(state_of(f), DHCP4_STATE_INIT);
        assert_true(wait(f) == 0);
        for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
                answer(f, (Answer){ .type = DHCP4_OFFER });
                answer(f, (Answer){ .type = DHCP4_NAK });
                assert_around(wait(f), seconds[i]);
        }
        assert_int_equal(f->n_lost, 0);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        answer(f, (Answer){ .type = DHCP4_ACK });
        wait(f);
        assert_int_equal(state_of(f), DHCP4_STATE_RENEWING);
        answer(f, (Answer){ .type = DHCP4_NAK });
        assert_int_equal(f->n_lost, 1);
        assert_true(wait(f) == 0);
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
}

/* Each of these is counted and changes nothing, in whatever state. */
static void test_dropped(void **state) {
        static const Answer answers[] = {
                { .type = DHCP4_OFFER, .xid_off = 1 },
                { .type = DHCP4_ACK, .mac_off = 1 },
                { .type = DHCP4_NAK, .server = OTHER_SERVER },
                { .type = DHCP4_ACK, .server = OTHER_SERVER },
                { .type = DHCP4_ACK, .address = ADDRESS + 1 },
                { .type = DHCP4_OFFER, .request = true },
                { .type = DHCP4_DISCOVER },
                { .type = DHCP4_REQUEST },
                { .type = DHCP4_RELEASE },
        };
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        for (unsigned step = 0; step < 3; step++) {
                uint64_t dropped = dhcp4_client_get_dropped(f->client),
                         timeout = dhcp4_client_get_timeout(f->client);
                Dhcp4State before = state_of(f);
                unsigned n_sent = f->n_sent;

                for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                        answer(f, answers[i]);
                assert_int_equal(dhcp4_client_dispatch_message(f->client, f->now, (const uint8_t *) "x", 1),
                                0);
                assert_int_equal(state_of(f), before);
                assert_int_equal(f->n_sent, n_sent);
                assert_true(dhcp4_client_get_timeout(f->client) == timeout);
                assert_int_equal(dhcp4_client_get_dropped(f->client), dropped + ELEMENTSOF(answers) + 1);

                if (step == 0)
                        answer(f, (Answer){ .type = DHCP4_ACK });
                else if (step == 1)
                        wait(f); /* RENEWING */
        }
        assert_int_equal(f->n_bound, 1);
        assert_int_equal(f->n_lost, 0);
}

static void test_second_offer_is_too_late(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        answer(f, (Answer){ .type = DHCP4_OFFER, .server = OTHER_SERVER, .address = ADDRESS + 1 });
        assert_int_equal(f->n_sent, 2);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
}

static void test_stop_releases(void **state) {
        Fixture *f = *state;

        bind_client(f);
        dhcp4_client_stop(f->client, f->now);
        assert_int_equal(state_of(f), DHCP4_STATE_STOPPED);
        assert_int_equal(f->sent.type, DHCP4_RELEASE);
        assert_int_equal(ntohl(f->destination.s_addr), SERVER);
        assert_int_equal(ntohl(f->sent.header.ciaddr.s_addr), ADDRESS);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr), SERVER);
        assert_int_equal(f->n_lost, 0);
        assert_true(dhcp4_client_get_timeout(f->client) == USEC_INFINITY);

        /* And is nothing more to anybody. */
        answer(f, (Answer){ .type = DHCP4_ACK });
        dhcp4_client_dispatch_timer(f->client, f->now + USEC_PER_HOUR);
        assert_int_equal(state_of(f), DHCP4_STATE_STOPPED);
        assert_int_equal(f->n_sent, 3);
}

static void test_stop_without_a_lease_is_silent(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        dhcp4_client_stop(f->client, f->now);
        assert_int_equal(f->n_sent, 2);
        dhcp4_client_start(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP4_DISCOVER);
}

static void test_retry(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        for (unsigned i = 0; i < 5; i++)
                wait(f);
        dhcp4_client_retry(f->client, f->now);
        assert_int_equal(f->n_sent, 7);
        assert_around(wait(f), 4);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        answer(f, (Answer){ .type = DHCP4_ACK });
        dhcp4_client_retry(f->client, f->now);
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
}

/* RFC 4039: with option 80 only, and only instead of an offer. */
static void test_rapid_commit(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_int_equal(dhcp4_client_get_dropped(f->client), 1);
        f->now += USEC_PER_SEC;
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_int_equal(f->n_sent, 1);
        assert_true(dhcp4_client_get_expiry(f->client) == T0 + USEC_PER_HOUR);
}

/* An offer without a configuration server waits for as long again as it took, for one that has it. */
static void test_better_offer(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        f->now += 100 * USEC_PER_MSEC;
        answer(f, (Answer){ .type = DHCP4_OFFER, .bare = true, .server = OTHER_SERVER });
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_true(dhcp4_client_get_timeout(f->client) == f->now + 100 * USEC_PER_MSEC);
        answer(f, (Answer){ .type = DHCP4_OFFER, .bare = true, .server = SERVER + 9 });
        f->now += 99 * USEC_PER_MSEC;
        answer(f, (Answer){ .type = DHCP4_OFFER });
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr), SERVER);
}

static void test_no_better_offer(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER, .bare = true, .server = OTHER_SERVER });
        answer(f, (Answer){ .type = DHCP4_OFFER, .bare = true });
        assert_true(wait(f) == 20 * USEC_PER_MSEC);
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr), OTHER_SERVER);

        /* However long it took, the wait is bounded. */
        dhcp4_client_stop(f->client, f->now);
        dhcp4_client_start(f->client, f->now);
        f->now += 3 * USEC_PER_SEC;
        answer(f, (Answer){ .type = DHCP4_OFFER, .bare = true });
        assert_true(wait(f) == 500 * USEC_PER_MSEC);
}

static void test_rapid_commit_without_configuration(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true, .bare = true, .server = OTHER_SERVER });
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_true(wait(f) == 20 * USEC_PER_MSEC);
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);

        dhcp4_client_stop(f->client, f->now);
        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true, .bare = true, .server = OTHER_SERVER });
        answer(f, (Answer){ .type = DHCP4_OFFER });
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(ntohl(dhcp4_client_get_lease(f->client)->server.s_addr), SERVER);
}

/* RFC 6842: what is for another client that has our Ethernet address. */
static void test_client_id_is_returned(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f,
                        (Answer){ .type = DHCP4_OFFER,
                                        .client_id = "\xff\x00\x00\x00\x02\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" });
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        answer(f,
                        (Answer){ .type = DHCP4_OFFER,
                                        .client_id = "\xff\x00\x00\x00\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" });
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
}

/* RFC 2131 §3.2 and table 5: option 50, no ciaddr, no option 54; once. */
static void test_init_reboot(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        assert_int_equal(state_of(f), DHCP4_STATE_REBOOTING);
        assert_int_equal(f->sent.type, DHCP4_REQUEST);
        assert_int_equal(f->sent.header.ciaddr.s_addr, 0);
        assert_int_equal(f->destination.s_addr, INADDR_BROADCAST);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_REQUESTED_ADDRESS).s_addr), ADDRESS);
        assert_int_equal(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr, 0);
        answer(f, (Answer){ .type = DHCP4_ACK, .address = ADDRESS + 1 });
        assert_int_equal(state_of(f), DHCP4_STATE_REBOOTING);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_int_equal(f->n_bound, 1);

        dhcp4_client_stop(f->client, f->now);
        dhcp4_client_start(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP4_DISCOVER);
}

static void test_init_reboot_elsewhere(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_NAK, .server = OTHER_SERVER });
        assert_true(wait(f) == 0);
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_int_equal(f->n_lost, 0);
}

static void test_init_reboot_unanswered(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        assert_true(wait(f) == USEC_PER_SEC);
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        assert_int_equal(f->sent.type, DHCP4_DISCOVER);
}

/* The probe goes out with the REQUEST; only what is left of its time is waited for. */
static void test_probe(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        assert_int_equal(f->n_probes, 1);
        assert_int_equal(ntohl(f->probed.s_addr), ADDRESS);
        f->now += CONFLICT_WAIT / 5;
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(state_of(f), DHCP4_STATE_PROBING);
        assert_int_equal(f->n_bound, 0);
        assert_null(dhcp4_client_get_lease(f->client));
        answer(f, (Answer){ .type = DHCP4_ACK }); /* said twice */
        assert_true(wait(f) == CONFLICT_WAIT / 5 * 4);
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
        assert_int_equal(f->n_bound, 1);
        assert_true(dhcp4_client_get_expiry(f->client) == T0 + USEC_PER_HOUR);

        /* Without a wait where the server took longer. */
        dhcp4_client_stop(f->client, f->now);
        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        f->now += CONFLICT_WAIT;
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(f->n_probes, 2);
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
}

static void assert_declined(Fixture *f) {
        assert_int_equal(state_of(f), DHCP4_STATE_INIT);
        assert_int_equal(f->n_conflicts, 1);
        assert_int_equal(f->sent.type, DHCP4_DECLINE);
        assert_int_equal(f->sent.header.ciaddr.s_addr, 0);
        assert_int_equal(f->destination.s_addr, INADDR_BROADCAST);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_REQUESTED_ADDRESS).s_addr), ADDRESS);
        assert_int_equal(ntohl(sent_address(f, DHCP4_OPTION_SERVER_ID).s_addr), SERVER);
        assert_true(wait(f) == 10 * USEC_PER_SEC);
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
}

static void test_conflict_before_the_ack(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        dhcp4_client_dispatch_conflict(
                        f->client, f->now, (struct in_addr){ htonl(ADDRESS + 1) }); /* of no concern */
        dhcp4_client_dispatch_conflict(f->client, f->now, f->probed);
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(f->n_bound + f->n_lost, 0);
        assert_declined(f);
}

static void test_conflict_while_probing(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true });
        assert_int_equal(state_of(f), DHCP4_STATE_PROBING);
        assert_int_equal(f->n_probes, 1);
        dhcp4_client_dispatch_conflict(f->client, f->now, f->probed);
        assert_int_equal(f->n_bound + f->n_lost, 0);
        assert_declined(f);
}

static void test_late_conflict(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true });
        wait(f);
        f->now += USEC_PER_SEC;
        dhcp4_client_dispatch_conflict(f->client, f->now, f->probed);
        assert_int_equal(f->n_bound, 1);
        assert_int_equal(f->n_lost, 1);
        assert_declined(f);

        /* Long after, it is somebody else's problem. */
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true });
        wait(f);
        f->now += USEC_PER_SEC + 1;
        dhcp4_client_dispatch_conflict(f->client, f->now, f->probed);
        assert_int_equal(state_of(f), DHCP4_STATE_BOUND);
}

static void test_renew_now(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        dhcp4_client_renew(f->client, f->now); /* nothing to renew yet */
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        answer(f, (Answer){ .type = DHCP4_ACK });
        dhcp4_client_renew(f->client, f->now);
        dhcp4_client_renew(f->client, f->now);
        assert_int_equal(state_of(f), DHCP4_STATE_RENEWING);
        assert_int_equal(f->n_sent, 3);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(f->n_renewed, 1);
}

/* The device uses the address elsewhere: a better offer is waited for, and the server is told when there is none. */
static void test_refused(void **state) {
        Fixture *f = *state;

        f->refused = true;
        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_OFFER });
        assert_int_equal(state_of(f), DHCP4_STATE_SELECTING);
        wait(f);
        assert_int_equal(state_of(f), DHCP4_STATE_REQUESTING);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(f->n_bound + f->n_lost, 0);
        assert_declined(f);
}

/* It has come to be used elsewhere since. */
static void test_refused_when_renewed(void **state) {
        Fixture *f = *state;

        dhcp4_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK, .rapid = true });
        assert_int_equal(f->n_bound, 1);
        f->refused = true;
        dhcp4_client_renew(f->client, f->now);
        answer(f, (Answer){ .type = DHCP4_ACK });
        assert_int_equal(f->n_renewed, 0);
        assert_int_equal(f->n_lost, 1);
        assert_declined(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_discover, setup, teardown),
                cmocka_unit_test_setup_teardown(test_init_to_bound, setup, teardown),
                cmocka_unit_test_setup_teardown(test_discover_is_repeated, setup, teardown),
                cmocka_unit_test(test_retransmit_is_within_its_bounds),
                cmocka_unit_test_setup_teardown(test_request_is_given_up, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lease_counts_from_the_request, setup, teardown),
                cmocka_unit_test_setup_teardown(test_renew, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rebind_and_expire, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rebind_to_another_server, setup, teardown),
                cmocka_unit_test_setup_teardown(test_infinite_lease, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nak_storm, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_second_offer_is_too_late, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stop_releases, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stop_without_a_lease_is_silent, setup, teardown),
                cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rapid_commit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_better_offer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_better_offer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rapid_commit_without_configuration, setup, teardown),
                cmocka_unit_test_setup_teardown(test_client_id_is_returned, setup, teardown),
                cmocka_unit_test_setup_teardown(test_renew_now, setup, teardown),
                cmocka_unit_test_setup_teardown(test_init_reboot, setup_previous, teardown),
                cmocka_unit_test_setup_teardown(test_init_reboot_elsewhere, setup_previous, teardown),
                cmocka_unit_test_setup_teardown(test_init_reboot_unanswered, setup_previous, teardown),
                cmocka_unit_test_setup_teardown(test_probe, setup_probing, teardown),
                cmocka_unit_test_setup_teardown(test_conflict_before_the_ack, setup_probing, teardown),
                cmocka_unit_test_setup_teardown(test_conflict_while_probing, setup_probing, teardown),
                cmocka_unit_test_setup_teardown(test_late_conflict, setup_probing, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused_when_renewed, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
