/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Comparisons of secret bytes without a branch or an index that depends on them. A mask is all ones or zero. */

#include <stdint.h>

/* Keeps the compiler from seeing that it is a mask, and making a branch of it. */
static inline uint32_t ct_hide(uint32_t value) {
        __asm__("" : "+r"(value));
        return value;
}

/* All ones when `value` is zero. */
static inline uint32_t ct_is_zero(uint32_t value) {
        return ct_hide(0 - ((~value & (value - 1)) >> 31));
}

static inline uint32_t ct_equal(uint32_t a, uint32_t b) {
        return ct_is_zero(a ^ b);
}

/* All ones when a < b; both below 2^31. */
static inline uint32_t ct_less(uint32_t a, uint32_t b) {
        return ct_hide(0 - ((a - b) >> 31));
}

static inline uint8_t ct_select(uint32_t mask, uint8_t yes, uint8_t no) {
        return (uint8_t) ((yes & mask) | (no & ~mask));
}
