/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "directory/submission.h"
#include "tests/device-maker.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <string.h>

static const Policy policy = {
        .accept = { { (char *) "certificate", (char *) "request", (char *) "key" }, 3 },
        .key_types = { { (char *) "p256" }, 1 },
        .extensions = { { (char *) "keyUsage" }, 1 },
        .issuers = (char *) "",
};
static const SubmissionRules rules = { .policy = &policy };

static int parse(const char *id, const void *data, size_t n, char reason[static SUBMISSION_REASON_MAX]) {
        char type[SUBMISSION_TYPE_MAX];
        static Record record;
        SubmissionKind kind;

        record = (Record){};
        return submission_parse(&rules, id, data, n, &record, &kind, type, reason);
}

static int get_der(unsigned char **ret) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = device_maker_key("SN1", 0);
        _cleanup_(X509_freep) X509 *certificate = device_maker_certificate("SN1", key);
        int n;

        *ret = NULL;
        n = i2d_X509(certificate, ret);
        assert_true(n > 0);
        return n;
}

static void test_certificate(void **state) {
        char reason[SUBMISSION_REASON_MAX] = "";
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = get_der(&der);

        (void) state;
        assert_int_equal(parse("SN1", der, (size_t) n, reason), 0);
        assert_int_equal(parse("SN2", der, (size_t) n, reason), -EPERM);
        assert_non_null(strstr(reason, "it names /CN=SN1, not SN2"));
        assert_int_equal(parse("", der, (size_t) n, reason), -EPERM); /* that is for requests */
}

static void test_every_prefix(void **state) {
        char reason[SUBMISSION_REASON_MAX] = "";
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = get_der(&der);

        (void) state;
        for (int i = 0; i < n; i++)
                assert_int_equal(parse("SN1", der, (size_t) i, reason), -EBADMSG);
}

/* No bit of a certificate can be changed: it is signed by the key that is in it. What is taken with a changed bit has all of its meaning. */
static void test_every_bit(void **state) {
        char reason[SUBMISSION_REASON_MAX] = "";
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = get_der(&der), n_taken = 0;

        (void) state;
        for (int bit = 0; bit < 8 * n; bit++) {
                der[bit / 8] ^= (unsigned char) (1 << bit % 8);
                n_taken += parse("SN1", der, (size_t) n, reason) >= 0;
                der[bit / 8] ^= (unsigned char) (1 << bit % 8);
        }
        assert_int_equal(n_taken, 0);
}

static int get_key(unsigned char **ret) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = device_maker_key("SN1", 0);
        int n;

        *ret = NULL;
        n = i2d_PUBKEY(key, ret);
        assert_true(n > 0);
        return n;
}

static void test_key_without_authority(void **state) {
        char reason[SUBMISSION_REASON_MAX] = "";
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = get_key(&der);

        (void) state;
        assert_int_equal(parse("SN1", der, (size_t) n, reason), -EOPNOTSUPP);
        for (int i = 0; i < n; i++)
                assert_int_equal(parse("SN1", der, (size_t) i, reason), -EBADMSG);
        der[n - 1] ^= 1; /* not on the curve */
        assert_true(parse("SN1", der, (size_t) n, reason) != 0);
}

static void test_twice_the_same_extension(void **state) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = device_maker_key("SN1", 0);
        _cleanup_(X509_freep) X509 *certificate = device_maker_certificate("SN1", key);
        char reason[SUBMISSION_REASON_MAX] = "";
        _cleanup_openssl_ unsigned char *der = NULL;
        int n;

        (void) state;
        assert_int_equal(X509_add_ext(certificate, X509_get_ext(certificate, 0), -1), 1);
        assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
        n = i2d_X509(certificate, &der);
        assert_int_equal(parse("SN1", der, (size_t) n, reason), -EBADMSG);
        assert_string_equal(reason, "an extension stands there twice");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_certificate),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_every_bit),
                cmocka_unit_test(test_key_without_authority),
                cmocka_unit_test(test_twice_the_same_extension),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
