/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

DEFINE_CLEANUP(Config, config_free)

static char path[64];
static char warnings[4096];

static int setup(void **state) {
        int fd;

        (void) state;
        strcpy(path, "/tmp/sdi config.XXXXXX");
        fd = mkstemp(path);
        warnings[0] = '\0';
        return fd < 0 || close(fd) < 0 ? -1 : 0;
}

static int teardown(void **state) {
        (void) state;
        return unlink(path);
}

static void on_warning(const char *line) {
        strcat(warnings, line);
        strcat(warnings, "\n");
}

static int load(const char *text, Config **ret, char reason[static 256]) {
        assert_int_equal(file_replace(path, text, strlen(text), 0644, 0), 0);
        return config_load(ret, path, on_warning, reason);
}

static void test_defaults(void **state) {
        _cleanup_(config_freep) Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(load("", &config, reason), 0);
        assert_string_equal(reason, "");
        assert_int_equal(config->interfaces.n, 0);
        assert_true(config->ipv4);
        assert_true(config->ipv6);
        assert_true(config->stable_addresses);
        assert_false(config->encrypted_only);
        assert_true(config->bus_encryption);
        assert_int_equal(config->maximum_size, 64 * 1024 * 1024);
        assert_int_equal(config->names.n, 4);
        assert_string_equal(config->names.items[0], "%s.enc");
        assert_string_equal(config->names.items[3], "%m.cfg");
        assert_null(config->names.items[4]);
        assert_int_equal(config->identity_sources.n, 3);
        assert_string_equal(config->tcti, "device:/dev/tpmrm0");
        assert_string_equal(config->loader.items[0], "/usr/libexec/sdi/loader");
        assert_true(config->retry.interval_usec == 5 * USEC_PER_MINUTE);
        assert_true(config->check_timeout_usec == USEC_PER_MINUTE);
}

static void assert_list_equal(const StringList *a, const StringList *b) {
        assert_int_equal(a->n, b->n);
        for (unsigned i = 0; i < a->n; i++)
                assert_string_equal(a->items[i], b->items[i]);
}

/* The sample that is installed says what is so without it. */
static void test_sample(void **state) {
        _cleanup_(config_freep) Config *config = NULL, *defaults = NULL;
        _cleanup_free_ char *sample = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(file_read(AT_FDCWD, getenv("SDI_SAMPLE"), 65536, &sample, NULL), 0);
        for (char *p = sample; (p = strchr(p, '#')); p++)
                if (p[1] != ' ')
                        memmove(p, p + 1, strlen(p));
        assert_int_equal(load("", &defaults, reason), 0);
        assert_int_equal(load(sample, &config, reason), 0);
        assert_string_equal(warnings, "");

        assert_list_equal(&config->interfaces, &defaults->interfaces);
        assert_list_equal(&config->prepare_command, &defaults->prepare_command);
        assert_int_equal(config->ipv4, defaults->ipv4);
        assert_string_equal(config->vendor_class, defaults->vendor_class);
        assert_string_equal(config->user_class, defaults->user_class);
        assert_int_equal(config->enterprise, defaults->enterprise);
        assert_int_equal(config->conflict_detection_usec, defaults->conflict_detection_usec);
        assert_list_equal(&config->identity_sources, &defaults->identity_sources);
        assert_string_equal(config->identity_file, defaults->identity_file);
        assert_list_equal(&config->identity_command, &defaults->identity_command);
        assert_list_equal(&config->names, &defaults->names);
        assert_int_equal(config->encrypted_only, defaults->encrypted_only);
        assert_int_equal(config->legacy_ciphers, defaults->legacy_ciphers);
        assert_int_equal(config->maximum_size, defaults->maximum_size);
        assert_memory_equal(&config->retry, &defaults->retry, sizeof(config->retry));
        assert_string_equal(config->tcti, defaults->tcti);
        assert_string_equal(config->key_type, defaults->key_type);
        assert_int_equal(config->key_handle, defaults->key_handle);
        assert_string_equal(config->key_certificate, defaults->key_certificate);
        assert_int_equal(config->bus_encryption, defaults->bus_encryption);
        assert_list_equal(&config->loader, &defaults->loader);
        assert_int_equal(config->check_timeout_usec, defaults->check_timeout_usec);
        assert_int_equal(config->commit_timeout_usec, defaults->commit_timeout_usec);
        assert_string_equal(config->enroll_directory, defaults->enroll_directory);
        assert_string_equal(config->enroll_client_certificate, defaults->enroll_client_certificate);
        assert_string_equal(config->enroll_client_key, defaults->enroll_client_key);
        assert_string_equal(config->enroll_ca, defaults->enroll_ca);
        assert_string_equal(config->enroll_send, defaults->enroll_send);
}

