/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/dhcp6-lease.h"
#include "net/ip6-packet.h"
#include "tests/frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

DEFINE_CLEANUP(Dhcp6Lease, dhcp6_lease_free)

#define ENTERPRISE 32473 /* RFC 5612: for examples */
#define IAID 7
#define ADDRESS "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"
#define SECONDS_3600 "\x00\x00\x0e\x10"
#define SECONDS_1800 "\x00\x00\x07\x08"

typedef struct Fixture {
        uint8_t memory[2048];
        Buffer buffer;
        Dhcp6Message message;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        f->buffer = BUFFER(f->memory, sizeof(f->memory));
        dhcp6_build_begin(&f->buffer, DHCP6_REPLY, 0x123456);
        dhcp6_append_option(&f->buffer, DHCP6_OPTION_SERVER_ID, "server", 6);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        free(*state);
        return 0;
}

static int parse(Fixture *f) {
        return dhcp6_message_parse(&f->message, f->memory, f->buffer.size);
}

static int lease(Fixture *f, Dhcp6Lease **ret) {
        assert_int_equal(parse(f), 0);
        return dhcp6_lease_new(ret, &f->message, IAID, ENTERPRISE);
}

static void append(Fixture *f, Dhcp6Option code, const char *data, size_t n) {
        dhcp6_append_option(&f->buffer, code, data, n);
}

/* An IA with one address whose options are given. */
static void append_ia(Fixture *f, const char *t1_t2, const char *times, const char *options, size_t n) {
        uint8_t memory[512];
        Buffer ia = BUFFER(memory, sizeof(memory));

        buffer_append_be32(&ia, IAID);
        buffer_append(&ia, t1_t2, 8);
        buffer_append_be16(&ia, DHCP6_OPTION_IA_ADDRESS);
        buffer_append_be16(&ia, (uint16_t) (24 + n));
        buffer_append(&ia, ADDRESS, 16);
        buffer_append(&ia, times, 8);
        buffer_append(&ia, options, n);
        dhcp6_append_option(&f->buffer, DHCP6_OPTION_IA_NA, memory, ia.size);
}

static void assert_address(const struct in6_addr *address, const char *text) {
        char got[INET6_ADDRSTRLEN];

        assert_string_equal(inet_ntop(AF_INET6, address, got, sizeof(got)), text);
}

static Cursor read_frame(const char *name, uint8_t **frame) {
        Ip6Packet packet;
        size_t size;

        *frame = frame_read(name, &size);
        /* The sender has left the checksum to hardware that a virtual line does not have. */
        assert_int_equal(ip6_packet_parse(&packet, *frame, size, DHCP6_CLIENT_PORT, false), 0);
        return packet.payload;
}

static void test_captured(void **state) {
        static const struct {
                const char *frame, *address;
                uint32_t preferred, valid;
                size_t n_domains;
        } rows[] = {
                { "dhcp6/dnsmasq-reply-solicit", "2001:db8:0:1::1", 3600, 3600, 1 },
                { "dhcp6/kea-reply-solicit", "2001:db8:0:1::3", 3600, 7200, 1 },
                { "dhcp6/isc-advertise", "2001:db8:0:1::2", 2250, 3600, 1 },
                { "dhcp6/isc-reply-request", "2001:db8:0:1::2", 2250, 3600, 1 },
                { "dhcp6/dnsmasq-reply-information-request", NULL, 0, 0, 0 },
                { "dhcp6/kea-reply-information-request", NULL, 0, 0, 0 },
                { "dhcp6/isc-reply-information-request", NULL, 0, 0, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp6_lease_freep) Dhcp6Lease *got = NULL;
                _cleanup_free_ uint8_t *frame = NULL;
                Cursor payload = read_frame(rows[i].frame, &frame);
                char address[INET6_ADDRSTRLEN];
                Dhcp6Message message;

                assert_int_equal(dhcp6_message_parse(&message, payload.p, payload.left), 0);
                assert_int_equal(dhcp6_lease_new(&got, &message, message.n_ias ? message.ias[0].iaid : 0, 0),
                                0);
                assert_string_equal(got->boot_url, "tftp://[2001:db8:0:1::1]/");
                assert_true(dhcp6_lease_has_configuration(got));
                assert_int_equal(got->n_dns, 1);
                assert_address(got->dns, "2001:db8:0:1::53");
                if (!rows[i].address) {
                        assert_int_equal(got->n_addresses, 0);
                        continue;
                }
                assert_int_equal(got->n_addresses, 1);
                inet_ntop(AF_INET6, &got->addresses[0].address, address, sizeof(address));
                assert_memory_equal(address, rows[i].address, strlen(rows[i].address)); /* its beginning */
                assert_int_equal(got->addresses[0].preferred, rows[i].preferred);
                assert_int_equal(got->addresses[0].valid, rows[i].valid);
                assert_int_equal(got->n_domains, rows[i].n_domains);
                assert_string_equal(got->domains[0], "example.net");
                assert_true(got->t1 > 0 && got->t1 <= got->t2 && got->t2 <= got->lifetime);
        }
}

