/* SPDX-License-Identifier: Apache-2.0 */
#include "net/arp-packet.h"
#include "net/dhcp4-packet.h"
#include "net/ip-address.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An IP packet, whose payload lies within it; or an ARP packet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Cursor ready, not_ready;
        struct ether_addr sender;
        struct in_addr address;
        int r = dhcp4_packet_parse(data, size, true, &ready),
            q = dhcp4_packet_parse(data, size, false, &not_ready);

        if (r == 0 && q != 0)
                abort(); /* one check less cannot refuse more */
        if (q == 0 &&
                        (not_ready.p < data + DHCP4_PACKET_HEADER_SIZE ||
                                        not_ready.p + not_ready.left > data + size))
                abort();
        if (arp_packet_parse_reply(data, size, &sender, &address) == 0 &&
                        (size < ARP_PACKET_SIZE || !ip4_is_host(address)))
                abort();
        return 0;
}
