/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/dhcp4-lease.h"
#include "net/dhcp4-message.h"
#include "net/dhcp4-packet.h"
#include "tests/frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

DEFINE_CLEANUP(Dhcp4Lease, dhcp4_lease_free)

#define ENTERPRISE 32473 /* RFC 5612: for examples */
#define SERVER "\xc0\x00\x02\x01"

/* The offsets of RFC 2131 §2. */
enum {
        AT_OP = 0,
        AT_HTYPE = 1,
        AT_HLEN = 2,
        AT_SNAME = 44,
        AT_FILE = 108,
        AT_COOKIE = 236,
        AT_OPTIONS = 240
};

typedef struct Fixture {
        uint8_t memory[2048];
        Buffer buffer;
        Dhcp4Message message;
} Fixture;

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        if (!fixture)
                return -1;
        fixture->buffer = BUFFER(fixture->memory, sizeof(fixture->memory));
        dhcp4_build_begin(&fixture->buffer,
                        &(Dhcp4Header){
                                        .reply = true,
                                        .xid = 0x01020304,
                                        .yiaddr = { htonl(0xc0000207) },
                                        .siaddr = { htonl(0xc0000203) },
                                        .chaddr = { { 2, 0, 0, 0, 0, 1 } },
                        },
                        DHCP4_ACK);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_SERVER_ID, SERVER, 4);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_LEASE_TIME, "\x00\x00\x0e\x10", 4);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        free(*state);
        return 0;
}

static int parse(Fixture *fixture) {
        dhcp4_build_end(&fixture->buffer);
        return dhcp4_message_parse(&fixture->message, fixture->memory, fixture->buffer.size);
}

static int lease(Fixture *fixture, Dhcp4Lease **ret) {
        assert_int_equal(parse(fixture), 0);
        return dhcp4_lease_new(ret, &fixture->message, ENTERPRISE);
}

static void assert_address(struct in_addr address, const char *text) {
        assert_string_equal(inet_ntoa(address), text);
}

static void assert_text(const char *text, const char *expected) {
        if (expected)
                assert_string_equal(text, expected);
        else
                assert_null(text);
}

static void test_captured(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
        _cleanup_free_ uint8_t *frame = NULL;
        Dhcp4Message message;
        Cursor payload;
        size_t size;

        (void) state;
        frame = frame_read("dhcp4/dnsmasq-ack", &size);
        assert_int_equal(dhcp4_packet_parse(frame, size, false, &payload), 0);
        assert_int_equal(dhcp4_message_parse(&message, payload.p, payload.left), 0);
        assert_true(message.header.reply);
        assert_int_equal(message.type, DHCP4_ACK);

        assert_int_equal(dhcp4_lease_new(&got, &message, 0), 0);
        assert_address(got->server, "192.0.2.1");
        assert_int_equal(got->address.length, 24);
        assert_int_equal(got->lifetime, 3600);
        assert_int_equal(got->t1, 1800);
        assert_int_equal(got->t2, 3150);
        assert_int_equal(got->routers.n, 1);
        assert_int_equal(got->dns.n, 1);
        assert_address(got->dns.addresses[0], "192.0.2.53");
        assert_int_equal(got->tftp_servers.n, 2);
        assert_address(got->tftp_servers.addresses[1], "192.0.2.2");
        assert_string_equal(got->tftp_server_name, "192.0.2.1");
        assert_string_equal(got->boot_file, "SN19842256.enc");
        assert_address(got->next_server, "192.0.2.1");
        assert_null(got->server_name);
        assert_null(got->file);
}