/* An option that is cut makes the message malformed; what ends between options is a shorter message. */
static void test_every_prefix(void **state) {
        static const char *const frames[] = { "dhcp6/dnsmasq-reply-solicit", "dhcp6/kea-reply-solicit",
                "dhcp6/isc-advertise", "dhcp6/kea-reply-release" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(frames); i++) {
                _cleanup_free_ uint8_t *frame = NULL;
                Cursor payload = read_frame(frames[i], &frame);
                unsigned n_good = 0, n_options = 0;
                Dhcp6Message message;
                Cursor options, value;
                uint16_t code;

                assert_int_equal(dhcp6_message_parse(&message, payload.p, payload.left), 0);
                options = message.options;
                while (dhcp6_next_option(&options, &code, &value) > 0)
                        n_options++;
                for (size_t n = 0; n < payload.left; n++) {
                        _cleanup_free_ uint8_t *copy = malloc(n ? n : 1);

                        memcpy(copy, payload.p, n);
                        n_good += dhcp6_message_parse(&message, copy, n) == 0;
                }
                assert_int_equal(n_good, n_options);
        }
}

static void test_types(void **state) {
        Fixture *f = *state;

        for (unsigned type = 0; type < 256; type++) {
                f->memory[0] = (uint8_t) type;
                assert_int_equal(parse(f), type >= 1 && type <= 11 ? 0 : -EBADMSG);
        }
        f->memory[0] = DHCP6_REPLY;
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->message.xid, 0x123456);
}

static void test_identifiers(void **state) {
        Fixture *f = *state;
        Dhcp6Lease *none = NULL;

        append(f, DHCP6_OPTION_SERVER_ID, "server", 6); /* twice */
        assert_int_equal(parse(f), -EBADMSG);
        f->buffer.size = 4;
        assert_int_equal(lease(f, &none), -EBADMSG); /* none */
        assert_null(none);
        append(f, DHCP6_OPTION_SERVER_ID, "", 0);
        assert_int_equal(parse(f), -EBADMSG);
        f->buffer.size = 4;
        append(f, DHCP6_OPTION_SERVER_ID, (char[131]){ 0 }, 131);
        assert_int_equal(parse(f), -EBADMSG);
}

/* Sizes within an IA, and within its address: each must fit its own frame, whatever the packet has left. */
static void test_nested_sizes(void **state) {
        static const char t[8] = "\0\0\0\0\0\0\0\0";

        (void) state;
        for (unsigned i = 0; i < 4; i++) {
                static const char *const options[] = { "\x00\x0d\x00\x02\x00\x00",
                        "\x00\x0d\x00\x03\x00\x00", "\x00\x0d\x00\x01\x00\x00", "\x00\x0d\xff\xff\x00\x00" };
                void *fixture;
                Fixture *f;

                setup(&fixture);
                f = fixture;
                append_ia(f, t, SECONDS_1800 SECONDS_3600, options[i], i == 2 ? 5 : 6);
                append(f, DHCP6_OPTION_DNS, ADDRESS, 16);
                assert_int_equal(parse(f), i == 0 ? 0 : -EBADMSG);
                teardown(&fixture);
        }
}

static void test_times(void **state) {
        static const struct {
                const char *t, *times;
                uint32_t t1, t2, lifetime;
                size_t n;
        } rows[] = {
                { "\0\0\0\0\0\0\0\0", SECONDS_1800 SECONDS_3600, 900, 1440, 3600, 1 },
                { "\0\0\1\0\0\0\2\0", SECONDS_1800 SECONDS_3600, 256, 512, 3600, 1 },
                { "\0\0\2\0\0\0\1\0", SECONDS_1800 SECONDS_3600, 0, 0, 0,
                                0 }, /* T1 above T2: RFC 8415 §21.4 */
                { "\0\0\0\0\0\0\0\0", SECONDS_3600 SECONDS_1800, 0, 0, 0, 0 }, /* §21.6 */
                { "\0\0\0\0\0\0\0\0", "\0\0\0\0\0\0\0\0", 0, 0, 0, 0 },
                { "\0\0\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff", UINT32_MAX, UINT32_MAX, UINT32_MAX,
                                1 },
                { "\xff\xff\xff\xff\xff\xff\xff\xff", SECONDS_1800 SECONDS_3600, 3600, 3600, 3600, 1 },
                { "\0\0\0\1\0\0\0\2", SECONDS_1800 SECONDS_3600, 900, 1440, 3600, 1 }, /* every second? no */
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp6_lease_freep) Dhcp6Lease *got = NULL;
                void *fixture;

                setup(&fixture);
                append_ia(fixture, rows[i].t, rows[i].times, "", 0);
                assert_int_equal(lease(fixture, &got), 0);
                assert_int_equal(got->n_addresses, rows[i].n);
                assert_int_equal(got->t1, rows[i].t1);
                assert_int_equal(got->t2, rows[i].t2);
                assert_int_equal(got->lifetime, rows[i].lifetime);
                teardown(&fixture);
        }
}

