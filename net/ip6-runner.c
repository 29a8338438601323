/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What comes first does not matter: routers and DHCPv6 servers are asked at the same time, from a link-local address that is used
 * optimistically (RFC 4429), by packets of our own. The flags M and O of RFC 4861 §4.2 say what is available, not what a host must
 * do. So we solicit addresses whatever they say, unless a router says that DHCPv6 has all but addresses (O without M): then the rest is
 * asked for, which a stateless server answers at once.
 *
 * The link-local address is the kernel's own by default (EUI-64), and then the kernel asks whether another host has it. While
 * it is waiting for an answer it does not speak for the address, so neighbours who ask for it are answered here, without the flag by
 * which an answer overrides another's (RFC 4429 §3.3).
 */

#include "net/ip6-runner.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* RFC 7217 §6: IDGEN_RETRIES. */
#define CONFLICTS_MAX 3

/* Routers that contradict each other, or themselves, do not have us send a message for each of theirs. */
#define MODE_INTERVAL (10 * USEC_PER_SEC)

/* RFC 4861 §10: ALL_ROUTERS. */
static const struct in6_addr all_routers = { .s6_addr = { 0xff, 2, [15] = 2 } };

struct Ip6Runner {
        Ip6RunnerConfig config;
        struct in6_addr link_local;
        uint8_t nonce[ND_NONCE_SIZE];
        uint64_t started, mode_time;
        uint8_t n_conflicts; /* of addresses made by SLAAC */
        bool unusable;       /* the link-local address is another host's */

        RouterDiscovery *discovery;
        Ip6Addresses *addresses;
        Dhcp6Client *dhcp;
        struct ether_addr
                        neighbour; /* that brought the last DHCPv6 message: the server, or a relay on its behalf */
        EventSource *timer;
};

DEFINE_CLEANUP(Ip6Runner, ip6_runner_free)

static void settle(Ip6Runner *runner) {
        uint64_t next = MIN(router_discovery_get_timeout(runner->discovery),
                        ip6_addresses_get_timeout(runner->addresses));

        next = MIN(next, dhcp6_client_get_timeout(runner->dhcp));
        event_timer_set(runner->timer, runner->unusable ? USEC_INFINITY : next);
}

static void raise(Ip6Runner *runner, Ip6Event event, const Ip6Address *address) {
        runner->config.notify(event, address, runner->config.userdata);
}

/* Before the kernel's generator is seeded, at the very first boot, numbers that differ are good enough. */
static uint32_t draw(void *userdata) {
        uint32_t number;

        (void) userdata;
        if (getrandom(&number, sizeof(number), GRND_INSECURE) != sizeof(number))
                number = (uint32_t) time_now_boottime();
        return number;
}

static int send_nd(Ip6Runner *runner, const struct in6_addr *source, const struct in6_addr *destination,
                const struct ether_addr *to, const Buffer *message) {
        uint8_t memory[IP6_HEADER_SIZE + ND_MESSAGE_MAX];
        Buffer packet = BUFFER(memory, sizeof(memory));

        ip6_packet_build_icmp(&packet, source, destination, message->p, message->size);
        return ip6_raw_send(runner->config.raw, runner->config.ifindex, to, &packet);
}

/* RFC 4429 §3.3: as long as the address could be another host's, our Ethernet address is not in it. */
static int send_router_solicit(void *userdata) {
        Ip6Runner *runner = userdata;
        bool sure = time_now_boottime() > time_add(runner->started, IP6_CONFLICT_HEEDED);
        uint8_t memory[ND_MESSAGE_MAX];
        Buffer message = BUFFER(memory, sizeof(memory));

        nd_build_router_solicit(&message, sure ? &runner->config.address : NULL);
        return send_nd(runner, &runner->link_local, &all_routers, NULL, &message);
}

static int send_probe(const struct in6_addr *address, void *userdata) {
        Ip6Runner *runner = userdata;
        struct in6_addr group = ip6_solicited_node(address);
        uint8_t memory[ND_MESSAGE_MAX];
        Buffer message = BUFFER(memory, sizeof(memory));

        nd_build_probe(&message, address, runner->nonce);
        return send_nd(runner, &in6addr_any, &group, NULL, &message);
}

