/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include "agent/log.h"
#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

DEFINE_CLEANUP(Config, config_free)

static int check_peer(const ServiceConfig *service, int fd, uid_t *ret) {
        const struct passwd *user = getpwnam(service->peer_user);
        struct ucred peer;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) < 0)
                return -errno;
        if (!(user && peer.uid == user->pw_uid) && !(service->root_too && peer.uid == 0)) {
                log_warning("Refused a connection of user %ju: only %s may hand over files here",
                                (uintmax_t) peer.uid, service->peer_user);
                return -EPERM;
        }
        *ret = peer.uid;
        return 0;
}

/* 0 and a request; an error when there is nobody to be answered. */
static int receive(const ServiceConfig *service, ServiceRequest *request, uid_t peer) {
        struct timeval timeout = { .tv_sec = HANDOVER_PATIENCE_USEC / USEC_PER_SEC };
        int r;

        if (setsockopt(request->fd_peer, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        r = handover_receive(request->fd_peer, &request->request, &request->fd_file,
                        service->passed_on ? &request->fd_reply : NULL);
        if (r < 0) {
                /* Whoever has connected ahead may have had nothing to hand over. */
                if (r != -ENODATA && r != -EAGAIN)
                        log_warning("Refused a hand-over of user %ju: it is not valid", (uintmax_t) peer);
                return r;
        }
        if ((request->request.flags & HANDOVER_REINSTALL) && service->root_too && peer != 0) {
                log_warning("Refused a reinstall that user %ju asks for: only root may", (uintmax_t) peer);
                return -EPERM;
        }
        if (!service->passed_on)
                request->fd_reply = TAKE_FD(request->fd_peer);
        return 0;
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
        cleanup_close(&request->fd_file);
        cleanup_close(&request->fd_reply);
        cleanup_close(&request->fd_peer);
}

static void serve(const ServiceConfig *service, int fd_peer) {
        _cleanup_(request_done)
                        ServiceRequest request = { .fd_file = -1, .fd_reply = -1, .fd_peer = fd_peer };
        _cleanup_(config_freep) Config *config = NULL;
        char reason[HANDOVER_REASON_MAX] = "";
        Verdict verdict;
        uid_t peer;

        if (check_peer(service, fd_peer, &peer) < 0)
                return;
        if (config_load(&config, service->config_file, NULL, reason) >= 0 && service->on_connect)
                service->on_connect(config, service->userdata);
        if (receive(service, &request, peer) < 0)
                return;
        verdict = decide(service, config, &request, reason);
        if (request.fd_reply >= 0 && handover_reply(request.fd_reply, verdict, reason) < 0)
                log_debug("The verdict %s found nobody to hear it", verdict_to_string(verdict));
}

static int get_option(int fd, int option) {
        int value;

        return getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){ sizeof(value) }) < 0 ? -errno
                                                                                             : value;
}

/* sd_listen_fds(3) describes it: our PID, and how many descriptors there are from the third on. */
static int get_listening_socket(void) {
        const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
        int fd = 3;

        if (!pid || !n || atoi(pid) != getpid() || strcmp(n, "1") != 0)
                return -ENOENT;
        if (get_option(fd, SO_DOMAIN) != AF_UNIX || get_option(fd, SO_TYPE) != SOCK_SEQPACKET ||
                        get_option(fd, SO_ACCEPTCONN) != 1)
                return -ENOTSOCK;
        return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : fd;
}

int service_run(const ServiceConfig *service) {
        int fd_listen = get_listening_socket(), fd;
        struct pollfd poll_fd = { .events = POLLIN };

        if (fd_listen < 0) {
                log_error("Started by hand? This program serves the socket that systemd passes to it");
                return EXIT_FAILURE;
        }

        poll_fd.fd = fd_listen;
        if (poll(&poll_fd, 1, 0) <= 0)
                return EXIT_SUCCESS; /* who has connected is gone again */
        fd = accept4(fd_listen, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
                serve(service, fd);
        return EXIT_SUCCESS;
}
