/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/fetch.h"

#include "base/text.h"
#include "base/time.h"
#include "operator/device-certificate.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/queue.h>
#include <sysexits.h>

#define CONNECT_SECONDS 10
#define STALLED_SECONDS 20
#define TOTAL_SECONDS 60
#define ATTEMPTS_MAX 4
#define BACKOFF_USEC (500 * USEC_PER_MSEC) /* then twice that, and so on */
#define BACKOFF_MAX_USEC (30 * USEC_PER_SEC)
#define POLL_MSEC 1000
#define PLACE "%s"

typedef struct Transfer {
        Fetcher *fetcher;
        CURL *curl;
        size_t job;
        char *url;
        unsigned n_attempts;
        uint64_t not_before; /* boot time; while it waits for its next attempt */
        bool too_large;
        size_t n;
        uint8_t data[DEVICE_CERTIFICATE_SIZE_MAX];
        TAILQ_ENTRY(Transfer) entry;
} Transfer;

typedef TAILQ_HEAD(TransferList, Transfer) TransferList;

struct Fetcher {
        CURLM *multi;
        char *template;
        char *authority;
        char *protocols;
        fetch_handler_t handler;
        void *userdata;
        TransferList running, waiting;
};

static void transfer_free(Transfer *transfer) {
        if (!transfer)
                return;
        if (transfer->curl)
                curl_easy_cleanup(transfer->curl);
        free(transfer->url);
        free(transfer);
}

DEFINE_CLEANUP(Transfer, transfer_free)

Fetcher *fetcher_free(Fetcher *fetcher) {
        Transfer *transfer;

        if (!fetcher)
                return NULL;
        while ((transfer = TAILQ_FIRST(&fetcher->running))) {
                TAILQ_REMOVE(&fetcher->running, transfer, entry);
                curl_multi_remove_handle(fetcher->multi, transfer->curl);
                transfer_free(transfer);
        }
        while ((transfer = TAILQ_FIRST(&fetcher->waiting))) {
                TAILQ_REMOVE(&fetcher->waiting, transfer, entry);
                transfer_free(transfer);
        }
        curl_multi_cleanup(fetcher->multi);
        free(fetcher->template);
        free(fetcher->authority);
        free(fetcher->protocols);
        free(fetcher);
        return NULL;
}

static bool has_scheme(const char *url, const char *scheme) {
        return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/* RFC 8886, section 4.2: *using a secure transport that authenticates the source of the certificate*. A local file is one, too. */
static int check_url(const FetchOptions *options, char reason[static FETCH_REASON_MAX]) {
        const char *url = options->directory, *place = strstr(url, PLACE);

        if (!text_is_graphic(url) || strlen(url) > PATH_MAX || (place && strchr(place + strlen(PLACE), '%')))
                snprintf(reason, FETCH_REASON_MAX, "--directory= is not a URL");
        else if (has_scheme(url, "http://") && !options->insecure)
                snprintf(reason, FETCH_REASON_MAX,
                                "over http:// anybody on the way could give you his own key; use https://, or --pin= the key");
        else if (!has_scheme(url, "https://") && !has_scheme(url, "file://") && !has_scheme(url, "http://"))
                snprintf(reason, FETCH_REASON_MAX, "--directory= has to begin with https://");
        else
                return 0;
        return -EINVAL;
}

static char *make_template(const char *directory) {
        size_t n = strlen(directory);
        char *template;

        if (strstr(directory, PLACE))
                return strdup(directory);
        while (n > 0 && directory[n - 1] == '/')
                n--;
        return asprintf(&template, "%.*s/certificates/%s.crt", (int) n, directory, PLACE) < 0 ? NULL
                                                                                              : template;
}

int fetcher_new(const FetchOptions *options, fetch_handler_t handler, void *userdata, Fetcher **ret,
                char reason[static FETCH_REASON_MAX]) {
        _cleanup_(fetcher_freep) Fetcher *fetcher = NULL;
        int r;

        r = check_url(options, reason);
        if (r < 0)
                return r;
        snprintf(reason, FETCH_REASON_MAX, "out of memory");
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        fetcher = calloc(1, sizeof(*fetcher));
        if (!fetcher)
                return -ENOMEM;
        TAILQ_INIT(&fetcher->running);
        TAILQ_INIT(&fetcher->waiting);
        fetcher->handler = handler;
        fetcher->userdata = userdata;
        fetcher->multi = curl_multi_init();
        fetcher->template = make_template(options->directory);
        fetcher->protocols = strdup(options->insecure ? "https,http,file" : "https,file");
        fetcher->authority = options->authority ? strdup(options->authority) : NULL;
        if (!fetcher->multi || !fetcher->template || !fetcher->protocols ||
                        (options->authority && !fetcher->authority))
                return -ENOMEM;
        curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) options->n_connections);
        *ret = TAKE_PTR(fetcher);
        return 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *userdata) {
        Transfer *transfer = userdata;

        n *= size;
        if (n > sizeof(transfer->data) - transfer->n) {
                transfer->too_large = true;
                return 0;
        }
        memcpy(transfer->data + transfer->n, data, n);
        transfer->n += n;
        return n;
}

static int set_options(Transfer *transfer) {
        const Fetcher *fetcher = transfer->fetcher;
        CURL *curl = transfer->curl;

        curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_SECONDS);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long) STALLED_SECONDS);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long) TOTAL_SECONDS);
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "sdi-wrap/" SDI_VERSION);
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 3L);
        if (fetcher->authority && curl_easy_setopt(curl, CURLOPT_CAINFO, fetcher->authority) != CURLE_OK)
                return -ENOMEM;
        return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, fetcher->protocols) == CURLE_OK &&
                                        curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https") ==
                                                        CURLE_OK &&
                                        curl_easy_setopt(curl, CURLOPT_URL, transfer->url) == CURLE_OK
                        ? 0
                        : -ENOMEM;
}

