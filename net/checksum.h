/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The Internet checksum (RFC 1071). The sum goes from part to part; each but the last has an even size. */

#include <stddef.h>
#include <stdint.h>

static inline uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t n) {
        for (; n > 1; p += 2, n -= 2)
                sum += (uint32_t) p[0] << 8 | p[1];
        if (n > 0)
                sum += (uint32_t) p[0] << 8;
        return sum;
}

static inline uint16_t checksum_finish(uint32_t sum) {
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t) ~sum;
}
