/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The reader against `openssl cms -decrypt`, both with the same key in software, file to file, run by run in turn:
 *
 *   bench-cms [--check]
 *
 * Goals: no slower than openssl in any row, and at 100 MB less than 16 MB of memory beyond the two memfds.
 * (bench-cms --decrypt IN OUT is one run of ours.)
 */

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/time.h"
#include "tests/cms-maker.h"
#include "tests/software-key.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define N_RUNS_MAX 41
#define MEMORY_GOAL (16.0 * 1024 * 1024)

static void must(bool ok, const char *what) {
        if (!ok) {
                perror(what);
                exit(2);
        }
}

/* As sdi-unwrap gets it: a sealed memfd. */
static int receive(const char *path) {
        int in = open(path, O_RDONLY | O_CLOEXEC), fd = memfd_new("input");
        struct stat st;

        must(in >= 0 && fd >= 0 && fstat(in, &st) == 0, path);
        for (off_t done = 0; done < st.st_size;)
                must(sendfile(fd, in, &done, (size_t) (st.st_size - done)) > 0, "sendfile");
        close(in);
        must(memfd_seal(fd) >= 0, "seal");
        return fd;
}

static int decrypt_file(const char *in, const char *out) {
        int input = receive(in), output, fd = -1;
        char reason[ENVELOPE_REASON_MAX];
        SoftwareKey key;
        Envelope envelope;
        CmsReport report;
        uint64_t size;
        void *data;

        must(memfd_check_sealed(input, &size) >= 0, "seals");
        data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, input, 0);
        must(data != MAP_FAILED, "mmap");
        must(software_key_load("key", "certificate", &key) >= 0, "key");
        must(envelope_detect(data, size, &envelope, reason) >= 0, "detect");
        must(cms_decrypt(&envelope, &key.cms, 1, 0, &fd, &report) >= 0, report.reason);

        output = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        must(output >= 0 && memfd_check_sealed(fd, &size) >= 0, out);
        for (off_t done = 0; done < (off_t) size;)
                must(sendfile(output, fd, &done, size - (size_t) done) > 0, "sendfile");
        return 0;
}

typedef struct Run {
        uint64_t usec;
        double bytes; /* peak resident memory */
} Run;

static Run run(const char *const *arguments) {
        uint64_t start = time_now_boottime();
        struct rusage usage;
        int status;
        pid_t pid;

        pid = vfork();
        must(pid >= 0, "vfork");
        if (pid == 0) {
                execvp(arguments[0], (char *const *) arguments);
                _exit(127);
        }
        must(wait4(pid, &status, 0, &usage) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
                        arguments[0]);
        return (Run){ .usec = time_now_boottime() - start, .bytes = (double) usage.ru_maxrss * 1024 };
}

static int by_time(const void *a, const void *b) {
        const Run *x = a, *y = b;

        return x->usec < y->usec ? -1 : x->usec > y->usec;
}

static Run median(Run *runs, size_t n) {
        qsort(runs, n, sizeof(Run), by_time);
        return runs[n / 2];
}

typedef struct Row {
        const char *size_name;
        size_t size;
        const char *cipher;
        CmsMakerFormat format;
        size_t n_runs;
} Row;

static void make_file(const Row *row, X509 *certificate) {
        _cleanup_free_ uint8_t *content = malloc(row->size), *file = NULL;
        size_t n;

        must(content, "malloc");
        for (size_t i = 0; i < row->size; i++)
                content[i] = (uint8_t) (i * 2654435761u >> 13);
        cms_make(&(CmsMaker){ .format = row->format,
                                 .cipher = row->cipher,
                                 .recipients = &certificate,
                                 .n_recipients = 1 },
                        content, row->size, &file, &n);
        must(file_replace("plain", content, row->size, 0600, 0) >= 0, "plain");
        must(file_replace("file", file, n, 0600, 0) >= 0, "file");
}

/* In a process of its own: a child starts with its parent's peak of memory. */
static size_t make_file_apart(const Row *row, X509 *certificate) {
        struct stat st;
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        must(pid >= 0, "fork");
        if (pid == 0) {
                make_file(row, certificate);
                _exit(0);
        }
        must(waitpid(pid, &status, 0) == pid && status == 0 && stat("file", &st) == 0, "make_file");
        return (size_t) st.st_size;
}

/* The peer decrypts into `theirs`, we into `ours`: both must be what was encrypted. */
static void check_same(const char *path) {
        Run unused = run((const char *const[]){ "cmp", "plain", path, NULL });

        (void) unused;
}

