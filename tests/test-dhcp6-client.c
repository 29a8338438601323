/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/dhcp6-client.h"

#include <errno.h>
#include <string.h>

#define T0 (1000 * USEC_PER_SEC)

static const uint8_t client_id[18] = { 0, 4, 1 };

/* A client on a clock of the test's, what it sent last, and what it told. */
typedef struct Fixture {
        Dhcp6Client *client;
        uint64_t now;
        uint32_t random;

        unsigned n_sent, n_bound, n_renewed, n_lost, n_informed;
        uint8_t memory[1500];
        Dhcp6Message sent; /* parsed back */
        bool from_lease;
        struct in6_addr destination;
} Fixture;

static int on_send(Dhcp6Type type, const struct in6_addr *source, const struct in6_addr *destination,
                const uint8_t *data, size_t size, void *userdata) {
        Fixture *f = userdata;

        f->n_sent++;
        f->from_lease = source;
        f->destination = *destination;
        memcpy(f->memory, data, size);
        assert_int_equal(dhcp6_message_parse(&f->sent, f->memory, size), 0);
        assert_int_equal(f->sent.type, type);
        assert_int_equal(f->sent.client_id.left, sizeof(client_id));
        return f->n_sent % 3 == 0 ? -ENOBUFS : 0; /* an error is a lost packet and changes nothing */
}

static void on_notify(Dhcp6Event event, const Dhcp6Lease *lease, void *userdata) {
        Fixture *f = userdata;

        assert_non_null(lease);
        switch (event) {
        case DHCP6_EVENT_BOUND:
                f->n_bound++;
                break;
        case DHCP6_EVENT_RENEWED:
                f->n_renewed++;
                break;
        case DHCP6_EVENT_LOST:
                f->n_lost++;
                break;
        case DHCP6_EVENT_INFORMED:
                f->n_informed++;
                break;
        }
}

static uint32_t on_random(void *userdata) {
        Fixture *f = userdata;

        return f->random += 0x10000001;
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        Dhcp6ClientConfig config = {
                .n_client_id = sizeof(client_id),
                .iaid = 7,
                .host_name = "SN19842256",
                .vendor_class = "sdi",
                .user_class = "leaf",
                .enterprise = 32473,
                .send = on_send,
                .notify = on_notify,
                .random = on_random,
                .userdata = f,
        };

        memcpy(config.client_id, client_id, sizeof(client_id));
        *state = f;
        f->now = T0;
        return dhcp6_client_new(&f->client, &config);
}

static int teardown(void **state) {
        Fixture *f = *state;

        dhcp6_client_free(f->client);
        free(f);
        return 0;
}

static Dhcp6State state_of(const Fixture *f) {
        return dhcp6_client_get_state(f->client);
}

typedef struct Answer {
        Dhcp6Type type;
        const char *server;
        uint32_t xid_off;
        uint16_t status; /* of the IA */
        uint16_t message_status;
        bool other_client, rapid, bare, no_ia, unicast;
        uint8_t preference;
} Answer;

