/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/processes.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel's highest pid_max (PID_MAX_LIMIT). */
#define PIDS_MAX (4 * 1024 * 1024)

static bool was_there[PIDS_MAX + 1];

void processes_for_each(void (*f)(int pid, void *userdata), void *userdata) {
        DIR *directory = opendir("/proc");
        struct dirent *entry;

        if (!directory)
                return;
        while ((entry = readdir(directory)))
                if (isdigit((unsigned char) entry->d_name[0]) && atoi(entry->d_name) <= PIDS_MAX)
                        f(atoi(entry->d_name), userdata);
        closedir(directory);
}

static void mark(int pid, void *userdata) {
        (void) userdata;
        was_there[pid] = true;
}

void processes_mark(void) {
        processes_for_each(mark, NULL);
}

bool process_is_new(int pid) {
        return !was_there[pid] && pid != getpid();
}

uint64_t process_memory(int pid) {
        _cleanup_free_ char *text = NULL;
        const char *pss;
        uint64_t kb;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
        if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return 0;
        pss = strstr(text, "Pss:");
        return pss && sscanf(pss, "Pss: %" SCNu64, &kb) == 1 ? kb : 0;
}