/* What servers make of many options, of a long one (RFC 3396), of the vendor's (43, 125). */
static void test_captured_servers(void **state) {
#define LONG_FOLDER                                                                                            \
        "folder-01/folder-02/folder-03/folder-04/folder-05/folder-06/folder-07/folder-08/folder-09/folder-10/" \
        "folder-11/folder-12/folder-13/folder-14/folder-15/folder-16/folder-17/folder-18/folder-19/folder-20/" \
        "folder-21/folder-22/folder-23/folder-24/folder-25/folder-26/folder-27/folder-28/folder-29/folder-30/"
        static const struct {
                const char *frame, *boot_file, *vendor_file_43, *vendor_file_125;
                size_t n_routes;
                bool overloaded;
        } rows[] = {
                { "isc-plain-ack", "configs/" },
                { "kea-plain-ack", "configs/" },
                { "dnsmasq-full-ack", "configs/", .n_routes = 8, .overloaded = true },
                { "isc-full-ack", "configs/", .n_routes = 8, .overloaded = true },
                { "kea-full-ack", "configs/" },
                { "isc-long-ack", LONG_FOLDER "switch.enc" },
                { "kea-long-ack", LONG_FOLDER "switch.enc" },
                { "isc-vendor-ack", NULL, "vendor/43.cfg", "vendor/125.cfg" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp4_lease_freep) Dhcp4Lease *plain = NULL, *vendor = NULL;
                _cleanup_free_ uint8_t *frame = NULL;
                char path[64];
                Dhcp4Message message;
                Cursor payload;
                size_t size;

                snprintf(path, sizeof(path), "dhcp4/%s", rows[i].frame);
                frame = frame_read(path, &size);
                assert_int_equal(dhcp4_packet_parse(frame, size, false, &payload), 0);
                assert_int_equal(dhcp4_message_parse(&message, payload.p, payload.left), 0);
                assert_int_equal(message.options[DHCP4_OPTION_OVERLOAD].present, rows[i].overloaded);
                assert_int_equal(dhcp4_lease_new(&plain, &message, 0), 0);
                assert_int_equal(dhcp4_lease_new(&vendor, &message, ENTERPRISE), 0);
                assert_address(plain->server, "192.0.2.1");
                assert_int_equal(plain->n_routes, rows[i].n_routes);
                assert_text(plain->boot_file, rows[i].boot_file);
                assert_text(plain->vendor_file, rows[i].vendor_file_43);
                assert_text(vendor->vendor_file, rows[i].vendor_file_125);
        }
}

static void test_every_prefix(void **state) {
        static const char *const names[] = { "dhcp4/dnsmasq-offer", "dhcp4/dnsmasq-ack",
                "dhcp4/dnsmasq-discover", "dhcp4/dnsmasq-request", "dhcp4/dnsmasq-release",
                "dhcp4/dnsmasq-full-ack", "dhcp4/isc-full-ack", "dhcp4/isc-long-ack", "dhcp4/isc-vendor-ack",
                "dhcp4/kea-full-ack", "dhcp4/kea-long-ack" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ uint8_t *frame = NULL;
                const uint8_t *payload;
                Dhcp4Message message;
                size_t size;

                frame = frame_read(names[i], &size);
                payload = frame + DHCP4_PACKET_HEADER_SIZE;
                size -= DHCP4_PACKET_HEADER_SIZE;
                for (size_t n = 0; n <= size; n++) {
                        _cleanup_free_ uint8_t *copy = malloc(n ? n : 1);
                        int r;

                        memcpy(copy, payload, n);
                        r = dhcp4_message_parse(&message, copy, n);
                        assert_true(r == 0 || r == -EBADMSG);
                        if (n < AT_OPTIONS + 3) /* option 53 comes first in all of them */
                                assert_int_equal(r, -EBADMSG);
                }
                assert_int_equal(dhcp4_message_parse(&message, payload, size), 0);
        }
}

static void test_header_is_checked(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
        } rows[] = { { AT_OP, 0 }, { AT_OP, 3 }, { AT_HTYPE, 6 }, { AT_HLEN, 16 }, { AT_COOKIE, 0 } };
        Fixture *fixture = *state;

        assert_int_equal(parse(fixture), 0);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint8_t before = fixture->memory[rows[i].at];

                fixture->memory[rows[i].at] = rows[i].value;
                assert_int_equal(dhcp4_message_parse(
                                                 &fixture->message, fixture->memory, fixture->buffer.size),
                                -EBADMSG);
                fixture->memory[rows[i].at] = before;
        }
}

