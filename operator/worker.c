/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/worker.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/secrecy.h"
#include "operator/device-certificate.h"
#include "operator/inspect.h"
#include "operator/output.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>

#define CONFIGURATION_SIZE_MAX (64 << 20)

typedef struct Request {
        uint32_t job;
        uint8_t der[DEVICE_CERTIFICATE_SIZE_MAX];
} Request;

static int fail(WorkerAnswer *answer, int status, const char *path, const char *text) {
        if (path)
                snprintf(answer->reason, sizeof(answer->reason), "%.120s: %.130s", path, text);
        else
                snprintf(answer->reason, sizeof(answer->reason), "%s", text);
        answer->status = status;
        return -1;
}

/* Encrypts, and reads it back as the device will. */
static int make(const Job *job, const DeviceCertificate *certificate, SealFlags flags, const char *plain,
                size_t n_plain, WorkerAnswer *answer) {
        char reason[SEAL_REASON_MAX], why[INSPECT_REASON_MAX];
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        if (seal_check(certificate->x509, flags, answer->remark, reason) < 0)
                return fail(answer, EX_DATAERR, NULL, reason);
        if (seal_encrypt(certificate->x509, plain, n_plain, flags, &text, &n, reason) < 0)
                return fail(answer, EX_SOFTWARE, NULL, reason);
        if (inspect_check(text, n, certificate->read, why) < 0)
                return fail(answer, EX_DATAERR, "the device would refuse it", why);
        /* Encrypted, and for a TFTP server to read. */
        r = file_prepare(job->output, text, n, 0644, 0);
        return r < 0 ? fail(answer, EX_CANTCREAT, job->output, strerror(-r)) : 0;
}

static int process(const Job *job, const Request *request, size_t n_der, SealFlags flags,
                WorkerAnswer *answer) {
        DeviceCertificate certificate;
        _cleanup_free_ char *plain = NULL;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, job->input, CONFIGURATION_SIZE_MAX, &plain, &n);
        if (r < 0)
                return fail(answer, EX_NOINPUT, job->input,
                                r == -E2BIG ? "larger than 64 MB, which no device takes" : strerror(-r));
        if (n == 0)
                return fail(answer, EX_DATAERR, job->input, "the configuration is empty");
        r = device_certificate_parse(request->der, n_der, &certificate);
        if (r < 0)
                return fail(answer, EX_DATAERR, NULL, "not a certificate");
        r = make(job, &certificate, flags, plain, n, answer);
        OPENSSL_cleanse(plain, n);
        device_certificate_done(&certificate);
        return r;
}

/* Nothing gets its final name before it is on stable storage. */
static void commit(const JobList *list, WorkerAnswer *answers, size_t n) {
        dev_t synced = 0;

        for (size_t i = 0; i < n; i++) {
                const char *path = list->jobs[answers[i].job].output;
                int r = answers[i].status == EX_OK ? output_sync(path, &synced) : 0;

                if (r < 0)
                        fail(answers + i, EX_CANTCREAT, path, strerror(-r));
        }
        for (size_t i = 0; i < n; i++) {
                const char *path = list->jobs[answers[i].job].output;
                int r = answers[i].status == EX_OK ? file_commit(path, 0) : 0;

                if (r < 0)
                        fail(answers + i, EX_CANTCREAT, path, strerror(-r));
        }
}

static int serve(int fd, const JobList *list, SealFlags flags) {
        static WorkerAnswer answers[WORKER_BATCH];
        static Request request;

        for (;;) {
                size_t n = 0;
                ssize_t size;

                while (n < WORKER_BATCH &&
                                (size = recv(fd, &request, sizeof(request), n > 0 ? MSG_DONTWAIT : 0)) > 0) {
                        WorkerAnswer *answer = answers + n++;

                        *answer = (WorkerAnswer){ .job = request.job };
                        (void) process(list->jobs + request.job, &request,
                                        (size_t) size - offsetof(Request, der), flags, answer);
                }
                if (n == 0)
                        return EXIT_SUCCESS;
                commit(list, answers, n);
                for (size_t i = 0; i < n; i++)
                        if (send(fd, answers + i, sizeof(answers[i]), MSG_NOSIGNAL) < 0)
                                return EXIT_FAILURE;
        }
}

int worker_start(const JobList *list, SealFlags flags, const Worker *others, size_t n_others, Worker *ret) {
        int fds[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        pid = fork();
        if (pid < 0) {
                r = -errno;
                close(fds[0]);
                close(fds[1]);
                return r;
        }
        if (pid == 0) {
                for (size_t i = 0; i < n_others; i++)
                        close(others[i].fd);
                close(fds[0]);
                signal(SIGINT, SIG_IGN); /* what was begun is ended; the first process decides */
                (void) secrecy_begin();
                _exit(serve(fds[1], list, flags));
        }
        close(fds[1]);
        *ret = (Worker){ .pid = pid, .fd = fds[0] };
        return 0;
}

int worker_send(Worker *worker, size_t job, const void *der, size_t n) {
        Request request = { .job = (uint32_t) job };

        if (n > sizeof(request.der))
                return -E2BIG;
        memcpy(request.der, der, n);
        if (send(worker->fd, &request, offsetof(Request, der) + n, MSG_NOSIGNAL) < 0)
                return -errno;
        worker->n_pending++;
        return 0;
}

int worker_receive(Worker *worker, WorkerAnswer *ret) {
        ssize_t n = recv(worker->fd, ret, sizeof(*ret), MSG_DONTWAIT);

        if (n < 0)
                return -errno;
        if (n != sizeof(*ret))
                return -EPIPE;
        worker->n_pending--;
        return 0;
}

void worker_stop(Worker *worker) {
        close(worker->fd);
        while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
                ;
}
