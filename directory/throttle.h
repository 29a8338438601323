/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A limit on how many questions about unknown devices an address may have answered: without it a competitor counts serial numbers (RFC 8886,
 * section 2). Each has a bucket of `burst` tokens, filled at `per_minute`; a miss takes one, and who has none is told nothing any more, of known
 * devices neither. A client is a network as address.h has it.
 *
 * The table has a fixed size; when it is full, whoever has asked least is forgotten. The time is given.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Throttle Throttle;

/* Without a limit (`per_minute` 0) everything is allowed. -ENOMEM. */
int throttle_new(uint64_t per_minute, uint64_t burst, Throttle **ret);

/* Accepts NULL, returns NULL. */
Throttle *throttle_free(Throttle *throttle);

/* Whether this address may ask; if not, *ret_wait_usec is how long it has to wait. */
bool throttle_allows(Throttle *throttle, const uint8_t address[static 16], uint64_t now_usec,
                uint64_t *ret_wait_usec);

void throttle_on_miss(Throttle *throttle, const uint8_t address[static 16], uint64_t now_usec);
