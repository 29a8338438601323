/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/targets.h"
#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

DEFINE_CLEANUP(Targets, targets_free)

static const StringList names = {
        .items = { (char *) "%s.enc", (char *) "%s.cfg", (char *) "%m.enc", (char *) "100%%.cfg" },
        .n = 4,
};
static const Identity identity = { .serial = "SN1", .uuid = "4c4c-0042" };
static const struct ether_addr mac = { { 0x52, 0x54, 0, 0xab, 0xcd, 0xef } };

static struct in_addr in(const char *text) {
        return (struct in_addr){ inet_addr(text) };
}

static Targets *targets_of(const Dhcp4Lease *lease, const Identity *device) {
        Targets *targets = NULL;

        assert_int_equal(targets_new4(&targets, lease, &names, device, &mac), 0);
        return targets;
}

static void assert_servers(const Targets *targets, const char *const *expected) {
        char text[IP_ADDRESS_TEXT_MAX];
        size_t i = 0;

        for (; expected[i]; i++) {
                assert_true(i < targets->n_servers);
                if (targets->servers[i].name[0] != '\0')
                        assert_string_equal(targets->servers[i].name, expected[i]);
                else
                        assert_string_equal(
                                        ip_address_format(text, &targets->servers[i].address), expected[i]);
        }
        assert_int_equal(targets->n_servers, i);
}

/* 150, then 66, then siaddr, then sname; each once; never option 54. */
static void test_order_of_servers(void **state) {
        const Dhcp4Lease lease = {
                .server = in("192.0.2.254"),
                .tftp_servers = { .addresses = { in("192.0.2.1"), in("192.0.2.2") }, .n = 2 },
                .tftp_server_name = (char *) "192.0.2.3",
                .next_server = in("192.0.2.1"),
                .server_name = (char *) "192.0.2.5",
        };
        _cleanup_(targets_freep) Targets *targets = targets_of(&lease, &identity);

        (void) state;
        assert_servers(targets,
                        (const char *[]){ "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.5", NULL });
}

static void test_no_server(void **state) {
        const Dhcp4Lease lease = { .server = in("192.0.2.254"), .server_name = (char *) "no name" };
        _cleanup_(targets_freep) Targets *targets = targets_of(&lease, &identity);

        (void) state;
        assert_int_equal(targets->n_servers, 0);
}

static void test_file_names(void **state) {
        static const struct {
                const char *boot_file, *file, *vendor_file;
                const char *expected[5];
        } rows[] = {
                { NULL, NULL, NULL, { "SN1.enc", "SN1.cfg", "52-54-00-ab-cd-ef.enc", "100%.cfg" } },
                { "given.cfg", NULL, "vendor.cfg", { "given.cfg" } },
                { "given.cfg", "field.cfg", NULL, { "given.cfg" } },
                { NULL, "field.cfg", "vendor.cfg", { "field.cfg" } },
                { NULL, NULL, "vendor.cfg", { "vendor.cfg" } },
                { "configs/", NULL, NULL,
                                { "configs/SN1.enc", "configs/SN1.cfg", "configs/52-54-00-ab-cd-ef.enc",
                                                "configs/100%.cfg" } },
                { "%s.cfg", NULL, NULL, { "%s.cfg" } }, /* what a server says is no pattern */
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const Dhcp4Lease lease = { .boot_file = (char *) rows[i].boot_file,
                        .file = (char *) rows[i].file,
                        .vendor_file = (char *) rows[i].vendor_file };
                _cleanup_(targets_freep) Targets *targets = targets_of(&lease, &identity);
                size_t j = 0;

                for (; rows[i].expected[j]; j++) {
                        assert_true(j < targets->n_files);
                        assert_string_equal(targets->files[j], rows[i].expected[j]);
                }
                assert_int_equal(targets->n_files, j);
        }
}

static void test_unknown_values_are_left_out(void **state) {
        const Dhcp4Lease lease = { 0 };
        const Identity nobody = { 0 };
        _cleanup_(targets_freep) Targets *targets = targets_of(&lease, &nobody);

        (void) state;
        assert_int_equal(targets->n_files, 2);
        assert_string_equal(targets->files[0], "52-54-00-ab-cd-ef.enc");
}

