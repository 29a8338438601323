/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "tpm/envelope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The beginning of an EnvelopedData, DER and base64; enough for the magic, not for more. */
#define DER "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01"
#define BASE64 "MIAGCSqGSIb3DQEHA6CAMIACAQA="
#define SMIME                                                                                     \
        "MIME-Version: 1.0\nContent-Disposition: attachment; filename=\"smime.p7m\"\n"            \
        "Content-Type: application/x-pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"\n" \
        "Content-Transfer-Encoding: base64\n\n" BASE64 "\n"
#define PEM "-----BEGIN PKCS7-----\n" BASE64 "\n-----END PKCS7-----\n"

static int detect(const char *text, size_t size, Envelope *ret, char *reason) {
        _cleanup_free_ char *copy =
                        malloc(size ? size : 1); /* its end is the heap's: nothing may be read after it */
        int r;

        assert_non_null(copy);
        memcpy(copy, text, size);
        strcpy(reason, "-");
        *ret = (Envelope){ .kind = _ENVELOPE_KIND_MAX };
        r = envelope_detect(copy, size, ret, reason);
        if (r >= 0) {
                assert_string_equal(reason, "-");
                assert_in_range((size_t) ((const char *) ret->body.p - copy), 0, size);
                assert_in_range((size_t) ((const char *) ret->body.p - copy) + ret->body.left, 0, size);
                ret->body.p = (const uint8_t *) text + ((const char *) ret->body.p - copy);
        } else {
                assert_int_equal(r, -EBADMSG);
                assert_string_not_equal(reason, "-");
                assert_int_equal(ret->kind, _ENVELOPE_KIND_MAX);
        }
        return r;
}

#define CHECK(text, kind) check(text, sizeof(text) - 1, kind)
static void check(const char *text, size_t size, EnvelopeKind kind) {
        char reason[ENVELOPE_REASON_MAX];
        Envelope envelope;

        assert_int_equal(detect(text, size, &envelope, reason), 0);
        assert_string_equal(envelope_kind_to_string(envelope.kind), envelope_kind_to_string(kind));
        switch (kind) {
        case ENVELOPE_PLAIN:
                assert_int_equal(envelope.body.left, size);
                break;
        case ENVELOPE_DER:
                assert_false(envelope.base64);
                assert_int_equal(envelope.body.left, size);
                break;
        case ENVELOPE_PEM:
        case ENVELOPE_SMIME:
        case ENVELOPE_BASE64:
                assert_true(envelope.base64);
                assert_memory_equal(envelope.body.p, BASE64, strlen(BASE64));
                assert_null(memchr(envelope.body.p, '-', envelope.body.left));
                break;
        case _ENVELOPE_KIND_MAX:
                fail();
        }
}

#define REFUSED(text, part) refused(text, sizeof(text) - 1, part)
static void refused(const char *text, size_t size, const char *part) {
        char reason[ENVELOPE_REASON_MAX];
        Envelope envelope;

        assert_int_equal(detect(text, size, &envelope, reason), -EBADMSG);
        if (!strstr(reason, part))
                fail_msg("\"%s\" does not contain \"%s\"", reason, part);
}

static void test_plain(void **state) {
        (void) state;
        CHECK("", ENVELOPE_PLAIN);
        CHECK("\n \r\n", ENVELOPE_PLAIN);
        CHECK("\xef\xbb\xbf", ENVELOPE_PLAIN);
        CHECK("hostname sw1\n", ENVELOPE_PLAIN);
        CHECK("hostname: sw1\ncertificate: |\n" PEM, ENVELOPE_PLAIN);
        CHECK("hostname sw1\n!\n" PEM, ENVELOPE_PLAIN);
        CHECK("# encrypted\n" PEM, ENVELOPE_PLAIN);
        CHECK("To: sw1\nhostname sw1\n" PEM, ENVELOPE_PLAIN);
        CHECK("-----BEGIN CERTIFICATE-----\nMIAGCSqGSIb3DQEHAw==\n-----END CERTIFICATE-----\n",
                        ENVELOPE_PLAIN);
        CHECK("-----BEGIN PKCS7X-----\n", ENVELOPE_PLAIN);
        CHECK("-----BEGIN\n", ENVELOPE_PLAIN);
        CHECK("---\nhostname: sw1\n", ENVELOPE_PLAIN);
        CHECK("MTU 1500\n", ENVELOPE_PLAIN);
        CHECK("MIME-Version: 1.0\nContent-Type: text/plain\n\nhostname sw1\n", ENVELOPE_PLAIN);
        CHECK("<!DOCTYPE html>\n<html><head><title>404 Not Found</title>", ENVELOPE_PLAIN);
        CHECK("\x30\x03\x02\x01\x05", ENVELOPE_PLAIN);
        CHECK("\x30\x89\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", ENVELOPE_PLAIN);
        CHECK("0x06", ENVELOPE_PLAIN);
        CHECK("\n" DER, ENVELOPE_PLAIN); /* a binary file has no blank lines */
}

static void test_der(void **state) {
        (void) state;
        CHECK(DER, ENVELOPE_DER);
        CHECK("\x30\x1f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", ENVELOPE_DER); /* SignedData */
        CHECK("\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", ENVELOPE_DER);
        CHECK("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03",
                        ENVELOPE_DER);
        CHECK("\x30\x80\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17",
                        ENVELOPE_DER); /* AuthEnvelopedData */
}

static void test_base64(void **state) {
        (void) state;
        CHECK(BASE64, ENVELOPE_BASE64);
        CHECK("\xef\xbb\xbf\r\n\r\n" BASE64 "\r\n", ENVELOPE_BASE64);
        CHECK(BASE64 "!!", ENVELOPE_BASE64); /* the decoder's to refuse */
}

