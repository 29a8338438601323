/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "operator/device-certificate.h"
#include "operator/inspect.h"
#include "operator/seal.h"
#include "tests/software-key.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static SoftwareKey keys[_SOFTWARE_KEY_TYPE_MAX];
static const char content[] = "hostname sw1\n";

static int setup(void **state) {
        (void) state;
        for (SoftwareKeyType type = 0; type < _SOFTWARE_KEY_TYPE_MAX; type++)
                if (software_key_open(type, "SN19842256", keys + type) < 0)
                        return -1;
        return 0;
}

static int teardown(void **state) {
        (void) state;
        for (SoftwareKeyType type = 0; type < _SOFTWARE_KEY_TYPE_MAX; type++)
                software_key_done(keys + type);
        return 0;
}

static void check_decrypts(const char *file, size_t n, const SoftwareKey *key, bool authenticated) {
        char reason[ENVELOPE_REASON_MAX], plain[64] = "";
        _cleanup_close_ int fd = -1;
        CmsReport report;
        Envelope envelope;

        assert_int_equal(envelope_detect(file, n, &envelope, reason), 0);
        assert_int_equal(cms_decrypt(&envelope, &key->cms, 1, 0, &fd, &report), 0);
        assert_int_equal(report.authenticated, authenticated);
        assert_int_equal(pread(fd, plain, sizeof(plain), 0), strlen(content));
        assert_string_equal(plain, content);
}

static void test_round_trip(void **state) {
        (void) state;
        for (SoftwareKeyType type = 0; type < _SOFTWARE_KEY_TYPE_MAX; type++) {
                bool rsa = EVP_PKEY_is_a(keys[type].key, "RSA");

                for (SealFlags flags = 0; flags <= (rsa ? SEAL_COMPATIBLE : 0); flags++) {
                        char remark[SEAL_REASON_MAX], reason[SEAL_REASON_MAX], why[INSPECT_REASON_MAX];
                        _cleanup_free_ char *file = NULL;
                        size_t n;

                        assert_int_equal(seal_check(keys[type].certificate, flags, remark, reason), 0);
                        assert_int_equal(seal_encrypt(keys[type].certificate, content, strlen(content),
                                                         flags, &file, &n, reason),
                                        0);
                        assert_int_equal(strncmp(file,
                                                         flags ? "-----BEGIN PKCS7-----\n"
                                                               : "-----BEGIN CMS-----\n",
                                                         18),
                                        0);
                        assert_int_equal(inspect_check(file, n, keys[type].certificate_read, why), 0);
                        assert_int_equal(inspect_check_form(file, n, why), 0);
                        check_decrypts(file, n, keys + type, flags == 0);
                        /* For nobody else. */
                        assert_int_equal(inspect_check(file, n,
                                                         keys[(type + 1) % _SOFTWARE_KEY_TYPE_MAX]
                                                                         .certificate_read,
                                                         why),
                                        -ENOKEY);
                }
        }
}

static void test_compatible_needs_rsa(void **state) {
        char remark[SEAL_REASON_MAX], reason[SEAL_REASON_MAX];

        (void) state;
        assert_int_equal(seal_check(keys[SOFTWARE_KEY_P256].certificate, SEAL_COMPATIBLE, remark, reason),
                        -EOPNOTSUPP);
        assert_non_null(strstr(reason, "--compatible"));
}

/* No prefix of a file passes for one: an interrupted run is seen. */
static void test_every_prefix(void **state) {
        char reason[SEAL_REASON_MAX], why[INSPECT_REASON_MAX];
        _cleanup_free_ char *file = NULL;
        size_t n;

        (void) state;
        assert_int_equal(seal_encrypt(keys[SOFTWARE_KEY_P256].certificate, content, strlen(content), 0,
                                         &file, &n, reason),
                        0);
        for (size_t i = 0; i + 1 < n; i++) { /* the last line's end may be missing */
                assert_true(inspect_check_form(file, i, why) < 0);
                assert_true(inspect_check(file, i, keys[SOFTWARE_KEY_P256].certificate_read, why) < 0);
        }
}

static void test_inspect(void **state) {
        for (SoftwareKeyType type = 0; type < _SOFTWARE_KEY_TYPE_MAX; type++) {
                char reason[SEAL_REASON_MAX];
                _cleanup_free_ char *file = NULL, *text = NULL;
                size_t n, n_text;
                FILE *output = open_memstream(&text, &n_text);

                (void) state;
                assert_int_equal(seal_encrypt(keys[type].certificate, content, strlen(content), 0, &file, &n,
                                                 reason),
                                0);
                assert_int_equal(inspect_print(file, n, NULL, output), 0);
                fclose(output);
                assert_non_null(strstr(text, "For:        /CN=SN19842256 serial "));
                assert_non_null(strstr(text,
                                EVP_PKEY_is_a(keys[type].key, "RSA") ? "RSA-OAEP with SHA256"
                                                                     : "ECDH, dhSinglePass"));
                assert_non_null(strstr(text, "AES-256-GCM, authenticated"));
                assert_non_null(strstr(text, "Device:     takes it\n"));
        }
}

static void test_inspect_refused(void **state) {
        static const struct {
                const char *file, *said;
        } files[] = {
                { "hostname sw1\n", "refuses it: not encrypted" },
                { "-----BEGIN CMS-----\n!\n-----END CMS-----\n", "refuses it: malformed base64" },
                { "-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n", "refuses it: " },
                { "", "refuses it: not encrypted" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *text = NULL;
                size_t n;
                FILE *output = open_memstream(&text, &n);

                assert_true(inspect_print(files[i].file, strlen(files[i].file), NULL, output) < 0);
                fclose(output);
                assert_non_null(strstr(text, files[i].said));
        }
}

static void test_names(void **state) {
        char reason[DEVICE_CERTIFICATE_REASON_MAX];
        DeviceCertificate certificate;
        const uint8_t *der;
        size_t n;

        (void) state;
        der = certificate_get_der(keys[0].certificate_read, &n);
        assert_int_equal(device_certificate_parse(der, n, &certificate), 0);
        assert_int_equal(device_certificate_check_name(&certificate, "SN19842256", reason), 0);
        assert_int_equal(device_certificate_check_name(&certificate, "SN1984225", reason), -EPERM);
        assert_int_equal(device_certificate_check_name(&certificate, "sn19842256", reason), -EPERM);
        assert_non_null(strstr(reason, "SN19842256"));
        device_certificate_done(&certificate);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(device_certificate_parse(der, i, &certificate), -EBADMSG);
}

/* A name with a NUL in it, as it was once good for being somebody else. */
static void test_nul_in_name(void **state) {
        _cleanup_(X509_freep) X509 *copy = X509_dup(keys[0].certificate);
        X509_NAME *name = X509_NAME_new();
        char reason[DEVICE_CERTIFICATE_REASON_MAX];
        DeviceCertificate certificate = { .x509 = copy };

        (void) state;
        assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                         (const unsigned char *) "SN1\0x", 5, -1, 0),
                        1);
        assert_int_equal(X509_set_subject_name(copy, name), 1);
        X509_NAME_free(name);
        assert_int_equal(device_certificate_check_name(&certificate, "SN1", reason), -EPERM);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_compatible_needs_rsa),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_inspect),
                cmocka_unit_test(test_inspect_refused),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_nul_in_name),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
