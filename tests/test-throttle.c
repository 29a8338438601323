/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "directory/throttle.h"

DEFINE_CLEANUP(Throttle, throttle_free)

static const uint8_t alice[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 },
                     bob[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 2 };

#define START (1000 * USEC_PER_SEC)

static unsigned miss_until_refused(
                Throttle *throttle, const uint8_t address[static 16], uint64_t now, unsigned max) {
        uint64_t wait;
        unsigned n = 0;

        while (n < max && throttle_allows(throttle, address, now, &wait)) {
                throttle_on_miss(throttle, address, now);
                n++;
        }
        return n;
}

static void test_burst_and_refill(void **state) {
        _cleanup_(throttle_freep) Throttle *throttle = NULL;
        uint64_t wait = 0;

        (void) state;
        assert_int_equal(throttle_new(60, 20, &throttle), 0);
        assert_int_equal(miss_until_refused(throttle, alice, START, 100), 20);
        assert_false(throttle_allows(throttle, alice, START, &wait));
        assert_true(wait > 0 && wait <= USEC_PER_SEC);
        assert_true(throttle_allows(throttle, bob, START, &wait)); /* nobody else pays for it */
        assert_int_equal(miss_until_refused(throttle, alice, START + USEC_PER_SEC, 100), 1);
        assert_int_equal(miss_until_refused(throttle, alice, START + USEC_PER_MINUTE, 100), 20);
}

static void test_finding_costs_nothing(void **state) {
        _cleanup_(throttle_freep) Throttle *throttle = NULL;
        uint64_t wait;

        (void) state;
        assert_int_equal(throttle_new(60, 1, &throttle), 0);
        for (unsigned i = 0; i < 1000; i++)
                assert_true(throttle_allows(throttle, alice, START, &wait));
}

static void test_no_limit(void **state) {
        _cleanup_(throttle_freep) Throttle *throttle = NULL;

        (void) state;
        assert_int_equal(throttle_new(0, 1, &throttle), 0);
        assert_int_equal(miss_until_refused(throttle, alice, START, 1000), 1000);
}

/* Who has a /64 has as many addresses as he likes. */
static void test_network_of_ipv6(void **state) {
        uint8_t address[16] = { 0x20, 0x01, 0x0d, 0xb8 };
        _cleanup_(throttle_freep) Throttle *throttle = NULL;
        unsigned n = 0;

        (void) state;
        assert_int_equal(throttle_new(60, 20, &throttle), 0);
        for (unsigned i = 0; i < 100; i++) {
                address[15] = (uint8_t) i;
                n += miss_until_refused(throttle, address, START, 1);
        }
        assert_int_equal(n, 20);
        address[7] = 1;
        assert_int_equal(miss_until_refused(throttle, address, START, 1), 1);
}

/* However many there are, memory stays what it is, and whoever asks most is not the one who is forgotten. */
static void test_many_addresses(void **state) {
        uint8_t address[16] = { [10] = 0xff, [11] = 0xff, 10 };
        _cleanup_(throttle_freep) Throttle *throttle = NULL;
        uint64_t wait;

        (void) state;
        assert_int_equal(throttle_new(60, 20, &throttle), 0);
        miss_until_refused(throttle, alice, START, 100);
        for (unsigned i = 0; i < 1000000; i++) {
                address[13] = (uint8_t) (i >> 16);
                address[14] = (uint8_t) (i >> 8);
                address[15] = (uint8_t) i;
                throttle_on_miss(throttle, address, START);
        }
        assert_false(throttle_allows(throttle, alice, START, &wait));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_burst_and_refill),
                cmocka_unit_test(test_finding_costs_nothing),
                cmocka_unit_test(test_no_limit),
                cmocka_unit_test(test_network_of_ipv6),
                cmocka_unit_test(test_many_addresses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
