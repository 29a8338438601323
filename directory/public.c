/* SPDX-License-Identifier: Apache-2.0 */

/* The public side (RFC 8886, section 3.2): everybody may ask for the certificate of a device whose identifier he knows. */

#include "base/text.h"
#include "base/time.h"
#include "directory/directory.h"
#include "directory/page.h"
#include "directory/pem.h"
#include "directory/tar.h"
#include "tpm/certificate.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define FORM_SIZE_MAX (128 * 1024)
#define ETAG_BYTES 16

/* A certificate hardly ever changes; one that is not there may be there soon. */
#define CACHE_FOUND "public, max-age=3600"
#define CACHE_UNKNOWN "public, max-age=60"

/* Of scripts, frames and other people's files there is nothing on the page. */
#define CONTENT_POLICY \
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/* Of what is sent: another representation has another tag (RFC 9110, section 8.8.3). */
static const char *format_etag(char text[static 2 * ETAG_BYTES + 3], const void *body, size_t n) {
        uint8_t digest[32] = {};

        (void) EVP_Digest(body, n, digest, NULL, EVP_sha256(), NULL);
        text[0] = '"';
        text_hex(text + 1, digest, ETAG_BYTES);
        strcpy(text + 1 + (size_t) 2 * ETAG_BYTES, "\"");
        return text;
}

static bool client_has(const Request *request, const char *etag) {
        const char *tags = MHD_lookup_connection_value(
                        request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);

        return tags && (strstr(tags, etag) || strcmp(tags, "*") == 0);
}

static void answer_cacheable(Request *request, const char *type, const void *body, size_t n) {
        char etag[2 * ETAG_BYTES + 3];
        const char *const headers[] = {
                MHD_HTTP_HEADER_ETAG,
                format_etag(etag, body, n),
                MHD_HTTP_HEADER_CACHE_CONTROL,
                CACHE_FOUND,
                NULL,
        };

        if (client_has(request, etag))
                request_answer(request, MHD_HTTP_NOT_MODIFIED, NULL, "", 0, headers);
        else
                request_answer(request, MHD_HTTP_OK, type, body, n, headers);
}

