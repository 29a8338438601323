/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/nd-message.h"
#include "tests/frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define PORT 546

static struct in6_addr in6(const char *text) {
        struct in6_addr address;

        assert_int_equal(inet_pton(AF_INET6, text, &address), 1);
        return address;
}

static void assert_address(const struct in6_addr *address, const char *text) {
        struct in6_addr expected = in6(text);

        assert_memory_equal(address, &expected, sizeof(expected));
}

/* An advertisement as its options are appended, from fe80::1. */
typedef struct Fixture {
        uint8_t memory[2048];
        Buffer buffer;
        Ip6Packet packet;
        NdRouterAdvert advert;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        f->buffer = BUFFER(f->memory, sizeof(f->memory));
        buffer_append(&f->buffer, "\x86\x00\x00\x00\x40\xc8\x07\x08\x00\x00\x00\x00\x00\x00\x00\x00", 16);
        f->packet = (Ip6Packet){ .source = in6("fe80::1"),
                .destination = in6("ff02::1"),
                .hop_limit = 255,
                .protocol = IPPROTO_ICMPV6 };
        *state = f;
        return 0;
}

static int teardown(void **state) {
        free(*state);
        return 0;
}

static int parse(Fixture *f) {
        f->packet.payload = CURSOR(f->memory, f->buffer.size);
        return nd_parse_router_advert(&f->advert, &f->packet);
}

static void append(Fixture *f, const char *option, size_t n) {
        buffer_append(&f->buffer, option, n);
}

#define PREFIX(length, flags, valid, preferred)                    \
        "\x03\x04" length flags valid preferred "\x00\x00\x00\x00" \
        "\x20\x01\x0d\xb8\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x05"
#define SECONDS_3600 "\x00\x00\x0e\x10"
#define SECONDS_1800 "\x00\x00\x07\x08"

static Ip6Packet read_frame(const char *name, uint8_t **frame) {
        Ip6Packet packet;
        size_t size;

        *frame = frame_read(name, &size);
        assert_int_equal(ip6_packet_parse(&packet, *frame, size, PORT, true), 0);
        return packet;
}

static void test_radvd(void **state) {
        _cleanup_free_ uint8_t *frame = NULL;
        Ip6Packet packet = read_frame("nd/radvd-advert", &frame);
        NdRouterAdvert advert;

        (void) state;
        assert_int_equal(nd_parse_router_advert(&advert, &packet), 0);
        assert_true(advert.managed && !advert.other);
        assert_int_equal(advert.lifetime, 1800);
        assert_int_equal(advert.n_prefixes, 1);
        assert_address(&advert.prefixes[0].prefix.address.v6, "2001:db8:0:1::");
        assert_true(advert.prefixes[0].on_link && advert.prefixes[0].autonomous);
        assert_int_equal(advert.prefixes[0].valid, 86400);
        assert_int_equal(advert.n_dns, 1);
        assert_address(&advert.dns[0].server, "2001:db8:0:1::53");
        assert_int_equal(advert.n_domains, 1);
        assert_string_equal(advert.domains[0].name, "example.net");
}

static void test_dnsmasq(void **state) {
        _cleanup_free_ uint8_t *frame = NULL;
        Ip6Packet packet = read_frame("nd/dnsmasq-advert", &frame);
        NdRouterAdvert advert;

        (void) state;
        assert_int_equal(nd_parse_router_advert(&advert, &packet), 0);
        assert_true(advert.managed && advert.other);
        assert_int_equal(advert.mtu, 1500);
        assert_int_equal(advert.n_prefixes, 1);
        assert_false(advert.prefixes[0].autonomous);
}

/* Every prefix of every captured message: refused where an option is cut, and never more than was there. */
static void test_every_prefix(void **state) {
        static const char *const names[] = { "nd/radvd-advert", "nd/dnsmasq-advert", "nd/linux-solicit",
                "nd/linux-advert", "dhcp6/isc-solicit" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ uint8_t *frame = NULL;
                size_t size;

                frame = frame_read(names[i], &size);
                for (size_t n = 0; n < size; n++) {
                        _cleanup_free_ uint8_t *copy = malloc(n ? n : 1);
                        Ip6Packet packet;
                        NdRouterAdvert advert;
                        NdNeighbour neighbour;

                        memcpy(copy, frame, n);
                        assert_int_equal(ip6_packet_parse(&packet, copy, n, PORT, false), -EBADMSG);
                        if (n < 40)
                                continue;
                        packet = (Ip6Packet){ .source = in6("fe80::1"),
                                .hop_limit = 255,
                                .protocol = IPPROTO_ICMPV6,
                                .payload = CURSOR(copy + 40, n - 40) };
                        (void) nd_parse_router_advert(&advert, &packet);
                        (void) nd_parse_neighbour(&neighbour, &packet);
                }
        }
}

