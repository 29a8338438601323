/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/metrics.h"

#include "base/cleanup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const struct {
        const char *name, *labels, *help;
} counters[] = {
        [COUNTER_FOUND] = { "sdi_directory_lookups_total", "{result=\"found\"}",
                        "Questions about a device." },
        [COUNTER_UNKNOWN] = { "sdi_directory_lookups_total", "{result=\"unknown\"}", NULL },
        [COUNTER_THROTTLED] = { "sdi_directory_lookups_total", "{result=\"throttled\"}", NULL },
        [COUNTER_ADDED] = { "sdi_directory_enrollments_total", "{result=\"added\"}",
                        "Certificates that a factory has sent." },
        [COUNTER_SAME] = { "sdi_directory_enrollments_total", "{result=\"same\"}", NULL },
        [COUNTER_REPLACED] = { "sdi_directory_enrollments_total", "{result=\"replaced\"}", NULL },
        [COUNTER_CONFLICT] = { "sdi_directory_enrollments_total", "{result=\"conflict\"}", NULL },
        [COUNTER_REFUSED] = { "sdi_directory_enrollments_total", "{result=\"refused\"}", NULL },
        [COUNTER_STORE_FAILED] = { "sdi_directory_store_errors_total", "",
                        "Questions that the database could not answer." },
};
static_assert(ELEMENTSOF(counters) == _COUNTER_MAX, "one for each");

size_t metrics_format(const Metrics *metrics, char text[static METRICS_TEXT_MAX]) {
        size_t used = 0;

        for (Counter i = 0; i < _COUNTER_MAX; i++) {
                if (counters[i].help)
                        used += (size_t) snprintf(text + used, METRICS_TEXT_MAX - used,
                                        "# HELP %s %s\n# TYPE %s counter\n", counters[i].name,
                                        counters[i].help, counters[i].name);
                used += (size_t) snprintf(text + used, METRICS_TEXT_MAX - used, "%s%s %" PRIu64 "\n",
                                counters[i].name, counters[i].labels, metrics->counters[i]);
        }
        return used;
}