static void test_all_keys(void **state) {
        _cleanup_(config_freep) Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(
                        load("# a comment\n; another\n\n"
                             "[Network]\nInterfaces=eth* !eth3\nInterfaces=swp*\nPrepareCommand=/usr/bin/breakout 4x25G\nIPv4=no\nIPv6=no\nIPv6Address=eui64\nVendorClass=acme\n"
                             "UserClass=leaf\nEnterpriseNumber=32473\nConflictDetection=200ms\n"
                             "[Identity]\nSource=command file\nFile=/etc/serial\nCommand=/usr/bin/serial -x ;y\n"
                             "[Install]\nNames=a-%s b/%m%%\nEncryptedOnly=yes\nLegacyCiphers=yes\nMaximumSize=3K\n"
                             "[Retry]\nInterval=10s\nFirstPeriod=2min\nLaterInterval=1d\nJitter=0%\n"
                             "[Key]\nTCTI=swtpm:path=/run/a b\nType=p384\nHandle=0x81010001\nCertificate=nv:0x01c00002\nBusEncryption=no\n"
                             "[Load]\nLoader=/opt/loader one two\nCheckTimeout=1s\nCommitTimeout=2s\n"
                             "[Enroll]\nDirectory=https://factory.example:8443\nClientCertificate=/c\nClientKey=/k\nCACertificate=/a\nSend=key\n",
                                        &config, reason),
                        0);
        assert_string_equal(warnings, "");
        assert_int_equal(config->interfaces.n, 3);
        assert_string_equal(config->interfaces.items[2], "swp*");
        assert_int_equal(config->prepare_command.n, 2);
        assert_string_equal(config->prepare_command.items[1], "4x25G");
        assert_false(config->ipv4);
        assert_false(config->ipv6);
        assert_false(config->stable_addresses);
        assert_string_equal(config->vendor_class, "acme");
        assert_string_equal(config->user_class, "leaf");
        assert_int_equal(config->enterprise, 32473);
        assert_int_equal(config->conflict_detection_usec, 200 * USEC_PER_MSEC);
        assert_string_equal(config->identity_sources.items[0], "command");
        assert_int_equal(config->identity_command.n, 3);
        assert_string_equal(config->identity_command.items[2], ";y");
        assert_string_equal(config->names.items[1], "b/%m%%");
        assert_true(config->encrypted_only);
        assert_int_equal(config->maximum_size, 3072);
        assert_true(config->retry.later_interval_usec == 24 * USEC_PER_HOUR);
        assert_string_equal(config->enroll_directory, "https://factory.example:8443");
        assert_string_equal(config->enroll_client_certificate, "/c");
        assert_string_equal(config->enroll_client_key, "/k");
        assert_string_equal(config->enroll_ca, "/a");
        assert_string_equal(config->enroll_send, "key");
        assert_int_equal(config->retry.jitter_percent, 0);
        assert_string_equal(config->tcti, "swtpm:path=/run/a b");
        assert_string_equal(config->key_type, "p384");
        assert_true(config->key_handle == 0x81010001);
        assert_string_equal(config->key_certificate, "nv:0x01c00002");
        assert_false(config->bus_encryption);
        assert_true(config->legacy_ciphers);
        assert_int_equal(config->loader.n, 3);
        assert_null(config->loader.items[3]);
        assert_true(config->commit_timeout_usec == 2 * USEC_PER_SEC);
}

