/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/identity-source.h"
#include "agent/keyring.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define NAME_TEXT_MAX (4 * CERTIFICATE_NAME_MAX + sizeof("..."))

DEFINE_CLEANUP(X509_REQ, X509_REQ_free)

typedef struct Request {
        const Config *config;
        KeyringSlot slot;
        const char *type; /* NULL: [Key] Type= */
        bool json, yes, saved_identity;
} Request;

/* A slot as far as it could be opened. */
typedef struct Opened {
        Tpm *tpm;
        Certificate *certificate;
        TpmKey *key; /* NULL: see `reason` */
        char reason[TPM_REASON_MAX];
} Opened;

static void opened_done(Opened *opened) {
        tpm_key_free(opened->key);
        certificate_free(opened->certificate);
        tpm_free(opened->tpm);
}

/* 0 or an exit status. */
static int open_tpm(const Request *request, Opened *opened) {
        if (!opened->tpm && tpm_open(request->config->tcti, &opened->tpm, opened->reason) < 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s", opened->reason);
        return 0;
}

/* -ENOENT: the slot is empty. Of other errors `reason` tells. */
static int open_slot(const Request *request, KeyringSlot slot, Opened *opened) {
        int r;

        r = keyring_load(request->config, slot, &opened->tpm, opened->reason, &opened->certificate);
        if (r < 0)
                return r;
        r = opened->tpm ? 0 : tpm_open(request->config->tcti, &opened->tpm, opened->reason);
        return r < 0 ? r
                     : keyring_open(request->config, slot, opened->tpm, opened->certificate, opened->reason,
                                       &opened->key);
}

/* What keeps the key from decrypting, or NULL. */
static const char *trouble(const Opened *opened) {
        return opened->key ? tpm_key_get_refusal(opened->key) : opened->reason;
}

/* Its certificate may be anybody's: of the directory, of the TPM, of another file. */
static const char *format_name(char text[static NAME_TEXT_MAX], const Opened *opened) {
        char name[CERTIFICATE_NAME_MAX + 1];

        certificate_get_name(opened->certificate, name);
        return text_escape(text, NAME_TEXT_MAX, name, strlen(name));
}

static void print_slot(const Request *request, KeyringSlot slot, const Opened *opened) {
        char name[NAME_TEXT_MAX], text[CERTIFICATE_FINGERPRINT_TEXT] = "", where[PATH_MAX];
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        const char *reason = trouble(opened);
        const uint8_t *public;
        TpmKeyType type;
        size_t n;

        public = certificate_get_public(opened->certificate, &n);
        if (certificate_fingerprint(public, n, fingerprint) >= 0)
                certificate_format_fingerprint(text, fingerprint);
        printf("Slot:        %s\n", keyring_slot_to_string(slot));
        printf("Type:        %s\n",
                        certificate_get_type(opened->certificate, &type) < 0 ? "unknown"
                                                                             : tpm_key_type_to_string(type));
        printf("Name:        %s\n", format_name(name, opened));
        printf("Fingerprint: %s\n", text);
        printf("Certificate: %s\n", keyring_where(request->config, slot, where));
        printf("State:       %s\n", reason ? reason : "ready");
}

static json_t *slot_to_json(const Request *request, KeyringSlot slot, const Opened *opened) {
        char name[NAME_TEXT_MAX], hex[2 * CERTIFICATE_FINGERPRINT_SIZE + 1] = "", where[PATH_MAX];
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        const char *reason = trouble(opened);
        const uint8_t *public;
        TpmKeyType type;
        size_t n;

        public = certificate_get_public(opened->certificate, &n);
        if (certificate_fingerprint(public, n, fingerprint) >= 0)
                text_hex(hex, fingerprint, sizeof(fingerprint));
        return json_pack("{s:s, s:s?, s:s, s:s, s:s, s:b, s:s?}", "slot", keyring_slot_to_string(slot),
                        "type",
                        certificate_get_type(opened->certificate, &type) < 0 ? NULL
                                                                             : tpm_key_type_to_string(type),
                        "name", format_name(name, opened), "fingerprint", hex, "certificate",
                        keyring_where(request->config, slot, where), "ready", reason == NULL, "reason",
                        reason);
}

static int print_json(json_t *value) {
        _cleanup_free_ char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;

        json_decref(value);
        if (!text)
                return sdictl_fail(EX_OSERR, "out of memory");
        puts(text);
        return EXIT_SUCCESS;
}

static int fail_empty(KeyringSlot slot) {
        switch (slot) {
        case KEYRING_DEVICE:
                return sdictl_fail(
                                EX_UNAVAILABLE, "this device has no key yet; `sdictl key create` makes one");
        case KEYRING_OPERATOR:
                return sdictl_fail(EX_UNAVAILABLE,
                                "there is no operator's key; `sdictl key create --slot=operator` makes one");
        case KEYRING_HANDLE:
        case _KEYRING_SLOT_MAX:
                break;
        }
        return sdictl_fail(EX_UNAVAILABLE, "[Key] Handle= and Certificate= are not set in sdi.conf");
}

static int list(const Request *request) {
        json_t *array = json_array();
        unsigned n = 0;

        for (KeyringSlot slot = 0; slot < _KEYRING_SLOT_MAX; slot++) {
                _cleanup_(opened_done) Opened opened = {};

                if (open_slot(request, slot, &opened) == -ENOENT && !opened.certificate)
                        continue;
                if (!opened.certificate) {
                        fprintf(stderr, "sdictl key: slot %s: %s\n", keyring_slot_to_string(slot),
                                        opened.reason);
                        continue;
                }
                if (request->json)
                        json_array_append_new(array, slot_to_json(request, slot, &opened));
                else {
                        fputs(n > 0 ? "\n" : "", stdout);
                        print_slot(request, slot, &opened);
                }
                n++;
        }
        if (request->json)
                return print_json(array);
        json_decref(array);
        return n > 0 ? EXIT_SUCCESS : fail_empty(KEYRING_DEVICE);
}

static int show(const Request *request) {
        _cleanup_(opened_done) Opened opened = {};

        if (open_slot(request, request->slot, &opened) == -ENOENT && !opened.certificate)
                return fail_empty(request->slot);
        if (!opened.certificate)
                return sdictl_fail(EX_UNAVAILABLE, "%s", opened.reason);
        if (request->json)
                print_json(slot_to_json(request, request->slot, &opened));
        else
                print_slot(request, request->slot, &opened);
        return opened.key ? EXIT_SUCCESS : EX_UNAVAILABLE;
}

static int print_certificate(const Request *request) {
        _cleanup_(opened_done) Opened opened = {};
        _cleanup_free_ char *pem = NULL;
        int r;

        r = keyring_load(request->config, request->slot, &opened.tpm, opened.reason, &opened.certificate);
        if (r == -ENOENT)
                return fail_empty(request->slot);
        if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s", opened.reason);
        if (certificate_to_pem(opened.certificate, &pem) < 0)
                return sdictl_fail(EX_OSERR, "out of memory");
        fputs(pem, stdout);
        return EXIT_SUCCESS;
}

static void on_skip(const char *line) {
        fprintf(stderr, "sdictl key: %s\n", line);
}

/* The serial number that the key is to be known by; 0 or an exit status. */
static int read_serial(const Request *request, Identity *ret) {
        int r = request->saved_identity ? sdictl_saved_identity(ret)
                                        : identity_read(request->config, "/", on_skip, ret);

        if (r > 0)
                return r;
        if (r < 0 || !ret->serial[0])
                return sdictl_fail(EX_UNAVAILABLE,
                                "this device has no serial number; see [Identity] in sdi.conf(5)");
        return 0;
}

/* The key that a slot is to have a certificate of; 0 or an exit status. */
static int make_key(const Request *request, Opened *opened) {
        TpmKeyType type;
        int r;

        r = open_tpm(request, opened);
        if (r != 0)
                return r;
        if (request->slot == KEYRING_HANDLE)
                r = tpm_key_open_handle(opened->tpm, request->config->key_handle, &opened->key);
        else {
                r = tpm_key_type_from_string(
                                request->type ? request->type : request->config->key_type, &type);
                if (r < 0)
                        return sdictl_fail(EX_USAGE, "\"%s\" is none of rsa2048, rsa3072, p256, p384",
                                        request->type);
                r = tpm_key_make(opened->tpm, keyring_tpm_slot(request->slot), type, &opened->key);
        }
        return r < 0 ? sdictl_fail(EX_UNAVAILABLE, "%s", tpm_reason(opened->tpm)) : 0;
}

/*
 * Made once, at the first power-on in the factory. Again it is the same key and, as long as the serial number is, the same
 * certificate: what has been published stays good.
 */
static int create(const Request *request) {
        _cleanup_(opened_done) Opened opened = {};
        Identity identity;
        int r;

        if (request->slot == KEYRING_HANDLE)
                return sdictl_fail(EX_USAGE, "the key of Handle= was made elsewhere");
        r = read_serial(request, &identity);
        if (r != 0)
                return r;
        r = make_key(request, &opened);
        if (r != 0)
                return r;
        if (tpm_key_persist(opened.key) < 0)
                fprintf(stderr, "sdictl key: no persistent copy, the key is made again for each use: %s\n",
                                tpm_reason(opened.tpm));
        r = keyring_make(request->config, request->slot, opened.tpm, opened.key, identity.serial,
                        opened.reason, &opened.certificate);
        if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s", opened.reason);
        r = keyring_save(request->config, request->slot, opened.certificate, opened.reason);
        if (r < 0)
                return sdictl_fail(EX_CANTCREAT, "%s", opened.reason);
        if (keyring_keep(request->slot, opened.tpm, opened.certificate) < 0)
                fprintf(stderr, "sdictl key: no copy of the certificate in the TPM: %s\n",
                                tpm_reason(opened.tpm));
        if (request->json)
                return print_json(slot_to_json(request, request->slot, &opened));
        print_slot(request, request->slot, &opened);
        return EXIT_SUCCESS;
}

static int print_request(const Request *request) {
        _cleanup_(X509_REQ_freep) X509_REQ *made = NULL;
        _cleanup_(opened_done) Opened opened = {};
        _cleanup_free_ char *pem = NULL;
        Identity identity;
        int r;

        r = read_serial(request, &identity);
        if (r != 0)
                return r;
        /* Of the key that is there, of whichever type; of another one only where there is none. */
        r = open_slot(request, request->slot, &opened);
        if (r == -ENOENT && !opened.certificate) {
                r = make_key(request, &opened);
                if (r != 0)
                        return r;
        } else if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s", opened.reason);
        r = certificate_make_request(opened.key, identity.serial, &made);
        if (r >= 0)
                r = certificate_request_to_pem(made, &pem);
        if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "cannot make the certificate request: %s", strerror(-r));
        fputs(pem, stdout);
        return EXIT_SUCCESS;
}

