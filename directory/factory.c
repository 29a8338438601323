/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The factory's side (RFC 8886, section 3.1: *the directory server should only accept certificates that are from the manufacturing
 * facility*): who is let in has a certificate of the factory's CA, for clients, with one of the roles in its OU, and an address of its networks.
 */

#include "base/text.h"
#include "base/time.h"
#include "directory/audit.h"
#include "directory/directory.h"
#include "directory/pem.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <string.h>

#define SUBJECT_MAX 256
#define ROLES_MAX 8

/* Who has sent a request. */
typedef struct Client {
        char subject[SUBJECT_MAX];
        char from[ADDRESS_TEXT_MAX];
        bool may_enroll, may_replace;
} Client;

bool factory_may_connect(void *userdata, const uint8_t address[static 16]) {
        const Directory *directory = userdata;
        char from[ADDRESS_TEXT_MAX];

        if (directory->settings->factory_networks.n == 0 ||
                        networks_have(&directory->settings->factory_networks, address))
                return true;
        audit_log(&(Audit){ .from = address_format(from, address),
                        .why = "the address is none of the factory's" });
        return false;
}

static void read_roles(const Settings *settings, gnutls_x509_crt_t certificate, Client *client) {
        for (unsigned i = 0; i < ROLES_MAX; i++) {
                char role[SUBJECT_MAX];
                size_t n = sizeof(role);

                if (gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, i,
                                    0, role, &n) < 0)
                        break;
                if (strlen(role) != n)
                        continue; /* a NUL in it */
                client->may_replace = client->may_replace || words_have(&settings->replace_roles, role);
                client->may_enroll = client->may_enroll || words_have(&settings->enroll_roles, role);
        }
        client->may_enroll = client->may_enroll || client->may_replace;
}

static int read_certificate(const Settings *settings, gnutls_session_t session, Client *client) {
        const gnutls_datum_t *chain;
        gnutls_x509_crt_t certificate;
        size_t n = sizeof(client->subject);
        unsigned n_chain = 0;
        int r = -EBADMSG;

        chain = gnutls_certificate_get_peers(session, &n_chain);
        if (!chain || n_chain == 0)
                return -ENOENT;
        if (gnutls_x509_crt_init(&certificate) < 0)
                return -ENOMEM;
        if (gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER) >= 0 &&
                        gnutls_x509_crt_get_dn(certificate, client->subject, &n) >= 0) {
                read_roles(settings, certificate, client);
                r = 0;
        }
        gnutls_x509_crt_deinit(certificate);
        return r;
}

/* NULL when all is well, else why not. */
static const char *identify(const Settings *settings, const Request *request, Client *client) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID,
                (unsigned char *) GNUTLS_KP_TLS_WWW_CLIENT, 0 };
        unsigned status = 0;
        int r;

        address_format(client->from, request->address);
        if (!info)
                return "no TLS";
        r = read_certificate(settings, info->tls_session, client);
        if (r == -ENOENT)
                return "no client certificate";
        if (r < 0)
                return "the client certificate cannot be read";
        if (gnutls_certificate_verify_peers(info->tls_session, &purpose, 1, &status) < 0)
                return "the client certificate cannot be verified";
        if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
                return "the client certificate has expired, or is not valid yet";
        if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
                return "the client certificate is not for TLS clients";
        if (status != 0)
                return "the client certificate is not of the factory's CA";
        return client->may_enroll ? NULL : "the client certificate has none of the roles that may enroll";
}

/* Refuses, counts and writes it down. `status` is of HTTP. */
static void refuse(Directory *directory, Request *request, const Client *client, unsigned status,
                const Audit *more, const char *why) {
        Audit audit = more ? *more : (Audit){};

        audit.id = audit.id ? audit.id : request->path.id[0] ? request->path.id : request->url;
        audit.by = client->subject[0] ? client->subject : NULL;
        audit.from = client->from;
        audit.why = why;
        audit_log(&audit);
        metrics_count(&directory->metrics, COUNTER_REFUSED);
        request_answer_text(request, status, why);
}

