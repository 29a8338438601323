/* SPDX-License-Identifier: Apache-2.0 */
#include "net/slaac.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static uint64_t load_le64(const uint8_t *p) {
        uint64_t value = 0;

        for (unsigned i = 8; i-- > 0;)
                value = value << 8 | p[i];
        return value;
}

static uint64_t rotate(uint64_t x, unsigned n) {
        return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[static 4], unsigned n) {
        while (n-- > 0) {
                v[0] += v[1];
                v[1] = rotate(v[1], 13) ^ v[0];
                v[0] = rotate(v[0], 32);
                v[2] += v[3];
                v[3] = rotate(v[3], 16) ^ v[2];
                v[0] += v[3];
                v[3] = rotate(v[3], 21) ^ v[0];
                v[2] += v[1];
                v[1] = rotate(v[1], 17) ^ v[2];
                v[2] = rotate(v[2], 32);
        }
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) of whole words, the last of which has the size in its highest byte. */
static uint64_t sip_hash(const uint8_t key[static 16], const uint64_t *words, size_t n) {
        uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
        uint64_t v[4] = {
                k0 ^ 0x736f6d6570736575,
                k1 ^ 0x646f72616e646f6d,
                k0 ^ 0x6c7967656e657261,
                k1 ^ 0x7465646279746573,
        };

        for (size_t i = 0; i < n; i++) {
                v[3] ^= words[i];
                sip_rounds(v, 2);
                v[0] ^= words[i];
        }
        v[2] ^= 0xff;
        sip_rounds(v, 4);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct in6_addr slaac_eui64(const struct in6_addr *prefix, const struct ether_addr *address) {
        const uint8_t *a = address->ether_addr_octet;
        struct in6_addr result = *prefix;

        memcpy(result.s6_addr + 8, (uint8_t[]){ a[0] ^ 2, a[1], a[2], 0xff, 0xfe, a[3], a[4], a[5] }, 8);
        return result;
}

/* RFC 5453: subnet-router anycast, the reserved anycast addresses of RFC 2526, and the block of proxy mobile IPv6. */
static bool is_reserved(uint64_t identifier) {
        return identifier == 0 || (identifier >= 0xfdffffffffffff80 && identifier <= 0xfdffffffffffffff) ||
                        (identifier >= 0x02005efffe000000 && identifier <= 0x02005efffeffffff);
}

struct in6_addr slaac_stable(const struct in6_addr *prefix, const struct ether_addr *address,
                uint8_t n_conflicts, const uint8_t secret[static SLAAC_SECRET_SIZE]) {
        struct in6_addr result = *prefix;
        uint8_t block[16] = { 0 };
        uint64_t identifier;

        memcpy(block, address, sizeof(*address));
        block[6] = n_conflicts;
        block[15] = 23; /* the size: of the prefix, and of this block without its last byte */
        do {
                identifier = sip_hash(secret,
                                (const uint64_t[]){ load_le64(prefix->s6_addr), load_le64(block),
                                                load_le64(block + 8) },
                                3);
                block[7]++; /* §5: again with another counter, where it is reserved */
        } while (is_reserved(identifier));
        for (unsigned i = 0; i < 8; i++)
                result.s6_addr[8 + i] = (uint8_t) (identifier >> (56 - 8 * i));
        return result;
}
