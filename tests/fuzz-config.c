/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"
#include "base/file.h"
#include "base/memfd.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_warning(const char *line) {
        if (strchr(line, '\n'))
                abort();
}

/* sdi.conf: either a configuration, or one line that says why not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char path[64], reason[256];
        Config *config = NULL;
        int fd = memfd_new("sdi.conf"), r;

        if (fd < 0 || fchmod(fd, 0600) < 0 || file_write_all(fd, data, size) < 0)
                abort();
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = config_load(&config, path, on_warning, reason);
        if ((r == 0) != (config != NULL) || (r < 0) != (reason[0] != '\0') || strchr(reason, '\n'))
                abort();
        config_free(config);
        close(fd);
        return 0;
}