/* Before a byte of a body is taken: from whom it comes, and whether there is anything to be done with it. */
void factory_on_head(void *userdata, Request *request) {
        Directory *directory = userdata;
        Client *client;
        const char *why;

        if (request->path.kind == PATH_HEALTH)
                return;
        client = request->client = calloc(1, sizeof(*client));
        if (!client) {
                directory_answer_failed(directory, request, -ENOMEM);
                return;
        }
        why = identify(directory->settings, request, client);
        if (why) {
                refuse(directory, request, client, MHD_HTTP_FORBIDDEN, NULL, why);
                return;
        }
        switch (request->path.kind) {
        case PATH_ENROLL:
                if (strcmp(request->method, MHD_HTTP_METHOD_PUT) == 0)
                        request->n_max = SUBMISSION_SIZE_MAX;
                else
                        request_answer_method(request, "PUT");
                break;
        case PATH_EST_ENROLL:
                if (strcmp(request->method, MHD_HTTP_METHOD_POST) == 0)
                        request->n_max = SUBMISSION_SIZE_MAX;
                else
                        request_answer_method(request, "POST");
                break;
        case PATH_EST_CACERTS:
                if (!request_is_read(request))
                        request_answer_method(request, "GET, HEAD");
                break;
        case PATH_UNKNOWN:
                refuse(directory, request, client, MHD_HTTP_NOT_FOUND, NULL,
                                "there is nothing of this name, or it is no identifier of a device");
                break;
        case PATH_PAGE:
        case PATH_STYLE:
        case PATH_PEM:
        case PATH_DER:
        case PATH_JSON:
        case PATH_TAR:
        case PATH_HEALTH:
        case PATH_METRICS:
                request_answer_text(request, MHD_HTTP_NOT_FOUND, "That is on the public side.");
                break;
        }
}

static void answer_est(Directory *directory, Request *request, const Record *stored) {
        static const char *const headers[] = { "Content-Transfer-Encoding", "base64", NULL };
        _cleanup_free_ char *text = NULL;
        size_t n;

        if (authority_wrap_certificate(stored->der, stored->n_der, &text, &n) < 0)
                directory_answer_failed(directory, request, -ENOMEM);
        else /* RFC 7030, section 4.2.3 */
                request_answer(request, MHD_HTTP_OK, "application/pkcs7-mime; smime-type=certs-only", text,
                                n, headers);
}

static void answer_stored(
                Directory *directory, Request *request, StoreOutcome outcome, const Record *stored) {
        char location[IDENTIFIER_MAX + 32];
        const char *const headers[] = { MHD_HTTP_HEADER_LOCATION, location, MHD_HTTP_HEADER_CACHE_CONTROL,
                "no-store", NULL };
        _cleanup_free_ char *pem = NULL;
        size_t n;

        snprintf(location, sizeof(location), "/certificates/%s.crt", stored->id);
        if (request->path.kind == PATH_EST_ENROLL)
                answer_est(directory, request, stored);
        else if (pem_from_der(stored->der, stored->n_der, &pem, &n) < 0)
                directory_answer_failed(directory, request, -ENOMEM);
        else
                request_answer(request, outcome == STORE_ADDED ? MHD_HTTP_CREATED : MHD_HTTP_OK,
                                "application/x-pem-file", pem, n, headers);
}

static const char *outcome_why(StoreOutcome outcome) {
        switch (outcome) {
        case STORE_ADDED:
                return "new";
        case STORE_SAME:
                return "known already, with the same key";
        case STORE_REPLACED:
                return "replaces another key, which is kept as history";
        case STORE_CONFLICT:
                break;
        }
        return "another key is known for this device, and this client may not replace it";
}

static Counter outcome_counter(StoreOutcome outcome) {
        switch (outcome) {
        case STORE_ADDED:
                return COUNTER_ADDED;
        case STORE_SAME:
                return COUNTER_SAME;
        case STORE_REPLACED:
                return COUNTER_REPLACED;
        case STORE_CONFLICT:
                break;
        }
        return COUNTER_CONFLICT;
}