static const char *format_date(char text[static TIME_UTC_MAX], const ASN1_TIME *date) {
        struct tm tm = {};

        if (ASN1_TIME_to_tm(date, &tm) != 1 || strftime(text, TIME_UTC_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                snprintf(text, TIME_UTC_MAX, "-");
        return text;
}

static void answer_json(Directory *directory, Request *request, const Record *record) {
        char before[TIME_UTC_MAX] = "-", after[TIME_UTC_MAX] = "-", added[TIME_UTC_MAX],
             hex[2 * STORE_FINGERPRINT_SIZE + 1];
        const unsigned char *p = record->der;
        _cleanup_(X509_freep) X509 *certificate = d2i_X509(NULL, &p, (long) record->n_der);
        _cleanup_free_ char *text = NULL;
        json_t *value;

        if (certificate) {
                format_date(before, X509_get0_notBefore(certificate));
                format_date(after, X509_get0_notAfter(certificate));
        }
        openssl_error(0);
        value = json_pack("{s:s, s:s, s:s, s:s, s:s}", "identifier", record->id, "fingerprint",
                        text_hex(hex, record->fingerprint, sizeof(record->fingerprint)), "not_before",
                        before, "not_after", after, "published",
                        time_format_utc(added, sizeof(added), record->added * USEC_PER_SEC));
        text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
        json_decref(value);
        if (!text)
                directory_answer_failed(directory, request, -ENOMEM);
        else
                answer_cacheable(request, "application/json", text, strlen(text));
}

static void answer_pem(Directory *directory, Request *request, const Record *record) {
        _cleanup_free_ char *pem = NULL;
        size_t n;

        if (pem_from_der(record->der, record->n_der, &pem, &n) < 0)
                directory_answer_failed(directory, request, -ENOMEM);
        else
                answer_cacheable(request, "application/x-pem-file", pem, n);
}

static void answer_record(Directory *directory, Request *request, const Record *record) {
        switch (request->path.kind) {
        case PATH_PEM:
                answer_pem(directory, request, record);
                break;
        case PATH_DER:
                answer_cacheable(request, "application/pkix-cert", record->der,
                                record->n_der); /* RFC 2585, section 4.1 */
                break;
        case PATH_JSON:
                answer_json(directory, request, record);
                break;
        case PATH_UNKNOWN:
        case PATH_PAGE:
        case PATH_STYLE:
        case PATH_ENROLL:
        case PATH_TAR:
        case PATH_HEALTH:
        case PATH_METRICS:
        case PATH_EST_CACERTS:
        case PATH_EST_ENROLL:
                break; /* not one of these */
        }
}

static void answer_unknown(Request *request) {
        static const char text[] = "No device of this name is known here.\n";
        static const char *const headers[] = { MHD_HTTP_HEADER_CACHE_CONTROL, CACHE_UNKNOWN, NULL };

        request_answer(request, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", text, strlen(text),
                        headers);
}

static void answer_throttled(Request *request, uint64_t wait_usec) {
        static const char text[] = "Too many questions about unknown devices. Try later.\n";
        char seconds[24];
        const char *const headers[] = {
                MHD_HTTP_HEADER_RETRY_AFTER,
                seconds,
                MHD_HTTP_HEADER_CACHE_CONTROL,
                "no-store",
                NULL,
        };

        snprintf(seconds, sizeof(seconds), "%" PRIu64, wait_usec / USEC_PER_SEC + 1);
        request_answer(request, MHD_HTTP_TOO_MANY_REQUESTS, "text/plain; charset=utf-8", text, strlen(text),
                        headers);
}

static void answer_certificate(Directory *directory, Request *request) {
        static Record record;
        uint64_t wait_usec;
        int r;

        r = directory_look_up(directory, request, request->path.id, &record, &wait_usec);
        if (r == -ENOENT)
                answer_unknown(request);
        else if (r == -EBUSY)
                answer_throttled(request, wait_usec);
        else if (r < 0)
                directory_answer_failed(directory, request, r);
        else
                answer_record(directory, request, &record);
}

static PageResult look_up(
                Directory *directory, const Request *request, const char *word, size_t n, Record *ret) {
        char id[IDENTIFIER_MAX + 1];
        uint64_t wait_usec;

        if (identifier_parse(word, n, id) < 0)
                return PAGE_NOT_ONE;
        switch (directory_look_up(directory, request, id, ret, &wait_usec)) {
        case 0:
                return PAGE_FOUND;
        case -ENOENT:
                return PAGE_UNKNOWN;
        case -EBUSY:
                return PAGE_THROTTLED;
        default: /* any other errno */
                return PAGE_FAILED;
        }
}

static void write_results(Directory *directory, Request *request, FILE *page, const char *pasted) {
        static Record record;
        _cleanup_free_ char *found = NULL;
        unsigned n_found = 0, n_words = 0;
        size_t n, size;
        const char *word;
        FILE *list = open_memstream(&found, &size);

        page_write_begin_results(page);
        while (list && (n = page_next_word(&pasted, &word)) > 0 && n_words++ < PAGE_DEVICES_MAX) {
                PageResult result = look_up(directory, request, word, n, &record);

                page_write_result(page, result, word, n, &record);
                if (result == PAGE_FOUND && n_found++ < PAGE_DEVICES_MAX)
                        fprintf(list, "%s%s", n_found > 1 ? " " : "", record.id);
        }
        if (list && fclose(list) == 0)
                page_write_end_results(page, n_found, found);
}

static void answer_page(Directory *directory, Request *request, const char *pasted) {
        static const char *const headers[] = {
                "Content-Security-Policy",
                CONTENT_POLICY,
                "Referrer-Policy",
                "no-referrer",
                MHD_HTTP_HEADER_CACHE_CONTROL,
                "no-store",
                NULL,
        };
        _cleanup_free_ char *text = NULL;
        size_t n;
        FILE *page = open_memstream(&text, &n);

        if (!page) {
                directory_answer_failed(directory, request, -ENOMEM);
                return;
        }
        page_write_head(page, pasted);
        if (*pasted)
                write_results(directory, request, page, pasted);
        page_write_foot(page);
        if (fclose(page) != 0)
                directory_answer_failed(directory, request, -ENOMEM);
        else
                request_answer(request, MHD_HTTP_OK, "text/html; charset=utf-8", text, n, headers);
}

static int add_certificate(Tar *tar, const Record *record) {
        char name[IDENTIFIER_MAX + sizeof(".crt")];
        _cleanup_free_ char *pem = NULL;
        size_t n;
        int r;

        snprintf(name, sizeof(name), "%s.crt", record->id);
        r = pem_from_der(record->der, record->n_der, &pem, &n);
        return r < 0 ? r : tar_add(tar, name, record->added, pem, n);
}

static int add_certificates(Directory *directory, const Request *request, Tar *tar, const char *pasted) {
        static Record record;
        unsigned n_words = 0;
        const char *word;
        size_t n;
        int r = 0;

        while (r >= 0 && (n = page_next_word(&pasted, &word)) > 0 && n_words++ < PAGE_DEVICES_MAX)
                if (look_up(directory, request, word, n, &record) == PAGE_FOUND)
                        r = add_certificate(tar, &record);
        return r < 0 ? r : tar_finish(tar);
}

static void answer_tar(Directory *directory, Request *request, const char *pasted) {
        static const char *const headers[] = {
                MHD_HTTP_HEADER_CONTENT_DISPOSITION,
                "attachment; filename=\"certificates.tar\"",
                MHD_HTTP_HEADER_CACHE_CONTROL,
                "no-store",
                NULL,
        };
        _cleanup_(tar_done) Tar tar = {};

        if (add_certificates(directory, request, &tar, pasted) < 0)
                directory_answer_failed(directory, request, -ENOMEM);
        else
                request_answer(request, MHD_HTTP_OK, "application/x-tar", tar.data, tar.size, headers);
}

/* A page is also a link: /?serials=SN19842256 */
static const char *query(const Request *request) {
        const char *value =
                        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "serials");

        return value ? value : "";
}

static void answer_form(Directory *directory, Request *request) {
        static char pasted[FORM_SIZE_MAX + 1];
        char line[4096];
        int r;

        pasted[0] = '\0';
        if (request_is_read(request)) {
                snprintf(line, sizeof(line), "serials=%s", query(request));
                r = form_get(line, strlen(line), "serials", pasted, sizeof(pasted));
        } else
                r = form_get(request->body, request->n_body, "serials", pasted, sizeof(pasted));
        if (r < 0 && r != -ENOENT)
                request_answer_text(request, MHD_HTTP_BAD_REQUEST, "That is not what the form sends.");
        else if (request->path.kind == PATH_TAR)
                answer_tar(directory, request, pasted);
        else
                answer_page(directory, request, pasted);
}

static void answer_metrics(Directory *directory, Request *request) {
        char text[METRICS_TEXT_MAX];

        if (networks_have(&directory->settings->metrics_networks, request->address))
                request_answer(request, MHD_HTTP_OK, "text/plain; version=0.0.4", text,
                                metrics_format(&directory->metrics, text), NULL);
        else
                request_answer_text(request, MHD_HTTP_NOT_FOUND, "There is nothing here.");
}

static bool takes_form(const Request *request) {
        return request->path.kind == PATH_PAGE || request->path.kind == PATH_TAR;
}

void public_on_head(void *userdata _unused_, Request *request) {
        if (takes_form(request) && strcmp(request->method, MHD_HTTP_METHOD_POST) == 0)
                request->n_max = FORM_SIZE_MAX;
        else if (!request_is_read(request))
                request_answer_method(request, takes_form(request) ? "GET, HEAD, POST" : "GET, HEAD");
}

void public_on_request(void *userdata, Request *request) {
        Directory *directory = userdata;

        switch (request->path.kind) {
        case PATH_PEM:
        case PATH_DER:
        case PATH_JSON:
                answer_certificate(directory, request);
                break;
        case PATH_PAGE:
        case PATH_TAR:
                answer_form(directory, request);
                break;
        case PATH_STYLE:
                answer_cacheable(request, "text/css", page_style, strlen(page_style));
                break;
        case PATH_HEALTH:
                directory_answer_health(directory, request);
                break;
        case PATH_METRICS:
                answer_metrics(directory, request);
                break;
        case PATH_UNKNOWN:
        case PATH_ENROLL:
        case PATH_EST_CACERTS:
        case PATH_EST_ENROLL:
                request_answer_text(request, MHD_HTTP_NOT_FOUND, "There is nothing here.");
                break;
        }
}
