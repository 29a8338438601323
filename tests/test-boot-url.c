/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "net/boot-url.h"

#include <errno.h>
#include <string.h>

static void test_urls(void **state) {
        static const struct {
                const char *text, *host, *path;
                uint16_t port;
        } rows[] = {
                { "tftp://config.example.net/SN1.enc", "config.example.net", "SN1.enc", 69 },
                { "TFTP://config:6969/a/b/", "config", "a/b/", 6969 },
                { "tftp://192.0.2.1/x", "192.0.2.1", "x", 69 },
                { "tftp://[2001:db8::23]/x", "2001:db8::23", "x", 69 },
                { "tftp://[2001:db8::23]:1/x", "2001:db8::23", "x", 1 },
                { "tftp://[fe80::1%25eth0]/x", "fe80::1", "x", 69 },
                { "tftp://[fe80::1%eth0]/x", "fe80::1", "x", 69 },
                { "tftp://config/a%20b%2fc", "config", "a b/c", 69 },
                { "tftp://config/x;mode=octet", "config", "x", 69 },
                { "tftp://config", "config", "", 69 },
                { "tftp://config/", "config", "", 69 },
                { "tftp://config//absolute", "config", "/absolute", 69 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char address[IP_ADDRESS_TEXT_MAX];
                BootUrl url;

                assert_int_equal(boot_url_parse(rows[i].text, &url), 0);
                assert_string_equal(url.host[0] ? url.host : ip_address_format(address, &url.address),
                                rows[i].host);
                assert_string_equal(url.path, rows[i].path);
                assert_int_equal(url.port, rows[i].port);
        }
}

static void test_refused(void **state) {
        static const char *const rows[] = {
                "tftp://",
                "tftp:///x",
                "tftp://:69/x",
                "tftp://a:/x",
                "tftp://a:0/x",
                "tftp://a:65536/x",
                "tftp://a:69x/x",
                "tftp://[2001:db8::23/x",
                "tftp://[2001:db8::23]69/x",
                "tftp://[192.0.2.1]/x",
                "tftp://[::]/x",
                "tftp://[ff02::1]/x",
                "tftp://[2001:db8::1%eth0]/x",
                "tftp://2001:db8::1/x",
                "tftp://192.0.2/x",
                "tftp://192.0.2.256/x",
                "tftp://0.0.0.0/x",
                "tftp://a..b/x",
                "tftp://a b/x",
                "tftp://user@a/x",
                "tftp://a/x?y",
                "tftp://a/x#y",
                "tftp://a/%",
                "tftp://a/%4",
                "tftp://a/%4g",
                "tftp://a/%00",
                "tftp://a/%0a",
                "tftp://a/\x01",
                "tftp://a/%ff",
                "tftp://a/x;mode=netascii",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                BootUrl url = { .port = 1 };

                assert_int_equal(boot_url_parse(rows[i], &url), -EBADMSG);
                assert_int_equal(url.port, 1);
        }
        assert_int_equal(boot_url_parse("http://a/x", &(BootUrl){ 0 }), -EPROTONOSUPPORT);
        assert_int_equal(boot_url_parse("SN1.enc", &(BootUrl){ 0 }), -EPROTONOSUPPORT);
        assert_int_equal(boot_url_parse("", &(BootUrl){ 0 }), -EPROTONOSUPPORT);
}

static void test_too_long(void **state) {
        char text[2000] = "tftp://a/";
        BootUrl url;

        (void) state;
        memset(text + 9, 'x', BOOT_URL_PATH_MAX - 1);
        assert_int_equal(boot_url_parse(text, &url), 0);
        text[9 + BOOT_URL_PATH_MAX - 1] = 'x';
        assert_int_equal(boot_url_parse(text, &url), -ENAMETOOLONG);
        memset(text + 7, 'y', 1000);
        assert_int_equal(boot_url_parse(text, &url), -ENAMETOOLONG);
}

static void test_names(void **state) {
        static const char list[] = "\3lab\0\6config\7example\3net\0\0\1a";
        Cursor cursor = CURSOR((const uint8_t *) list, sizeof(list) - 1);
        char name[DOMAIN_NAME_MAX] = "";

        (void) state;
        assert_int_equal(domain_name_parse(&cursor, name), 0);
        assert_string_equal(name, "lab");
        assert_int_equal(domain_name_parse(&cursor, name), 0);
        assert_string_equal(name, "config.example.net");
        assert_int_equal(domain_name_parse(&cursor, name), -ENODATA);
        assert_int_equal(domain_name_parse(&cursor, name), -EBADMSG); /* without its end */
        assert_string_equal(name, "config.example.net");
        assert_int_equal(cursor.left, 2);

        cursor = CURSOR((const uint8_t *) "\300\0", 2); /* compressed */
        assert_int_equal(domain_name_parse(&cursor, name), -EBADMSG);
        cursor = CURSOR((const uint8_t *) "\3a b\0", 5);
        assert_int_equal(domain_name_parse(&cursor, name), -EBADMSG);
}

static void test_valid_names(void **state) {
        char label[65];

        (void) state;
        memset(label, 'a', 64);
        label[64] = '\0';
        assert_false(domain_name_is_valid(label));
        label[63] = '\0';
        assert_true(domain_name_is_valid(label));
        assert_true(domain_name_is_valid("a.b."));
        assert_false(domain_name_is_valid("a..b"));
        assert_false(domain_name_is_valid(".a"));
        assert_false(domain_name_is_valid("."));
        assert_false(domain_name_is_valid(""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_urls),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_too_long),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_valid_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
