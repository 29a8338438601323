/* SPDX-License-Identifier: Apache-2.0 */
#include "net/arp-packet.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static const uint8_t reply[ARP_PACKET_SIZE] = {
        0,
        1,
        8,
        0,
        6,
        4,
        0,
        2, /* Ethernet, IPv4, their sizes, a reply */
        2,
        0,
        0,
        0,
        0,
        9,
        192,
        0,
        2,
        7,
        2,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
};

static int parse(const uint8_t *packet, size_t size) {
        struct ether_addr sender;
        struct in_addr address;

        return arp_packet_parse_reply(packet, size, &sender, &address);
}

/* RFC 5227 §2.1.1: the sender's own address is all zero, and so is what is not known yet. */
static void test_probe(void **state) {
        static const uint8_t expected[ARP_PACKET_SIZE] = {
                0,
                1,
                8,
                0,
                6,
                4,
                0,
                1, /* a request */
                2,
                0,
                0,
                0,
                0,
                1,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                192,
                0,
                2,
                7,
        };
        const struct ether_addr own = { { 2, 0, 0, 0, 0, 1 } };
        uint8_t memory[ARP_PACKET_SIZE];
        Buffer buffer = BUFFER(memory, sizeof(memory));

        (void) state;
        arp_packet_build_probe(&buffer, &own, (struct in_addr){ htonl(0xc0000207) });
        assert_int_equal(buffer_status(&buffer), 0);
        assert_int_equal(buffer.size, sizeof(expected));
        assert_memory_equal(memory, expected, sizeof(expected));
        assert_int_equal(parse(memory, buffer.size), -EBADMSG); /* is no reply */
}

static void test_reply(void **state) {
        struct ether_addr sender;
        struct in_addr address;

        (void) state;
        assert_int_equal(arp_packet_parse_reply(reply, sizeof(reply), &sender, &address), 0);
        assert_memory_equal(&sender, reply + 8, sizeof(sender));
        assert_int_equal(ntohl(address.s_addr), 0xc0000207);
        for (size_t n = 0; n < sizeof(reply); n++)
                assert_int_equal(parse(reply, n), -EBADMSG);
}

/* Each byte of the header, and addresses that no host has. */
static void test_refused(void **state) {
        uint8_t packet[ARP_PACKET_SIZE];

        (void) state;
        for (size_t i = 0; i < 8; i++) {
                memcpy(packet, reply, sizeof(packet));
                packet[i] ^= 1;
                assert_int_equal(parse(packet, sizeof(packet)), -EBADMSG);
        }
        memcpy(packet, reply, sizeof(packet));
        memset(packet + 14, 0, 4);
        assert_int_equal(parse(packet, sizeof(packet)), -EBADMSG);
        memset(packet + 14, 0xff, 4);
        assert_int_equal(parse(packet, sizeof(packet)), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_probe),
                cmocka_unit_test(test_reply),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