static void answer(Fixture *f, Answer a) {
        uint8_t memory[600];
        Buffer buffer = BUFFER(memory, sizeof(memory));
        Dhcp6Ia ia = {
                .iaid = 7,
                .addresses = { { .address = { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 9 } },
                                .preferred = 1800,
                                .valid = 3600 } },
                .n_addresses = a.status == 0,
        };

        dhcp6_build_begin(&buffer, a.type, f->sent.xid + a.xid_off);
        dhcp6_append_option(&buffer, DHCP6_OPTION_CLIENT_ID,
                        a.other_client ? (const uint8_t *) "an other client..." : client_id,
                        sizeof(client_id));
        dhcp6_append_option(&buffer, DHCP6_OPTION_SERVER_ID, a.server ? a.server : "server1", 7);
        if (a.status) /* an IA with a status and nothing else */
                dhcp6_append_option(&buffer, DHCP6_OPTION_IA_NA,
                                (const uint8_t[]){ 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0, 2, 0,
                                                (uint8_t) a.status },
                                18);
        else if (!a.no_ia)
                dhcp6_append_ia(&buffer, &ia);
        if (a.message_status)
                dhcp6_append_be16(&buffer, DHCP6_OPTION_STATUS, a.message_status);
        if (a.rapid)
                dhcp6_append_option(&buffer, DHCP6_OPTION_RAPID_COMMIT, NULL, 0);
        if (a.preference)
                dhcp6_append_option(&buffer, DHCP6_OPTION_PREFERENCE, &a.preference, 1);
        if (a.unicast)
                dhcp6_append_option(&buffer, DHCP6_OPTION_UNICAST,
                                "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        if (!a.bare)
                dhcp6_append_option(&buffer, DHCP6_OPTION_BOOT_URL, "tftp://[2001:db8::1]/", 21);
        assert_int_equal(dhcp6_client_dispatch_message(f->client, f->now, memory, buffer.size), 0);
}

/* Moves the clock to the client's next time and fires it; returns how long that was. */
static uint64_t wait(Fixture *f) {
        uint64_t next = dhcp6_client_get_timeout(f->client), passed = next - f->now;

        assert_true(next != USEC_INFINITY && next >= f->now);
        f->now = next;
        dhcp6_client_dispatch_timer(f->client, f->now);
        return passed;
}

static void bind_client(Fixture *f, Answer how) {
        dhcp6_client_start(f->client, f->now);
        how.type = DHCP6_REPLY;
        how.rapid = true;
        answer(f, how);
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
}

static bool sent_option(const Fixture *f, Dhcp6Option code, Cursor *ret) {
        return dhcp6_message_option(&f->sent, code, ret);
}

static void assert_option(const Fixture *f, Dhcp6Option code, const char *expected, size_t n) {
        Cursor value;

        assert_true(sent_option(f, code, &value));
        assert_int_equal(value.left, n);
        assert_memory_equal(value.p, expected, n);
}

/* What an operator may match on in the first SOLICIT, and what we ask for. */
static void test_solicit(void **state) {
        static const uint16_t wanted[] = { 59, 60, 23, 24, 17, 82, 83 };
        Fixture *f = *state;
        Cursor value;

        dhcp6_client_start(f->client, f->now);
        assert_int_equal(f->n_sent, 1);
        assert_int_equal(f->sent.type, DHCP6_SOLICIT);
        assert_true(f->sent.rapid_commit);
        assert_memory_equal(&f->destination, &dhcp6_servers, 16);
        assert_int_equal(f->sent.n_ias, 1);
        assert_int_equal(f->sent.ias[0].iaid, 7);
        assert_false(sent_option(f, DHCP6_OPTION_SERVER_ID, &value));
        assert_false(sent_option(f, 20, &value)); /* that we accept RECONFIGURE */
        assert_option(f, DHCP6_OPTION_FQDN, "\x01\x0aSN19842256", 12);
        assert_option(f, DHCP6_OPTION_USER_CLASS, "\x00\x04leaf", 6);
        assert_option(f, DHCP6_OPTION_VENDOR_CLASS, "\x00\x00\x7e\xd9\x00\x03sdi", 9);
        assert_option(f, DHCP6_OPTION_ELAPSED_TIME, "\x00\x00", 2);
        assert_true(sent_option(f, DHCP6_OPTION_ORO, &value));
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                Cursor list = value;
                uint16_t code = 0;

                while (code != wanted[i])
                        assert_int_equal(cursor_be16(&list, &code), 0);
        }
}

/* RFC 8415 §15: 1, 2, 4, ... up to an hour, for ever; or up to what a server has set. */
static void test_solicit_is_repeated(void **state) {
        Fixture *f = *state;
        uint64_t expected = 1;

        dhcp6_client_start(f->client, f->now);
        for (unsigned i = 0; i < 20; i++) {
                uint64_t passed = wait(f);

                assert_true(passed >= expected * USEC_PER_SEC * 8 / 10 &&
                                passed <= expected * USEC_PER_SEC * 12 / 10);
                expected = MIN(2 * expected, 3600u);
        }
        assert_option(f, DHCP6_OPTION_ELAPSED_TIME, "\xff\xff", 2);
}