/* Of the message, of the IA and of the address. */
static void test_statuses(void **state) {
        (void) state;
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_(dhcp6_lease_freep) Dhcp6Lease *got = NULL;
                void *fixture;
                Fixture *f;

                setup(&fixture);
                f = fixture;
                append_ia(f, "\0\0\0\0\0\0\0\0", SECONDS_1800 SECONDS_3600, "\x00\x0d\x00\x02\x00\x02",
                                i == 0 ? 6 : 0);
                if (i == 1)
                        append(f, DHCP6_OPTION_STATUS, "\x00\x01no", 4);
                if (i == 2) {
                        f->buffer.size = 14;
                        append(f, DHCP6_OPTION_IA_NA, "\0\0\0\x07\0\0\0\0\0\0\0\0\x00\x0d\x00\x02\x00\x02",
                                        18);
                }
                assert_int_equal(lease(f, &got), 0);
                assert_int_equal(got->n_addresses, 0);
                teardown(&fixture);
        }
}

static void test_another_ia_is_not_ours(void **state) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *got = NULL;
        Fixture *f = *state;

        append_ia(f, "\0\0\0\0\0\0\0\0", SECONDS_1800 SECONDS_3600, "", 0);
        assert_int_equal(parse(f), 0);
        assert_int_equal(dhcp6_lease_new(&got, &f->message, IAID + 1, 0), 0);
        assert_int_equal(got->n_addresses, 0);
}

static void test_options(void **state) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *got = NULL;
        Fixture *f = *state;

        append(f, DHCP6_OPTION_BOOT_URL, "tftp://a/b\0", 11);
        append(f, DHCP6_OPTION_BOOT_URL, "tftp://second", 13);
        append(f, DHCP6_OPTION_BOOT_PARAMETERS, "\x00\x03one\x00\x03two\x00\x09cut", 15);
        append(f, DHCP6_OPTION_VENDOR_OPTIONS, "\x00\x00\x00\x09\x00\x01\x00\x05other", 13);
        append(f, DHCP6_OPTION_VENDOR_OPTIONS,
                        "\x00\x00\x7e\xd9\x00\x02\x00\x01x\x00\x01\x00\x04"
                        "file",
                        17);
        append(f, DHCP6_OPTION_SOL_MAX_RT, SECONDS_3600, 4);
        append(f, DHCP6_OPTION_INF_MAX_RT, "\x00\x00\x00\x3b", 4); /* below a minute */
        append(f, DHCP6_OPTION_REFRESH_TIME, "\x00\x00\x00\x01", 4);
        append(f, DHCP6_OPTION_UNICAST, ADDRESS, 16);
        append(f, DHCP6_OPTION_PREFERENCE, "\xff", 1);
        append(f, DHCP6_OPTION_DNS, ADDRESS "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 32); /* one is a group */
        assert_int_equal(lease(f, &got), 0);
        assert_string_equal(got->boot_url, "tftp://a/b");
        assert_string_equal(got->boot_parameters, "one two");
        assert_string_equal(got->vendor_file, "file");
        assert_int_equal(got->sol_max_rt, 3600);
        assert_int_equal(got->inf_max_rt, 0);
        assert_int_equal(got->refresh_time, 600);
        assert_address(&got->unicast, "2001:db8::10");
        assert_int_equal(got->preference, 255);
        assert_int_equal(got->n_dns, 1);
}

static void test_bad_text_is_absent(void **state) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *got = NULL;
        Fixture *f = *state;

        append(f, DHCP6_OPTION_BOOT_URL, "tftp://a/\x1b[2J", 13);
        append(f, DHCP6_OPTION_DNS, ADDRESS, 15);
        append(f, DHCP6_OPTION_UNICAST, ADDRESS, 15);
        assert_int_equal(lease(f, &got), 0);
        assert_null(got->boot_url);
        assert_false(dhcp6_lease_has_configuration(got));
        assert_int_equal(got->n_dns, 0);
        assert_true(IN6_IS_ADDR_UNSPECIFIED(&got->unicast));
        assert_int_equal(got->refresh_time, 86400);
}

static void test_lists_are_cut(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 30; i++)
                append_ia(f, "\0\0\0\0\0\0\0\0", SECONDS_1800 SECONDS_3600, "", 0);
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->message.n_ias, DHCP6_IAS_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_captured),
                cmocka_unit_test(test_every_prefix),
                TEST(test_types),
                TEST(test_identifiers),
                cmocka_unit_test(test_nested_sizes),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_statuses),
                TEST(test_another_ia_is_not_ours),
                TEST(test_options),
                TEST(test_bad_text_is_absent),
                TEST(test_lists_are_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
