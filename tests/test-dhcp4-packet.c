/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/dhcp4-message.h"
#include "net/dhcp4-packet.h"
#include "tests/frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static void test_captured(void **state) {
        static const char *const names[] = { "dhcp4/dnsmasq-offer", "dhcp4/dnsmasq-ack" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ uint8_t *frame = NULL;
                Cursor payload;
                size_t size;

                frame = frame_read(names[i], &size);
                /* Captured on a veth pair: the sender had left its UDP checksum to hardware that is not there. */
                assert_int_equal(dhcp4_packet_parse(frame, size, false, &payload), 0);
                assert_int_equal(payload.left, size - DHCP4_PACKET_HEADER_SIZE);
                assert_int_equal(dhcp4_packet_parse(frame, size, true, &payload), -EBADMSG);
                for (size_t n = 0; n < size; n++)
                        assert_int_equal(dhcp4_packet_parse(frame, n, false, &payload), -EBADMSG);
        }
}

/* A packet as we build it, with the ports of a reply; its checksums are right again. */
static size_t build(uint8_t *packet, size_t capacity, size_t n_payload) {
        static const uint8_t payload[1400];
        Buffer buffer = BUFFER(packet, capacity);

        dhcp4_packet_build(&buffer, (struct in_addr){ htonl(0xc0000201) },
                        (struct in_addr){ INADDR_BROADCAST }, payload, n_payload);
        assert_int_equal(buffer_status(&buffer), 0);
        packet[21] = 67;
        packet[23] = 68; /* the sum of both stays */
        return buffer.size;
}

static void test_built_parses(void **state) {
        uint8_t packet[1500];
        Cursor payload;

        (void) state;
        for (size_t n = 0; n < 1400; n += 77) {
                size_t size = build(packet, sizeof(packet), n);

                assert_int_equal(dhcp4_packet_parse(packet, size, true, &payload), 0);
                assert_int_equal(payload.left, n);
                assert_ptr_equal(payload.p, packet + DHCP4_PACKET_HEADER_SIZE);
        }
}

static void test_padding_is_left_out(void **state) {
        uint8_t packet[1500] = { 0 };
        size_t size = build(packet, sizeof(packet), 100);
        Cursor payload;

        (void) state;
        assert_int_equal(dhcp4_packet_parse(packet, size + 46, true, &payload), 0);
        assert_int_equal(payload.left, 100);
}

/* Sets a byte and mends the IP header's checksum, so that only the byte itself can be the reason. */
static void poke(uint8_t *packet, size_t at, uint8_t value) {
        uint32_t sum = 0;

        packet[at] = value;
        packet[10] = packet[11] = 0;
        for (size_t i = 0; i < 20; i += 2)
                sum += (uint32_t) packet[i] << 8 | packet[i + 1];
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        packet[10] = (uint8_t) (~sum >> 8);
        packet[11] = (uint8_t) ~sum;
}

static void test_refused(void **state) {
        static const struct {
                const char *what;
                size_t at;
                uint8_t value;
        } rows[] = {
                { "IP version 6", 0, 0x65 },
                { "IP header shorter than 20 bytes", 0, 0x44 },
                { "IP header longer than the packet", 3, 21 },
                { "total length beyond the packet", 3, 255 },
                { "a fragment", 6, 0x20 },
                { "a later fragment", 7, 1 },
                { "TCP", 9, IPPROTO_TCP },
                { "another destination port", 23, 69 },
                { "UDP length less than its header", 25, 7 },
                { "UDP length beyond the packet", 25, 200 },
                { "payload not as summed", 40, 1 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint8_t packet[1500];
                size_t size = build(packet, sizeof(packet), 100);
                Cursor payload;

                poke(packet, rows[i].at, rows[i].value);
                if (rows[i].at == 3)
                        poke(packet, 2, rows[i].value == 21 ? 0 : 255);
                if (dhcp4_packet_parse(packet, size, true, &payload) != -EBADMSG)
                        fail_msg("accepted: %s", rows[i].what);
        }
}

static void test_checksums(void **state) {
        uint8_t packet[1500];
        size_t size = build(packet, sizeof(packet), 99);
        Cursor payload;

        (void) state;
        packet[26] = packet[27] = 0; /* RFC 768: none */
        assert_int_equal(dhcp4_packet_parse(packet, size, true, &payload), 0);
        packet[27] = 1;
        assert_int_equal(dhcp4_packet_parse(packet, size, true, &payload), -EBADMSG);
        assert_int_equal(dhcp4_packet_parse(packet, size, false, &payload), 0);
        packet[10] ^= 1;
        assert_int_equal(dhcp4_packet_parse(packet, size, false, &payload), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_captured),
                cmocka_unit_test(test_built_parses),
                cmocka_unit_test(test_padding_is_left_out),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_checksums),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
