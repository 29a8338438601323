/* SPDX-License-Identifier: Apache-2.0 */

/* The directory's settings and policy: either all of them, or one line that says why not. */

#include "base/file.h"
#include "base/memfd.h"
#include "directory/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char path[64], reason[SETTINGS_REASON_MAX];
        Settings *settings = NULL;
        int fd = memfd_new("settings"), r;

        assert(fd >= 0 && file_write_all(fd, data, size) >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = settings_load(path, &settings, reason);
        assert((r == 0) == (settings != NULL) && (r < 0) == (reason[0] != '\0') && !strchr(reason, '\n'));
        settings_free(settings);
        close(fd);
        return 0;
}
