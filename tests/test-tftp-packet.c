/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/tftp-packet.h"

#include <errno.h>
#include <string.h>

/* String literals as packets: without the NUL that C adds. */
#define PACKET(literal) (const uint8_t *) (literal), sizeof(literal) - 1

static const char full[] = "tsize|19842|BlkSize|1428|windowsize|64|timeout|1|utimeout|20000|";

/* An OACK from text with | for NUL, alone on the heap, for the sanitizer. */
static int parse_oack(TftpPacket *ret, const char *text, size_t n) {
        _cleanup_free_ uint8_t *data = malloc(2 + n);

        assert_non_null(data);
        memcpy(data, "\0\6", 2);
        for (size_t i = 0; i < n; i++)
                data[2 + i] = text[i] == '|' ? '\0' : (uint8_t) text[i];
        return tftp_packet_parse(ret, data, 2 + n);
}

static void test_data(void **state) {
        TftpPacket packet;

        (void) state;
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\3\xff\xfexyz")), 0);
        assert_int_equal(packet.opcode, TFTP_DATA);
        assert_int_equal(packet.block, 0xfffe);
        assert_int_equal(packet.size, 3);
        assert_memory_equal(packet.data, "xyz", 3);

        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\3\0\1")), 0);
        assert_int_equal(packet.size, 0);
}

static void test_error(void **state) {
        TftpPacket packet;

        (void) state;
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\5\0\1File not found\0trailing")), 0);
        assert_int_equal(packet.opcode, TFTP_ERROR);
        assert_int_equal(packet.code, TFTP_ERROR_NOT_FOUND);
        assert_int_equal(packet.size, 14);
        assert_memory_equal(packet.data, "File not found", 14);

        /* A message without its NUL, and no message at all. */
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\5\xff\xffno")), 0);
        assert_int_equal(packet.code, 0xffff);
        assert_int_equal(packet.size, 2);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\5\0\0")), 0);
        assert_int_equal(packet.size, 0);
}

static void test_oack(void **state) {
        static const uint64_t values[] = { 19842, 1428, 64, 1, 20000 };
        TftpPacket packet;

        (void) state;
        assert_int_equal(parse_oack(&packet, full, strlen(full)), 0);
        assert_int_equal(packet.opcode, TFTP_OACK);
        for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++) {
                assert_true(packet.options.present[i]);
                assert_int_equal(packet.options.value[i], values[i]);
        }

        assert_int_equal(parse_oack(&packet, "tsize|0|", 8), 0);
        assert_true(packet.options.present[TFTP_OPTION_TSIZE]);
        assert_false(packet.options.present[TFTP_OPTION_BLKSIZE]);
}

static void test_oack_refused(void **state) {
        static const char *const rows[] = {
                "",
                "|",
                "||",
                "blksize",
                "blksize|",
                "blksize||",
                "blksize|512",
                "blksize|0|",
                "blksize|7|",
                "blksize|65465|",
                "blksize|-512|",
                "blksize|+512|",
                "blksize| 512|",
                "blksize|512 |",
                "blksize|0x200|",
                "blksize|512|blksize|512|",
                "blksize|512||",
                "blksize|512|x",
                "windowsize|0|",
                "windowsize|65536|",
                "timeout|0|",
                "timeout|256|",
                "utimeout|9999|",
                "tsize|18446744073709551616|",
                "tsize|9223372036854775808|",
                "multicast|224.0.0.1,1758,1|",
                "tsize|1|rollover|0|",
        };
        TftpPacket packet, untouched;

        (void) state;
        memset(&packet, 0x55, sizeof(packet));
        untouched = packet;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_int_equal(parse_oack(&packet, rows[i], strlen(rows[i])), -EOPNOTSUPP);
                assert_memory_equal(&packet, &untouched, sizeof(packet));
        }
}

static void test_not_from_a_server(void **state) {
        TftpPacket packet;

        (void) state;
        assert_int_equal(tftp_packet_parse(&packet, PACKET("")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\0\0\1")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\1file\0octet\0")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\2file\0octet\0")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\4\0\1")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\7\0\1")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\1\3\0\1")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\3\0")), -EBADMSG);
        assert_int_equal(tftp_packet_parse(&packet, PACKET("\0\5\0")), -EBADMSG);
}

/* A cut OACK never passes for a shorter one, except where an option ends. */
static void test_every_prefix(void **state) {
        (void) state;
        for (size_t n = 0; n < strlen(full); n++) {
                unsigned n_strings = 0;
                TftpPacket packet;

                for (size_t i = 0; i < n; i++)
                        n_strings += full[i] == '|';
                assert_int_equal(parse_oack(&packet, full, n),
                                n > 0 && full[n - 1] == '|' && n_strings % 2 == 0 ? 0 : -EOPNOTSUPP);
        }
}

static void test_request(void **state) {
        static const char expected[] = "|\1SN1.enc|octet|tsize|0|blksize|1468|utimeout|20000|";
        uint8_t packet[TFTP_REQUEST_MAX];
        TftpOptions options = {};

        (void) state;
        assert_int_equal(tftp_build_request(packet, "f", &options), 2 + 2 + 6);
        tftp_options_set(&options, TFTP_OPTION_UTIMEOUT, 20000);
        tftp_options_set(&options, TFTP_OPTION_BLKSIZE, 1468);
        tftp_options_set(&options, TFTP_OPTION_TSIZE, 0);
        assert_int_equal(tftp_build_request(packet, "SN1.enc", &options), strlen(expected));
        for (size_t i = 0; i < strlen(expected); i++)
                assert_int_equal(packet[i], expected[i] == '|' ? '\0' : expected[i]);
}

static void test_request_has_a_limit(void **state) {
        char name[TFTP_REQUEST_MAX + 1] = "";
        uint8_t packet[TFTP_REQUEST_MAX];
        TftpOptions options = {};

        (void) state;
        assert_int_equal(tftp_build_request(packet, "", &options), -EINVAL);
        memset(name, 'n', sizeof(name) - 1);
        assert_int_equal(tftp_build_request(packet, name, &options), -ENAMETOOLONG);
        name[TFTP_REQUEST_MAX - 2 - 1 - 6] = '\0';
        assert_int_equal(tftp_build_request(packet, name, &options), TFTP_REQUEST_MAX);
        tftp_options_set(&options, TFTP_OPTION_TSIZE, 0);
        assert_int_equal(tftp_build_request(packet, name, &options), -ENAMETOOLONG);
}

static void test_ack_and_error(void **state) {
        uint8_t ack[TFTP_HEADER_SIZE], error[TFTP_ERROR_PACKET_MAX];

        (void) state;
        assert_int_equal(tftp_build_ack(ack, 0xfffe), 4);
        assert_memory_equal(ack, "\0\4\xff\xfe", 4);
        assert_int_equal(tftp_build_error(error, TFTP_ERROR_OPTION, "no"), 7);
        assert_memory_equal(error, "\0\5\0\x8no", 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_data),
                cmocka_unit_test(test_error),
                cmocka_unit_test(test_oack),
                cmocka_unit_test(test_oack_refused),
                cmocka_unit_test(test_not_from_a_server),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_request),
                cmocka_unit_test(test_request_has_a_limit),
                cmocka_unit_test(test_ack_and_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
