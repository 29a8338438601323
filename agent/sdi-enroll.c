/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The device's part in the factory (RFC 8886, section 3.1): makes the key if there is none, and sends identifier and public key to
 * the vendor's directory, until that has them. A program of its own, as it alone needs an HTTPS client.
 */

#include "agent/config.h"
#include "agent/enroll.h"
#include "agent/identity-source.h"
#include "agent/keyring.h"
#include "agent/log.h"
#include "agent/options.h"
#include "base/cleanup.h"
#include "base/secrecy.h"
#include "base/time.h"
#include "tpm/openssl.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

typedef struct Enroll {
        Config *config;
        Identity identity;
        Tpm *tpm;
        TpmKey *key;
        Certificate *certificate;
        char *text; /* what is sent */
} Enroll;

static void enroll_done(Enroll *enroll) {
        free(enroll->text);
        certificate_free(enroll->certificate);
        tpm_key_free(enroll->key);
        tpm_free(enroll->tpm);
        config_free(enroll->config);
}

static void on_line(const char *line) {
        log_warning("%s", line);
}

/* 0 or an exit status. */
static int fail(int status, const char *text) {
        log_error("%s", text);
        return status;
}

static int open_key(Enroll *enroll, char reason[static TPM_REASON_MAX]) {
        const Config *config = enroll->config;
        TpmKeyType type;
        int r;

        /* The key that is there, of whichever type it is; else a new one. */
        r = keyring_load(config, KEYRING_DEVICE, &enroll->tpm, reason, &enroll->certificate);
        if (r >= 0)
                r = keyring_open(config, KEYRING_DEVICE, enroll->tpm, enroll->certificate, reason,
                                &enroll->key);
        else
                r = -ESTALE; /* no certificate is as good as one of another key */
        enroll->certificate = certificate_free(enroll->certificate);
        if (r != -ESTALE)
                return r < 0 ? fail(EX_UNAVAILABLE, reason) : EX_OK;
        if (tpm_key_type_from_string(config->key_type, &type) < 0 ||
                        tpm_key_make(enroll->tpm, keyring_tpm_slot(KEYRING_DEVICE), type, &enroll->key) < 0)
                return fail(EX_UNAVAILABLE, tpm_reason(enroll->tpm));
        if (tpm_key_persist(enroll->key) < 0)
                log_warning("No persistent copy of the key, it is made again for each use: %s",
                                tpm_reason(enroll->tpm));
        return EX_OK;
}

static int save(Enroll *enroll, const Certificate *certificate) {
        char reason[TPM_REASON_MAX];

        if (keyring_save(enroll->config, KEYRING_DEVICE, certificate, reason) < 0)
                return fail(EX_CANTCREAT, reason);
        if (keyring_keep(KEYRING_DEVICE, enroll->tpm, certificate) < 0)
                log_warning("No copy of the certificate in the TPM: %s", tpm_reason(enroll->tpm));
        return EX_OK;
}

static int prepare(Enroll *enroll, const char *file) {
        char reason[TPM_REASON_MAX];
        int status;

        if (config_load(&enroll->config, file, on_line, reason) < 0)
                return fail(EX_CONFIG, reason);
        if (identity_read(enroll->config, "/", on_line, &enroll->identity) < 0)
                return fail(EX_UNAVAILABLE,
                                "This device has no serial number; see [Identity] in sdi.conf(5)");
        openssl_start();
        if (tpm_open(enroll->config->tcti, &enroll->tpm, reason) < 0)
                return fail(EX_UNAVAILABLE, reason);
        status = open_key(enroll, reason);
        if (status != EX_OK)
                return status;
        if (keyring_make(enroll->config, KEYRING_DEVICE, enroll->tpm, enroll->key, enroll->identity.serial,
                            reason, &enroll->certificate) < 0)
                return fail(EX_UNAVAILABLE, reason);
        status = save(enroll, enroll->certificate);
        if (status != EX_OK)
                return status;
        if (enroll_make(enroll->config, enroll->key, enroll->certificate, &enroll->identity, &enroll->text,
                            reason) < 0)
                return fail(EX_UNAVAILABLE, reason);
        return EX_OK;
}

/* What is published is what files will name: it becomes this device's certificate. */
static int adopt(Enroll *enroll, const Certificate *published) {
        char name[CERTIFICATE_NAME_MAX + 1];
        int status;

        if (certificate_check_key(published, enroll->key) < 0)
                return fail(EX_PROTOCOL, "The directory has published another key for this device");
        if (strcmp(certificate_get_name(published, name), enroll->identity.serial) != 0)
                return fail(EX_PROTOCOL, "The directory has published a certificate with another name");
        status = save(enroll, published);
        if (status != EX_OK)
                return status;
        if (enroll_record(enroll->config, enroll->identity.serial, published) < 0)
                return fail(EX_CANTCREAT, "Enrolled, but that cannot be recorded");
        log_notice("Enrolled as %s at %s", enroll->identity.serial, enroll->config->enroll_directory);
        return EX_OK;
}

static void wait_for_next(unsigned n_failed) {
        struct timespec span;
        uint32_t random = 0;
        uint64_t usec;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
                random = 0;
        usec = enroll_backoff(n_failed, random);
        span = (struct timespec){ (time_t) (usec / USEC_PER_SEC), (long) (usec % USEC_PER_SEC) * 1000 };
        (void) clock_nanosleep(CLOCK_BOOTTIME, 0, &span, NULL);
}

/* SIGTERM ends this wherever it is: what it writes is replaced as a whole, as for a power cut. */
static int send_until_done(Enroll *enroll) {
        char reason[ENROLL_REASON_MAX], last[ENROLL_REASON_MAX] = "";

        for (unsigned n_failed = 1;; n_failed++) {
                _cleanup_(certificate_freep) Certificate *published = NULL;
                int r;

                r = enroll_send(enroll->config, enroll->identity.serial, enroll->text, &published, reason);
                if (r >= 0)
                        return adopt(enroll, published);
                if (r != -EAGAIN)
                        return fail(r == -EPERM ? EX_NOPERM : EX_PROTOCOL, reason);
                if (strcmp(reason, last) != 0) /* the same failure again is one line, not ten */
                        log_warning("%s; trying again until it works", reason);
                strcpy(last, reason);
                wait_for_next(n_failed);
        }
}

static int run(Enroll *enroll) {
        if (enroll->config->enroll_directory[0] == '\0')
                return fail(EX_OK, "[Enroll] Directory= is not set in sdi.conf(5): nothing to do");
        if (enroll_is_recorded(enroll->config, enroll->identity.serial, enroll->certificate)) {
                log_info("Enrolled already");
                return EX_OK;
        }
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return fail(EX_OSERR, "Out of memory");
        return send_until_done(enroll);
}

int main(int argc, char **argv) {
        Options options = options_parse(argc, argv,
                        "Makes this device's key if there is none, and sends the public part to the vendor's directory.",
                        "print", "print what would be sent, for a factory without a network");
        _cleanup_(enroll_done) Enroll enroll = {};
        int status, r;

        log_open("sdi-enroll", options.debug ? LOG_DEBUG : LOG_INFO);
        umask(0022);
        r = secrecy_begin();
        if (r < 0)
                return log_error_errno(r, "Cannot switch off core dumps: %m"), EX_OSERR;
        status = prepare(&enroll, options.config);
        if (status != EX_OK)
                return status;
        if (!options.own)
                return run(&enroll);
        fputs(enroll.text, stdout);
        return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