static void test_type_is_needed(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(parse(fixture), 0);
        fixture->memory[AT_OPTIONS + 2] = 99;
        assert_int_equal(dhcp4_message_parse(&fixture->message, fixture->memory, fixture->buffer.size),
                        -EBADMSG);
        fixture->memory[AT_OPTIONS] = 224; /* a private option instead of 53 */
        assert_int_equal(dhcp4_message_parse(&fixture->message, fixture->memory, fixture->buffer.size),
                        -EBADMSG);
}

static void test_type_given_twice(void **state) {
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_MESSAGE_TYPE, "\x02", 1);
        assert_int_equal(parse(fixture), -EBADMSG);
}

/* RFC 3396: parts of one option, with others between them. */
static void test_long_option(void **state) {
        Fixture *fixture = *state;
        char name[301];
        Cursor value;

        memset(name, 'n', sizeof(name));
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_BOOT_FILE, name, 255);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_ROUTER, SERVER, 4);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_BOOT_FILE, name, 46);
        assert_int_equal(parse(fixture), 0);
        assert_true(dhcp4_message_option(&fixture->message, DHCP4_OPTION_BOOT_FILE, &value));
        assert_int_equal(value.left, 301);
        assert_memory_equal(value.p, name, 301);
}

static void test_append_splits(void **state) {
        Fixture *fixture = *state;
        uint8_t bytes[600];
        Cursor value;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) i;
        dhcp4_append_option(&fixture->buffer, 224, bytes, sizeof(bytes));
        dhcp4_append_option(&fixture->buffer, 225, "", 0);
        assert_int_equal(parse(fixture), 0);
        assert_true(dhcp4_message_option(&fixture->message, 224, &value));
        assert_int_equal(value.left, sizeof(bytes));
        assert_memory_equal(value.p, bytes, sizeof(bytes));
        assert_true(dhcp4_message_option(&fixture->message, 225, &value));
        assert_int_equal(value.left, 0);
        assert_false(dhcp4_message_option(&fixture->message, 226, &value));
}

/* RFC 2132 §9.3 and RFC 3396 §5: options, then file, then sname. */
static void test_overload(void **state) {
        Fixture *fixture = *state;
        Cursor value;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_OVERLOAD, "\x03", 1);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_BOOT_FILE, "one-", 4);
        memcpy(fixture->memory + AT_SNAME, "\x43\x05three\xff", 8);
        memcpy(fixture->memory + AT_FILE, "\x00\x43\x04two-\xff", 8);
        assert_int_equal(parse(fixture), 0);
        assert_true(dhcp4_message_option(&fixture->message, DHCP4_OPTION_BOOT_FILE, &value));
        assert_int_equal(value.left, 13);
        assert_memory_equal(value.p, "one-two-three", 13);
        assert_string_equal(fixture->message.sname, "");
        assert_string_equal(fixture->message.file, "");
}

static void test_overload_of_one_field(void **state) {
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_OVERLOAD, "\x01", 1);
        memcpy(fixture->memory + AT_SNAME, "server", 6);
        memcpy(fixture->memory + AT_FILE, "\xff", 1);
        assert_int_equal(parse(fixture), 0);
        assert_string_equal(fixture->message.sname, "server");
        assert_string_equal(fixture->message.file, "");
}

static void test_bad_overload(void **state) {
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_OVERLOAD, "\x04", 1);
        assert_int_equal(parse(fixture), -EBADMSG);
}

/* An option in `file` must end there, however much packet there is behind. */
static void test_overloaded_option_too_long(void **state) {
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_OVERLOAD, "\x01", 1);
        memcpy(fixture->memory + AT_FILE, "\x43\x80", 2);
        assert_int_equal(parse(fixture), -EBADMSG);
}

static void test_fields_fill_without_nul(void **state) {
        Fixture *fixture = *state;

        memset(fixture->memory + AT_SNAME, 's', 64);
        memset(fixture->memory + AT_FILE, 'f', 128);
        assert_int_equal(parse(fixture), 0);
        assert_int_equal(strlen(fixture->message.sname), 64);
        assert_int_equal(strlen(fixture->message.file), 128);
}

