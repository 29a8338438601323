/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/ip6-addresses.h"
#include "net/router-discovery.h"
#include "net/slaac.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define T0 (1000 * USEC_PER_SEC)

typedef struct Fixture {
        RouterDiscovery *discovery;
        Ip6Addresses *addresses;
        uint64_t now;
        unsigned n_solicits, n_changes, n_probes, n_set, n_removed, n_ready, n_lost, n_conflicts;
        int set_result;
        NdRouterAdvert advert; /* from fe80::1, for half an hour, with 2001:db8:0:1::/64 for an hour */
} Fixture;

static struct in6_addr in6(const char *text) {
        struct in6_addr address;

        assert_int_equal(inet_pton(AF_INET6, text, &address), 1);
        return address;
}

static int on_solicit(void *userdata) {
        ((Fixture *) userdata)->n_solicits++;
        return -ENOBUFS; /* a lost packet changes nothing */
}

static void on_change(void *userdata) {
        ((Fixture *) userdata)->n_changes++;
}

static uint32_t on_random(void *userdata) {
        (void) userdata;
        return UINT32_MAX / 2;
}

static int on_probe(const struct in6_addr *address, void *userdata) {
        (void) address;
        ((Fixture *) userdata)->n_probes++;
        return 0;
}

static int on_set(const Ip6Address *address, uint64_t now, void *userdata) {
        Fixture *f = userdata;

        assert_true(address->valid_until > now);
        f->n_set++;
        return f->set_result;
}

static void on_remove(const Ip6Address *address, void *userdata) {
        assert_true(address->used);
        ((Fixture *) userdata)->n_removed++;
}

static void on_address(Ip6AddressEvent event, const Ip6Address *address, void *userdata) {
        Fixture *f = userdata;

        (void) address;
        f->n_ready += event == IP6_ADDRESS_READY;
        f->n_lost += event == IP6_ADDRESS_LOST;
        f->n_conflicts += event == IP6_ADDRESS_CONFLICT;
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        f->now = T0;
        f->advert = (NdRouterAdvert){ .router = in6("fe80::1"), .lifetime = 1800, .n_prefixes = 1 };
        f->advert.prefixes[0] = (NdPrefix){
                .prefix = { .address = IP_ADDRESS_V6(in6("2001:db8:0:1::")), .length = 64 },
                .on_link = true,
                .autonomous = true,
                .valid = 3600,
                .preferred = 1800,
        };
        *state = f;
        return router_discovery_new(&f->discovery,
                               &(RouterDiscoveryConfig){ .solicit = on_solicit,
                                               .notify = on_change,
                                               .random = on_random,
                                               .userdata = f }) < 0
                        ? -1
                        : ip6_addresses_new(&f->addresses,
                                          &(Ip6AddressesConfig){ .conflict_wait = USEC_PER_MSEC,
                                                          .probe = on_probe,
                                                          .set = on_set,
                                                          .remove = on_remove,
                                                          .notify = on_address,
                                                          .userdata = f });
}

static int teardown(void **state) {
        Fixture *f = *state;

        router_discovery_free(f->discovery);
        ip6_addresses_free(f->addresses);
        free(f);
        return 0;
}

static const RouterTable *table(const Fixture *f) {
        return router_discovery_get_table(f->discovery);
}

static void advertise(Fixture *f) {
        router_discovery_dispatch_advert(f->discovery, f->now, &f->advert);
}

static void pass(Fixture *f, uint64_t usec) {
        f->now += usec;
        router_discovery_dispatch_timer(f->discovery, f->now);
        ip6_addresses_dispatch_timer(f->addresses, f->now);
}

/* RFC 7559: 4 s, each doubled and a tenth more or less, up to an hour and that tenth, for ever. */
static void test_solicitations(void **state) {
        Fixture *f = *state;
        uint64_t base = 4 * USEC_PER_SEC;

        router_discovery_start(f->discovery, f->now);
        assert_int_equal(f->n_solicits, 1);
        for (unsigned i = 0; i < 20; i++) {
                uint64_t wait = router_discovery_get_timeout(f->discovery) - f->now;

                assert_true(wait >= base * 9 / 10 && wait <= base * 11 / 10);
                pass(f, wait);
                assert_int_equal(f->n_solicits, i + 2);
                base = MIN(2 * wait, USEC_PER_HOUR);
        }
}