/* Lists add up, an empty value clears; of the rest the last word counts. */
static void test_assignment_again(void **state) {
        _cleanup_(config_freep) Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(load("[Install]\nNames=one two\nNames=\nNames=three\nMaximumSize=1\nMaximumSize=2\n"
                              "[Load]\nLoader=/a b c\nLoader=/d\n",
                                         &config, reason),
                        0);
        assert_int_equal(config->names.n, 1);
        assert_string_equal(config->names.items[0], "three");
        assert_int_equal(config->maximum_size, 2);
        assert_int_equal(config->loader.n, 1);
}

static void test_warnings(void **state) {
        static const char *const lines[] = {
                ":2: unknown key [Network] Interface=",
                ":3: bad value of IPv4=: \"maybe\"",
                ":5: bad value of Interval=: \"soon\"",
                ":6: bad value of FirstPeriod=: \"0\"",
                ":7: bad value of Jitter=: \"101%\"",
                ":8: bad value of Jitter=: \"5\"",
                ":10: unknown key [Nonsense] Interval=",
                ":12: bad value of Names=: \"%x.enc\"",
                ":13: bad value of Names=: \"100%\"",
                ":15: bad value of Source=: \"dmi magic\"",
                ":16: bad value of File=: \"relative\"",
        };
        _cleanup_(config_freep) Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(
                        load("[Network]\nInterface=eth0\nIPv4=maybe\n[Retry]\nInterval=soon\nFirstPeriod=0\nJitter=101%\nJitter=5\n"
                             "[Nonsense]\nInterval=1min\n[Install]\nNames=%x.enc\nNames=100%\n[Identity]\nSource=dmi magic\n"
                             "File=relative\n",
                                        &config, reason),
                        0);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                if (!strstr(warnings, lines[i]))
                        fail_msg("no warning \"%s\" in:\n%s", lines[i], warnings);
        assert_non_null(strstr(warnings, path));
        assert_true(config->ipv4);
        assert_true(config->retry.interval_usec == 5 * USEC_PER_MINUTE);
        assert_int_equal(config->names.n, 4);
        assert_int_equal(config->identity_sources.n, 3);
}

