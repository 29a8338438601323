/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/installer.h"

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct Installer {
        int fd;
        EventSource *reply, *timer;
        installer_done_t done;
        void *userdata;
        char reason[HANDOVER_REASON_MAX]; /* of a failure before there was a reply */
};

DEFINE_CLEANUP(Installer, installer_free)

static int on_reply(int fd, uint32_t events, void *userdata) {
        char reason[HANDOVER_REASON_MAX];
        Installer *installer = userdata;
        Verdict verdict;
        int r;

        (void) events;
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
static int on_timer(void *userdata) {
        Installer *installer = userdata;

        installer->done(VERDICT_UNAVAILABLE,
                        installer->reason[0] ? installer->reason : "no answer to the hand-over in time",
                        installer->userdata);
        return 0;
}

static const char *unwrap_socket(char path[static PATH_MAX]) {
        return config_runtime_path(path, PATH_MAX, "unwrap.sock");
}

void installer_prepare(HandoverAhead *ahead) {
        char path[PATH_MAX];

        handover_prepare(ahead, unwrap_socket(path));
}

static int send_file(Installer *installer, HandoverAhead *ahead, const char *origin, const char *interface,
                int fd_file) {
        HandoverRequest request;
        char path[PATH_MAX];
        int r;

        r = handover_take(ahead, unwrap_socket(path));
        if (r < 0)
                return r;
        installer->fd = r;
        handover_request_init(&request, origin, interface);
        return handover_send(installer->fd, &request, fd_file, -1);
}

int installer_new(Installer **ret, EventLoop *loop, HandoverAhead *ahead, const char *origin,
                const char *interface, int fd_file, uint64_t timeout_usec, installer_done_t done,
                void *userdata) {
        _cleanup_(installer_freep) Installer *installer = calloc(1, sizeof(*installer));
        int r;

        if (!installer)
                return -ENOMEM;
        installer->fd = -1;
        installer->done = done;
        installer->userdata = userdata;

        r = send_file(installer, ahead, origin, interface, fd_file);
        if (r < 0) {
                snprintf(installer->reason, sizeof(installer->reason), "sdi-unwrap cannot be reached: %s",
                                strerror(-r));
                timeout_usec = 0;
        } else {
                r = event_add_io(loop, &installer->reply, installer->fd, EPOLLIN, on_reply, installer);
                if (r < 0)
                        return r;
        }
        r = event_add_timer(loop, &installer->timer, on_timer, installer);
        if (r < 0)
                return r;
        event_timer_set(installer->timer, time_add(time_now_boottime(), timeout_usec));
        *ret = TAKE_PTR(installer);
        return 0;
}

Installer *installer_free(Installer *installer) {
        if (!installer)
                return NULL;
        event_source_free(installer->reply);
        event_source_free(installer->timer);
        cleanup_close(&installer->fd);
        free(installer);
        return NULL;
}
