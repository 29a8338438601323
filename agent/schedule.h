/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When to try again (RFC 8886 §4.3): "retry every 5 minutes for the first hour and then every hour after that [...] a maximum
 * number of retries is not specified". A pure function: time and chance are passed in.
 */

#include <stdint.h>

typedef struct RetryPolicy {
        uint64_t interval_usec;       /* in the first period */
        uint64_t first_period_usec;   /* from the first attempt on */
        uint64_t later_interval_usec; /* after it, for ever */
        unsigned jitter_percent; /* at most so much later, so that a rack does not ask at the same moment */
} RetryPolicy;

#define RETRY_POLICY_DEFAULT                                  \
        ((RetryPolicy){                                       \
                        .interval_usec = 5 * USEC_PER_MINUTE, \
                        .first_period_usec = USEC_PER_HOUR,   \
                        .later_interval_usec = USEC_PER_HOUR, \
                        .jitter_percent = 10,                 \
        })

/* A port that asks for an attempt out of turn (new lease, `sdictl retry`) gets one at once, but not more often than this. */
#define SCHEDULE_GAP_MIN (30 * USEC_PER_SEC)

/* The time of the next attempt, for the one that began at `now`; `first` is when the very first one began. */
uint64_t schedule_next(const RetryPolicy *policy, uint64_t first, uint64_t now, uint32_t random);

/* The time of an attempt that is wanted at once; `last` is when the last one began, or 0 for never. */
uint64_t schedule_at_once(uint64_t last, uint64_t now);
