/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/schedule.h"

#include "base/time.h"

uint64_t schedule_next(const RetryPolicy *policy, uint64_t first, uint64_t now, uint32_t random) {
        uint64_t interval = now < time_add(first, policy->first_period_usec) ? policy->interval_usec
                                                                             : policy->later_interval_usec;
        uint64_t jitter_max = interval / 100 * policy->jitter_percent;

        return time_add(now,
                        time_add(interval,
                                        (uint64_t) ((unsigned __int128) jitter_max * random / UINT32_MAX)));
}

uint64_t schedule_at_once(uint64_t last, uint64_t now) {
        uint64_t earliest = last == 0 ? 0 : time_add(last, SCHEDULE_GAP_MIN);

        return earliest > now ? earliest : now;
}
