/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A factory in a hurry, for tests of the directory:
 *
 *   enroll-flood enroll URL CA CLIENT LOG FIRST COUNT    sends COUNT devices' certificates, each until it is acknowledged, as
 *                                                        CLIENT.crt; who was is written to LOG, one a line, at once
 *   enroll-flood usurp URL CA CLIENT LOG FIRST COUNT     the same with other keys, until each is refused: 409
 *   enroll-flood verify URL CA - LOG                     asks for all in LOG; each has to have its own key
 *
 * The devices are those of device-maker.h. What is lost on the way (no connection, 5xx) is sent again.
 */

#include "base/cleanup.h"
#include "base/time.h"
#include "tests/device-maker.h"
#include "tpm/openssl.h"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define AT_ONCE 16
#define SECONDS_MAX 600 /* without any answer, in all */
#define RETRY_MSEC 20

typedef struct Transfer {
        CURL *curl;
        char name[32];
        char url[512];
        char *body; /* what is sent */
        char answer[16384];
        size_t n_answer;
} Transfer;

typedef struct Flood {
        const char *command, *url, *ca, *client;
        FILE *log;
        CURLM *multi;
        unsigned long next, end;
        unsigned n_running;
        uint64_t gives_up_at;
        Transfer transfers[AT_ONCE];
} Flood;

static size_t on_data(char *data, size_t size, size_t n, void *userdata) {
        Transfer *transfer = userdata;
        size_t room = sizeof(transfer->answer) - 1 - transfer->n_answer;

        n *= size;
        memcpy(transfer->answer + transfer->n_answer, data, MIN(n, room));
        transfer->n_answer += MIN(n, room);
        transfer->answer[transfer->n_answer] = '\0';
        return n;
}

static bool is_verify(const Flood *flood) {
        return strcmp(flood->command, "verify") == 0;
}

static char *make_body(const Flood *flood, const char *name) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key =
                        device_maker_key(name, strcmp(flood->command, "usurp") == 0);
        _cleanup_(X509_freep) X509 *certificate = device_maker_certificate(name, key);
        char *text = NULL;
        size_t n;
        FILE *file = open_memstream(&text, &n);

        PEM_write_X509(file, certificate);
        fclose(file);
        return text;
}

static void begin(Flood *flood, Transfer *transfer) {
        transfer->n_answer = 0;
        transfer->answer[0] = '\0';
        if (transfer->body)
                curl_easy_setopt(transfer->curl, CURLOPT_POSTFIELDS, transfer->body);
        curl_multi_add_handle(flood->multi, transfer->curl);
}

/* The next device. False when there is none. */
static bool take_next(Flood *flood, Transfer *transfer) {
        if (is_verify(flood)) {
                if (fscanf(flood->log, "%31s", transfer->name) != 1)
                        return false;
        } else if (flood->next == flood->end)
                return false;
        else
                snprintf(transfer->name, sizeof(transfer->name), "LOAD%lu", flood->next++);
        snprintf(transfer->url, sizeof(transfer->url), "%s/certificates/%s%s", flood->url, transfer->name,
                        is_verify(flood) ? ".crt" : "");
        free(transfer->body);
        transfer->body = is_verify(flood) ? NULL : make_body(flood, transfer->name);
        curl_easy_setopt(transfer->curl, CURLOPT_URL, transfer->url);
        begin(flood, transfer);
        flood->n_running++;
        return true;
}

static bool is_own_key(const Transfer *transfer) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = device_maker_key(transfer->name, 0);
        _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(transfer->answer, (int) transfer->n_answer);
        _cleanup_(X509_freep) X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        return certificate && EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1;
}

/* 1 when it is done, 0 to send it again, -1 when the directory has done wrong. */
static int judge(Flood *flood, const Transfer *transfer, CURLcode result) {
        long status = 0;

        curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
        if (result != CURLE_OK || status >= 500)
                return 0;
        if (strcmp(flood->command, "usurp") == 0 && status == 409)
                return 1;
        if (strcmp(flood->command, "usurp") != 0 && (status == 200 || status == 201) &&
                        is_own_key(transfer)) {
                if (!is_verify(flood) &&
                                (fprintf(flood->log, "%s\n", transfer->name) < 0 || fflush(flood->log) != 0))
                        return -1;
                return 1;
        }
        fprintf(stderr, "%s: answered %ld\n%s\n", transfer->name, status, transfer->answer);
        return -1;
}

static int on_done(Flood *flood, CURL *curl, CURLcode result) {
        Transfer *transfer;
        int r;

        curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **) &transfer);
        curl_multi_remove_handle(flood->multi, curl);
        r = judge(flood, transfer, result);
        if (r < 0)
                return r;
        if (r == 0) {
                poll(NULL, 0, RETRY_MSEC); /* the server is down; this is how soon a station would ask again, and no wait for it */
                begin(flood, transfer);
                return 0;
        }
        flood->gives_up_at = time_now_boottime() + SECONDS_MAX * USEC_PER_SEC;
        flood->n_running--;
        take_next(flood, transfer);
        return 0;
}

static void open_transfer(Flood *flood, Transfer *transfer) {
        CURL *curl = transfer->curl = curl_easy_init();
        char path[512];

        curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer);
        curl_easy_setopt(curl, CURLOPT_CAINFO, flood->ca);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        if (is_verify(flood))
                return;
        snprintf(path, sizeof(path), "%s.crt", flood->client);
        curl_easy_setopt(curl, CURLOPT_SSLCERT, path);
        snprintf(path, sizeof(path), "%s.key", flood->client);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, path);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
}

static int run(Flood *flood) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
                open_transfer(flood, flood->transfers + i);
                take_next(flood, flood->transfers + i);
        }
        while (flood->n_running > 0) {
                int n_running, n_left;
                CURLMsg *message;

                curl_multi_perform(flood->multi, &n_running);
                while ((message = curl_multi_info_read(flood->multi, &n_left)))
                        if (on_done(flood, message->easy_handle, message->data.result) < 0)
                                return EXIT_FAILURE;
                if (time_now_boottime() > flood->gives_up_at) {
                        fprintf(stderr, "no answer for %d s\n", SECONDS_MAX);
                        return EXIT_FAILURE;
                }
                curl_multi_poll(flood->multi, NULL, 0, 100, NULL);
        }
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        static Flood flood;
        int status;

        if (argc != 6 && argc != 8) {
                fprintf(stderr, "usage: enroll-flood enroll|usurp|verify URL CA CLIENT LOG [FIRST COUNT]\n");
                return EXIT_FAILURE;
        }
        flood.command = argv[1];
        flood.url = argv[2];
        flood.ca = argv[3];
        flood.client = argv[4];
        flood.log = fopen(argv[5], is_verify(&flood) ? "re" : "ae");
        flood.next = argc == 8 ? strtoul(argv[6], NULL, 10) : 0;
        flood.end = flood.next + (argc == 8 ? strtoul(argv[7], NULL, 10) : 0);
        flood.gives_up_at = time_now_boottime() + SECONDS_MAX * USEC_PER_SEC;
        curl_global_init(CURL_GLOBAL_DEFAULT);
        flood.multi = curl_multi_init();
        if (!flood.log || !flood.multi)
                return EXIT_FAILURE;
        status = run(&flood);
        for (unsigned i = 0; i < AT_ONCE; i++) {
                curl_easy_cleanup(flood.transfers[i].curl);
                free(flood.transfers[i].body);
        }
        curl_multi_cleanup(flood.multi);
        fclose(flood.log);
        return status;
}