static void test_pem(void **state) {
        (void) state;
        CHECK(PEM, ENVELOPE_PEM);
        CHECK("\xef\xbb\xbf" PEM, ENVELOPE_PEM);
        CHECK("\n  \r\n" PEM "\r\n\n", ENVELOPE_PEM);
        CHECK("-----BEGIN CMS-----\n" BASE64 "\n-----END CMS-----", ENVELOPE_PEM);
        CHECK("-----BEGIN ENCRYPTED MESSAGE-----\r\n" BASE64 "\r\n-----END ENCRYPTED MESSAGE-----\r\n",
                        ENVELOPE_PEM);
        CHECK("-----BEGIN CMS-----  \n" BASE64 "\n-----END CMS-----\t\n", ENVELOPE_PEM);
        CHECK("To: sw1\nFrom: noc\nSubject: SN19842256\n" PEM, ENVELOPE_PEM);
        CHECK("Subject: a\n b\n\n" PEM, ENVELOPE_PEM);
}

static void test_pem_refused(void **state) {
        (void) state;
        REFUSED("----BEGIN PKCS7----\n" BASE64 "\n-----END PKCS7-----\n", "BEGIN");
        REFUSED("-----BEGIN PKCS7\n" BASE64 "\n-----END PKCS7-----\n", "BEGIN");
        REFUSED("-----BEGIN PKCS7----- x\n" BASE64 "\n-----END PKCS7-----\n", "BEGIN");
        REFUSED("-----BEGIN PKCS7-----\n" BASE64 "\n", "cut short");
        REFUSED("-----BEGIN PKCS7-----\n" BASE64 "\n-----END CMS-----\n", "match BEGIN");
        REFUSED("-----BEGIN PKCS7-----\n" BASE64 "\n----END PKCS7-----\n", "match BEGIN");
        REFUSED("-----BEGIN PKCS7-----\n" BASE64 "-----END PKCS7-----\n", "match BEGIN");
        REFUSED("-----BEGIN PKCS7-----\n-----END PKCS7----\n", "match BEGIN");
        REFUSED(PEM PEM, "follows");
        REFUSED(PEM "x", "follows");
}

static void test_smime(void **state) {
        (void) state;
        CHECK(SMIME, ENVELOPE_SMIME);
        CHECK("To: a\nFrom: b\n" SMIME, ENVELOPE_SMIME);
        CHECK("content-type:\r\n\tApplication/PKCS7-MIME ; a=b\r\nX: y\r\ncontent-transfer-encoding: BASE64\r\n\r\n" BASE64,
                        ENVELOPE_SMIME);
}

static void test_smime_binary(void **state) {
        static const char text[] =
                        "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: binary\n\n" DER;
        char reason[ENVELOPE_REASON_MAX];
        Envelope envelope;

        (void) state;
        assert_int_equal(detect(text, sizeof(text) - 1, &envelope, reason), 0);
        assert_int_equal(envelope.kind, ENVELOPE_SMIME);
        assert_false(envelope.base64);
        assert_int_equal(envelope.body.left, sizeof(DER) - 1);
        assert_memory_equal(envelope.body.p, DER, sizeof(DER) - 1);
}

static void test_smime_refused(void **state) {
        static const char type[] = "Content-Type: application/pkcs7-mime\n";
        _cleanup_free_ char *large = NULL;
        size_t n = 0;

        (void) state;
        REFUSED("Content-Type: application/pkcs7-mime\n\n" BASE64, "encoding \"\"");
        REFUSED("Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: \e7bit\n\n" BASE64,
                        "\\x1b7bit");
        REFUSED("Content-Type: application/pkcs7-mime\n" SMIME, "two");
        REFUSED("Content-Type: application/pkcs7-mime\nX: y\n", "cut short");
        REFUSED("Content-Type: application/pkcs7-mime\nno field\n\n" BASE64, "cut short");

        /* However long a header is, what it says it is counts. */
        large = malloc(3 * 1024 * 1024);
        assert_non_null(large);
        for (unsigned i = 0; i < 100000; i++)
                n += (size_t) sprintf(large + n, "X-%u: y\n", i);
        strcpy(large + n, type);
        strcat(large + n, "Content-Transfer-Encoding: base64\n\n" BASE64);
        refused(large, n + strlen(large + n), "too long");

        n = (size_t) sprintf(large, "X: ");
        memset(large + n, 'y', 2 * 1024 * 1024);
        n += 2 * 1024 * 1024;
        strcpy(large + n, "\n");
        strcat(large + n, type);
        strcat(large + n, "Content-Transfer-Encoding: base64\n\n" BASE64);
        refused(large, n + strlen(large + n), "too long");
}

/* A truncated envelope never passes for a plain configuration. */
static void test_every_prefix(void **state) {
        static const char *const files[] = { PEM, "To: a\nSubject: b\n" PEM, SMIME, "To: a\n" SMIME, BASE64,
                DER };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                size_t size = files[i] == files[5] ? sizeof(DER) - 1 : strlen(files[i]);

                for (size_t n = 1; n <= size; n++) {
                        char reason[ENVELOPE_REASON_MAX];
                        Envelope envelope;

                        /* "To: a" could be anything yet. */
                        if (strncmp(files[i], "To: a", n) == 0)
                                continue;
                        if (detect(files[i], n, &envelope, reason) >= 0 && envelope.kind == ENVELOPE_PLAIN)
                                fail_msg("file %zu is plain when cut to %zu bytes", i, n);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_der),
                cmocka_unit_test(test_base64),
                cmocka_unit_test(test_pem),
                cmocka_unit_test(test_pem_refused),
                cmocka_unit_test(test_smime),
                cmocka_unit_test(test_smime_binary),
                cmocka_unit_test(test_smime_refused),
                cmocka_unit_test(test_every_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
