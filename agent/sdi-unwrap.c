/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sdi-unwrap: tells whether a file is encrypted, decrypts it with the key in the TPM, enforces EncryptedOnly=, and passes the
 * configuration to sdi-load. Has no network and writes to no file system.
 */

#include "agent/config.h"
#include "agent/log.h"
#include "agent/options.h"
#include "agent/service.h"
#include "agent/unwrap.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>

DEFINE_CLEANUP(Config, config_free)
DEFINE_CLEANUP(Unwrapper, unwrapper_free)

static void log_outcome(const char *origin, Verdict verdict, const UnwrapReport *report) {
        if (verdict != VERDICT_INSTALLED) {
                /* Whoever handed it over tells the reason; what only root may read is told here. */
                log_message(report->detail[0] ? LOG_NOTICE : LOG_DEBUG, NULL, NULL, "%s: %s%s%s", origin,
                                report->reason, report->detail[0] ? ": " : "", report->detail);
                return;
        }
        if (!report->encrypted)
                return;
        log_message(LOG_NOTICE, LOG_ID_UNWRAPPED, NULL, "%s: decrypted (%s)", origin, report->cipher);
        if (!report->authenticated)
                log_info("%s: %s cannot show whether its content was changed; AES-256-GCM would (openssl cms -encrypt "
                         "-aes-256-gcm)",
                                origin, report->cipher);
}

static const char *load_socket(char path[static PATH_MAX]) {
        return config_runtime_path(path, PATH_MAX, "load.sock");
}

/* sdi-load locks the configuration into memory and says so; that takes no time to speak of. */
#define TAKE_OVER_SEC 10

static int pass_on(ServiceRequest *received, HandoverAhead *ahead, int fd_configuration,
                HandoverRequest *request) {
        struct timeval timeout = { .tv_sec = TAKE_OVER_SEC };
        _cleanup_close_ int fd = -1;
        char path[PATH_MAX];
        int r;

        fd = handover_take(ahead, load_socket(path));
        if (fd < 0)
                return fd;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        r = handover_send(fd, request, fd_configuration, received->fd_reply);
        if (r < 0)
                return r;
        /* From here on sdi-load answers, or its end does. */
        close(TAKE_FD(received->fd_reply));
        r = handover_wait_taken(fd);
        if (r < 0)
                log_warning("sdi-load does not take the configuration: %s", strerror(-r));
        return 0;
}

/* Only what is known to be true goes on. */
static HandoverRequest next_request(const HandoverRequest *received, const UnwrapReport *report) {
        HandoverRequest request;

        handover_request_init(&request, received->origin, received->interface);
        request.flags = (received->flags & (HANDOVER_REINSTALL | HANDOVER_MERGE)) |
                        (report->encrypted ? HANDOVER_ENCRYPTED : 0);
        memcpy(request.sha256, report->sha256, sizeof(request.sha256));
        memcpy(request.key_fingerprint, report->key_fingerprint, sizeof(request.key_fingerprint));
        return request;
}

/* What there is from a connection to the end of its request. */
typedef struct Preparation {
        Unwrapper *unwrapper;
        HandoverAhead ahead; /* to sdi-load, which starts while the TPM works */
} Preparation;

static void preparation_done(Preparation *preparation) {
        unwrapper_free(preparation->unwrapper);
        cleanup_close(&preparation->ahead.fd);
}

static void on_connect(const Config *config, void *userdata) {
        Preparation *preparation = userdata;
        char path[PATH_MAX];

        handover_prepare(&preparation->ahead, load_socket(path));
        if (unwrapper_new(&preparation->unwrapper, config) >= 0)
                unwrapper_prepare(preparation->unwrapper);
}

