/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "directory/path.h"

#include <errno.h>
#include <string.h>

static void test_public(void **state) {
        static const struct {
                const char *text;
                PathKind kind;
                const char *id;
        } paths[] = {
                { "/", PATH_PAGE, "" },
                { "/style.css", PATH_STYLE, "" },
                { "/certificates/SN19842256.crt", PATH_PEM, "SN19842256" },
                { "/certificates/SN19842256.cer", PATH_DER, "SN19842256" },
                { "/certificates/SN19842256.json", PATH_JSON, "SN19842256" },
                { "/certificates/a.crt.crt", PATH_PEM, "a.crt" },
                { "/certificates.tar", PATH_TAR, "" },
                { "/healthz", PATH_HEALTH, "" },
                { "/metrics", PATH_METRICS, "" },
                { "/certificates/SN19842256", PATH_UNKNOWN, "" },
                { "/certificates/.crt", PATH_UNKNOWN, "" },
                { "/certificates/..crt", PATH_UNKNOWN, "" },
                { "/certificates/../x.crt", PATH_UNKNOWN, "" },
                { "/certificates/%53.crt", PATH_UNKNOWN, "" },
                { "/certificates/a/b.crt", PATH_UNKNOWN, "" },
                { "/certificates//a.crt", PATH_UNKNOWN, "" },
                { "//certificates/a.crt", PATH_UNKNOWN, "" },
                { "/certificates/", PATH_UNKNOWN, "" },
                { "/certificates", PATH_UNKNOWN, "" },
                { "", PATH_UNKNOWN, "" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                Path path = path_parse(paths[i].text, false);

                assert_int_equal(path.kind, paths[i].kind);
                assert_string_equal(path.id, paths[i].id);
        }
}

static void test_factory(void **state) {
        Path path = path_parse("/certificates/SN1.crt", true);

        (void) state;
        assert_int_equal(path.kind, PATH_ENROLL);
        assert_string_equal(path.id, "SN1.crt");
        assert_int_equal(path_parse("/certificates/-x", true).kind, PATH_UNKNOWN);
        assert_int_equal(path_parse("/.well-known/est/cacerts", true).kind, PATH_EST_CACERTS);
        assert_int_equal(path_parse("/.well-known/est/simpleenroll", true).kind, PATH_EST_ENROLL);
}

/* Of every prefix of a path: it is itself, shorter, or nothing. */
static void test_every_prefix(void **state) {
        static const char text[] = "/certificates/SN19842256.json";
        char prefix[sizeof(text)];

        (void) state;
        for (size_t n = 0; n < strlen(text); n++) {
                memcpy(prefix, text, n);
                prefix[n] = '\0';
                assert_int_equal(path_parse(prefix, false).kind, n == 1 ? PATH_PAGE : PATH_UNKNOWN);
                assert_int_equal(path_parse(prefix, true).kind,
                                n == 1                                         ? PATH_PAGE
                                                : n > strlen("/certificates/") ? PATH_ENROLL
                                                                               : PATH_UNKNOWN);
        }
}

static int get(const char *text, const char *name, char ret[static 16]) {
        return form_get(text, strlen(text), name, ret, 16);
}

static void test_form(void **state) {
        char value[16] = "untouched";

        (void) state;
        assert_int_equal(get("a=1&serials=SN1+SN2%0d%0aSN3&b=", "serials", value), 0);
        assert_string_equal(value, "SN1 SN2\r\nSN3");
        assert_int_equal(get("serials=", "serials", value), 0);
        assert_string_equal(value, "");
        assert_int_equal(get("serials=%00x", "serials", value), 0);
        assert_string_equal(value, "?x");
        assert_int_equal(get("", "serials", value), -ENOENT);
        assert_int_equal(get("serial=1&xserials=2&serials", "serials", value), -ENOENT);
        assert_int_equal(get("serials=%", "serials", value), -EBADMSG);
        assert_int_equal(get("serials=%4", "serials", value), -EBADMSG);
        assert_int_equal(get("serials=%4g", "serials", value), -EBADMSG);
        assert_int_equal(get("serials=0123456789abcdef", "serials", value), -E2BIG);
        assert_int_equal(get("serials=0123456789abcde", "serials", value), 0);
}

static void test_form_every_prefix(void **state) {
        static const char text[] = "a=1&serials=SN1%2cSN2&b=2";
        char value[16];

        (void) state;
        for (size_t n = 0; n <= strlen(text); n++) {
                int r = form_get(text, n, "serials", value, sizeof(value));

                assert_true(n < 12 ? r == -ENOENT : r == (n == 16 || n == 17 ? -EBADMSG : 0));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_public),
                cmocka_unit_test(test_factory),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_form_every_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
