/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/progress.h"

#include "base/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define WIDTH 40
#define INTERVAL_USEC (100 * USEC_PER_MSEC)

static bool shown;

void progress_show(size_t done, size_t failed, size_t total) {
        static const char full[] = "########################################",
                          empty[] = "........................................";
        static uint64_t last;
        uint64_t now = time_now_boottime();
        int n = total ? (int) (done * WIDTH / total) : WIDTH;

        if (!isatty(STDERR_FILENO) || (last != 0 && now - last < INTERVAL_USEC && done < total))
                return;
        last = now;
        fprintf(stderr, "\r[%.*s%.*s] %zu of %zu", n, full, WIDTH - n, empty, done, total);
        if (failed > 0)
                fprintf(stderr, ", %zu failed", failed);
        fputs("\033[K", stderr);
        shown = true;
}

void progress_hide(void) {
        if (shown)
                fputs("\r\033[K", stderr);
        shown = false;
}
