/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Changes a BER file as a fuzzer would like to, but so that the lengths around the change are right again: one element is
 * changed, removed, doubled, moved, or written with an indefinite length. What is not BER is left alone.
 */

#include <stddef.h>
#include <stdint.h>

/* In place; the new size, at most `max`. */
size_t ber_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);