static void test_retransmission_is_within_its_bounds(void **state) {
        (void) state;
        for (uint64_t random = 0; random <= UINT32_MAX; random += 65537) {
                uint64_t first = dhcp6_retransmit_usec(0, USEC_PER_SEC, USEC_PER_HOUR, (uint32_t) random);
                uint64_t last = dhcp6_retransmit_usec(
                                USEC_PER_HOUR, USEC_PER_SEC, USEC_PER_HOUR, (uint32_t) random);

                assert_true(first > USEC_PER_SEC && first <= 1100 * USEC_PER_MSEC);
                assert_true(last >= USEC_PER_HOUR * 9 / 10 && last <= USEC_PER_HOUR * 11 / 10);
        }
}

static void test_four_messages(void **state) {
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_ADVERTISE });
        assert_int_equal(state_of(f), DHCP6_STATE_REQUESTING);
        assert_int_equal(f->sent.type, DHCP6_REQUEST);
        assert_option(f, DHCP6_OPTION_SERVER_ID, "server1", 7);
        assert_int_equal(f->sent.ias[0].n_addresses, 1);
        answer(f, (Answer){ .type = DHCP6_REPLY, .server = "server2" });
        assert_int_equal(state_of(f), DHCP6_STATE_REQUESTING);
        answer(f, (Answer){ .type = DHCP6_REPLY });
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
        assert_int_equal(f->n_bound, 1);
        assert_int_equal(dhcp6_client_get_dropped(f->client), 1);
        assert_true(dhcp6_client_get_timeout(f->client) == T0 + 900 * USEC_PER_SEC);
}

static void test_rapid_commit(void **state) {
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_REPLY }); /* without the option it is no answer */
        assert_int_equal(state_of(f), DHCP6_STATE_SOLICITING);
        answer(f, (Answer){ .type = DHCP6_REPLY, .rapid = true });
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
        assert_int_equal(f->n_sent, 1);
}

/* One that names a file at once, or one of preference 255; else the best one, soon. */
static void test_the_best_server(void **state) {
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_ADVERTISE, .bare = true, .preference = 1 });
        answer(f, (Answer){ .type = DHCP6_ADVERTISE, .bare = true, .preference = 9, .server = "server2" });
        answer(f, (Answer){ .type = DHCP6_ADVERTISE, .bare = true, .preference = 5, .server = "server3" });
        assert_int_equal(state_of(f), DHCP6_STATE_SOLICITING);
        assert_true(wait(f) <= 500 * USEC_PER_MSEC);
        assert_option(f, DHCP6_OPTION_SERVER_ID, "server2", 7);

        dhcp6_client_stop(f->client, f->now);
        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_ADVERTISE, .bare = true, .preference = 9 });
        answer(f, (Answer){ .type = DHCP6_ADVERTISE, .server = "server2" });
        assert_int_equal(state_of(f), DHCP6_STATE_REQUESTING);
        assert_option(f, DHCP6_OPTION_SERVER_ID, "server2", 7);

        dhcp6_client_stop(f->client, f->now);
        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_ADVERTISE, .bare = true, .preference = 255, .server = "server3" });
        assert_option(f, DHCP6_OPTION_SERVER_ID, "server3", 7);
}

