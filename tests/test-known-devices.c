/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/file.h"
#include "operator/known-devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char folder[64], path[96];

static int setup(void **state) {
        (void) state;
        strcpy(folder, "/tmp/sdi known.XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        snprintf(path, sizeof(path), "%s/a b/known-devices", folder);
        return 0;
}

static int teardown(void **state) {
        char inner[96];

        (void) state;
        snprintf(inner, sizeof(inner), "%s/a b", folder);
        unlink(path);
        rmdir(inner);
        return rmdir(folder);
}

static int check(KnownDevices *known, const char *id, uint8_t byte) {
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE], recorded[CERTIFICATE_FINGERPRINT_SIZE];
        char reason[KNOWN_DEVICES_REASON_MAX];
        unsigned line = 0;

        memset(fingerprint, byte, sizeof(fingerprint));
        return known_devices_check(known, id, fingerprint, recorded, &line, reason);
}

static void test_first_use(void **state) {
        _cleanup_(known_devices_freep) KnownDevices *known = NULL, *again = NULL;
        char reason[KNOWN_DEVICES_REASON_MAX];

        (void) state;
        assert_int_equal(known_devices_open(path, &known, reason), 0);
        assert_int_equal(check(known, "SN1", 1), KNOWN_NEW);
        assert_int_equal(check(known, "SN1", 1), KNOWN_SAME);
        assert_int_equal(check(known, "SN1", 2), KNOWN_CHANGED);
        assert_int_equal(check(known, "SN1", 1), KNOWN_SAME);
        assert_int_equal(check(known, "SN2", 2), KNOWN_NEW);
        assert_int_equal(known_devices_open(path, &again, reason), 0);
        assert_int_equal(check(again, "SN1", 2), KNOWN_CHANGED);
        assert_int_equal(check(again, "SN2", 2), KNOWN_SAME);
}

/* What another program has recorded since counts, too. */
static void test_two_programs(void **state) {
        _cleanup_(known_devices_freep) KnownDevices *one = NULL, *other = NULL;
        char reason[KNOWN_DEVICES_REASON_MAX];

        (void) state;
        assert_int_equal(known_devices_open(path, &one, reason), 0);
        assert_int_equal(known_devices_open(path, &other, reason), 0);
        assert_int_equal(check(one, "SN1", 1), KNOWN_NEW);
        assert_int_equal(check(other, "SN1", 2), KNOWN_CHANGED);
        assert_int_equal(check(other, "SN2", 2), KNOWN_NEW);
        assert_int_equal(check(one, "SN2", 2), KNOWN_SAME);
}

/* A line that was added later does not replace a key. */
static void test_first_line_counts(void **state) {
        _cleanup_(known_devices_freep) KnownDevices *known = NULL;
        uint8_t recorded[CERTIFICATE_FINGERPRINT_SIZE], fingerprint[CERTIFICATE_FINGERPRINT_SIZE] = {};
        static const char text[] = "# mine\n\nSN1 " A "\r\nSN1 00" A "\n";
        char reason[KNOWN_DEVICES_REASON_MAX], good[sizeof(text)];
        unsigned line;

        (void) state;
        assert_int_equal(known_devices_open(path, &known, reason), 0); /* makes the folder */
        known = known_devices_free(known);
        assert_int_equal(file_replace(path, text, strlen(text), 0600, 0), 0);
        assert_int_equal(known_devices_open(path, &known, reason), -EBADMSG);
        assert_non_null(strstr(reason, "known-devices:4: "));

        strcpy(good, text);
        memmove(strstr(good, " 00") + 1, strstr(good, " 00") + 3, strlen(strstr(good, " 00") + 3) + 1);
        assert_int_equal(file_replace(path, good, strlen(good), 0600, 0), 0);
        assert_int_equal(known_devices_open(path, &known, reason), 0);
        assert_int_equal(known_devices_check(known, "SN1", fingerprint, recorded, &line, reason),
                        KNOWN_CHANGED);
        assert_int_equal(line, 3);
        assert_int_equal(recorded[1], 0x23);
}

/* A line that a full disk has cut is not half a fingerprint. */
static void test_cut_line(void **state) {
        _cleanup_(known_devices_freep) KnownDevices *known = NULL;
        char reason[KNOWN_DEVICES_REASON_MAX];

        (void) state;
        assert_int_equal(known_devices_open(path, &known, reason), 0);
        known = known_devices_free(known);
        assert_int_equal(file_replace(path, "SN1 0123", 8, 0600, 0), 0);
        assert_int_equal(known_devices_open(path, &known, reason), -EBADMSG);
        assert_non_null(strstr(reason, "not complete"));
}

static void test_fingerprints(void **state) {
        static const char *const good[] = {
                A,
                "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567 89ab cdef 0123 4567 89ab cdef",
                "01:23:45:67:89:ab:cdef0123456789abcdef0123456789abcdef0123456789abcdef",
        };
        static const char *const bad[] = { "", "0123", (A "0"), (A "00"), ("g" A), "0123456789abcdef-" };
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(known_devices_parse_fingerprint(good[i], strlen(good[i]), fingerprint), 0);
                assert_int_equal(fingerprint[31], 0xef);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(known_devices_parse_fingerprint(bad[i], strlen(bad[i]), fingerprint),
                                -EINVAL);
}

static void test_every_prefix(void **state) {
        static const char text[] = "SN1 " A;
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        char id[IDENTIFIER_MAX + 1];

        (void) state;
        for (size_t n = 0; n <= strlen(text); n++)
                assert_int_equal(known_devices_parse_line(text, n, id, fingerprint),
                                n == 0                              ? 0
                                                : n == strlen(text) ? 1
                                                                    : -EBADMSG);
        assert_string_equal(id, "SN1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_use, setup, teardown),
                cmocka_unit_test_setup_teardown(test_two_programs, setup, teardown),
                cmocka_unit_test_setup_teardown(test_first_line_counts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cut_line, setup, teardown),
                cmocka_unit_test(test_fingerprints),
                cmocka_unit_test(test_every_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
