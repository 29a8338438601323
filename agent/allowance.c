/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/allowance.h"

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#define STORED_NAME "allowance"

/* The whole bucket in one number: each file moves the time at which it is full again by one interval. */
struct Allowance {
        int fd;              /* stays open: sd_listen_fds(3) counts it among those of systemd */
        uint64_t *full_time; /* shared with the memfd */
};

DEFINE_CLEANUP(Allowance, allowance_free)

static void free_names(char ***names) {
        for (char **name = *names; name && *name; name++)
                free(*name);
        free(*names);
}

static int take_stored(void) {
        _cleanup_(free_names) char **names = NULL;
        int n = sd_listen_fds_with_names(false, &names);

        for (int i = 0; i < n; i++)
                if (strcmp(names[i], STORED_NAME) == 0)
                        return SD_LISTEN_FDS_START + i;
        return n < 0 ? n : -ENOENT;
}

/* Without systemd (in tests) nobody keeps the memfd, and sd_pid_notify_with_fds() returns 0. */
static int store_new(void) {
        _cleanup_close_ int fd = memfd_new(STORED_NAME);
        int r;

        if (fd < 0)
                return fd;
        if (ftruncate(fd, sizeof(uint64_t)) < 0)
                return -errno;
        r = sd_pid_notify_with_fds(0, false, "FDSTORE=1\nFDNAME=" STORED_NAME, &fd, 1);
        return r < 0 ? r : TAKE_FD(fd);
}

int allowance_open(Allowance **ret) {
        _cleanup_(allowance_freep) Allowance *allowance = calloc(1, sizeof(*allowance));
        void *memory;

        if (!allowance)
                return -ENOMEM;
        allowance->fd = take_stored();
        if (allowance->fd == -ENOENT)
                allowance->fd = store_new();
        if (allowance->fd < 0)
                return allowance->fd;
        memory = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, allowance->fd, 0);
        if (memory == MAP_FAILED)
                return -errno;
        allowance->full_time = memory;
        *ret = TAKE_PTR(allowance);
        return 0;
}

Allowance *allowance_free(Allowance *allowance) {
        if (!allowance)
                return NULL;
        if (allowance->full_time)
                munmap(allowance->full_time, sizeof(uint64_t));
        cleanup_close(&allowance->fd);
        free(allowance);
        return NULL;
}

uint64_t allowance_get_wait(const Allowance *allowance, uint64_t interval_usec, uint64_t now) {
        uint64_t latest = now;

        for (unsigned i = 1; i < ALLOWANCE_BURST; i++)
                latest = time_add(latest, interval_usec);
        if (latest == USEC_INFINITY && *allowance->full_time == USEC_INFINITY)
                return USEC_INFINITY; /* the interval is longer than time */
        return *allowance->full_time > latest ? *allowance->full_time - latest : 0;
}

void allowance_take(Allowance *allowance, uint64_t interval_usec, uint64_t now) {
        *allowance->full_time = time_add(MAX(*allowance->full_time, now), interval_usec);
}

void allowance_give_back(Allowance *allowance, uint64_t interval_usec) {
        *allowance->full_time -= MIN(*allowance->full_time, interval_usec);
}

void allowance_reset(Allowance *allowance) {
        *allowance->full_time = 0;
}

uint64_t allowance_get_full_time(const Allowance *allowance) {
        return *allowance->full_time;
}
