/* SPDX-License-Identifier: Apache-2.0 */

/* A list of configurations: jobs that can be done, or one line that says which line is wrong. */

#include "operator/job.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char reason[JOB_REASON_MAX] = "";
        const JobOptions options = {};
        JobList list = {};
        int r;

        r = job_list_add_lines(&list, (const char *) data, size, "list", &options, reason);
        assert((r < 0) == (reason[0] != '\0') && !strchr(reason, '\n'));
        for (size_t i = 0; i < list.n; i++) {
                assert(identifier_is_valid(list.jobs[i].id, strlen(list.jobs[i].id)));
                assert(strcmp(list.jobs[i].input, list.jobs[i].output) != 0);
        }
        (void) job_list_check(&list, reason);
        job_list_done(&list);
        return 0;
}
