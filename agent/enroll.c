/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/enroll.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_SECONDS 10
#define TOTAL_SECONDS 60
#define BACKOFF_FIRST USEC_PER_SEC
#define BACKOFF_MAX (5 * USEC_PER_MINUTE)
#define RECORD "enrolled"
#define RECORD_SIZE_MAX 4096

DEFINE_CLEANUP(CURL, curl_easy_cleanup)
DEFINE_CLEANUP(X509_REQ, X509_REQ_free)

static int fail(char reason[static ENROLL_REASON_MAX], int error, const char *text) {
        snprintf(reason, ENROLL_REASON_MAX, "%.250s", text);
        return error;
}

/* RFC 7468, section 13. */
static int key_to_pem(const Certificate *certificate, char **ret) {
        BIO *bio = BIO_new(BIO_s_mem());
        const uint8_t *public;
        char *data;
        size_t n;
        long size;
        int r = -ENOMEM;

        public = certificate_get_public(certificate, &n);
        if (bio && PEM_write_bio(bio, PEM_STRING_PUBLIC, "", public, (long) n) > 0) {
                size = BIO_get_mem_data(bio, &data);
                *ret = strndup(data, (size_t) size);
                r = *ret ? 0 : -ENOMEM;
        }
        BIO_free_all(bio);
        return r;
}

int enroll_make(const Config *config, TpmKey *key, const Certificate *certificate, const Identity *identity,
                char **ret, char reason[static ENROLL_REASON_MAX]) {
        _cleanup_(X509_REQ_freep) X509_REQ *request = NULL;
        int r;

        if (strcmp(config->enroll_send, "key") == 0)
                r = key_to_pem(certificate, ret);
        else if (strcmp(config->enroll_send, "request") == 0) {
                r = certificate_make_request(key, identity->serial, &request);
                if (r >= 0)
                        r = certificate_request_to_pem(request, ret);
        } else
                r = certificate_to_pem(certificate, ret);
        return r < 0 ? fail(reason, r, r == -ENOMEM ? "out of memory" : tpm_key_reason(key)) : 0;
}

typedef struct Exchange {
        const char *text; /* what is sent, as far as that has not been done */
        size_t left;
        char answer[ENROLL_ANSWER_MAX];
        size_t n_answer;
} Exchange;

static size_t on_read(char *data, size_t size, size_t n, void *userdata) {
        Exchange *exchange = userdata;

        n = MIN(n * size, exchange->left);
        memcpy(data, exchange->text, n);
        exchange->text += n;
        exchange->left -= n;
        return n;
}

static size_t on_data(char *data, size_t size, size_t n, void *userdata) {
        Exchange *exchange = userdata;

        n *= size;
        if (n > sizeof(exchange->answer) - exchange->n_answer)
                return 0;
        memcpy(exchange->answer + exchange->n_answer, data, n);
        exchange->n_answer += n;
        return n;
}

static void set_path(CURL *curl, CURLoption option, const char *path) {
        if (path[0])
                curl_easy_setopt(curl, option, path);
}

static CURLcode set_options(CURL *curl, const Config *config, const char *url, Exchange *exchange) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L); /* PUT */
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, exchange);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t) exchange->left);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_SECONDS);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long) TOTAL_SECONDS);
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        set_path(curl, CURLOPT_SSLCERT, config->enroll_client_certificate);
        set_path(curl, CURLOPT_SSLKEY, config->enroll_client_key);
        set_path(curl, CURLOPT_CAINFO, config->enroll_ca);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
        return curl_easy_setopt(curl, CURLOPT_URL, url);
}

/* What does not pass by itself: the files of TLS, and who is at the other end. */
static bool is_final(CURLcode result) {
        switch (result) {
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_WRITE_ERROR: /* more than a certificate is */
                return true;
        default: /* an enumeration of libcurl's; a server's wrong certificate may be put right */
                return false;
        }
}

static int judge(const Exchange *exchange, long status, Certificate **ret,
                char reason[static ENROLL_REASON_MAX]) {
        char said[160];

        if (status == 200 || status == 201)
                return certificate_from_pem(exchange->answer, exchange->n_answer, ret) < 0
                                ? fail(reason, -EBADMSG, "what the directory answered is not a certificate")
                                : 0;
        text_escape(said, sizeof(said), exchange->answer, strnlen(exchange->answer, exchange->n_answer));
        snprintf(reason, ENROLL_REASON_MAX, "the directory answers %ld: %s", status, said);
        return status == 429 || status >= 500 ? -EAGAIN : -EPERM;
}

/* Nobody was reached: it may be another way that leads there. */
static bool is_unreached(CURLcode result) {
        return result == CURLE_COULDNT_CONNECT || result == CURLE_OPERATION_TIMEDOUT;
}

