/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-packet.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An IP packet; its payload lies within it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Cursor ready, not_ready;
        int r = dhcp4_packet_parse(data, size, true, &ready),
            q = dhcp4_packet_parse(data, size, false, &not_ready);

        if (r == 0 && q != 0)
                abort(); /* one check less cannot refuse more */
        if (q == 0 &&
                        (not_ready.p < data + DHCP4_PACKET_HEADER_SIZE ||
                                        not_ready.p + not_ready.left > data + size))
                abort();
        return 0;
}