/* What is not for us, or of no use, changes nothing. */
static void test_dropped(void **state) {
        static const Answer rows[] = {
                { .type = DHCP6_ADVERTISE, .xid_off = 1 },
                { .type = DHCP6_ADVERTISE, .other_client = true },
                { .type = DHCP6_ADVERTISE, .no_ia = true },
                { .type = DHCP6_ADVERTISE, .status = DHCP6_STATUS_NO_ADDRESSES },
                { .type = DHCP6_ADVERTISE, .message_status = DHCP6_STATUS_UNSPEC_FAIL },
                { .type = DHCP6_RECONFIGURE },
                { .type = DHCP6_SOLICIT },
                { .type = DHCP6_REPLY, .rapid = true, .no_ia = true },
        };
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                answer(f, rows[i]);
                assert_int_equal(state_of(f), DHCP6_STATE_SOLICITING);
                assert_int_equal(dhcp6_client_get_dropped(f->client), i + 1);
        }
        assert_int_equal(f->n_sent, 1);
        dhcp6_client_stop(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_REPLY, .rapid = true });
        assert_int_equal(state_of(f), DHCP6_STATE_STOPPED);
}

static void test_request_is_given_up(void **state) {
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_ADVERTISE });
        for (unsigned i = 0; i < 9; i++) {
                wait(f);
                assert_int_equal(f->sent.type, DHCP6_REQUEST);
        }
        wait(f);
        assert_int_equal(state_of(f), DHCP6_STATE_SOLICITING);
}

/* A server that advertises and then refuses is not asked without end. */
static void test_no_addresses_after_all(void **state) {
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        answer(f, (Answer){ .type = DHCP6_ADVERTISE });
        answer(f, (Answer){ .type = DHCP6_REPLY, .status = DHCP6_STATUS_NO_ADDRESSES });
        assert_int_equal(state_of(f), DHCP6_STATE_INIT);
        assert_true(wait(f) >= USEC_PER_SEC);
        assert_int_equal(f->sent.type, DHCP6_SOLICIT);
}

static void test_renewal(void **state) {
        Fixture *f = *state;

        bind_client(f, (Answer){ 0 });
        wait(f);
        assert_int_equal(f->sent.type, DHCP6_RENEW);
        assert_option(f, DHCP6_OPTION_SERVER_ID, "server1", 7);
        assert_false(f->from_lease);
        answer(f, (Answer){ .type = DHCP6_REPLY, .server = "server2" });
        assert_int_equal(state_of(f), DHCP6_STATE_RENEWING);
        answer(f, (Answer){ .type = DHCP6_REPLY });
        assert_int_equal(f->n_renewed, 1);
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
}

static void test_rebinding_and_expiry(void **state) {
        Fixture *f = *state;
        Cursor value;

        bind_client(f, (Answer){ 0 });
        while (state_of(f) != DHCP6_STATE_REBINDING)
                wait(f);
        assert_true(f->now == T0 + 1440 * USEC_PER_SEC); /* T2 */
        assert_int_equal(f->sent.type, DHCP6_REBIND);
        assert_false(sent_option(f, DHCP6_OPTION_SERVER_ID, &value));
        while (state_of(f) == DHCP6_STATE_REBINDING)
                wait(f);
        assert_true(f->now == T0 + 3600 * USEC_PER_SEC);
        assert_int_equal(f->n_lost, 1);
        assert_int_equal(state_of(f), DHCP6_STATE_SOLICITING);
}

static void test_another_server_rebinds(void **state) {
        Fixture *f = *state;

        bind_client(f, (Answer){ 0 });
        while (state_of(f) != DHCP6_STATE_REBINDING)
                wait(f);
        answer(f, (Answer){ .type = DHCP6_REPLY, .server = "server2" });
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
        assert_int_equal(f->n_lost, 0);
}

/* RFC 8415 §18.2.10.1: a server that has forgotten us is asked for the same again; meanwhile it is ours. */
static void test_no_binding(void **state) {
        Fixture *f = *state;

        bind_client(f, (Answer){ 0 });
        wait(f);
        answer(f, (Answer){ .type = DHCP6_REPLY, .status = DHCP6_STATUS_NO_BINDING });
        assert_int_equal(state_of(f), DHCP6_STATE_REQUESTING);
        assert_int_equal(f->sent.type, DHCP6_REQUEST);
        assert_int_equal(f->sent.ias[0].n_addresses, 1);
        assert_int_equal(f->n_lost, 0);
        answer(f, (Answer){ .type = DHCP6_REPLY });
        assert_int_equal(f->n_renewed, 1);
}

