/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include "agent/log.h"
#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

DEFINE_CLEANUP(Config, config_free)

static int check_peer(const ServiceConfig *service, int fd, uid_t *ret) {
        const struct passwd *user = getpwnam(service->peer_user);
        struct ucred peer;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) < 0)
                return -errno;
        if (peer.uid != 0 && !(user && peer.uid == user->pw_uid)) {
                log_warning("Refused a connection of user %ju: only %s and root may hand over files here",
                                (uintmax_t) peer.uid, service->peer_user);
                return -EPERM;
        }
        *ret = peer.uid;
        return 0;
}

/* The last hop. Root's ticket says what is asked for, and for which file: sdi-unwrap has no say in that. */
static int receive_last(ServiceRequest *request) {
        HandoverRequest ticket, *got = &request->request;
        int r;

        if (!request->root)
                return handover_receive(request->fd_peer, got, &request->fd_file, &request->fd_reply);
        r = handover_receive_ticket(request->fd_peer, &ticket);
        if (r >= 0)
                r = handover_set_patience(request->fd_peer, HANDOVER_MARGIN_USEC); /* the TPM is at work */
        if (r >= 0)
                r = handover_receive(request->fd_peer, got, &request->fd_file, &request->fd_reply);
        if (r < 0)
                return r;
        if (memcmp(ticket.sha256, got->sha256, sizeof(ticket.sha256)) != 0)
                return -EBADMSG;
        got->flags |= ticket.flags;
        memcpy(got->origin, ticket.origin, sizeof(got->origin));
        memcpy(got->interface, ticket.interface, sizeof(got->interface));
        return 0;
}

/* First hop: the answer goes to the sender's own connection. */
static int receive_first(ServiceRequest *request) {
        int r;

        r = handover_receive(request->fd_peer, &request->request, &request->fd_file,
                        request->root ? &request->fd_next : NULL);
        if (r >= 0)
                request->fd_reply = TAKE_FD(request->fd_peer);
        return r;
}

/* Returns 0 and a request. After an error nobody expects an answer. */
static int receive(const ServiceConfig *service, ServiceRequest *request, uid_t peer) {
        int r;

        request->root = peer == 0;
        r = handover_set_patience(request->fd_peer, HANDOVER_PATIENCE_USEC);
        if (r >= 0)
                r = service->last ? receive_last(request) : receive_first(request);
        /* A sender that has connected ahead may have closed without a file. */
        if (r < 0 && r != -ENODATA && r != -EAGAIN)
                log_warning("Refused a hand-over of user %ju: it is not valid", (uintmax_t) peer);
        return r;
}

static Verdict decide(const ServiceConfig *service, const Config *config, ServiceRequest *request,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        if (!config)
                return VERDICT_MISCONFIGURED;
        if (request->request.size == 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "the file is empty");
                return VERDICT_EMPTY;
        }
        if (request->request.size > config->maximum_size) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "larger than [Install] MaximumSize=");
                return VERDICT_TOO_LARGE;
        }
        return service->on_request(config, request, ret_reason, service->userdata);
}

static void request_done(ServiceRequest *request) {
        cleanup_close(&request->fd_next);
        cleanup_close(&request->fd_file);
        cleanup_close(&request->fd_reply);
        cleanup_close(&request->fd_peer);
}

static void serve(const ServiceConfig *service, int fd_peer) {
        _cleanup_(request_done) ServiceRequest request = {
                .fd_file = -1, .fd_reply = -1, .fd_peer = fd_peer, .fd_next = -1
        };
        _cleanup_(config_freep) Config *config = NULL;
        char reason[HANDOVER_REASON_MAX] = "";
        Verdict verdict;
        uid_t peer = (uid_t) -1;

        if (check_peer(service, fd_peer, &peer) < 0)
                return;
        if (config_load(&config, service->config_file, NULL, reason) >= 0 && service->on_connect)
                service->on_connect(config, peer == 0, service->userdata);
        if (receive(service, &request, peer) < 0)
                return;
        verdict = decide(service, config, &request, reason);
        if (request.fd_reply >= 0 && handover_reply(request.fd_reply, verdict, reason) < 0)
                log_notice("%s: %s%s%s; nobody waits for this answer any more", request.request.origin,
                                verdict_to_string(verdict), reason[0] ? ": " : "", reason);
}

/* The one that systemd listens on; it may keep other descriptors for us (agent/allowance.h). */
static int get_listening_socket(void) {
        int n = sd_listen_fds(true);

        for (int i = 0; i < n; i++)
                if (sd_is_socket_unix(SD_LISTEN_FDS_START + i, SOCK_SEQPACKET, true, NULL, 0) > 0)
                        return SD_LISTEN_FDS_START + i;
        return -ENOENT;
}

/* In milliseconds, as poll(2) counts, rounded up. */
static int get_timeout(uint64_t until) {
        uint64_t now = time_now_boottime(), wait = until > now ? (until - now) / USEC_PER_MSEC + 1 : 0;

        return (int) MIN(wait, (uint64_t) INT_MAX);
}

int service_run(const ServiceConfig *service) {
        int fd_listen = get_listening_socket(), fd;
        struct pollfd poll_fd = { .events = POLLIN };

        if (fd_listen < 0) {
                log_error("Started by hand? This program serves the socket that systemd passes to it");
                return EXIT_FAILURE;
        }

        poll_fd.fd = fd_listen;
        if (poll(&poll_fd, 1, get_timeout(service->wait_until)) <= 0)
                return EXIT_SUCCESS; /* the client has closed its connection */
        fd = accept4(fd_listen, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
                serve(service, fd);
        return EXIT_SUCCESS;
}