static int send_dhcp(Dhcp6Type type, const struct in6_addr *source, const struct in6_addr *destination,
                const uint8_t *data, size_t size, void *userdata) {
        Ip6Runner *runner = userdata;
        uint8_t memory[1280];
        Buffer packet = BUFFER(memory, sizeof(memory));

        (void) type;
        ip6_packet_build_udp(&packet, source ? source : &runner->link_local, destination, DHCP6_CLIENT_PORT,
                        DHCP6_SERVER_PORT, data, size);
        /* A server that wants to be asked directly is where its answer has come from, or behind that. */
        return ip6_raw_send(runner->config.raw, runner->config.ifindex, source ? &runner->neighbour : NULL,
                        &packet);
}

static struct in6_addr slaac_address(const Ip6Runner *runner, const IpPrefix *prefix) {
        const Ip6RunnerConfig *config = &runner->config;

        return config->stable ? slaac_stable(&prefix->address.v6, &config->address, runner->n_conflicts,
                                                config->secret)
                              : slaac_eui64(&prefix->address.v6, &config->address);
}

static void make_addresses(Ip6Runner *runner, uint64_t now) {
        const RouterTable *table = router_discovery_get_table(runner->discovery);

        if (runner->n_conflicts > CONFLICTS_MAX)
                return;
        for (size_t i = 0; i < table->n_prefixes; i++) {
                const RouterPrefix *prefix = table->prefixes + i;
                struct in6_addr address = slaac_address(runner, &prefix->prefix);

                if (prefix->valid_until > now) /* no room: there are enough to speak from */
                        (void) ip6_addresses_want(runner->addresses, now, &address, IP6_ORIGIN_SLAAC,
                                        prefix->preferred_until, prefix->valid_until);
        }
}

/* What the routers say about DHCPv6. */
static void follow_flags(Ip6Runner *runner, uint64_t now) {
        const RouterTable *table = router_discovery_get_table(runner->discovery);
        Dhcp6State state = dhcp6_client_get_state(runner->dhcp);

        if (!table->heard || (runner->mode_time != 0 && now < time_add(runner->mode_time, MODE_INTERVAL)))
                return;
        if (table->managed)
                dhcp6_client_start(runner->dhcp, now);
        else if (table->other)
                dhcp6_client_inform(runner->dhcp, now);
        if (dhcp6_client_get_state(runner->dhcp) != state)
                runner->mode_time = now;
}

static void on_routers(void *userdata) {
        Ip6Runner *runner = userdata;
        uint64_t now = time_now_boottime();

        follow_flags(runner, now);
        make_addresses(runner, now);
        raise(runner, IP6_EVENT_ROUTERS, NULL);
}

static uint64_t after(uint64_t from, uint32_t seconds) {
        return seconds == UINT32_MAX ? USEC_INFINITY : time_add(from, seconds * USEC_PER_SEC);
}

static bool lease_has(const Dhcp6Lease *lease, const struct in6_addr *address) {
        for (size_t i = 0; lease && i < lease->n_addresses; i++)
                if (IN6_ARE_ADDR_EQUAL(&lease->addresses[i].address, address))
                        return true;
        return false;
}

/* Those of DHCPv6 that are not in the lease, or all of them. */
static void drop_leased(Ip6Runner *runner, const Dhcp6Lease *lease) {
        for (size_t i = ip6_addresses_count(runner->addresses); i-- > 0;) {
                Ip6Address entry = *ip6_addresses_get(runner->addresses, i);

                if (entry.origin == IP6_ORIGIN_DHCP && !lease_has(lease, &entry.address))
                        ip6_addresses_drop(runner->addresses, &entry.address);
        }
}

static void take_leased(Ip6Runner *runner, const Dhcp6Lease *lease) {
        uint64_t now = time_now_boottime(), from = dhcp6_client_get_requested(runner->dhcp);

        drop_leased(runner, lease);
        for (size_t i = 0; i < lease->n_addresses; i++) {
                const Dhcp6IaAddress *address = lease->addresses + i;

                (void) ip6_addresses_want(runner->addresses, now, &address->address, IP6_ORIGIN_DHCP,
                                after(from, address->preferred), after(from, address->valid));
        }
}

