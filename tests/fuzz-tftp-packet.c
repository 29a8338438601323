/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "net/tftp-packet.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const char *name, const TftpOptions *options, const TftpOptions *same) {
        uint8_t packet[TFTP_REQUEST_MAX];
        size_t start = 2 + strlen(name) + 1 + strlen("octet") + 1;
        TftpPacket again;
        int n = tftp_build_request(packet, name, options);

        if (n < 0)
                return;
        assert((size_t) n >= start && n <= TFTP_REQUEST_MAX);
        assert(packet[0] == 0 && packet[1] == TFTP_RRQ && packet[n - 1] == '\0');
        assert(strcmp((char *) packet + 2, name) == 0);
        assert(strcmp((char *) packet + start - 6, "octet") == 0);
        if (!same || !tftp_options_any(options))
                return;

        /* A request's options, behind an OACK's opcode, are what they were. */
        packet[start - 2] = 0;
        packet[start - 1] = TFTP_OACK;
        assert(tftp_packet_parse(&again, packet + start - 2, (size_t) n - start + 2) == 0);
        assert(memcmp(&again.options, same, sizeof(*same)) == 0);
        assert(tftp_options_acceptable(options, &again.options));
}

/* What a server sends: what is made of it lies in it, and what an OACK grants could have been asked for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        TftpPacket packet;
        char name[600];
        int r = tftp_packet_parse(&packet, data, size);

        snprintf(name, sizeof(name), "%.*s", (int) MIN(size, sizeof(name)), (const char *) data);
        check_request(name, &(TftpOptions){}, NULL);
        if (r < 0)
                return 0;

        assert(packet.opcode == TFTP_DATA || packet.opcode == TFTP_ERROR || packet.opcode == TFTP_OACK);
        if (packet.opcode == TFTP_OACK) {
                assert(tftp_options_any(&packet.options));
                check_request("f", &packet.options, &packet.options);
                return 0;
        }
        assert(packet.data == data + TFTP_HEADER_SIZE && packet.size <= size - TFTP_HEADER_SIZE);
        assert(packet.opcode == TFTP_ERROR || packet.size == size - TFTP_HEADER_SIZE);
        assert(packet.opcode == TFTP_DATA || !memchr(packet.data, '\0', packet.size));
        return 0;
}