static void test_lease_defaults(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;

        assert_int_equal(lease(*state, &got), 0);
        assert_int_equal(got->address.length, 24); /* of class C, as there is no mask */
        assert_int_equal(got->t1, 1800);
        assert_int_equal(got->t2, 3150);
        assert_address(got->next_server, "192.0.2.3");
}

static void test_lease_times(void **state) {
        static const struct {
                const char *t1, *t2;
                uint32_t expected_t1, expected_t2;
        } rows[] = {
                { "\x00\x00\x01\x00", "\x00\x00\x02\x00", 256, 512 },
                { "\x00\x00\x02\x00", "\x00\x00\x01\x00", 256, 256 },   /* T2 < T1 */
                { "\x00\x00\x0e\x10", "\x00\x00\x0e\x10", 1800, 3150 }, /* not before the end */
                { "\xff\xff\xff\xff", "\xff\xff\xff\xff", 1800, 3150 },
                { "\x00\x00\x00\x00", "\x00\x00\x00\x00", 1800, 3150 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
                void *fixture;

                assert_int_equal(setup(&fixture), 0);
                dhcp4_append_option(&((Fixture *) fixture)->buffer, DHCP4_OPTION_T1, rows[i].t1, 4);
                dhcp4_append_option(&((Fixture *) fixture)->buffer, DHCP4_OPTION_T2, rows[i].t2, 4);
                assert_int_equal(lease(fixture, &got), 0);
                assert_int_equal(got->t1, rows[i].expected_t1);
                assert_int_equal(got->t2, rows[i].expected_t2);
                teardown(&fixture);
        }
}

/* What a lease cannot do without, or cannot have. */
static void test_lease_refused(void **state) {
        static const uint32_t addresses[] = { 0, 0xffffffff, 0x7f000001, 0xe0000001, 0xf0000001, 0xc0000200,
                0xc00002ff };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                Dhcp4Lease *got = NULL;
                void *fixture;

                assert_int_equal(setup(&fixture), 0);
                dhcp4_append_option(&((Fixture *) fixture)->buffer, DHCP4_OPTION_SUBNET_MASK,
                                "\xff\xff\xff\x00", 4);
                assert_int_equal(parse(fixture), 0);
                ((Fixture *) fixture)->message.header.yiaddr.s_addr = htonl(addresses[i]);
                assert_int_equal(dhcp4_lease_new(&got, &((Fixture *) fixture)->message, 0), -EBADMSG);
                assert_null(got);
                teardown(&fixture);
        }
}

static void test_lease_needs_its_options(void **state) {
        Fixture *fixture = *state;
        Dhcp4Lease *got = NULL;

        assert_int_equal(parse(fixture), 0);
        fixture->message.options[DHCP4_OPTION_LEASE_TIME].present = false;
        assert_int_equal(dhcp4_lease_new(&got, &fixture->message, 0), -EBADMSG);
        fixture->message.options[DHCP4_OPTION_LEASE_TIME].present = true;
        fixture->message.options[DHCP4_OPTION_SERVER_ID].present = false;
        assert_int_equal(dhcp4_lease_new(&got, &fixture->message, 0), -EBADMSG);
}

static void test_lease_of_no_time(void **state) {
        Fixture *fixture = *state;
        Dhcp4Lease *got = NULL;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_LEASE_TIME, "", 0);
        assert_int_equal(parse(fixture), 0);
        memset(fixture->message.data + fixture->message.options[DHCP4_OPTION_LEASE_TIME].offset, 0, 4);
        assert_int_equal(dhcp4_lease_new(&got, &fixture->message, 0), -EBADMSG);
}

static void test_mask_with_holes(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_SUBNET_MASK, "\xff\x00\xff\x00", 4);
        assert_int_equal(lease(fixture, &got), 0);
        assert_int_equal(got->address.length, 24);
}

