/* SPDX-License-Identifier: Apache-2.0 */

/* Linked to the fuzzers of CMS under libFuzzer: half of the time a change that keeps the file BER. */

#include "tests/ber-mutator.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
        return seed % 2 ? ber_mutate(data, size, max, seed / 2) : LLVMFuzzerMutate(data, size, max);
}