/* RFC 4861 §6.1.2 */
static void test_refused(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f), 0);
        f->packet.hop_limit = 254;
        assert_int_equal(parse(f), -EBADMSG);
        f->packet.hop_limit = 255;
        f->packet.source = in6("2001:db8::1");
        assert_int_equal(parse(f), -EBADMSG);
        f->packet.source = in6("fe80::1");
        f->memory[1] = 1; /* code */
        assert_int_equal(parse(f), -EBADMSG);
        f->memory[1] = 0;
        append(f, "\x05\x00\x00\x00\x00\x00\x05\xdc", 8); /* an option of no length */
        assert_int_equal(parse(f), -EBADMSG);
        f->memory[17] = 2; /* and one that is longer than the message */
        assert_int_equal(parse(f), -EBADMSG);
}

static void test_preference(void **state) {
        static const NdPreference expected[] = { ND_PREFERENCE_MEDIUM, ND_PREFERENCE_HIGH,
                ND_PREFERENCE_MEDIUM, ND_PREFERENCE_LOW };
        Fixture *f = *state;

        for (unsigned i = 0; i < 4; i++) {
                f->memory[5] = (uint8_t) (i << 3);
                assert_int_equal(parse(f), 0);
                assert_int_equal(f->advert.preference, expected[i]);
        }
}

static void test_prefixes(void **state) {
        Fixture *f = *state;

        append(f, PREFIX("\x40", "\xc0", SECONDS_3600, SECONDS_1800), 32);
        append(f, PREFIX("\x81", "\xc0", SECONDS_3600, SECONDS_1800), 32); /* longer than an address */
        append(f, PREFIX("\x40", "\xc0", SECONDS_1800, SECONDS_3600),
                        32); /* preferred for longer than valid */
        append(f, PREFIX("\x30", "\x80", SECONDS_3600, SECONDS_1800), 32);
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->advert.n_prefixes, 2);
        assert_address(&f->advert.prefixes[0].prefix.address.v6,
                        "2001:db8:0:1::"); /* its host part is gone */
        assert_int_equal(f->advert.prefixes[0].preferred, 1800);
        assert_address(&f->advert.prefixes[1].prefix.address.v6, "2001:db8::");
        assert_false(f->advert.prefixes[1].autonomous);
}

/* RFC 4191: 0, 8 or 16 bytes; what a length does not fit into is left out. */
static void test_routes(void **state) {
        Fixture *f = *state;

        append(f, "\x18\x01\x00\x08" SECONDS_1800, 8); /* ::/0 */
        append(f, "\x18\x02\x30\x18" SECONDS_1800 "\x20\x01\x0d\xb8\x00\x07\x00\x00", 16);
        append(f, "\x18\x02\x41\x00" SECONDS_1800 "\x20\x01\x0d\xb8\x00\x07\x00\x00",
                        16); /* 65 bits in 8 bytes */
        append(f, "\x18\x02\x30\x10" SECONDS_1800 "\x20\x01\x0d\xb8\x00\x07\x00\x00", 16); /* reserved */
        append(f, "\x18\x02\x10\x00" SECONDS_1800 "\xfe\x80\x00\x00\x00\x00\x00\x00", 16); /* link-local */
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->advert.n_routes, 2);
        assert_int_equal(f->advert.routes[0].destination.length, 0);
        assert_int_equal(f->advert.routes[0].preference, ND_PREFERENCE_HIGH);
        assert_address(&f->advert.routes[1].destination.address.v6, "2001:db8:7::");
        assert_int_equal(f->advert.routes[1].preference, ND_PREFERENCE_LOW);
}

static void test_lists_are_cut(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 30; i++) {
                append(f, PREFIX("\x40", "\xc0", SECONDS_3600, SECONDS_1800), 32);
                append(f, "\x18\x01\x00\x08" SECONDS_1800, 8);
        }
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->advert.n_prefixes, ND_PREFIXES_MAX);
        assert_int_equal(f->advert.n_routes, ND_ROUTES_MAX);
}

