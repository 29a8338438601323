/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/throttle.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "directory/address.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define SETS 2048
#define WAYS 4 /* an address has its place in one of these of its set */

/* What was taken is written as the time at which the bucket is full again: nothing has to be filled. */
typedef struct Bucket {
        uint8_t network[16];
        uint64_t full_at; /* 0 or past: nobody's */
} Bucket;

struct Throttle {
        uint64_t token_usec; /* 0: no limit */
        uint64_t burst;
        uint64_t secret; /* nobody can choose whose place he shares */
        Bucket buckets[SETS][WAYS];
};

int throttle_new(uint64_t per_minute, uint64_t burst, Throttle **ret) {
        Throttle *throttle = calloc(1, sizeof(*throttle));

        if (!throttle)
                return -ENOMEM;
        throttle->token_usec = per_minute > 0 ? USEC_PER_MINUTE / per_minute : 0;
        throttle->burst = burst;
        if (getrandom(&throttle->secret, sizeof(throttle->secret), 0) != sizeof(throttle->secret)) {
                free(throttle);
                return -EIO;
        }
        *ret = throttle;
        return 0;
}

Throttle *throttle_free(Throttle *throttle) {
        free(throttle);
        return NULL;
}

static Bucket *set_of(Throttle *throttle, const uint8_t network[static 16]) {
        uint64_t hash = throttle->secret;

        for (unsigned i = 0; i < 16; i++) {
                hash = (hash ^ network[i]) * UINT64_C(0x100000001b3);
                hash ^= hash >> 29;
        }
        return throttle->buckets[hash % SETS];
}

static Bucket *find(Throttle *throttle, const uint8_t network[static 16]) {
        Bucket *set = set_of(throttle, network);

        for (unsigned i = 0; i < WAYS; i++)
                if (set[i].full_at != 0 && memcmp(set[i].network, network, 16) == 0)
                        return set + i;
        return NULL;
}

bool throttle_allows(Throttle *throttle, const uint8_t address[static 16], uint64_t now_usec,
                uint64_t *ret_wait_usec) {
        uint8_t network[16];
        const Bucket *bucket;
        uint64_t limit;

        if (throttle->token_usec == 0)
                return true;
        address_get_network(address, network);
        bucket = find(throttle, network);
        /* One token is left as long as the bucket is full within burst - 1 tokens' time. */
        limit = time_add(now_usec, (throttle->burst > 0 ? throttle->burst - 1 : 0) * throttle->token_usec);
        if (!bucket || bucket->full_at <= limit)
                return true;
        *ret_wait_usec = bucket->full_at - limit;
        return false;
}

void throttle_on_miss(Throttle *throttle, const uint8_t address[static 16], uint64_t now_usec) {
        uint8_t network[16];
        Bucket *bucket;

        if (throttle->token_usec == 0)
                return;
        address_get_network(address, network);
        bucket = find(throttle, network);
        if (!bucket) {
                bucket = set_of(throttle, network);
                for (unsigned i = 1; i < WAYS; i++)
                        if (set_of(throttle, network)[i].full_at < bucket->full_at)
                                bucket = set_of(throttle, network) + i;
                memcpy(bucket->network, network, sizeof(network));
                bucket->full_at = 0;
        }
        bucket->full_at = time_add(MAX(bucket->full_at, now_usec), throttle->token_usec);
}
