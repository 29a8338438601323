/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sdi-unwrap: tells whether a file is encrypted, decrypts it with the key in the TPM, enforces EncryptedOnly=, and passes the
 * configuration to sdi-load. Has no network and writes to no file system.
 */

#include "agent/allowance.h"
#include "agent/config.h"
#include "agent/log.h"
#include "agent/options.h"
#include "agent/provisioned.h"
#include "agent/service.h"
#include "agent/unwrap.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/secrecy.h"
#include "base/time.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

DEFINE_CLEANUP(Config, config_free)
DEFINE_CLEANUP(Unwrapper, unwrapper_free)

static void log_outcome(const char *origin, Verdict verdict, const UnwrapReport *report) {
        if (verdict != VERDICT_INSTALLED) {
                /* The sender logs the reason. Only root may read the detail, and any reason of an undisclosed verdict. */
                log_message(report->detail[0] || report->opened_unauthenticated > 0 ? LOG_NOTICE : LOG_DEBUG,
                                NULL, NULL, "%s: %s%s%s", origin, report->reason,
                                report->detail[0] ? ": " : "", report->detail);
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

/* sdi-load locks the configuration into memory and says so; that takes no time to speak of. */
#define TAKE_OVER_USEC (10 * USEC_PER_SEC)

/* Gives the configuration to sdi-load, which answers on `fd_reply`, and has `patience` to take it over. */
static int pass_on(int fd_load, HandoverRequest *request, int fd_configuration, int fd_reply,
                uint64_t patience) {
        int r;

        r = handover_set_patience(fd_load, patience);
        if (r >= 0)
                r = handover_send(fd_load, request, fd_configuration, fd_reply);
        if (r < 0)
                return r;
        r = handover_wait_taken(fd_load);
        if (r < 0)
                log_warning("sdi-load does not take the configuration: %s", strerror(-r));
        return 0;
}

/* sdi-load treats these fields as claims. Only fields that are known to be true are filled in. */
static HandoverRequest next_request(const HandoverRequest *received, const UnwrapReport *report) {
        HandoverRequest request;

        handover_request_init(&request, received->origin, received->interface);
        request.flags = report->encrypted ? HANDOVER_ENCRYPTED : 0;
        memcpy(request.sha256, report->sha256, sizeof(request.sha256));
        memcpy(request.key_fingerprint, report->key_fingerprint, sizeof(request.key_fingerprint));
        return request;
}

/* What there is from a connection to the end of its request. */
typedef struct Session {
        Allowance *allowance;
        Unwrapper *unwrapper;
        HandoverAhead ahead; /* to sdi-load, which starts meanwhile */
} Session;

static void session_done(Session *session) {
        allowance_free(session->allowance);
        unwrapper_free(session->unwrapper);
        cleanup_close(&session->ahead.fd);
}

static void on_connect(const Config *config, bool root, void *userdata) {
        Session *session = userdata;
        char path[PATH_MAX];

        if (!root) /* root brings a connection to sdi-load along */
                handover_prepare(&session->ahead, config_runtime_path(path, sizeof(path), "load.sock"));
        if (unwrapper_new(&session->unwrapper, config) >= 0)
                unwrapper_prepare(session->unwrapper);
}

/*
 * VERDICT_INSTALLED: sdi-load has the configuration, and answers on `fd_reply`. Root brings the connection to sdi-load along. sdi-load
 * has `patience` to take the configuration over.
 */
static Verdict deliver(ServiceRequest *service, HandoverAhead *ahead, HandoverRequest *request,
                int fd_configuration, int fd_reply, uint64_t patience,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        _cleanup_close_ int fd_load = TAKE_FD(service->fd_next);
        char path[PATH_MAX];
        void *locked;
        uint64_t size;
        int r;

        /* Locked until sdi-load has it locked, too. */
        r = memfd_check_sealed(fd_configuration, &size);
        if (r >= 0 && size == 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "the file is encrypted, and what is in it is empty");
                return VERDICT_EMPTY;
        }
        if (r >= 0)
                r = memfd_map_locked(fd_configuration, size, &locked);
        if (r < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX,
                                "the configuration cannot be locked into memory, raise LimitMEMLOCK=: %s",
                                strerror(-r));
                return VERDICT_UNAVAILABLE;
        }
        if (fd_load < 0)
                fd_load = handover_take(ahead, config_runtime_path(path, sizeof(path), "load.sock"));
        r = fd_load < 0 ? fd_load : pass_on(fd_load, request, fd_configuration, fd_reply, patience);
        munmap(locked, size);
        if (r < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "sdi-load cannot be reached: %s", strerror(-r));
                return VERDICT_UNAVAILABLE;
        }
        return VERDICT_INSTALLED;
}