static void test_intervals_are_within_their_bounds(void **state) {
        (void) state;
        for (uint64_t random = 0; random <= UINT32_MAX; random += 65537) {
                uint64_t first = router_solicit_usec(0, (uint32_t) random);

                assert_true(first >= 3600 * USEC_PER_MSEC && first <= 4400 * USEC_PER_MSEC);
                assert_true(router_solicit_usec(USEC_PER_HOUR, (uint32_t) random) <=
                                USEC_PER_HOUR * 11 / 10);
        }
}

/* A router with a lifetime ends the solicitations; one without does not; the end of the last one begins them again. */
static void test_a_router_comes_and_goes(void **state) {
        Fixture *f = *state;

        router_discovery_start(f->discovery, f->now);
        f->advert.lifetime = 0;
        advertise(f);
        assert_int_equal(table(f)->n_routers, 0);
        assert_true(router_discovery_get_timeout(f->discovery) < f->now + 5 * USEC_PER_SEC);
        f->advert.lifetime = 1800;
        advertise(f);
        assert_int_equal(table(f)->n_routers, 1);
        assert_true(router_discovery_get_timeout(f->discovery) == f->now + 1800 * USEC_PER_SEC);
        pass(f, 1800 * USEC_PER_SEC);
        assert_int_equal(table(f)->n_routers, 0);
        assert_int_equal(f->n_solicits, 2);
        assert_int_equal(f->n_changes, 3);
        advertise(f);
        f->advert.lifetime = 0;
        advertise(f);
        assert_int_equal(table(f)->n_routers, 0);
        assert_int_equal(f->n_solicits, 3);
}

static void test_the_best_router_is_first(void **state) {
        Fixture *f = *state;

        advertise(f);
        f->advert.router = in6("fe80::2");
        f->advert.preference = ND_PREFERENCE_HIGH;
        advertise(f);
        assert_memory_equal(&table(f)->routers[0].address, &f->advert.router, 16);
        f->advert.preference = ND_PREFERENCE_LOW;
        advertise(f);
        assert_int_equal(table(f)->n_routers, 2);
        assert_memory_equal(&table(f)->routers[1].address, &f->advert.router, 16);
}

/* RFC 4862 §5.5.3 e): not less than two hours at once, unless less is left already; preferred is as told. */
static void test_two_hours(void **state) {
        Fixture *f = *state;
        NdPrefix *prefix = f->advert.prefixes;

        prefix->valid = 86400;
        advertise(f);
        prefix->valid = 0;
        prefix->preferred = 0;
        advertise(f);
        assert_true(table(f)->prefixes[0].valid_until == f->now + 2 * USEC_PER_HOUR);
        assert_true(table(f)->prefixes[0].preferred_until == f->now);
        assert_true(table(f)->prefixes[0].on_link_until == 0); /* RFC 4861 §6.3.4: at once */
        f->now += USEC_PER_HOUR;
        advertise(f);
        assert_true(table(f)->prefixes[0].valid_until == f->now + USEC_PER_HOUR);
        pass(f, USEC_PER_HOUR);
        assert_int_equal(table(f)->n_prefixes, 0);
}

static void test_only_64_bits_make_an_address(void **state) {
        Fixture *f = *state;

        f->advert.prefixes[0].prefix.length = 63;
        advertise(f);
        assert_true(table(f)->prefixes[0].on_link_until > f->now);
        assert_true(table(f)->prefixes[0].valid_until == 0);
}

/* However many there are. */
static void test_a_flood_is_bounded(void **state) {
        Fixture *f = *state;

        router_discovery_start(f->discovery, f->now);
        f->advert.n_routes = f->advert.n_dns = f->advert.n_domains = 1;
        for (unsigned i = 0; i < 10000; i++) {
                f->advert.router.s6_addr[14] = (uint8_t) (i >> 8);
                f->advert.router.s6_addr[13] = (uint8_t) i;
                f->advert.prefixes[0].prefix.address.v6.s6_addr[5] = (uint8_t) (i >> 8);
                f->advert.prefixes[0].prefix.address.v6.s6_addr[6] = (uint8_t) i;
                f->advert.routes[0] =
                                (NdRoute){ .destination = f->advert.prefixes[0].prefix, .lifetime = 100 };
                f->advert.dns[0] = (NdDns){ .server = f->advert.router, .lifetime = 100 };
                f->advert.domains[0].lifetime = 100;
                snprintf(f->advert.domains[0].name, DOMAIN_NAME_MAX, "d%u", i);
                advertise(f);
        }
        assert_int_equal(table(f)->n_routers, ROUTERS_MAX);
        assert_int_equal(table(f)->n_prefixes, ROUTER_PREFIXES_MAX);
        assert_int_equal(table(f)->n_routes, ROUTER_ROUTES_MAX);
        assert_int_equal(table(f)->n_dns, ROUTER_DNS_MAX);
        assert_int_equal(table(f)->n_domains, ROUTER_DOMAINS_MAX);
        assert_int_equal(f->n_solicits, 1);
        assert_true(router_discovery_get_dropped(f->discovery) > 9000);
}