/*
 * The routes that sdi-agent has set lead only sockets that are bound to their port. So where the device's own
 * routes do not lead to the directory, each link is tried; one without a route fails at once.
 */
static CURLcode perform(CURL *curl, Exchange *exchange) {
        const Exchange fresh = *exchange;
        CURLcode result = curl_easy_perform(curl), q;
        DIR *links = is_unreached(result) ? opendir("/sys/class/net") : NULL;
        char interface[3 + NAME_MAX + 1];

        for (struct dirent *link; is_unreached(result) && links && (link = readdir(links));) {
                if (link->d_name[0] == '.' || strcmp(link->d_name, "lo") == 0)
                        continue;
                snprintf(interface, sizeof(interface), "if!%s", link->d_name);
                *exchange = fresh;
                curl_easy_setopt(curl, CURLOPT_INTERFACE, interface);
                q = curl_easy_perform(curl);
                if (!is_unreached(q) && q != CURLE_INTERFACE_FAILED)
                        result = q;
        }
        if (links)
                closedir(links);
        return result;
}

int enroll_send(const Config *config, const char *id, const char *text, Certificate **ret,
                char reason[static ENROLL_REASON_MAX]) {
        _cleanup_(curl_easy_cleanupp) CURL *curl = curl_easy_init();
        size_t n = strlen(config->enroll_directory);
        Exchange exchange = { .text = text, .left = strlen(text) };
        _cleanup_free_ char *url = NULL;
        CURLcode result;
        long status = 0;

        while (n > 0 && config->enroll_directory[n - 1] == '/')
                n--;
        if (!curl || asprintf(&url, "%.*s/certificates/%s", (int) n, config->enroll_directory, id) < 0 ||
                        set_options(curl, config, url, &exchange) != CURLE_OK)
                return fail(reason, -EAGAIN, "out of memory");
        result = perform(curl, &exchange);
        if (result != CURLE_OK) {
                snprintf(reason, ENROLL_REASON_MAX, "%.120s: %s", url, curl_easy_strerror(result));
                return is_final(result) ? -EPERM : -EAGAIN;
        }
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        return judge(&exchange, status, ret, reason);
}

uint64_t enroll_backoff(unsigned n_failed, uint32_t random) {
        uint64_t usec = n_failed > 9 ? BACKOFF_MAX : MIN(BACKOFF_FIRST << (n_failed - 1), BACKOFF_MAX);

        return usec +
                        (uint64_t) ((double) usec / 10 * random /
                                        UINT32_MAX); /* a line of devices is not one */
}

static const char *format_fingerprint(
                char hex[static 2 * CERTIFICATE_FINGERPRINT_SIZE + 1], const Certificate *certificate) {
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE] = {};
        const uint8_t *public;
        size_t n;

        public = certificate_get_public(certificate, &n);
        (void) certificate_fingerprint(public, n, fingerprint);
        return text_hex(hex, fingerprint, sizeof(fingerprint));
}

int enroll_record(const Config *config, const char *id, const Certificate *certificate) {
        char path[PATH_MAX], time[TIME_UTC_MAX], hex[2 * CERTIFICATE_FINGERPRINT_SIZE + 1];
        _cleanup_(json_decrefp) json_t *value = NULL;
        _cleanup_free_ char *text = NULL;

        value = json_pack("{s:s, s:s, s:s, s:s}", "time",
                        time_format_utc(time, sizeof(time), time_now_realtime()), "directory",
                        config->enroll_directory, "identifier", id, "fingerprint",
                        format_fingerprint(hex, certificate));
        text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
        if (!text)
                return -ENOMEM;
        return file_replace(config_state_path(path, sizeof(path), RECORD), text, strlen(text), 0644,
                        FILE_DURABLE);
}

bool enroll_is_recorded(const Config *config, const char *id, const Certificate *certificate) {
        char path[PATH_MAX], hex[2 * CERTIFICATE_FINGERPRINT_SIZE + 1];
        const char *directory, *identifier, *fingerprint;
        _cleanup_(json_decrefp) json_t *value = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n;

        if (file_read(AT_FDCWD, config_state_path(path, sizeof(path), RECORD), RECORD_SIZE_MAX, &text, &n) <
                        0)
                return false;
        value = json_loadb(text, n, 0, NULL);
        if (!value ||
                        json_unpack(value, "{s:s, s:s, s:s}", "directory", &directory, "identifier",
                                        &identifier, "fingerprint", &fingerprint) < 0)
                return false;
        return strcmp(directory, config->enroll_directory) == 0 && strcmp(identifier, id) == 0 &&
                        strcmp(fingerprint, format_fingerprint(hex, certificate)) == 0;
}
