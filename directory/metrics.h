/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What has happened since the process began, in the text form of Prometheus. */

#include <stddef.h>
#include <stdint.h>

typedef enum Counter {
        COUNTER_FOUND,
        COUNTER_UNKNOWN,
        COUNTER_THROTTLED,
        COUNTER_ADDED,
        COUNTER_SAME,
        COUNTER_REPLACED,
        COUNTER_CONFLICT,
        COUNTER_REFUSED,
        COUNTER_STORE_FAILED,
        _COUNTER_MAX,
} Counter;

typedef struct Metrics {
        uint64_t counters[_COUNTER_MAX];
} Metrics;

static inline void metrics_count(Metrics *metrics, Counter counter) {
        metrics->counters[counter]++;
}

/* Returns how long it is. */
#define METRICS_TEXT_MAX 4096
size_t metrics_format(const Metrics *metrics, char text[static METRICS_TEXT_MAX]);
