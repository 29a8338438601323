/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/time.h"
#include "directory/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(Settings, settings_free)

static char path[64];

static int setup(void **state) {
        int fd;

        (void) state;
        strcpy(path, "/tmp/sdi settings.XXXXXX");
        fd = mkstemp(path);
        return fd < 0 || close(fd) < 0 ? -1 : 0;
}

static int teardown(void **state) {
        (void) state;
        return unlink(path);
}

static int load(const char *text, Settings **ret, char reason[static SETTINGS_REASON_MAX]) {
        assert_int_equal(file_replace(path, text, strlen(text), 0644, 0), 0);
        return settings_load(path, ret, reason);
}

static void test_defaults(void **state) {
        _cleanup_(settings_freep) Settings *settings = NULL;
        static const uint8_t loopback[16] = { [10] = 0xff, [11] = 0xff, 127, 1, 2, 3 },
                             other[16] = { [10] = 0xff, [11] = 0xff, 128, 1, 2, 3 };
        char reason[SETTINGS_REASON_MAX];

        (void) state;
        assert_int_equal(load("", &settings, reason), 0);
        assert_string_equal(settings->store, "sqlite:/var/lib/sdi-directory/directory.db");
        assert_int_equal(settings->policy.key_types.n, 4);
        assert_true(words_have(&settings->policy.accept, "key"));
        assert_false(settings->policy.has_pattern);
        assert_int_equal(settings->replace_roles.n, 0);
        assert_true(settings->timeout_usec == 15 * USEC_PER_SEC);
        assert_true(networks_have(&settings->metrics_networks, loopback));
        assert_false(networks_have(&settings->metrics_networks, other));
}

/* The sample that is installed says what is so without it. */
static void test_sample(void **state) {
        _cleanup_(settings_freep) Settings *settings = NULL, *defaults = NULL;
        _cleanup_free_ char *sample = NULL;
        char reason[SETTINGS_REASON_MAX];

        (void) state;
        assert_int_equal(file_read(AT_FDCWD, getenv("SDI_DIRECTORY_SAMPLE"), 65536, &sample, NULL), 0);
        for (char *p = sample; (p = strchr(p, '#')); p++)
                if (p[1] != ' ')
                        memmove(p, p + 1, strlen(p));
        assert_int_equal(load("", &defaults, reason), 0);
        assert_int_equal(load(sample, &settings, reason), 0);
        assert_string_equal(settings->store, defaults->store);
        assert_string_equal(settings->policy.identifier, defaults->policy.identifier);
        assert_int_equal(settings->policy.key_types.n, defaults->policy.key_types.n);
        assert_int_equal(settings->policy.extensions.n, defaults->policy.extensions.n);
        assert_int_equal(settings->policy.accept.n, defaults->policy.accept.n);
        assert_int_equal(settings->enroll_roles.n, defaults->enroll_roles.n);
        assert_int_equal(settings->misses_per_minute, defaults->misses_per_minute);
        assert_int_equal(settings->miss_burst, defaults->miss_burst);
        assert_int_equal(settings->metrics_networks.n, defaults->metrics_networks.n);
        assert_int_equal(settings->connections, defaults->connections);
        assert_int_equal(settings->connections_per_address, defaults->connections_per_address);
        assert_int_equal(settings->timeout_usec, defaults->timeout_usec);
        assert_int_equal(settings->policy.minimum_lifetime_usec, defaults->policy.minimum_lifetime_usec);
}

static void test_networks(void **state) {
        static const uint8_t in[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x12, 0x3f, [15] = 1 },
                             out[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x12, 0x40, [15] = 1 };
        _cleanup_(settings_freep) Settings *settings = NULL;
        char reason[SETTINGS_REASON_MAX];

        (void) state;
        assert_int_equal(
                        load("[Factory]\nNetworks=192.0.2.0/25 2001:db8:1200::/42\n", &settings, reason), 0);
        assert_int_equal(settings->factory_networks.n, 2);
        assert_true(networks_have(&settings->factory_networks, in));
        assert_false(networks_have(&settings->factory_networks, out));
}

/* A policy with a typo is none. */
static void test_errors(void **state) {
        static const struct {
                const char *text, *reason;
        } errors[] = {
                { "[Policy]\nKeytypes=p256\n", ":2: unknown key: Keytypes" },
                { "[policy]\nKeyTypes=p256\n", ":2: unknown key: KeyTypes" },
                { "[Policy]\nKeyTypes=p255\n", ":2: bad value of this key: KeyTypes" },
                { "[Policy]\nIdentifier=SN(\n", ":2: bad value of this key: Identifier" },
                { "[Policy]\nAccept=everything\n", ":2: bad value of this key: Accept" },
                { "[Policy]\nMinimumLifetime=soon\n", ":2: bad value of this key: MinimumLifetime" },
                { "[Factory]\nNetworks=192.0.2.0/33\n", ":2: bad value of this key: Networks" },
                { "[Factory]\nNetworks=factory\n", ":2: bad value of this key: Networks" },
                { "[Factory]\nKey=relative\n", ":2: bad value of this key: Key" },
                { "[Store]\nURL=mysql://x\n", ":2: bad value of this key: URL" },
                { "[Limits]\nConnections=-1\n", ":2: bad value of this key: Connections" },
                { "nonsense\n", ":1: neither a [Section] nor Key=value" },
        };
        char reason[SETTINGS_REASON_MAX];
        Settings *settings = NULL;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                assert_int_equal(load(errors[i].text, &settings, reason), -EINVAL);
                assert_non_null(strstr(reason, errors[i].reason));
        }
        assert_int_equal(settings_load("/nonexistent", &settings, reason), -ENOENT);
        assert_null(settings);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sample, setup, teardown),
                cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