/* Names: NULs at the end go, as servers add them; other control bytes make the option absent. */
static void test_names(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_TFTP_SERVER_NAME, "192.0.2.1\0\0", 11);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_BOOT_FILE, "a\nb", 3);
        memcpy(fixture->memory + AT_SNAME, "\0garbage", 8);
        memcpy(fixture->memory + AT_FILE, "x.cfg", 5);
        assert_int_equal(lease(fixture, &got), 0);
        assert_string_equal(got->tftp_server_name, "192.0.2.1");
        assert_null(got->boot_file);
        assert_null(got->server_name);
        assert_string_equal(got->file, "x.cfg");
}

static void test_address_lists(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_ROUTER,
                        "\x0a\x00\x00\x01\x00\x00\x00\x00\x0a\x00\x00\x02", 12);
        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_DNS, "\x0a\x00\x00\x01\x0a", 5);
        for (unsigned i = 0; i < 20; i++)
                dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_TFTP_SERVERS, SERVER, 4);
        assert_int_equal(lease(fixture, &got), 0);
        assert_int_equal(got->routers.n, 2); /* 0.0.0.0 is nobody */
        assert_int_equal(got->dns.n, 0);     /* no whole number of addresses */
        assert_int_equal(got->tftp_servers.n, DHCP4_ADDRESSES_MAX);
}

/* RFC 3442: as many bytes of a destination as its length needs; bits behind them are nothing. */
static void test_classless_routes(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
        Fixture *fixture = *state;

        dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_CLASSLESS_ROUTES,
                        "\x00" SERVER "\x11\x0a\x63\xff\x0a\x00\x00\x01\x20\xc0\x00\x02\x09\x00\x00\x00\x00",
                        22);
        assert_int_equal(lease(fixture, &got), 0);
        assert_int_equal(got->n_routes, 3);
        assert_int_equal(got->routes[0].destination.length, 0);
        assert_address(got->routes[0].destination.address.v4, "0.0.0.0");
        assert_address(got->routes[0].router, "192.0.2.1");
        assert_int_equal(got->routes[1].destination.length, 17);
        assert_address(got->routes[1].destination.address.v4, "10.99.128.0");
        assert_address(got->routes[2].destination.address.v4, "192.0.2.9");
        assert_address(got->routes[2].router, "0.0.0.0");
}

static void test_bad_classless_routes(void **state) {
        static const struct {
                const char *value;
                size_t n;
        } rows[] = {
                { "\x21\x0a\x00\x00\x00\x00" SERVER, 10 },                  /* longer than an address */
                { "\x00" SERVER "\x18\x0a\x00\x00\x0a", 10 },               /* cut off */
                { "\x00" SERVER "\x00", 6 }, { "\x00\xe0\x00\x00\x01", 5 }, /* a router that is a group */
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
                void *fixture;

                assert_int_equal(setup(&fixture), 0);
                dhcp4_append_option(&((Fixture *) fixture)->buffer, DHCP4_OPTION_CLASSLESS_ROUTES,
                                rows[i].value, rows[i].n);
                assert_int_equal(lease(fixture, &got), 0);
                assert_int_equal(got->n_routes, 0);
                teardown(&fixture);
        }
}

static void test_many_classless_routes(void **state) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
        Fixture *fixture = *state;

        for (unsigned i = 0; i < 50; i++)
                dhcp4_append_option(&fixture->buffer, DHCP4_OPTION_CLASSLESS_ROUTES, "\x08\x0a" SERVER, 6);
        assert_int_equal(lease(fixture, &got), 0);
        assert_int_equal(got->n_routes, DHCP4_ROUTES_MAX);
}

static void test_mtu(void **state) {
        static const struct {
                const char *value;
                size_t n;
                uint16_t expected;
        } rows[] = { { "\x23\x28", 2, 9000 }, { "\x02\x40", 2, 576 }, { "\x02\x3f", 2, 0 }, { "\x05", 1, 0 },
                { "\x05\xdc\x00", 3, 0 } };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
                void *fixture;

                assert_int_equal(setup(&fixture), 0);
                dhcp4_append_option(
                                &((Fixture *) fixture)->buffer, DHCP4_OPTION_MTU, rows[i].value, rows[i].n);
                assert_int_equal(lease(fixture, &got), 0);
                assert_int_equal(got->mtu, rows[i].expected);
                teardown(&fixture);
        }
}