static void test_mtu(void **state) {
        Fixture *f = *state;

        append(f, "\x05\x01\x00\x00\x00\x00\x04\xff", 8); /* less than every link has */
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->advert.mtu, 0);
        append(f, "\x05\x01\x00\x00\x00\x00\x05\x78", 8);
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->advert.mtu, 1400);
}

/* A name that is none ends its list. */
static void test_domains(void **state) {
        Fixture *f = *state;

        append(f,
                        "\x1f\x03\x00\x00" SECONDS_1800 "\x03lab\x00\x02"
                        "a b"
                        "\x00\x00\x00\x00\x00\x00",
                        24);
        assert_int_equal(parse(f), 0);
        assert_int_equal(f->advert.n_domains, 1);
        assert_string_equal(f->advert.domains[0].name, "lab");
}

/* What we send is what we take, and what RFC 4861 §7.1 refuses is refused. */
static void test_neighbours(void **state) {
        static const uint8_t nonce[ND_NONCE_SIZE] = "nonce";
        struct in6_addr target = in6("2001:db8::5"), group = ip6_solicited_node(&target);
        uint8_t memory[ND_MESSAGE_MAX];
        Buffer message = BUFFER(memory, sizeof(memory));
        Ip6Packet packet = { .destination = group, .hop_limit = 255, .protocol = IPPROTO_ICMPV6 };
        NdNeighbour neighbour;

        (void) state;
        assert_address(&group, "ff02::1:ff00:5");
        nd_build_probe(&message, &target, nonce);
        packet.payload = CURSOR(memory, message.size);
        assert_int_equal(nd_parse_neighbour(&neighbour, &packet), 0);
        assert_int_equal(neighbour.type, ND_TYPE_NEIGHBOUR_SOLICIT);
        assert_true(neighbour.detecting);
        assert_memory_equal(neighbour.nonce, nonce, sizeof(nonce));
        packet.destination = in6("ff02::1");
        assert_int_equal(nd_parse_neighbour(&neighbour, &packet), -EBADMSG);

        message = BUFFER(memory, sizeof(memory));
        nd_build_neighbour_advert(&message, &target, &(struct ether_addr){ { 2 } }, true);
        packet.payload = CURSOR(memory, message.size);
        assert_int_equal(memory[4], 0x40); /* solicited, and no override */
        assert_int_equal(nd_parse_neighbour(&neighbour, &packet),
                        -EBADMSG); /* solicited by nobody: a group */
        packet.destination = in6("fe80::2");
        assert_int_equal(nd_parse_neighbour(&neighbour, &packet), 0);
        assert_address(&neighbour.target, "2001:db8::5");
        packet.hop_limit = 64;
        assert_int_equal(nd_parse_neighbour(&neighbour, &packet), -EBADMSG);
}

/* RFC 6980: any extension header, a fragment's first of all. */
static void test_extension_headers_are_refused(void **state) {
        _cleanup_free_ uint8_t *frame = NULL;
        Ip6Packet packet;
        size_t size;

        (void) state;
        frame = frame_read("nd/radvd-advert", &size);
        for (unsigned next = 0; next < 256; next++) {
                frame[6] = (uint8_t) next;
                assert_int_equal(ip6_packet_parse(&packet, frame, size, PORT, true),
                                next == IPPROTO_ICMPV6 ? 0 : -EBADMSG);
        }
}

static void test_checksums(void **state) {
        _cleanup_free_ uint8_t *frame = NULL;
        Ip6Packet packet;
        size_t size;

        (void) state;
        frame = frame_read("nd/radvd-advert", &size);
        for (size_t i = 8; i < size; i++) {
                frame[i] ^= 0x10;
                assert_int_equal(ip6_packet_parse(&packet, frame, size, PORT, true), -EBADMSG);
                frame[i] ^= 0x10;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_radvd),
                cmocka_unit_test(test_dnsmasq),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_preference, setup, teardown),
                cmocka_unit_test_setup_teardown(test_prefixes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lists_are_cut, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mtu, setup, teardown),
                cmocka_unit_test_setup_teardown(test_domains, setup, teardown),
                cmocka_unit_test(test_neighbours),
                cmocka_unit_test(test_extension_headers_are_refused),
                cmocka_unit_test(test_checksums),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
