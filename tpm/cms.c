/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms.h"

#include "tpm/base64.h"
#include "tpm/cms-agreement.h"
#include "tpm/cms-cipher.h"
#include "tpm/cms-recipient.h"
#include "tpm/cms-report.h"
#include "tpm/cms-transport.h"
#include "tpm/openssl.h"
#include "tpm/plaintext.h"
#include "tpm/secret.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* The order matters: all that can be seen without the key is checked before the key is used. */
typedef struct Reader {
        const CmsKey *keys;
        size_t n_keys;
        CmsFlags flags;
        CmsReport *report;
        Cursor file;         /* BER, in the input, or decoded from base64 into `plaintext` */
        Plaintext plaintext; /* first the file's bytes, then the content */
        CmsOutline outline;
        CmsCipher cipher;
        CmsRecipient recipient;
        bool decrypted; /* `plaintext` holds the content, whatever it is worth */
} Reader;

static void reader_done(Reader *reader) {
        plaintext_done(&reader->plaintext);
        cms_cipher_done(&reader->cipher);
        cms_recipient_done(&reader->recipient);
}

static int open_plaintext(Reader *reader, size_t capacity) {
        int r = plaintext_open(capacity, &reader->plaintext);

        return r == -ENOMEM
                        ? cms_refuse(reader->report, r,
                                          "cannot lock %zu bytes of memory; raise LimitMEMLOCK=", capacity)
                        : r;
}

static int decode(Reader *reader, const Envelope *envelope) {
        size_t size;
        int r;

        /* OpenSSL counts in int. */
        if (envelope->body.left > INT_MAX)
                return cms_refuse(reader->report, -E2BIG, "the file is too large");
        if (!envelope->base64) {
                reader->file = envelope->body;
                return 0;
        }
        r = open_plaintext(reader, BASE64_DECODED_MAX(envelope->body.left));
        if (r < 0)
                return r;
        if (base64_decode(envelope->body, reader->plaintext.data, &size) < 0)
                return cms_refuse(reader->report, -EBADMSG, "malformed base64");
        reader->file = CURSOR(reader->plaintext.data, size);
        return 0;
}

/*
 * Moves the pieces of the encrypted content to the start of the plaintext's memory, one after the other. When the file is
 * in that same memory each piece moves to the left, behind what was read already.
 */
static void gather(Reader *reader) {
        BerString pieces = reader->outline.content;
        uint8_t *p = reader->plaintext.data;
        Cursor piece;

        while (ber_string_next(&pieces, &piece) > 0) {
                memmove(p, piece.p, piece.left);
                p += piece.left;
        }
}

/* The content's key, or a random one with *ret_good zero. */
static int unwrap(Reader *reader, Secret *ret_key, uint32_t *ret_good) {
        const CmsRecipient *recipient = &reader->recipient;
        const CmsKey *key = &reader->keys[recipient->key];

        return recipient->transport
                        ? cms_transport_unwrap(recipient->transport, key, ret_key->data, ret_key->size,
                                          ret_good, reader->report)
                        : cms_agreement_unwrap(recipient->agreement, recipient->encrypted_key, key,
                                          ret_key->data, ret_key->size, ret_good, reader->report);
}

static int decrypt(Reader *reader, size_t *ret_size) {
        _cleanup_secret_ Secret *key = NULL;
        uint32_t good;
        int r;

        r = secret_new(reader->cipher.key_size, &key);
        if (r < 0)
                return r;
        r = unwrap(reader, key, &good);
        if (r < 0)
                return r;
        if (!reader->plaintext.data) {
                r = open_plaintext(reader, reader->outline.content_size);
                if (r < 0)
                        return r;
        }
        gather(reader);
        r = cms_cipher_decrypt(&reader->cipher, key->data, reader->plaintext.data,
                        reader->outline.content_size, ret_size, reader->report);
        if (r < 0 && r != -EKEYREJECTED)
                return r;
        reader->decrypted = true;
        if (!good)
                snprintf(reader->report->detail, sizeof(reader->report->detail),
                                "the encrypted key is wrong");
        if (!good || r < 0)
                return cms_refuse(reader->report, -EKEYREJECTED,
                                "cannot be decrypted: damaged, or not made with this device's certificate");
        return 0;
}

static bool keeps_rejected(const Reader *reader) {
        return (reader->flags & CMS_KEEP_REJECTED) && !reader->report->authenticated;
}

/* One layer only: an envelope within an envelope is nothing that a device could install. */
static int check_content(Reader *reader, size_t size) {
        char reason[ENVELOPE_REASON_MAX];
        Envelope inner;

        if (envelope_detect(reader->plaintext.data, size, &inner, reason) >= 0 &&
                        inner.kind != ENVELOPE_PLAIN)
                return cms_refuse(reader->report, -EOPNOTSUPP,
                                "encrypted or signed twice; encrypt it once only");
        return 0;
}

/* Returns `error`, or an error of the system. */
static int keep_rejected(Reader *reader, int error, int *ret_fd) {
        int r = 0;

        if (reader->decrypted && keeps_rejected(reader))
                r = plaintext_seal(&reader->plaintext, reader->outline.content_size, ret_fd);
        return r < 0 ? r : error;
}

static int read_file(Reader *reader, const Envelope *envelope, int *ret_fd) {
        size_t size;
        int r;

        if (envelope->kind == ENVELOPE_PLAIN)
                return cms_refuse(reader->report, -EBADMSG, "not encrypted");
        r = decode(reader, envelope);
        if (r >= 0)
                r = cms_outline_parse(reader->file, &reader->outline, reader->report);
        if (r >= 0)
                r = cms_cipher_parse(&reader->outline, reader->flags, &reader->cipher, reader->report);
        if (r >= 0)
                r = cms_recipient_find(reader->outline.recipients, reader->keys, reader->n_keys,
                                &reader->recipient, reader->report);
        if (r >= 0)
                r = decrypt(reader, &size);
        if (r >= 0)
                r = check_content(reader, size);
        if (r >= 0 && size == 0 && keeps_rejected(reader))
                r = cms_refuse(reader->report, -ENODATA,
                                "the file is encrypted, and what is in it is empty");
        if (r < 0)
                return keep_rejected(reader, r, ret_fd);

        reader->report->key = reader->recipient.key;
        return plaintext_seal(&reader->plaintext, size, ret_fd);
}

int cms_decrypt(const Envelope *envelope, const CmsKey *keys, size_t n_keys, CmsFlags flags, int *ret_fd,
                CmsReport *report) {
        _cleanup_(reader_done) Reader reader = {
                .keys = keys,
                .n_keys = n_keys,
                .flags = flags,
                .report = report,
                .plaintext = PLAINTEXT_NONE,
        };
        int r;

        *report = (CmsReport){};
        r = read_file(&reader, envelope, ret_fd);
        if (r < 0 && !report->reason[0])
                cms_refuse(report, r, "%s", r == -EBADMSG ? "malformed CMS" : strerror(-r));
        return r;
}
