/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files that openssl, BouncyCastle, gpgsm and NSS have made for the keys in software: good-* hold "hostname sw1", empty-* hold
 * nothing. The one argument is their folder, which is also the corpus of fuzz-cms.
 */

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "tests/software-key.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char *folder;
static SoftwareKey rsa, p256;

/* 0 and the content, or what refused it. */
static int decrypt(const char *file, size_t size, char content[static 64], CmsReport *report) {
        const CmsKey keys[] = { rsa.cms, p256.cms };
        char reason[ENVELOPE_REASON_MAX];
        _cleanup_close_ int fd = -1;
        Envelope envelope;
        uint64_t n;
        int r;

        r = envelope_detect(file, size, &envelope, reason);
        if (r >= 0)
                r = cms_decrypt(&envelope, keys, ELEMENTSOF(keys), CMS_LEGACY_CIPHERS, &fd, report);
        if (r < 0)
                return r;
        assert_int_equal(memfd_check_sealed(fd, &n), 0);
        assert_in_range(n, 0, 63);
        memset(content, 0, 64);
        assert_int_equal(pread(fd, content, 64, 0), n);
        return 0;
}

static void check_file(int fd_directory, const char *name, const char *expected) {
        _cleanup_free_ char *file = NULL;
        char content[64];
        CmsReport report;
        size_t size;

        assert_int_equal(file_read(fd_directory, name, 65536, &file, &size), 0);
        if (decrypt(file, size, content, &report) < 0)
                fail_msg("%s: %s (%s)", name, report.reason, report.detail);
        assert_string_equal(content, expected);
        if (!report.authenticated)
                return;

        /* Changed, an authenticated file is refused or means the same. */
        for (size_t i = 0; i < size; i++) {
                file[i] ^= 1;
                if (decrypt(file, size, content, &report) >= 0)
                        assert_string_equal(content, expected);
                file[i] ^= 1;
        }
}

static unsigned check_files(const char *prefix, const char *expected) {
        DIR *directory = opendir(folder);
        struct dirent *entry;
        unsigned n = 0;

        assert_non_null(directory);
        while ((entry = readdir(directory)))
                if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
                        check_file(dirfd(directory), entry->d_name, expected);
                        n++;
                }
        closedir(directory);
        return n;
}

static void test_good(void **state) {
        (void) state;
        assert_in_range(check_files("good-", "hostname sw1\n"), 26, 1000);
}

static void test_empty(void **state) {
        (void) state;
        assert_in_range(check_files("empty-", ""), 3, 1000);
}

/* OpenSSL checks a CCM tag only while it decrypts, also when there is nothing to decrypt. */
static void test_empty_has_a_tag(void **state) {
        static const char *const names[] = { "empty-bc-p256-aes256-ccm", "empty-bc-p256-aes256-gcm" };
        _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *file = NULL;
                char content[64];
                CmsReport report;
                size_t size;

                assert_int_equal(file_read(fd, names[i], 65536, &file, &size), 0);
                file[size - 4 * 2 - 1] ^= 1; /* before the end-of-contents octets of four elements */
                assert_int_equal(decrypt(file, size, content, &report), -EKEYREJECTED);
                assert_string_equal(report.detail, "the authentication tag is wrong");
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_empty_has_a_tag),
        };
        int n;

        if (argc != 2 || software_key_open(SOFTWARE_KEY_RSA2048, "SN19842256", &rsa) < 0 ||
                        software_key_open(SOFTWARE_KEY_P256, "SN19842256", &p256) < 0)
                return 1;
        folder = argv[1];
        n = cmocka_run_group_tests(tests, NULL, NULL);
        software_key_done(&rsa);
        software_key_done(&p256);
        return n;
}