static void on_dhcp(Dhcp6Event event, const Dhcp6Lease *lease, void *userdata) {
        Ip6Runner *runner = userdata;

        switch (event) {
        case DHCP6_EVENT_BOUND:
        case DHCP6_EVENT_RENEWED:
                raise(runner, IP6_EVENT_LEASE, NULL);
                take_leased(runner, lease);
                break;
        case DHCP6_EVENT_INFORMED:
                raise(runner, IP6_EVENT_LEASE, NULL);
                break;
        case DHCP6_EVENT_LOST:
                drop_leased(runner, NULL);
                raise(runner, IP6_EVENT_LEASE_LOST, NULL);
                break;
        }
}

static int set_address(const Ip6Address *address, uint64_t now, void *userdata) {
        Ip6Runner *runner = userdata;

        return runner->config.set_address(address, now, runner->config.userdata);
}

static void remove_address(const Ip6Address *address, void *userdata) {
        Ip6Runner *runner = userdata;

        runner->config.remove_address(address, runner->config.userdata);
}

static void on_conflict(Ip6Runner *runner, const Ip6Address *address) {
        uint64_t now = time_now_boottime();

        /* First the decline, which loses the lease: the conflict is why, and the last word about it. */
        if (address->origin == IP6_ORIGIN_DHCP)
                dhcp6_client_decline(runner->dhcp, now, &address->address);
        raise(runner, IP6_EVENT_ADDRESS_CONFLICT, address);
        switch (address->origin) {
        case IP6_ORIGIN_DHCP:
                break;
        case IP6_ORIGIN_SLAAC: /* RFC 4862 §5.4.5: an EUI-64 that is taken will not do in another prefix either */
                runner->n_conflicts = runner->config.stable ? runner->n_conflicts + 1 : CONFLICTS_MAX + 1;
                make_addresses(runner, now);
                break;
        }
}

static void on_address(Ip6AddressEvent event, const Ip6Address *address, void *userdata) {
        Ip6Runner *runner = userdata;

        switch (event) {
        case IP6_ADDRESS_READY:
                raise(runner, IP6_EVENT_ADDRESS_READY, address);
                break;
        case IP6_ADDRESS_LOST:
                raise(runner, IP6_EVENT_ADDRESS_LOST, address);
                break;
        case IP6_ADDRESS_CONFLICT:
                on_conflict(runner, address);
                break;
        }
}

static void answer_neighbour(
                Ip6Runner *runner, const struct ether_addr *from, const struct in6_addr *source) {
        uint8_t memory[ND_MESSAGE_MAX];
        Buffer message = BUFFER(memory, sizeof(memory));

        nd_build_neighbour_advert(&message, &runner->link_local, &runner->config.address, true);
        (void) send_nd(runner, &runner->link_local, source, from, &message);
}

static void on_neighbour(Ip6Runner *runner, const struct ether_addr *from, const NdNeighbour *neighbour,
                const struct in6_addr *source, uint64_t now) {
        bool ours = IN6_ARE_ADDR_EQUAL(&neighbour->target, &runner->link_local);
        bool advertised = neighbour->type == ND_TYPE_NEIGHBOUR_ADVERT;

        /* What the network sends back to us (RFC 7527), and what another port of ours on the same link says. */
        if (memcmp(neighbour->nonce, runner->nonce, ND_NONCE_SIZE) == 0 ||
                        memcmp(from, &runner->config.address, sizeof(*from)) == 0)
                return;
        if (!ours)
                if (advertised || neighbour->detecting)
                        ip6_addresses_dispatch_conflict(
                                        runner->addresses, now, &neighbour->target, advertised);
        if (ours && !advertised && !neighbour->detecting)
                answer_neighbour(runner, from, source);
        if (ours && advertised && now <= time_add(runner->started, IP6_CONFLICT_HEEDED)) {
                runner->unusable = true;
                raise(runner, IP6_EVENT_LINK_LOCAL_CONFLICT, NULL);
        }
}

static int on_packet(const struct ether_addr *from, const Ip6Packet *packet, void *userdata) {
        Ip6Runner *runner = userdata;
        uint64_t now = time_now_boottime();
        NdNeighbour neighbour;
        NdRouterAdvert advert;
        int r = 0;

        if (runner->unusable)
                return 0;
        if (packet->protocol == IPPROTO_UDP) {
                runner->neighbour = *from;
                r = dhcp6_client_dispatch_message(
                                runner->dhcp, now, packet->payload.p, packet->payload.left);
        } else if (nd_parse_router_advert(&advert, packet) >= 0)
                router_discovery_dispatch_advert(runner->discovery, now, &advert);
        else if (nd_parse_neighbour(&neighbour, packet) >= 0)
                on_neighbour(runner, from, &neighbour, &packet->source, now);
        settle(runner);
        return r;
}