/* Sub-option 1 of option 125 with our number, else of option 43. */
static void test_vendor_file(void **state) {
        static const struct {
                const char *information;
                size_t n_information;
                const char *specific;
                size_t n_specific;
                const char *expected;
        } rows[] = {
                { NULL, 0,
                                "\x03\x01x\x01\x05"
                                "a.cfg\xff",
                                11, "a.cfg" },
                { NULL, 0,
                                "\x00\x00\x01\x06"
                                "a.cfg\x00",
                                10, "a.cfg" },
                { NULL, 0,
                                "\xff\x01\x05"
                                "a.cfg",
                                8, NULL },
                { NULL, 0,
                                "\x01\x06"
                                "a.cfg",
                                7, NULL },                        /* cut off */
                { NULL, 0, "\x01\x04\x0a\x00\x00\x01", 6, NULL }, /* an address: somebody else's option 43 */
                { NULL, 0,
                                "\x02\x05"
                                "a.cfg",
                                7, NULL },
                { "\x00\x00\x7e\xd9\x07\x01\x05"
                  "b.cfg",
                                12, NULL, 0, "b.cfg" },
                { "\x00\x00\x7e\xd9\x07\x01\x05"
                  "b.cfg",
                                12,
                                "\x01\x05"
                                "a.cfg",
                                7, "b.cfg" },
                { "\x00\x00\x00\x09\x03\x01\x01z\x00\x00\x7e\xd9\x07\x01\x05"
                  "b.cfg",
                                20, NULL, 0, "b.cfg" },
                { "\x00\x00\x00\x09\x07\x01\x05"
                  "b.cfg",
                                12,
                                "\x01\x05"
                                "a.cfg",
                                7, "a.cfg" },
                { "\x00\x00\x7e\xd9\x08\x01\x05"
                  "b.cfg",
                                12, NULL, 0, NULL }, /* cut off */
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(dhcp4_lease_freep) Dhcp4Lease *got = NULL;
                void *fixture;

                assert_int_equal(setup(&fixture), 0);
                if (rows[i].information)
                        dhcp4_append_option(&((Fixture *) fixture)->buffer, DHCP4_OPTION_VENDOR_INFORMATION,
                                        rows[i].information, rows[i].n_information);
                if (rows[i].specific)
                        dhcp4_append_option(&((Fixture *) fixture)->buffer, DHCP4_OPTION_VENDOR_SPECIFIC,
                                        rows[i].specific, rows[i].n_specific);
                assert_int_equal(lease(fixture, &got), 0);
                if (rows[i].expected)
                        assert_string_equal(got->vendor_file, rows[i].expected);
                else
                        assert_null(got->vendor_file);
                assert_int_equal(dhcp4_lease_has_configuration(got), rows[i].expected != NULL);
                teardown(&fixture);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_captured),
                cmocka_unit_test(test_captured_servers),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test_setup_teardown(test_header_is_checked, setup, teardown),
                cmocka_unit_test_setup_teardown(test_type_is_needed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_type_given_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_option, setup, teardown),
                cmocka_unit_test_setup_teardown(test_append_splits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overload, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overload_of_one_field, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_overload, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overloaded_option_too_long, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fields_fill_without_nul, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lease_defaults, setup, teardown),
                cmocka_unit_test(test_lease_times),
                cmocka_unit_test(test_lease_refused),
                cmocka_unit_test_setup_teardown(test_lease_needs_its_options, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lease_of_no_time, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mask_with_holes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_address_lists, setup, teardown),
                cmocka_unit_test_setup_teardown(test_classless_routes, setup, teardown),
                cmocka_unit_test(test_bad_classless_routes),
                cmocka_unit_test_setup_teardown(test_many_classless_routes, setup, teardown),
                cmocka_unit_test(test_mtu),
                cmocka_unit_test(test_vendor_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