static Verdict open_file(Session *session, ServiceRequest *service, int *ret_fd, UnwrapReport *report) {
        _cleanup_(unwrapper_freep) Unwrapper *unwrapper = TAKE_PTR(session->unwrapper);
        Verdict verdict;

        if (!unwrapper) {
                snprintf(report->reason, sizeof(report->reason), "out of memory");
                return VERDICT_UNAVAILABLE;
        }
        if (!service->root)
                unwrapper_set_allowance(unwrapper, session->allowance);
        verdict = unwrapper_run(unwrapper, service->fd_file, service->request.size, ret_fd, report);
        log_outcome(service->request.origin, verdict, report);
        return verdict;
}

static uint64_t time_left(uint64_t deadline) {
        uint64_t now = time_now_boottime();

        return deadline > now ? deadline - now : 1;
}

/* Waits for sdi-load's answer until `deadline`. */
static Verdict hear(int fd_answer, uint64_t deadline, char ret_reason[static HANDOVER_REASON_MAX]) {
        Verdict verdict;
        int r;

        r = handover_set_patience(fd_answer, time_left(deadline));
        if (r >= 0)
                r = handover_receive_reply(fd_answer, &verdict, ret_reason);
        if (r >= 0)
                return verdict;
        snprintf(ret_reason, HANDOVER_REASON_MAX, "%s",
                        r == -EAGAIN ? "sdi-load is still at work, and will log its verdict"
                                     : "sdi-load has ended without an answer");
        return VERDICT_UNAVAILABLE;
}

static void sleep_until(uint64_t boottime) {
        const struct timespec when = {
                .tv_sec = (time_t) (boottime / USEC_PER_SEC),
                .tv_nsec = (long) (boottime % USEC_PER_SEC * 1000),
        };

        while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &when, NULL) == EINTR)
                ;
}

/* Has sdi-load install it; or only check it, where it is `refused` already, so that nobody can see a difference. */
static Verdict load_undisclosed(ServiceRequest *service, HandoverAhead *ahead, const UnwrapReport *report,
                bool refused, int fd_configuration_take, uint64_t deadline,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        HandoverRequest request = next_request(&service->request, report);
        _cleanup_close_ int fd_configuration = fd_configuration_take, fd_answer = -1, fd_reply = -1;
        Verdict verdict;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "%s", strerror(errno));
                return VERDICT_UNAVAILABLE;
        }
        fd_answer = fds[0];
        fd_reply = fds[1];
        request.flags |= refused ? HANDOVER_CHECK_ONLY : 0;
        verdict = deliver(service, ahead, &request, fd_configuration, fd_reply, time_left(deadline),
                        ret_reason);
        close(TAKE_FD(fd_reply));
        close(TAKE_FD(fd_configuration));
        return verdict == VERDICT_INSTALLED ? hear(fd_answer, deadline, ret_reason) : verdict;
}

/*
 * Content that is not authenticated may have been forged from pieces of another file. Then each answer that depends on the content
 * tells something about that file: whether its padding is right, whether the loader takes it. So there is one answer for all that can
 * go wrong, in words and in time. It comes when CheckTimeout= has passed since the key was used, whatever the loader still does by
 * then. Content that is refused here is checked by the loader like the rest, and then not committed, because others can see whether a
 * loader runs and for how long. Only success is told at once: everybody can see it.
 */