static int want(Fixture *f, const char *text, uint64_t seconds) {
        struct in6_addr address = in6(text);

        return ip6_addresses_want(f->addresses, f->now, &address, IP6_ORIGIN_SLAAC,
                        f->now + seconds * USEC_PER_SEC / 2, f->now + seconds * USEC_PER_SEC);
}

static void test_an_address_is_used_after_the_wait(void **state) {
        Fixture *f = *state;

        assert_int_equal(want(f, "2001:db8::1", 3600), 0);
        assert_int_equal(f->n_probes, 1);
        assert_int_equal(f->n_ready, 0);
        assert_null(ip6_addresses_choose(f->addresses, f->now));
        pass(f, USEC_PER_MSEC);
        assert_int_equal(f->n_ready, 1);
        assert_non_null(ip6_addresses_choose(f->addresses, f->now));

        /* A little longer: the kernel is not bothered; much longer, or shorter: it is. */
        pass(f, USEC_PER_SEC);
        want(f, "2001:db8::1", 3600);
        assert_int_equal(f->n_set, 1);
        want(f, "2001:db8::1", 7200);
        want(f, "2001:db8::1", 600);
        assert_int_equal(f->n_set, 3);
        assert_int_equal(f->n_probes, 1);
        pass(f, 600 * USEC_PER_SEC);
        assert_int_equal(f->n_lost, 1);
        assert_int_equal(f->n_removed, 1);
        assert_int_equal(ip6_addresses_count(f->addresses), 0);
}

static void test_an_address_is_used_when_the_kernel_receives_for_it(void **state) {
        struct in6_addr first = in6("2001:db8::1"), third = in6("2001:db8::3");
        Fixture *f = *state;

        f->set_result = 1;
        want(f, "2001:db8::1", 3600);
        pass(f, USEC_PER_MSEC);
        ip6_addresses_dispatch_received(f->addresses, &third);
        assert_int_equal(f->n_set, 1);
        assert_int_equal(f->n_ready, 0);
        assert_null(ip6_addresses_choose(f->addresses, f->now));
        ip6_addresses_dispatch_received(f->addresses, &first);
        ip6_addresses_dispatch_received(f->addresses, &first);
        assert_int_equal(f->n_ready, 1);
        assert_non_null(ip6_addresses_choose(f->addresses, f->now));

        /* A word of it that is lost is not waited for long; and what was set is removed, told or not. */
        want(f, "2001:db8::2", 3600);
        pass(f, USEC_PER_MSEC);
        assert_int_equal(f->n_ready, 1);
        pass(f, ip6_addresses_get_timeout(f->addresses) - f->now);
        assert_int_equal(f->n_ready, 2);
        assert_true(f->now < T0 + USEC_PER_SEC);
        want(f, "2001:db8::3", 3600);
        pass(f, USEC_PER_MSEC);
        ip6_addresses_drop(f->addresses, &third);
        assert_int_equal(f->n_set, 3);
        assert_int_equal(f->n_removed, 1);
        assert_int_equal(f->n_ready, 2);
}

static void test_conflicts(void **state) {
        Fixture *f = *state;
        struct in6_addr address = in6("2001:db8::1");

        /* Before it is used: whoever has it, and whoever wants it. */
        want(f, "2001:db8::1", 3600);
        ip6_addresses_dispatch_conflict(f->addresses, f->now, &address, false);
        assert_int_equal(f->n_conflicts, 1);
        assert_int_equal(f->n_removed, 0);

        /* In use: who has it, for two seconds; who wants it is told by the kernel that it is ours. */
        want(f, "2001:db8::1", 3600);
        pass(f, USEC_PER_MSEC);
        ip6_addresses_dispatch_conflict(f->addresses, f->now, &address, false);
        assert_int_equal(f->n_conflicts, 1);
        ip6_addresses_dispatch_conflict(f->addresses, f->now + USEC_PER_SEC, &address, true);
        assert_int_equal(f->n_conflicts, 2);
        assert_int_equal(f->n_lost, 1);
        assert_int_equal(f->n_removed, 1);

        want(f, "2001:db8::1", 3600);
        pass(f, USEC_PER_MSEC);
        ip6_addresses_dispatch_conflict(f->addresses, f->now + 3 * USEC_PER_SEC, &address, true);
        assert_int_equal(f->n_conflicts, 2);
}