static unsigned status_of(int error) {
        switch (error) {
        case -EBADMSG:
                return MHD_HTTP_BAD_REQUEST;
        case -EPERM:
                return MHD_HTTP_UNPROCESSABLE_CONTENT;
        case -EOPNOTSUPP:
                return MHD_HTTP_NOT_IMPLEMENTED;
        default: /* any other errno */
                return MHD_HTTP_INTERNAL_SERVER_ERROR;
        }
}

static void store(Directory *directory, Request *request, const Client *client, const Record *record,
                const Audit *about) {
        char hex[2 * STORE_FINGERPRINT_SIZE + 1];
        static Record stored;
        Audit audit = *about;
        int r;

        r = store_put(directory->store, record, client->subject, client->may_replace, &stored);
        if (r < 0) {
                directory_answer_failed(directory, request, r);
                return;
        }
        audit.id = record->id;
        audit.fingerprint = text_hex(hex, record->fingerprint, sizeof(record->fingerprint));
        metrics_count(&directory->metrics, outcome_counter((StoreOutcome) r));
        if (r == STORE_CONFLICT) {
                audit.by = client->subject;
                audit.from = client->from;
                audit.why = outcome_why(STORE_CONFLICT);
                audit_log(&audit);
                request_answer_text(request, MHD_HTTP_CONFLICT, audit.why);
                return;
        }
        audit.accepted = true;
        audit.by = client->subject;
        audit.from = client->from;
        audit.why = outcome_why((StoreOutcome) r);
        audit_log(&audit);
        answer_stored(directory, request, (StoreOutcome) r, &stored);
}

static void enroll(Directory *directory, Request *request) {
        const SubmissionRules rules = { &directory->settings->policy, directory->authority,
                directory->issuers };
        char type[SUBMISSION_TYPE_MAX], reason[SUBMISSION_REASON_MAX];
        const Client *client = request->client;
        static Record record;
        SubmissionKind kind;
        Audit audit = {};
        int r;

        record = (Record){ .added = time_now_realtime() / USEC_PER_SEC };
        r = submission_parse(&rules, request->path.id, request->body, request->n_body, &record, &kind, type,
                        reason);
        audit.kind = kind < _SUBMISSION_KIND_MAX ? submission_kind_to_string(kind) : NULL;
        audit.type = type[0] ? type : NULL;
        if (r < 0) {
                audit.id = record.id[0] ? record.id : NULL;
                refuse(directory, request, client, status_of(r), &audit, reason);
        } else
                store(directory, request, client, &record, &audit);
}

static void answer_cacerts(Directory *directory, Request *request) {
        static const char *const headers[] = { "Content-Transfer-Encoding", "base64", NULL };
        _cleanup_free_ char *text = NULL;
        size_t n;

        if (!directory->authority)
                request_answer_text(request, MHD_HTTP_NOT_FOUND, "There is no [Authority] here.");
        else if (authority_get_cacerts(directory->authority, &text, &n) < 0)
                directory_answer_failed(directory, request, -ENOMEM);
        else
                request_answer(request, MHD_HTTP_OK, "application/pkcs7-mime", text, n, headers);
}

void factory_on_request(void *userdata, Request *request) {
        Directory *directory = userdata;

        switch (request->path.kind) {
        case PATH_ENROLL:
        case PATH_EST_ENROLL:
                enroll(directory, request);
                break;
        case PATH_EST_CACERTS:
                answer_cacerts(directory, request);
                break;
        case PATH_HEALTH:
                directory_answer_health(directory, request);
                break;
        case PATH_UNKNOWN:
        case PATH_PAGE:
        case PATH_STYLE:
        case PATH_PEM:
        case PATH_DER:
        case PATH_JSON:
        case PATH_TAR:
        case PATH_METRICS:
                break; /* answered before */
        }
}