static void test_unicast(void **state) {
        Fixture *f = *state;

        bind_client(f, (Answer){ .unicast = true });
        wait(f);
        assert_true(f->from_lease);
        assert_int_equal(f->destination.s6_addr[0], 0x20);
        answer(f, (Answer){ .type = DHCP6_REPLY, .status = DHCP6_STATUS_USE_MULTICAST });
        assert_int_equal(f->sent.type, DHCP6_RENEW);
        assert_false(f->from_lease);
        assert_int_equal(state_of(f), DHCP6_STATE_RENEWING);
}

static void test_stop_releases(void **state) {
        Fixture *f = *state;

        bind_client(f, (Answer){ 0 });
        dhcp6_client_stop(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP6_RELEASE);
        assert_int_equal(f->sent.ias[0].n_addresses, 1);
        assert_int_equal(f->n_lost, 0);
        assert_null(dhcp6_client_get_lease(f->client));
        assert_true(dhcp6_client_get_timeout(f->client) == USEC_INFINITY);
}

static void test_decline(void **state) {
        Fixture *f = *state;
        struct in6_addr other = { .s6_addr = { 0x20 } }, ours;

        bind_client(f, (Answer){ 0 });
        dhcp6_client_decline(f->client, f->now, &other);
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
        ours = dhcp6_client_get_lease(f->client)->addresses[0].address;
        dhcp6_client_decline(f->client, f->now, &ours);
        assert_int_equal(f->sent.type, DHCP6_DECLINE);
        assert_int_equal(f->n_lost, 1);
        assert_true(wait(f) == 10 * USEC_PER_SEC);
        assert_int_equal(f->sent.type, DHCP6_SOLICIT);
}

static void test_information(void **state) {
        Fixture *f = *state;

        dhcp6_client_start(f->client, f->now);
        dhcp6_client_inform(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP6_INFORMATION_REQUEST);
        assert_int_equal(f->sent.n_ias, 0);
        answer(f, (Answer){ .type = DHCP6_REPLY }); /* an address that nobody asked for */
        assert_int_equal(state_of(f), DHCP6_STATE_INFORMED);
        assert_int_equal(f->n_informed, 1);
        assert_int_equal(dhcp6_client_get_lease(f->client)->n_addresses, 0);
        assert_true(wait(f) == 86400 * USEC_PER_SEC);
        answer(f, (Answer){ .type = DHCP6_REPLY, .no_ia = true });
        assert_int_equal(f->n_informed, 2);

        /* A router says now that there are addresses; and nothing is released that was not given. */
        dhcp6_client_start(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP6_SOLICIT);
        dhcp6_client_stop(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP6_SOLICIT);
}

static void test_information_waits_for_no_lease(void **state) {
        Fixture *f = *state;

        bind_client(f, (Answer){ 0 });
        dhcp6_client_inform(f->client, f->now);
        assert_int_equal(state_of(f), DHCP6_STATE_BOUND);
        dhcp6_client_renew(f->client, f->now);
        assert_int_equal(f->sent.type, DHCP6_RENEW);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_solicit),
                TEST(test_solicit_is_repeated),
                cmocka_unit_test(test_retransmission_is_within_its_bounds),
                TEST(test_four_messages),
                TEST(test_rapid_commit),
                TEST(test_the_best_server),
                TEST(test_dropped),
                TEST(test_request_is_given_up),
                TEST(test_no_addresses_after_all),
                TEST(test_renewal),
                TEST(test_rebinding_and_expiry),
                TEST(test_another_server_rebinds),
                TEST(test_no_binding),
                TEST(test_unicast),
                TEST(test_stop_releases),
                TEST(test_decline),
                TEST(test_information),
                TEST(test_information_waits_for_no_lease),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
