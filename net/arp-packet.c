/* SPDX-License-Identifier: Apache-2.0 */
#include "net/arp-packet.h"

#include "base/cursor.h"
#include "net/ip-address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <string.h>

void arp_packet_build_probe(Buffer *buffer, const struct ether_addr *sender, struct in_addr address) {
        buffer_append_be16(buffer, ARPHRD_ETHER);
        buffer_append_be16(buffer, ETHERTYPE_IP);
        buffer_append_u8(buffer, sizeof(*sender));
        buffer_append_u8(buffer, sizeof(address));
        buffer_append_be16(buffer, ARPOP_REQUEST);
        buffer_append(buffer, sender, sizeof(*sender));
        buffer_append_zeros(buffer, sizeof(address) + sizeof(*sender));
        buffer_append(buffer, &address, sizeof(address));
}

int arp_packet_parse_reply(const uint8_t *packet, size_t size, struct ether_addr *ret_sender,
                struct in_addr *ret_address) {
        Cursor cursor = CURSOR(packet, size);
        uint16_t hardware, protocol, operation;
        uint8_t hardware_size, protocol_size;
        const uint8_t *sender, *target;
        struct in_addr address;
        uint32_t number;

        if (cursor_be16(&cursor, &hardware) < 0 || cursor_be16(&cursor, &protocol) < 0 ||
                        cursor_u8(&cursor, &hardware_size) < 0 || cursor_u8(&cursor, &protocol_size) < 0 ||
                        cursor_be16(&cursor, &operation) < 0 ||
                        cursor_take(&cursor, ETH_ALEN, &sender) < 0 || cursor_be32(&cursor, &number) < 0 ||
                        cursor_take(&cursor, ETH_ALEN + 4, &target) < 0)
                return -EBADMSG;
        address.s_addr = htonl(number);
        if (hardware != ARPHRD_ETHER || protocol != ETHERTYPE_IP || hardware_size != ETH_ALEN ||
                        protocol_size != sizeof(address) || operation != ARPOP_REPLY ||
                        !ip4_is_host(address))
                return -EBADMSG;
        memcpy(ret_sender, sender, sizeof(*ret_sender));
        *ret_address = address;
        return 0;
}