static void test_expand(void **state) {
        _cleanup_free_ char *text = NULL;
        char *none = NULL;

        (void) state;
        assert_int_equal(targets_expand("%u/%s-%m%%", &identity, &mac, &text), 0);
        assert_string_equal(text, "4c4c-0042/SN1-52-54-00-ab-cd-ef%");
        assert_int_equal(targets_expand("%p.cfg", &identity, &mac, &none), -ENODATA);
        assert_null(none);
}

/* Options 66 and sname are names as often as addresses. */
static void test_names_of_servers(void **state) {
        const Dhcp4Lease lease = {
                .tftp_server_name = (char *) "config.example.net",
                .next_server = in("192.0.2.1"),
                .server_name = (char *) "CONFIG.example.net",
        };
        _cleanup_(targets_freep) Targets *targets = targets_of(&lease, &identity);

        (void) state;
        assert_servers(targets, (const char *[]){ "config.example.net", "192.0.2.1", NULL });
        assert_int_equal(targets->servers[0].address.family, AF_UNSPEC);
}

static void test_url_of_dhcpv6(void **state) {
        static const struct {
                const char *url, *vendor_file, *expected; /* of the first target */
                int error;
        } rows[] = {
                { "tftp://[2001:db8::23]/SN1.enc", NULL, "tftp://[2001:db8::23]/SN1.enc", 0 },
                { "tftp://[2001:db8::23]:6969/a%20b", NULL, "tftp://[2001:db8::23]:6969/a b", 0 },
                { "tftp://config.example.net/configs/", NULL, "tftp://config.example.net/configs/SN1.enc",
                                0 },
                { "tftp://config.example.net", NULL, "tftp://config.example.net/SN1.enc", 0 },
                { NULL, "tftp://[fe80::1]/x", "tftp://[fe80::1]/x", 0 },
                { "tftp://[2001:db8::1]/a", "tftp://[fe80::1]/x", "tftp://[2001:db8::1]/a", 0 },
                { "http://[2001:db8::23]/SN1.enc", NULL, NULL, -EPROTONOSUPPORT },
                { "tftp://[2001:db8::23/SN1.enc", NULL, NULL, -EBADMSG },
                { NULL, NULL, NULL, 0 },
        };
        char url[TARGETS_URL_MAX];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const Dhcp6Lease lease = { .boot_url = (char *) rows[i].url,
                        .vendor_file = (char *) rows[i].vendor_file };
                _cleanup_(targets_freep) Targets *targets = NULL;

                assert_int_equal(targets_new6(&targets, &lease, &names, &identity, &mac), rows[i].error);
                if (!rows[i].expected) {
                        assert_true(!targets || targets->n_servers == 0);
                        continue;
                }
                assert_int_equal(targets->n_servers, 1);
                assert_string_equal(targets_url(url, targets->servers, targets->files[0]), rows[i].expected);
        }
}

static void test_url(void **state) {
        TargetServer server = { .port = 69 };
        char url[TARGETS_URL_MAX], name[1000];

        (void) state;
        assert_int_equal(ip_address_parse("2001:db8::23", &server.address), 0);
        assert_string_equal(targets_url(url, &server, "SN1.enc"), "tftp://[2001:db8::23]/SN1.enc");
        server.port = 6969;
        assert_string_equal(targets_url(url, &server, "SN1.enc"), "tftp://[2001:db8::23]:6969/SN1.enc");
        server.port = 69;
        assert_int_equal(ip_address_parse("192.0.2.1", &server.address), 0);
        assert_string_equal(targets_url(url, &server, "a/b"), "tftp://192.0.2.1/a/b");
        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(strlen(targets_url(url, &server, name)), TARGETS_URL_MAX - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_of_servers),
                cmocka_unit_test(test_no_server),
                cmocka_unit_test(test_file_names),
                cmocka_unit_test(test_unknown_values_are_left_out),
                cmocka_unit_test(test_expand),
                cmocka_unit_test(test_names_of_servers),
                cmocka_unit_test(test_url_of_dhcpv6),
                cmocka_unit_test(test_url),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
