/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/installer.h"

#include "agent/config.h"
#include "agent/handover.h"
#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct Installer {
        int fd;
        sd_event_source *reply, *timer;
        installer_done_t done;
        void *userdata;
        char reason[HANDOVER_REASON_MAX]; /* of a failure before there was a reply */
};

DEFINE_CLEANUP(Installer, installer_free)

static int on_reply(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        char reason[HANDOVER_REASON_MAX];
        Installer *installer = userdata;
        Verdict verdict;
        int r;

        (void) source;
        (void) revents;
        r = handover_receive_reply(fd, &verdict, reason);
        if (r == -EAGAIN)
                return 0;
        if (r < 0) {
                verdict = VERDICT_UNAVAILABLE;
                snprintf(reason, sizeof(reason), "%s",
                                r == -ECONNRESET ? "the hand-over has ended without an answer"
                                                 : "the hand-over has ended with an invalid answer");
        }
        installer->done(verdict, reason, installer->userdata);
        return 0;
}

/* The time is up; or at once, when the file could not even be sent. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Installer *installer = userdata;

        (void) source;
        (void) usec;
        installer->done(VERDICT_UNAVAILABLE,
                        installer->reason[0] ? installer->reason : "no answer to the hand-over in time",
                        installer->userdata);
        return 0;
}

static int send_file(Installer *installer, const char *origin, const char *interface, int fd_file) {
        HandoverRequest request;
        char path[PATH_MAX];
        int r;

        r = handover_connect(config_runtime_path(path, sizeof(path), "unwrap.sock"));
        if (r < 0)
                return r;
        installer->fd = r;
        handover_request_init(&request, origin, interface);
        return handover_send(installer->fd, &request, fd_file, -1);
}

int installer_new(Installer **ret, sd_event *event, const char *origin, const char *interface, int fd_file,
                uint64_t timeout_usec, installer_done_t done, void *userdata) {
        _cleanup_(installer_freep) Installer *installer = calloc(1, sizeof(*installer));
        int r;

        if (!installer)
                return -ENOMEM;
        installer->fd = -1;
        installer->done = done;
        installer->userdata = userdata;

        r = send_file(installer, origin, interface, fd_file);
        if (r < 0) {
                snprintf(installer->reason, sizeof(installer->reason), "sdi-unwrap cannot be reached: %s",
                                strerror(-r));
                timeout_usec = 0;
        } else {
                r = sd_event_add_io(event, &installer->reply, installer->fd, EPOLLIN, on_reply, installer);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_time(event, &installer->timer, CLOCK_BOOTTIME,
                        time_add(time_now_boottime(), timeout_usec), 0, on_timer, installer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(installer);
        return 0;
}

Installer *installer_free(Installer *installer) {
        if (!installer)
                return NULL;
        sd_event_source_disable_unref(installer->reply);
        sd_event_source_disable_unref(installer->timer);
        cleanup_close(&installer->fd);
        free(installer);
        return NULL;
}
