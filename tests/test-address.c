/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/address.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void parse(const char *text, uint8_t ret[static 16]) {
        unsigned before;

        assert_int_equal(address_parse(text, ret, &before), 0);
}

static bool same_network(const char *a, const char *b) {
        uint8_t address_a[16], address_b[16], network_a[16], network_b[16];

        parse(a, address_a);
        parse(b, address_b);
        address_get_network(address_a, network_a);
        address_get_network(address_b, network_b);
        return memcmp(network_a, network_b, 16) == 0;
}

static void test_network(void **state) {
        (void) state;
        assert_true(same_network("2001:db8::1", "2001:db8::ffff:1:2:3"));
        assert_false(same_network("2001:db8::1", "2001:db8:0:1::1"));
        assert_false(same_network("192.0.2.1", "192.0.2.2"));
        assert_true(same_network("192.0.2.1", "::ffff:192.0.2.1"));
        assert_false(same_network("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert_false(same_network("192.0.2.1", "::192.0.2.1"));
}

/* A socket of IPv6 that takes IPv4 as well gives mapped addresses. */
static void test_socket(void **state) {
        struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
        struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
        struct sockaddr local = { .sa_family = AF_UNIX };
        uint8_t a[16], b[16], expected[16];
        char text[ADDRESS_TEXT_MAX];

        (void) state;
        parse("::ffff:192.0.2.1", mapped.sin6_addr.s6_addr);
        parse("192.0.2.1", expected);
        address_from_socket((const struct sockaddr *) &ipv4, a);
        address_from_socket((const struct sockaddr *) &mapped, b);
        assert_memory_equal(a, expected, 16);
        assert_memory_equal(b, expected, 16);
        assert_string_equal(address_format(text, b), "192.0.2.1");
        address_from_socket(&local, a);
        assert_string_equal(address_format(text, a), "::");
}

static void test_text(void **state) {
        char text[ADDRESS_TEXT_MAX];
        uint8_t address[16];
        unsigned before;

        (void) state;
        assert_int_equal(address_parse("2001:db8::1", address, &before), 0);
        assert_int_equal(before, 0);
        assert_string_equal(address_format(text, address), "2001:db8::1");
        assert_int_equal(address_parse("192.0.2.1", address, &before), 0);
        assert_int_equal(before, 96);
        assert_int_equal(address_parse("192.0.2", address, &before), -EINVAL);
        assert_int_equal(address_parse("", address, &before), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_network),
                cmocka_unit_test(test_socket),
                cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
