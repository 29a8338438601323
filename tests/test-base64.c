/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "tpm/base64.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

static void check(const char *text, const char *expected) {
        uint8_t data[64];
        size_t size = 99;

        assert_true(BASE64_DECODED_MAX(strlen(text)) <= sizeof(data));
        assert_int_equal(base64_decode(CURSOR((const uint8_t *) text, strlen(text)), data, &size), 0);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(data, expected, size);
}

static void check_refused(const char *text) {
        uint8_t data[64];
        size_t size = 99;

        assert_int_equal(base64_decode(CURSOR((const uint8_t *) text, strlen(text)), data, &size), -EBADMSG);
        assert_int_equal(size, 99);
}

/* RFC 4648, section 10. */
static void test_vectors(void **state) {
        (void) state;
        check("", "");
        check("Zg==", "f");
        check("Zm8=", "fo");
        check("Zm9v", "foo");
        check("Zm9vYg==", "foob");
        check("Zm9vYmE=", "fooba");
        check("Zm9vYmFy", "foobar");
}

static void test_blanks_are_free(void **state) {
        (void) state;
        check(" \r\n\t", "");
        check("Zm9v\r\nYmE=\r\n\r\n", "fooba");
        check("\tZ m\n9 v Y\rg = = ", "foob");
}

static void test_refused(void **state) {
        (void) state;
        check_refused("Z");
        check_refused("Zg");
        check_refused("Zg=");
        check_refused("Zm9vY");
        check_refused("====");
        check_refused("Z===");
        check_refused("Zg=v");
        check_refused("Zg==Zg==");
        check_refused("Zg==\nx");
        check_refused("Zg===");
        check_refused("Zh=="); /* a bit that does not count is set */
        check_refused("Zm9=");
        check_refused("Zm-v");
        check_refused("Zm9v\x80mFy");
        check_refused("Zm9v.mFy");
}

static void test_all_bytes(void **state) {
        uint8_t data[256], decoded[256];
        unsigned char text[400];

        (void) state;
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) (i * 7);
        for (size_t n = 0; n <= sizeof(data); n++) {
                int n_text = EVP_EncodeBlock(text, data, (int) n);
                size_t size;

                assert_int_equal(base64_decode(CURSOR(text, (size_t) n_text), decoded, &size), 0);
                assert_int_equal(size, n);
                assert_memory_equal(decoded, data, n);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vectors),
                cmocka_unit_test(test_blanks_are_free),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_all_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
