/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/envelope.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tpm/base64.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* CUT: the file ends before it can be told, and up to there it fits. */
typedef enum Match {
        MATCH_NO,
        MATCH_YES,
        MATCH_CUT,
} Match;

static const char *const kinds[] = {
        [ENVELOPE_PLAIN] = "plain",
        [ENVELOPE_PEM] = "PEM",
        [ENVELOPE_SMIME] = "S/MIME",
        [ENVELOPE_DER] = "DER",
        [ENVELOPE_BASE64] = "base64",
};
static_assert(ELEMENTSOF(kinds) == _ENVELOPE_KIND_MAX, "every kind has a name");

const char *envelope_kind_to_string(EnvelopeKind kind) {
        return kinds[kind];
}

static int broken(char reason[static ENVELOPE_REASON_MAX], const char *text) {
        snprintf(reason, ENVELOPE_REASON_MAX, "%s", text);
        return -EBADMSG;
}

static bool is_blank(uint8_t byte) {
        return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void skip(Cursor *text, size_t n) {
        const uint8_t *p;

        (void) cursor_take(text, n, &p);
}

static void skip_blanks(Cursor *text) {
        while (text->left > 0 && is_blank(text->p[0]))
                skip(text, 1);
}

/* Takes `literal` when the text begins with it. */
static Match take_literal(Cursor *text, const char *literal) {
        size_t n = strlen(literal);

        if (memcmp(text->p, literal, MIN(n, text->left)) != 0)
                return MATCH_NO;
        if (text->left < n)
                return MATCH_CUT;
        skip(text, n);
        return MATCH_YES;
}

/*
 * ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, ... } with a content type from PKCS #7 (1.2.840.113549.1.7) or
 * S/MIME (1.2.840.113549.1.9.16.1); id-ct-authEnvelopedData is one of the latter.
 */
static Match match_der(Cursor data) {
        static const char pkcs7[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07",
                          smime[] = "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01";
        const uint8_t *p;
        uint8_t byte;
        Match match;

        if (cursor_u8(&data, &byte) < 0)
                return MATCH_CUT;
        if (byte != 0x30)
                return MATCH_NO;
        if (cursor_u8(&data, &byte) < 0)
                return MATCH_CUT;
        if (byte > 0x80 + sizeof(uint64_t))
                return MATCH_NO;
        if (byte > 0x80 && cursor_take(&data, byte & 0x7f, &p) < 0)
                return MATCH_CUT;

        match = take_literal(&data, pkcs7);
        return match == MATCH_NO ? take_literal(&data, smime) : match;
}

/* The same in base64: as many whole groups of digits as hold the longest magic. */
static Match match_base64(Cursor text) {
        uint8_t digits[32], data[BASE64_DECODED_MAX(sizeof(digits))];
        size_t n_digits = 0, n;

        if (text.left == 0 || text.p[0] != 'M') /* a SEQUENCE */
                return MATCH_NO;
        while (n_digits < sizeof(digits) && cursor_u8(&text, &digits[n_digits]) >= 0)
                if (!is_blank(digits[n_digits]))
                        n_digits++;
        if (base64_decode(CURSOR(digits, n_digits / 4 * 4), data, &n) < 0)
                return MATCH_NO;
        return match_der(CURSOR(data, n));
}

/* A BEGIN line with one of our labels, also one with too few dashes: that is an envelope, though a broken one. */
static Match match_pem(Cursor text, const char **ret_label) {
        static const char *const labels[] = { "PKCS7", "CMS", "ENCRYPTED MESSAGE" };
        bool dashes = false;
        Match match;

        for (; text.left > 0 && text.p[0] == '-'; dashes = true)
                skip(&text, 1);
        if (!dashes)
                return MATCH_NO;
        match = take_literal(&text, "BEGIN ");
        if (match != MATCH_YES)
                return match;

        for (size_t i = 0; i < ELEMENTSOF(labels); i++) {
                Cursor rest = text;

                match = take_literal(&rest, labels[i]);
                if (match == MATCH_NO)
                        continue;
                if (match == MATCH_YES && rest.left > 0 && rest.p[0] != '-' && !is_blank(rest.p[0]))
                        return MATCH_NO;
                *ret_label = labels[i];
                return match;
        }
        return MATCH_NO;
}

/* "-----BEGIN label-----" and the end of the line, or the same with END. */
static Match take_boundary(Cursor *text, const char *word, const char *label) {
        char line[64];
        Match match;

        snprintf(line, sizeof(line), "-----%s %s-----", word, label);
        match = take_literal(text, line);
        if (match != MATCH_YES)
                return match;
        for (; text->left > 0; skip(text, 1)) {
                if (!is_blank(text->p[0]))
                        return MATCH_NO;
                if (text->p[0] == '\n') {
                        skip(text, 1);
                        break;
                }
        }
        return MATCH_YES;
}

/* RFC 7468, section 3, its lax form: blanks are free within the base64 and after a boundary. */
static int parse_pem(
                Cursor text, const char *label, Envelope *ret, char reason[static ENVELOPE_REASON_MAX]) {
        const uint8_t *end;
        Cursor body;

        if (take_boundary(&text, "BEGIN", label) != MATCH_YES)
                return broken(reason, "malformed BEGIN line of PEM");
        end = memchr(text.p, '-', text.left);
        if (!end)
                return broken(reason, "PEM without an END line: the file was cut short");
        if (cursor_sub(&text, (size_t) (end - text.p), &body) < 0 || body.left == 0 ||
                        body.p[body.left - 1] != '\n' || take_boundary(&text, "END", label) != MATCH_YES)
                return broken(reason, "malformed PEM, or an END line that does not match BEGIN");
        skip_blanks(&text);
        if (text.left > 0)
                return broken(reason, "something follows the END line of PEM");

        *ret = (Envelope){ .kind = ENVELOPE_PEM, .base64 = true, .body = body };
        return 0;
}

/* RFC 5322 and 2045, as much as tells S/MIME. Values have their line ends and blanks still around them. */
typedef struct Header {
        Cursor type, encoding; /* Content-Type, Content-Transfer-Encoding */
        unsigned n_fields;
        bool twice;    /* one of these two is there twice */
        bool complete; /* a blank line ends it */
        bool mime;     /* a MIME-Version or Content-... field is there */
        bool address;  /* no field but To, From and Subject */
} Header;

#define HEADER_SIZE_MAX 65536
#define HEADER_FIELDS_MAX 100

/* Takes a line without its LF; false when the text ends before one. */
static bool take_line(Cursor *text, Cursor *ret) {
        const uint8_t *end = memchr(text->p, '\n', text->left);

        if (!end || cursor_sub(text, (size_t) (end - text->p), ret) < 0)
                return false;
        skip(text, 1);
        return true;
}

static bool name_is(Cursor name, const char *expected) {
        return name.left == strlen(expected) && strncasecmp((const char *) name.p, expected, name.left) == 0;
}

static void on_field(Header *header, Cursor name, Cursor value) {
        Cursor *known = name_is(name, "Content-Type")                ? &header->type
                        : name_is(name, "Content-Transfer-Encoding") ? &header->encoding
                                                                     : NULL;

        header->n_fields++;
        if (known) {
                header->twice = header->twice || known->p;
                *known = value;
        }
        if (name_is(name, "MIME-Version") || (name.left > 8 && name_is(CURSOR(name.p, 8), "Content-")))
                header->mime = true;
        if (!name_is(name, "To") && !name_is(name, "From") && !name_is(name, "Subject"))
                header->address = false;
}

/* Takes one field with its continuation lines. False, and nothing taken, when there is none. */
static bool take_field(Cursor *text, Header *header) {
        Cursor rest = *text, line, name, value;
        const uint8_t *colon;

        if (!take_line(&rest, &line))
                return false;
        colon = memchr(line.p, ':', line.left);
        value = line;
        if (!colon || cursor_sub(&value, (size_t) (colon - line.p), &name) < 0 || name.left == 0)
                return false;
        for (size_t i = 0; i < name.left; i++)
                if (name.p[i] <= ' ' || name.p[i] >= 0x7f)
                        return false;
        skip(&value, 1);
        while (rest.left > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t') && take_line(&rest, &line))
                value.left = (size_t) (line.p + line.left - value.p);

        on_field(header, name, value);
        *text = rest;
        return true;
}

/* Takes fields as far as they go, and the blank line after them. */
static void take_header(Cursor *text, Header *ret) {
        Cursor line, rest;

        *ret = (Header){ .address = true };
        while (take_field(text, ret))
                ;
        rest = *text;
        if (take_line(&rest, &line)) {
                skip_blanks(&line);
                if (line.left == 0) {
                        ret->complete = true;
                        *text = rest;
                }
        }
}

/* A value up to its parameters: "application/pkcs7-mime" of "application/pkcs7-mime; name=...". */
static Cursor value_of(Cursor field) {
        const uint8_t *end;

        skip_blanks(&field);
        end = field.left > 0 ? memchr(field.p, ';', field.left) : NULL;
        if (end)
                field.left = (size_t) (end - field.p);
        while (field.left > 0 && is_blank(field.p[field.left - 1]))
                field.left--;
        return field;
}

static int parse_smime(Cursor text, const Header *header, size_t size, Envelope *ret,
                char reason[static ENVELOPE_REASON_MAX]) {
        Cursor encoding = value_of(header->encoding);
        char escaped[32];

        if (!header->complete)
                return broken(reason, "S/MIME header without an end: the file was cut short");
        if (header->n_fields > HEADER_FIELDS_MAX || size > HEADER_SIZE_MAX)
                return broken(reason, "S/MIME header too long");
        if (header->twice)
                return broken(reason, "S/MIME header with two types or encodings");

        if (!name_is(encoding, "base64") && !name_is(encoding, "binary")) {
                snprintf(reason, ENVELOPE_REASON_MAX, "S/MIME in the encoding \"%s\" rather than base64",
                                text_escape(escaped, sizeof(escaped), encoding.p, encoding.left));
                return -EBADMSG;
        }

        *ret = (Envelope){ .kind = ENVELOPE_SMIME, .base64 = name_is(encoding, "base64"), .body = text };
        return 0;
}

/* The file ends in a line that could still become the header of S/MIME. */
static bool header_is_cut(const Header *header, Cursor rest) {
        if (memchr(rest.p, '\n', rest.left))
                return false;
        if (header->n_fields > 0)
                return header->mime || header->address;
        return take_literal(&rest, "MIME-Version:") != MATCH_NO ||
                        take_literal(&rest, "Content-") != MATCH_NO;
}

/* `text` is the file without a byte order mark and blank lines, and not empty. */
static int detect_text(Cursor text, Envelope *ret, char reason[static ENVELOPE_REASON_MAX]) {
        Match base64 = match_base64(text), pem = MATCH_NO;
        const char *label;
        Cursor rest = text;
        Header header;

        if (base64 == MATCH_YES) {
                *ret = (Envelope){ .kind = ENVELOPE_BASE64, .base64 = true, .body = text };
                return 0;
        }
        take_header(&rest, &header);
        if (name_is(value_of(header.type), "application/pkcs7-mime") ||
                        name_is(value_of(header.type), "application/x-pkcs7-mime"))
                return parse_smime(rest, &header, (size_t) (rest.p - text.p), ret, reason);
        if (header.address) {
                skip_blanks(&rest);
                pem = match_pem(rest, &label);
        }
        if (pem == MATCH_YES)
                return parse_pem(rest, label, ret, reason);
        if (base64 == MATCH_CUT || pem == MATCH_CUT || header_is_cut(&header, rest))
                return broken(reason, "the file was cut short");
        return -ENODATA;
}

int envelope_detect(const void *file, size_t size, Envelope *ret, char reason[static ENVELOPE_REASON_MAX]) {
        Cursor text = CURSOR(file, size);
        int r;

        if (size > 0)
                switch (match_der(text)) {
                case MATCH_YES:
                        *ret = (Envelope){ .kind = ENVELOPE_DER, .body = text };
                        return 0;
                case MATCH_CUT:
                        return broken(reason, "the file was cut short");
                case MATCH_NO:
                        break;
                }

        if (size > 0) {
                (void) take_literal(&text, "\xef\xbb\xbf");
                skip_blanks(&text);
        }
        r = text.left > 0 ? detect_text(text, ret, reason) : -ENODATA;
        if (r != -ENODATA)
                return r;
        *ret = (Envelope){ .kind = ENVELOPE_PLAIN, .body = CURSOR(file, size) };
        return 0;
}
