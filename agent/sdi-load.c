/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sdi-load: has the NOS's loader check and commit a configuration that sdi-unwrap has verified, and records that the device is
 * provisioned. Runs as root, because a loader must; parses nothing that a network or a TPM has sent.
 */

#include "agent/config.h"
#include "agent/loader.h"
#include "agent/log.h"
#include "agent/options.h"
#include "agent/provisioned.h"
#include "agent/service.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/secrecy.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static Verdict install(const Config *config, const HandoverRequest *request, int fd_file,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        Verdict verdict;
        int r;

        verdict = loader_install(config, request, fd_file, ret_reason);
        if (verdict != VERDICT_INSTALLED)
                return verdict;
        r = provisioned_write(request);
        if (r < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "committed, but the provisioned state cannot be written: %s", strerror(-r));
                return VERDICT_UNAVAILABLE;
        }
        log_message(LOG_NOTICE, LOG_ID_PROVISIONED, NULL, "Provisioned from %s", request->origin);
        return VERDICT_INSTALLED;
}

static Verdict on_request(const Config *config, ServiceRequest *service,
                char ret_reason[static HANDOVER_REASON_MAX], void *userdata) {
        const HandoverRequest *request = &service->request;
        _cleanup_close_ int fd_lock = -1;
        Verdict verdict;
        void *locked;
        int r;

        (void) userdata;
        if (!service->root && provisioned_is_reserved()) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "root installs a configuration, or resets the device");
                return VERDICT_UNAVAILABLE;
        }
        fd_lock = provisioned_lock(!service->root); /* root has had it before, and nobody else gets it now */
        if (fd_lock == -EWOULDBLOCK) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "a configuration is being installed, or the device is being reset; try again when that has ended");
                return VERDICT_UNAVAILABLE;
        }
        if (fd_lock < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "the lock of installations cannot be taken: %s",
                                strerror(-fd_lock));
                return VERDICT_UNAVAILABLE;
        }
        if (provisioned_is_reset()) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "a factory reset has begun and not ended; `sdictl factory-reset` ends it");
                return VERDICT_UNAVAILABLE;
        }
        /* The sender may have ended after a commit and come again: the first one stands. */
        if (provisioned_exists() && !service->root) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "this device is provisioned already");
                return VERDICT_ALREADY_PROVISIONED;
        }
        r = memfd_map_locked(service->fd_file, request->size, &locked);
        if (r < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "the configuration cannot be locked into memory, raise LimitMEMLOCK=: %s",
                                strerror(-r));
                return VERDICT_UNAVAILABLE;
        }
        close(TAKE_FD(service->fd_peer)); /* it is ours now: sdi-unwrap may let go of it */
        verdict = install(config, request, service->fd_file, ret_reason);
        munmap(locked, request->size);
        return verdict;
}

int main(int argc, char **argv) {
        Options options = options_parse(argc, argv,
                        "Installs a verified configuration. Started by sdi-load.socket.", NULL, NULL);
        int r;

        log_open("sdi-load", options.debug ? LOG_DEBUG : LOG_INFO);
        umask(0022);
        r = secrecy_begin();
        if (r < 0)
                return log_error_errno(r, "Cannot switch off core dumps: %m"), EXIT_FAILURE;
        return service_run(&(ServiceConfig){
                        .config_file = options.config,
                        .peer_user = "sdi-unwrap",
                        .last = true,
                        .on_request = on_request,
        });
}