static void test_the_kernel_is_not_ready(void **state) {
        Fixture *f = *state;

        f->set_result = -EAGAIN;
        want(f, "2001:db8::1", 3600);
        pass(f, USEC_PER_MSEC);
        assert_int_equal(f->n_ready, 0);
        f->set_result = 0;
        pass(f, USEC_PER_SEC);
        assert_int_equal(f->n_ready, 1);
}

static void test_no_more_than_fit(void **state) {
        Fixture *f = *state;
        char text[64];

        for (unsigned i = 0; i < 100; i++) {
                snprintf(text, sizeof(text), "2001:db8::%u", i + 1);
                assert_int_equal(want(f, text, 3600), i < IP6_ADDRESSES_MAX ? 0 : -E2BIG);
        }
        assert_int_equal(f->n_probes, IP6_ADDRESSES_MAX);
}

/* One that is still preferred before one that is not; of those one of DHCPv6. */
static void test_choice(void **state) {
        Fixture *f = *state;
        struct in6_addr made = in6("2001:db8::1"), leased = in6("2001:db8::2"),
                        deprecated = in6("2001:db8::3");

        want(f, "2001:db8::1", 3600);
        ip6_addresses_want(f->addresses, f->now, &deprecated, IP6_ORIGIN_DHCP, f->now, USEC_INFINITY);
        pass(f, USEC_PER_MSEC);
        assert_memory_equal(&ip6_addresses_choose(f->addresses, f->now)->address, &made, 16);
        ip6_addresses_want(f->addresses, f->now, &leased, IP6_ORIGIN_DHCP, USEC_INFINITY, USEC_INFINITY);
        pass(f, USEC_PER_MSEC);
        assert_memory_equal(&ip6_addresses_choose(f->addresses, f->now)->address, &leased, 16);
}

static void test_slaac(void **state) {
        const struct ether_addr a = { { 0x52, 0x54, 0, 0xab, 0xcd, 0xef } },
                                b = { { 0x52, 0x54, 0, 0xab, 0xcd, 0xee } };
        const uint8_t secret[SLAAC_SECRET_SIZE] = "secret", other[SLAAC_SECRET_SIZE] = "other";
        struct in6_addr prefix = in6("2001:db8:0:1::"), prefix2 = in6("2001:db8:0:2::"), address, again;

        (void) state;
        address = slaac_eui64(&prefix, &a);
        again = in6("2001:db8:0:1:5054:ff:feab:cdef");
        assert_memory_equal(&address, &again, 16);

        address = slaac_stable(&prefix, &a, 0, secret);
        again = slaac_stable(&prefix, &a, 0, secret);
        assert_memory_equal(&address, &again, 16);
        assert_memory_equal(&address, &prefix, 8);
        again = slaac_stable(&prefix2, &a, 0, secret);
        assert_memory_not_equal(address.s6_addr + 8, again.s6_addr + 8, 8);
        again = slaac_stable(&prefix, &b, 0, secret);
        assert_memory_not_equal(address.s6_addr + 8, again.s6_addr + 8, 8);
        again = slaac_stable(&prefix, &a, 1, secret);
        assert_memory_not_equal(address.s6_addr + 8, again.s6_addr + 8, 8);
        again = slaac_stable(&prefix, &a, 0, other);
        assert_memory_not_equal(address.s6_addr + 8, again.s6_addr + 8, 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_solicitations),
                cmocka_unit_test(test_intervals_are_within_their_bounds),
                TEST(test_a_router_comes_and_goes),
                TEST(test_the_best_router_is_first),
                TEST(test_two_hours),
                TEST(test_only_64_bits_make_an_address),
                TEST(test_a_flood_is_bounded),
                TEST(test_an_address_is_used_after_the_wait),
                TEST(test_an_address_is_used_when_the_kernel_receives_for_it),
                TEST(test_conflicts),
                TEST(test_the_kernel_is_not_ready),
                TEST(test_no_more_than_fit),
                TEST(test_choice),
                cmocka_unit_test(test_slaac),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