static Verdict on_request(const Config *config, ServiceRequest *service,
                char ret_reason[static HANDOVER_REASON_MAX], void *userdata) {
        Preparation *preparation = userdata;
        _cleanup_(unwrapper_freep) Unwrapper *unwrapper = TAKE_PTR(preparation->unwrapper);
        _cleanup_close_ int fd = -1;
        HandoverRequest request;
        UnwrapReport report;
        Verdict verdict;
        void *locked;
        uint64_t size;
        int r;

        (void) config;
        if (!unwrapper) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "out of memory");
                return VERDICT_UNAVAILABLE;
        }
        verdict = unwrapper_run(unwrapper, service->fd_file, service->request.size, &fd, &report);
        log_outcome(service->request.origin, verdict, &report);
        if (verdict != VERDICT_INSTALLED) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "%s", report.reason);
                return verdict;
        }

        /* Locked until sdi-load has it locked, too. */
        r = memfd_check_sealed(fd, &size);
        if (r >= 0 && size == 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "the file is encrypted, and what is in it is empty");
                return VERDICT_EMPTY;
        }
        if (r >= 0)
                r = memfd_map_locked(fd, size, &locked);
        if (r < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "the configuration cannot be locked into memory, raise LimitMEMLOCK=: %s",
                                strerror(-r));
                return VERDICT_UNAVAILABLE;
        }
        request = next_request(&service->request, &report);
        r = pass_on(service, &preparation->ahead, fd, &request);
        munmap(locked, size);
        if (r < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "sdi-load cannot be reached: %s", strerror(-r));
                return VERDICT_UNAVAILABLE;
        }
        return VERDICT_INSTALLED; /* not our word: the answer is sdi-load's now */
}

static int copy_output(int fd) {
        char data[16384];
        int r = 0;
        ssize_t n;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        while ((n = read(fd, data, sizeof(data))) > 0 && r >= 0)
                r = file_write_all(STDOUT_FILENO, data, (size_t) n);
        explicit_bzero(data, sizeof(data));
        return n < 0 ? -errno : r;
}

/* Standard input to standard output: for factories, tests and fuzzers. */
static int run_once(const char *config_file) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_(unwrapper_freep) Unwrapper *unwrapper = NULL;
        _cleanup_close_ int fd_file = -1, fd = -1;
        UnwrapReport report;
        char reason[256];
        Verdict verdict;
        uint64_t size;
        int r;

        if (config_load(&config, config_file, NULL, reason) < 0) {
                log_error("%s", reason);
                return EX_CONFIG;
        }
        fd_file = memfd_copy("sdi-file", STDIN_FILENO, config->maximum_size, &size);
        if (fd_file == -EFBIG) {
                log_error("standard input: larger than [Install] MaximumSize=");
                return EX_DATAERR;
        }
        if (fd_file < 0)
                return log_error_errno(fd_file, "standard input: %m"), EX_TEMPFAIL;
        r = unwrapper_new(&unwrapper, config);
        if (r < 0)
                return log_error_errno(r, "%m"), EX_TEMPFAIL;
        verdict = unwrapper_run(unwrapper, fd_file, size, &fd, &report);
        if (verdict != VERDICT_INSTALLED) {
                log_error("standard input: %s%s%s", report.reason, report.detail[0] ? ": " : "",
                                report.detail);
                return verdict_is_refusal(verdict) ? EX_DATAERR : EX_TEMPFAIL;
        }
        r = copy_output(fd);
        return r < 0 ? (log_error_errno(r, "standard output: %m"), EX_TEMPFAIL) : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        _cleanup_(preparation_done) Preparation preparation = { .ahead.fd = -1 };
        Options options = options_parse(argc, argv,
                        "Decrypts a configuration with the device's key. Started by sdi-unwrap.socket.",
                        "once", "one file from standard input to standard output");

        log_open("sdi-unwrap", options.debug ? LOG_DEBUG : LOG_INFO);
        /* No core dump, no debugger: the memory of this program holds what nobody else may see. */
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) < 0)
                return log_error_errno(-errno, "Cannot switch off core dumps: %m"), EXIT_FAILURE;
        openssl_start();
        if (options.own)
                return run_once(options.config);
        return service_run(&(ServiceConfig){
                        .config_file = options.config,
                        .peer_user = "sdi-agent",
                        .root_too = true,
                        .on_connect = on_connect,
                        .on_request = on_request,
                        .userdata = &preparation,
        });
}