/* True when both goals are met; *worst says how far the nearest one was. */
static bool measure(const char *self, const Row *row, X509 *certificate, char worst[static 200]) {
        const char *form = row->format == CMS_MAKER_PEM ? "PEM" : "DER";
        const char *const our_arguments[] = { self, "--decrypt", "file", "ours", NULL };
        const char *const their_arguments[] = { "openssl", "cms", "-decrypt", "-inform", form, "-in", "file",
                "-recip", "certificate", "-inkey", "key", "-out", "theirs", NULL };
        Run our_runs[N_RUNS_MAX], their_runs[N_RUNS_MAX], ours, theirs;
        size_t n_file = make_file_apart(row, certificate);
        double memory = 0, ratio;

        for (size_t i = 0; i < row->n_runs; i++) {
                their_runs[i] = run(their_arguments);
                our_runs[i] = run(our_arguments);
                memory = MAX(memory, our_runs[i].bytes);
        }
        check_same("ours");
        check_same("theirs");
        ours = median(our_runs, row->n_runs);
        theirs = median(their_runs, row->n_runs);
        memory -= (double) n_file + (double) row->size;
        ratio = (double) theirs.usec / (double) ours.usec;
        printf("%-7s %-12s %-4s %9.1f ms %9.1f ms %6.2f x %8.1f MB %8.1f MB\n", row->size_name, row->cipher,
                        form, (double) ours.usec / 1000, (double) theirs.usec / 1000, ratio, memory / 1e6,
                        theirs.bytes / 1e6);
        fflush(stdout);

        if (ratio < 1)
                snprintf(worst, 200, "goal missed: %s %s %s %.2f times as fast as openssl, 1.00 wanted",
                                row->size_name, row->cipher, form, ratio);
        else if (memory >= MEMORY_GOAL)
                snprintf(worst, 200,
                                "goal missed: %s %s %s %.1f MB beyond the memfds, less than 16.8 MB wanted",
                                row->size_name, row->cipher, form, memory / 1e6);
        else
                return true;
        return false;
}

static void enter_work_folder(char path[static 64]) {
        strcpy(path, "/dev/shm/sdi bench.XXXXXX");
        if (!mkdtemp(path)) {
                strcpy(path, "/tmp/sdi bench.XXXXXX");
                must(mkdtemp(path), "mkdtemp");
        }
        must(chdir(path) == 0, path);
}

static void write_key(const SoftwareKey *key) {
        _cleanup_fclose_ FILE *key_file = fopen("key", "we"), *certificate_file = fopen("certificate", "we");

        must(key_file && PEM_write_PrivateKey(key_file, key->key, NULL, NULL, 0, NULL, NULL) == 1, "key");
        must(certificate_file && PEM_write_X509(certificate_file, key->certificate) == 1, "certificate");
}

int main(int argc, char **argv) {
        static const Row rows[] = {
                { "20 KB", 20000, "AES-256-CBC", CMS_MAKER_DER, 41 },
                { "20 KB", 20000, "AES-256-GCM", CMS_MAKER_PEM, 41 },
                { "1 MB", 1000000, "AES-256-CBC", CMS_MAKER_PEM, 41 },
                { "1 MB", 1000000, "AES-256-GCM", CMS_MAKER_DER, 41 },
                { "100 MB", 100000000, "AES-256-CBC", CMS_MAKER_DER, 5 },
                { "100 MB", 100000000, "AES-256-CBC", CMS_MAKER_PEM, 5 },
                { "100 MB", 100000000, "AES-256-GCM", CMS_MAKER_DER, 5 },
                { "100 MB", 100000000, "AES-256-GCM", CMS_MAKER_PEM, 5 },
        };
        char self[4096] = "", path[64], worst[200] = "all goals met";
        bool met = true;
        SoftwareKey key;

        if (argc == 4 && strcmp(argv[1], "--decrypt") == 0)
                return decrypt_file(argv[2], argv[3]);

        must(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0, "readlink");
        enter_work_folder(path);
        must(software_key_open(SOFTWARE_KEY_RSA2048, "SN1", &key) >= 0, "key");
        write_key(&key);
        printf("%-7s %-12s %-4s %12s %12s %8s %11s %11s\n", "content", "cipher", "form", "ours", "openssl",
                        "", "beyond", "openssl");
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                met = measure(self, &rows[i], key.certificate, worst) && met;

        run((const char *const[]){ "rm", "-r", path, NULL });
        printf("%s\n", worst);
        return argc == 2 && strcmp(argv[1], "--check") == 0 && !met;
}