/* What would weaken the device by a typo is no warning. */
static void test_errors(void **state) {
        static const struct {
                const char *text, *reason;
        } rows[] = {
                { "[Install]\nEncryptedOnly=ye\n", ":2: bad value of EncryptedOnly=: \"ye\"" },
                { "[Install]\nEncryptedOnly=\n", ":2: bad value of EncryptedOnly=: \"\"" },
                { "[Install]\n\nMaximumSize=64X\n", ":3: bad value of MaximumSize=: \"64X\"" },
                { "[Install]\nMaximumSize=0\n", ":2: bad value of MaximumSize=" },
                { "[Install]\nMaximumSize=2G\n", ":2: bad value of MaximumSize=" },
                { "[Install]\nMaximumSize=99999999999999999999\n", ":2: bad value of MaximumSize=" },
                { "[Key]\nType=rsa512\n", ":2: bad value of Type=: \"rsa512\"" },
                { "[Key]\nHandle=81010001\n", ":2: bad value of Handle=: \"81010001\"" },
                { "[Key]\nHandle=0x80000000\n", ":2: bad value of Handle=: \"0x80000000\"" },
                { "[Key]\nHandle=0x8101000g\n", ":2: bad value of Handle=: \"0x8101000g\"" },
                { "[Key]\nHandle=0x181010001\n", ":2: bad value of Handle=: \"0x181010001\"" },
                { "[Key]\nCertificate=nv:0x81010001\n", ":2: bad value of Certificate=: \"nv:0x81010001\"" },
                { "[Key]\nBusEncryption=optional\n", ":2: bad value of BusEncryption=: \"optional\"" },
                { "[Key]\nCertificate=key.crt\n", ":2: bad value of Certificate=: \"key.crt\"" },
                { "[Install]\nLegacyCiphers=ja\n", ":2: bad value of LegacyCiphers=: \"ja\"" },
                { "[Load]\nLoader=loader\n", ":2: bad value of Loader=: \"loader\"" },
                { "[Install]\nEncryptedOnly yes\n", ":2: neither a [Section] nor Key=value" },
                { "[Install\nEncryptedOnly=yes\n", ":1: neither a [Section] nor Key=value" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Config *config = NULL;
                char reason[256];

                assert_int_equal(load(rows[i].text, &config, reason), -EINVAL);
                assert_null(config);
                if (!strstr(reason, rows[i].reason) || strncmp(reason, path, strlen(path)) != 0)
                        fail_msg("reason \"%s\" for \"%s\"", reason, rows[i].text);
        }
}

static void test_long_line(void **state) {
        Config *config = NULL;
        char text[2000] = "[Install]\nNames=", reason[256];

        (void) state;
        memset(text + strlen(text), 'x', 1500);
        assert_int_equal(load(text, &config, reason), -EINVAL);
        assert_non_null(strstr(reason, ":2: line too long"));
}

static void test_too_many_words(void **state) {
        _cleanup_(config_freep) Config *config = NULL;
        char text[2000] = "[Network]\nInterfaces=", reason[256];

        (void) state;
        for (unsigned i = 0; i < CONFIG_LIST_MAX + 1; i++)
                strcat(text, "e ");
        assert_int_equal(load(text, &config, reason), 0);
        assert_non_null(strstr(warnings, "bad value of Interfaces="));
        assert_int_equal(config->interfaces.n, CONFIG_LIST_MAX);
}

static void test_nul_byte(void **state) {
        Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(file_replace(path, "[Install]\n\0EncryptedOnly=yes\n", 29, 0644, 0), 0);
        assert_int_equal(config_load(&config, path, NULL, reason), -EINVAL);
        assert_non_null(strstr(reason, "NUL"));
}

static void test_writable_by_others(void **state) {
        Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(load("", &config, reason), 0);
        config = config_free(config);
        assert_int_equal(chmod(path, 0664), 0);
        assert_int_equal(config_load(&config, path, NULL, reason), -EPERM);
        assert_non_null(strstr(reason, "writable by somebody other than root"));
}

static void test_file_that_is_not_there(void **state) {
        Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(config_load(&config, "/nonexistent/sdi.conf", NULL, reason), -ENOENT);
        assert_string_equal(reason, "/nonexistent/sdi.conf: No such file or directory");
}

static void test_masked(void **state) {
        _cleanup_(config_freep) Config *config = NULL;
        char reason[256];

        (void) state;
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(config_load(&config, path, on_warning, reason), 0);
        assert_string_equal(warnings, "");
        assert_string_equal(config->loader.items[0], "/usr/libexec/sdi/loader");
}

#define LOADS 20000

/* Until it is killed, the name stands for root's file and for somebody else's by turns. */
static void exchange_for_ever(const char *other) {
        for (;;)
                if (renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE) < 0)
                        _exit(EXIT_FAILURE);
}

/* The file that was looked at is the one that is read. */
static void test_race(void **state) {
        static const char evil[] = "[Load]\nLoader=/evil\n";
        char other[80], reason[256];
        unsigned n_loaded = 0, n_refused = 0;
        pid_t pid;

        (void) state;
        snprintf(other, sizeof(other), "%s.other", path);
        assert_int_equal(file_replace(other, evil, strlen(evil), 0644, 0), 0);
        assert_int_equal(chown(other, 64001, (gid_t) -1), 0);
        assert_int_equal(file_replace(path, "", 0, 0644, 0), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                exchange_for_ever(other);
        while (n_loaded < LOADS || n_refused < LOADS) {
                _cleanup_(config_freep) Config *config = NULL;
                int r = config_load(&config, path, NULL, reason);

                if (r < 0) {
                        assert_int_equal(r, -EPERM);
                        n_refused++;
                        continue;
                }
                n_loaded++;
                assert_string_equal(config->loader.items[0], "/usr/libexec/sdi/loader");
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(unlink(other), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sample, setup, teardown),
                cmocka_unit_test_setup_teardown(test_all_keys, setup, teardown),
                cmocka_unit_test_setup_teardown(test_assignment_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_warnings, setup, teardown),
                cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_many_words, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nul_byte, setup, teardown),
                cmocka_unit_test_setup_teardown(test_writable_by_others, setup, teardown),
                cmocka_unit_test_setup_teardown(test_masked, setup, teardown),
                cmocka_unit_test_setup_teardown(test_race, setup, teardown),
                cmocka_unit_test(test_file_that_is_not_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