static Verdict answer_undisclosed(Session *session, const Config *config, ServiceRequest *service,
                const UnwrapReport *report, Verdict verdict, int fd_configuration_take,
                char ret_reason[static HANDOVER_REASON_MAX]) {
        uint64_t deadline = time_add(report->opened_unauthenticated, config->check_timeout_usec);
        uint64_t margin = MIN(config->check_timeout_usec / 4, 100 * USEC_PER_MSEC);
        bool refused = verdict != VERDICT_INSTALLED;

        /* hear() ends less exactly than sleep_until(), and the log takes a while: both come before the deadline. */
        if (fd_configuration_take >= 0)
                verdict = load_undisclosed(service, &session->ahead, report, refused, fd_configuration_take,
                                deadline - margin, ret_reason);
        if (verdict_is_final(verdict)) {
                allowance_reset(session->allowance);
                return verdict;
        }
        if (!refused) /* otherwise the log has the reason already */
                log_notice("%s: %s: %s", service->request.origin, verdict_to_string(verdict), ret_reason);
        sleep_until(deadline);
        snprintf(ret_reason, HANDOVER_REASON_MAX,
                        "%s is not authenticated, so only the journal of sdi-unwrap says why it is not installed, or "
                        "whether it still is; -aes-256-gcm has no such limit (openssl cms -encrypt)",
                        report->cipher);
        return VERDICT_UNDISCLOSED;
}

static Verdict on_request(const Config *config, ServiceRequest *service,
                char ret_reason[static HANDOVER_REASON_MAX], void *userdata) {
        Session *session = userdata;
        _cleanup_close_ int fd = -1;
        UnwrapReport report = { 0 };
        HandoverRequest request;
        Verdict verdict;

        if (!service->root && provisioned_exists()) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "this device is provisioned already");
                return VERDICT_ALREADY_PROVISIONED;
        }
        verdict = open_file(session, service, &fd, &report);
        if (report.opened_unauthenticated > 0 && !service->root)
                return answer_undisclosed(
                                session, config, service, &report, verdict, TAKE_FD(fd), ret_reason);
        if (verdict != VERDICT_INSTALLED) {
                snprintf(ret_reason, HANDOVER_REASON_MAX, "%s", report.reason);
                return verdict;
        }
        request = next_request(&service->request, &report);
        verdict = deliver(service, &session->ahead, &request, fd, service->fd_reply, TAKE_OVER_USEC,
                        ret_reason);
        if (verdict == VERDICT_INSTALLED)
                close(TAKE_FD(service->fd_reply)); /* sdi-load answers from here on */
        return verdict;
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

/* Serves one request. While files have been opened in vain lately, 75: systemd starts this program again, with the allowance. */
static int serve(const char *config_file) {
        _cleanup_(session_done) Session session = { .ahead.fd = -1 };
        int r;

        r = allowance_open(&session.allowance);
        if (r < 0)
                return log_error_errno(r, "Cannot count the files that are not authenticated: %m"),
                       EXIT_FAILURE;
        r = service_run(&(ServiceConfig){
                        .config_file = config_file,
                        .peer_user = "sdi-agent",
                        .wait_until = allowance_get_full_time(session.allowance),
                        .on_connect = on_connect,
                        .on_request = on_request,
                        .userdata = &session,
        });
        return allowance_get_full_time(session.allowance) > time_now_boottime() ? EX_TEMPFAIL : r;
}

int main(int argc, char **argv) {
        Options options = options_parse(argc, argv,
                        "Decrypts a configuration with the device's key. Started by sdi-unwrap.socket.",
                        "once", "one file from standard input to standard output");
        int r;

        log_open("sdi-unwrap", options.debug ? LOG_DEBUG : LOG_INFO);
        r = secrecy_begin();
        if (r < 0)
                return log_error_errno(r, "Cannot switch off core dumps: %m"), EXIT_FAILURE;
        openssl_start();
        return options.own ? run_once(options.config) : serve(options.config);
}