static int begin(Transfer *transfer) {
        Fetcher *fetcher = transfer->fetcher;

        transfer->n = 0;
        transfer->n_attempts++;
        if (curl_multi_add_handle(fetcher->multi, transfer->curl) != CURLM_OK)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&fetcher->running, transfer, entry);
        return 0;
}

int fetcher_add(Fetcher *fetcher, size_t job, const char *id) {
        const char *place = strstr(fetcher->template, PLACE);
        _cleanup_(transfer_freep) Transfer *transfer = calloc(1, sizeof(*transfer));
        int r;

        if (!transfer)
                return -ENOMEM;
        transfer->fetcher = fetcher;
        transfer->job = job;
        transfer->curl = curl_easy_init();
        /* An identifier needs no escaping. */
        if (!transfer->curl ||
                        asprintf(&transfer->url, "%.*s%s%s", (int) (place - fetcher->template),
                                        fetcher->template, id, place + strlen(PLACE)) < 0)
                return -ENOMEM;
        r = set_options(transfer);
        if (r >= 0)
                r = begin(transfer);
        if (r < 0)
                return r;
        (void) TAKE_PTR(transfer);
        return 0;
}

static bool may_pass(CURLcode result, long code) {
        switch (result) {
        case CURLE_OK:
        case CURLE_HTTP_RETURNED_ERROR:
                return code == 429 || code >= 500;
        case CURLE_COULDNT_CONNECT:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
                return true;
        default: /* an enumeration of libcurl's */
                return false;
        }
}

/* What Retry-After says, within bounds, else longer each time. */
static uint64_t backoff(const Transfer *transfer) {
        uint64_t usec = BACKOFF_USEC << (transfer->n_attempts - 1);
        curl_off_t seconds = 0;

        (void) curl_easy_getinfo(transfer->curl, CURLINFO_RETRY_AFTER, &seconds);
        if (seconds > 0)
                usec = (uint64_t) seconds * USEC_PER_SEC;
        return MIN(usec, BACKOFF_MAX_USEC);
}

static void end(Transfer *transfer, CURLcode result, long code) {
        Fetcher *fetcher = transfer->fetcher;
        char reason[FETCH_REASON_MAX] = "";
        int status = EX_UNAVAILABLE;

        if (transfer->too_large) {
                status = EX_DATAERR;
                snprintf(reason, sizeof(reason), "what the directory sent is too large for a certificate");
        } else if (result != CURLE_OK)
                snprintf(reason, sizeof(reason), "%.160s: %s", transfer->url, curl_easy_strerror(result));
        else if (code == 404)
                snprintf(reason, sizeof(reason), "the directory does not know this device");
        else if (code == 429)
                snprintf(reason, sizeof(reason),
                                "the directory has had too many questions about unknown devices; try later");
        else if (code != 200 && code != 0) /* file:// has none */
                snprintf(reason, sizeof(reason), "%.160s: the directory answers %ld", transfer->url, code);
        else
                status = EX_OK;
        fetcher->handler(fetcher->userdata, transfer->job, status, reason, transfer->data, transfer->n);
        transfer_free(transfer);
}

static void on_done(Fetcher *fetcher, CURL *curl, CURLcode result) {
        Transfer *transfer;
        long code = 0;

        curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **) &transfer);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        curl_multi_remove_handle(fetcher->multi, curl);
        TAILQ_REMOVE(&fetcher->running, transfer, entry);
        if (!transfer->too_large && may_pass(result, code) && transfer->n_attempts < ATTEMPTS_MAX) {
                transfer->not_before = time_now_boottime() + backoff(transfer);
                TAILQ_INSERT_TAIL(&fetcher->waiting, transfer, entry);
                return;
        }
        end(transfer, result, code);
}

/* Begins again what has waited long enough. Returns how long the next one has to, at most POLL_MSEC. */
static int try_again(Fetcher *fetcher) {
        uint64_t now = time_now_boottime(), first = now + POLL_MSEC * USEC_PER_MSEC;
        Transfer *next;

        for (Transfer *transfer = TAILQ_FIRST(&fetcher->waiting); transfer; transfer = next) {
                next = TAILQ_NEXT(transfer, entry);
                if (transfer->not_before > now) {
                        first = MIN(first, transfer->not_before);
                        continue;
                }
                TAILQ_REMOVE(&fetcher->waiting, transfer, entry);
                if (begin(transfer) < 0)
                        end(transfer, CURLE_OUT_OF_MEMORY, 0);
        }
        return (int) ((first - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

int fetcher_run(Fetcher *fetcher, struct curl_waitfd *others, unsigned n_others) {
        int timeout = try_again(fetcher), n_running, n_left;
        CURLMsg *message;

        if (curl_multi_perform(fetcher->multi, &n_running) != CURLM_OK)
                return -EIO;
        while ((message = curl_multi_info_read(fetcher->multi, &n_left)))
                if (message->msg == CURLMSG_DONE) {
                        on_done(fetcher, message->easy_handle, message->data.result);
                        timeout = 0; /* there may be room for more now */
                }
        return curl_multi_poll(fetcher->multi, others, n_others, timeout, NULL) == CURLM_OK ? 0 : -EIO;
}