static int on_timer(void *userdata) {
        Ip6Runner *runner = userdata;
        uint64_t now = time_now_boottime();

        router_discovery_dispatch_timer(runner->discovery, now);
        ip6_addresses_dispatch_timer(runner->addresses, now);
        dhcp6_client_dispatch_timer(runner->dhcp, now);
        settle(runner);
        return 0;
}

static int make_machines(Ip6Runner *runner) {
        Dhcp6ClientConfig dhcp = runner->config.dhcp;
        int r;

        r = router_discovery_new(&runner->discovery,
                        &(RouterDiscoveryConfig){
                                        .solicit = send_router_solicit,
                                        .notify = on_routers,
                                        .random = draw,
                                        .userdata = runner,
                        });
        if (r < 0)
                return r;
        r = ip6_addresses_new(&runner->addresses,
                        &(Ip6AddressesConfig){
                                        .conflict_wait = runner->config.conflict_wait,
                                        .probe = send_probe,
                                        .set = set_address,
                                        .remove = remove_address,
                                        .notify = on_address,
                                        .userdata = runner,
                        });
        if (r < 0)
                return r;
        dhcp.send = send_dhcp;
        dhcp.notify = on_dhcp;
        dhcp.random = draw;
        dhcp.userdata = runner;
        return dhcp6_client_new(&runner->dhcp, &dhcp);
}

int ip6_runner_new(Ip6Runner **ret, EventLoop *loop, const Ip6RunnerConfig *config) {
        _cleanup_(ip6_runner_freep) Ip6Runner *runner = calloc(1, sizeof(*runner));
        struct in6_addr prefix = { .s6_addr = { 0xfe, 0x80 } };
        uint32_t nonce[2] = { draw(NULL), draw(NULL) };
        int r;

        if (!runner)
                return -ENOMEM;
        runner->config = *config;
        runner->config.raw = NULL; /* until we are added to it */
        runner->link_local = slaac_eui64(&prefix, &config->address);
        memcpy(runner->nonce, nonce, sizeof(runner->nonce));
        runner->nonce[0] |= 1; /* zeros are none */
        runner->started = time_now_boottime();
        r = make_machines(runner);
        if (r < 0)
                return r;
        r = event_add_timer(loop, &runner->timer, on_timer, runner);
        if (r < 0)
                return r;
        r = ip6_raw_add(config->raw, config->ifindex, on_packet, runner);
        if (r < 0)
                return r;
        runner->config.raw = config->raw;

        dhcp6_client_start(runner->dhcp, runner->started);
        router_discovery_start(runner->discovery, runner->started);
        (void) send_probe(&runner->link_local, runner);
        settle(runner);
        *ret = TAKE_PTR(runner);
        return 0;
}

Ip6Runner *ip6_runner_free(Ip6Runner *runner) {
        if (!runner)
                return NULL;
        if (runner->dhcp && runner->config.raw)
                dhcp6_client_stop(runner->dhcp, time_now_boottime());
        dhcp6_client_free(runner->dhcp);
        ip6_addresses_free(runner->addresses);
        router_discovery_free(runner->discovery);
        if (runner->config.raw)
                ip6_raw_remove(runner->config.raw, runner->config.ifindex);
        event_source_free(runner->timer);
        free(runner);
        return NULL;
}

void ip6_runner_retry(Ip6Runner *runner) {
        uint64_t now = time_now_boottime();

        router_discovery_retry(runner->discovery, now);
        dhcp6_client_retry(runner->dhcp, now);
        settle(runner);
}

void ip6_runner_set_received(Ip6Runner *runner, const struct in6_addr *address) {
        ip6_addresses_dispatch_received(runner->addresses, address);
        settle(runner);
}

void ip6_runner_renew(Ip6Runner *runner) {
        dhcp6_client_renew(runner->dhcp, time_now_boottime());
        settle(runner);
}

const RouterTable *ip6_runner_get_table(const Ip6Runner *runner) {
        return router_discovery_get_table(runner->discovery);
}

const Ip6Addresses *ip6_runner_get_addresses(const Ip6Runner *runner) {
        return runner->addresses;
}

const Dhcp6Client *ip6_runner_get_dhcp(const Ip6Runner *runner) {
        return runner->dhcp;
}