static int remove_key(const Request *request) {
        const char *slot = keyring_slot_to_string(request->slot);
        char reason[TPM_REASON_MAX];
        int r;

        if (request->slot == KEYRING_HANDLE)
                return sdictl_fail(
                                EX_USAGE, "the key of Handle= was made elsewhere, and is not removed here");
        if (!request->yes)
                return sdictl_fail(EX_USAGE,
                                "files encrypted to this key cannot be installed then, until `sdictl key create --slot=%s "
                                "--type=...` makes the same key again; if that is meant, say --yes",
                                slot);
        r = keyring_remove(request->config, request->slot, reason);
        if (r == -ENOENT)
                return fail_empty(request->slot);
        return r < 0 ? sdictl_fail(EX_UNAVAILABLE, "%s", reason) : EXIT_SUCCESS;
}

static int parse(int argc, char **argv, Request *request) {
        static const struct option options[] = {
                { "slot", required_argument, NULL, 's' },
                { "type", required_argument, NULL, 't' },
                { "json", no_argument, NULL, 'j' },
                { "yes", no_argument, NULL, 'y' },
                { "saved-identity", no_argument, NULL, 'i' },
                { NULL, 0, NULL, 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 's':
                        if (keyring_slot_from_string(optarg, &request->slot) < 0)
                                return sdictl_fail(EX_USAGE, "\"%s\" is none of device, operator, handle",
                                                optarg);
                        break;
                case 't':
                        request->type = optarg;
                        break;
                case 'j':
                        request->json = true;
                        break;
                case 'y':
                        request->yes = true;
                        break;
                case 'i':
                        request->saved_identity = true;
                        break;
                default:
                        return EX_USAGE;
                }
        return 0;
}

int sdictl_key(const Config *config, int argc, char **argv) {
        static const struct {
                const char *name;
                int (*run)(const Request *request);
        } verbs[] = {
                { "list", list },
                { "create", create },
                { "show", show },
                { "certificate", print_certificate },
                { "request", print_request },
                { "remove", remove_key },
        };
        Request request = { .config = config, .slot = KEYRING_DEVICE };
        int r;

        r = parse(argc, argv, &request);
        if (r != 0)
                return r;
        if (optind + 1 != argc)
                return sdictl_fail(EX_USAGE, "one of list, create, show, certificate, request, remove");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].name, argv[optind]) == 0)
                        return verbs[i].run(&request);
        return sdictl_fail(EX_USAGE, "\"%s\" is none of list, create, show, certificate, request, remove",
                        argv[optind]);
}
