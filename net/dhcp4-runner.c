/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-runner.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

struct Dhcp4Runner {
        Dhcp4Raw *raw; /* not ours */
        int ifindex;
        struct ether_addr own;
        char interface[IFNAMSIZ];
        void (*notify)(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata);
        bool (*refuse)(struct in_addr address, void *userdata);
        void *userdata;

        Dhcp4Client *client;
        EventLoop *loop;
        EventSource *timer;
        struct ether_addr
                        neighbour; /* that brought the last message: the server, or a relay on its behalf */

        /* While a server is asked by unicast (RENEWING). */
        int fd_udp;
        EventSource *udp;
};

DEFINE_CLEANUP(Dhcp4Runner, dhcp4_runner_free)

static void close_udp(Dhcp4Runner *runner) {
        runner->udp = event_source_free(runner->udp);
        cleanup_close(&runner->fd_udp);
        runner->fd_udp = -1;
}

/* After whatever has happened to the client: when it wants to be called, and whether it still uses its UDP socket. */
static void settle(Dhcp4Runner *runner) {
        if (dhcp4_client_get_state(runner->client) != DHCP4_STATE_RENEWING)
                close_udp(runner);
        event_timer_set(runner->timer, dhcp4_client_get_timeout(runner->client));
}

static int dispatch(Dhcp4Runner *runner, Cursor message) {
        int r;

        r = dhcp4_client_dispatch_message(runner->client, time_now_boottime(), message.p, message.left);
        if (r < 0)
                return r;
        settle(runner);
        return 0;
}

static int on_raw(const struct ether_addr *from, Cursor message, void *userdata) {
        Dhcp4Runner *runner = userdata;

        runner->neighbour = *from;
        return dispatch(runner, message);
}

static int on_arp_reply(const struct ether_addr *from, struct in_addr address, void *userdata) {
        Dhcp4Runner *runner = userdata;

        if (memcmp(from, &runner->own, sizeof(*from)) == 0)
                return 0; /* another port of ours on the same link answers with the address of its own */
        dhcp4_client_dispatch_conflict(runner->client, time_now_boottime(), address);
        settle(runner);
        return 0;
}

static int on_udp(int fd, uint32_t events, void *userdata) {
        Dhcp4Runner *runner = userdata;
        uint8_t message[DHCP4_MESSAGE_MAX];
        ssize_t n;

        (void) events;
        n = recv(fd, message, sizeof(message), MSG_TRUNC);
        if (n < 0 || (size_t) n > sizeof(message))
                return 0; /* an ICMP error; or what no server sends. The timer asks again. */
        return dispatch(runner, CURSOR(message, (size_t) n));
}

static int on_timer(void *userdata) {
        Dhcp4Runner *runner = userdata;

        dhcp4_client_dispatch_timer(runner->client, time_now_boottime());
        settle(runner);
        return 0;
}

/* Its existence also keeps the kernel from answering the server with "port unreachable". */
static int open_udp(Dhcp4Runner *runner, struct in_addr address) {
        SocketAddress local = socket_address(&IP_ADDRESS_V4(address), DHCP4_CLIENT_PORT, 0);
        int on = 1, r;

        if (runner->fd_udp >= 0)
                return 0;
        runner->fd_udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (runner->fd_udp < 0)
                return -errno;
        if (setsockopt(runner->fd_udp, SOL_SOCKET, SO_BINDTODEVICE, runner->interface,
                            (socklen_t) strlen(runner->interface)) < 0 ||
                        setsockopt(runner->fd_udp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        r = socket_address_bind(runner->fd_udp, &local);
        return r < 0 ? r : event_add_io(runner->loop, &runner->udp, runner->fd_udp, EPOLLIN, on_udp, runner);
}

static int send_udp(Dhcp4Runner *runner, struct in_addr source, struct in_addr destination,
                const uint8_t *data, size_t size) {
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons(DHCP4_SERVER_PORT),
                .sin_addr = destination,
        };
        int r;

        r = open_udp(runner, source);
        if (r < 0) {
                close_udp(runner);
                return r;
        }
        return sendto(runner->fd_udp, data, size, 0, (struct sockaddr *) &address, sizeof(address)) < 0
                        ? -errno
                        : 0;
}

static int send_message(Dhcp4Type type, struct in_addr source, struct in_addr destination,
                const uint8_t *data, size_t size, void *userdata) {
        Dhcp4Runner *runner = userdata;

        if (destination.s_addr == INADDR_BROADCAST)
                return dhcp4_raw_send(runner->raw, runner->ifindex, &dhcp4_raw_broadcast, source,
                                destination, data, size);
        /*
         * A RELEASE is our last word: the address goes right after it, and the kernel would drop the packet while it still
         * asks for the server's Ethernet address. We know who brought us the lease.
         */
        if (type == DHCP4_RELEASE)
                return dhcp4_raw_send(runner->raw, runner->ifindex, &runner->neighbour, source, destination,
                                data, size);
        return send_udp(runner, source, destination, data, size);
}

static int send_probe(struct in_addr address, void *userdata) {
        Dhcp4Runner *runner = userdata;

        return dhcp4_raw_send_probe(runner->raw, runner->ifindex, &runner->own, address);
}

static void notify(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata) {
        Dhcp4Runner *runner = userdata;

        runner->notify(event, lease, runner->userdata);
}

static bool refuse(struct in_addr address, void *userdata) {
        Dhcp4Runner *runner = userdata;

        return runner->refuse && runner->refuse(address, runner->userdata);
}

/* Before the kernel's generator is seeded, at the very first boot, numbers that differ are good enough. */
static uint32_t draw(void *userdata) {
        uint32_t number;

        (void) userdata;
        if (getrandom(&number, sizeof(number), GRND_INSECURE) != sizeof(number))
                number = (uint32_t) time_now_boottime();
        return number;
}

int dhcp4_runner_new(Dhcp4Runner **ret, EventLoop *loop, const Dhcp4RunnerConfig *config) {
        _cleanup_(dhcp4_runner_freep) Dhcp4Runner *runner = calloc(1, sizeof(*runner));
        Dhcp4ClientConfig client = config->client;
        int r;

        if (!runner)
                return -ENOMEM;
        runner->fd_udp = -1;
        runner->ifindex = config->ifindex;
        runner->own = client.address;
        snprintf(runner->interface, sizeof(runner->interface), "%s", config->interface);
        runner->notify = client.notify;
        runner->refuse = client.refuse;
        runner->userdata = config->userdata;
        runner->loop = loop;

        client.send = send_message;
        client.probe = send_probe;
        client.notify = notify;
        client.refuse = refuse;
        client.random = draw;
        client.userdata = runner;
        r = dhcp4_client_new(&runner->client, &client);
        if (r < 0)
                return r;
        r = event_add_timer(loop, &runner->timer, on_timer, runner);
        if (r < 0)
                return r;
        r = dhcp4_raw_add(config->raw, runner->ifindex,
                        &(Dhcp4RawHandlers){
                                        .message = on_raw, .arp_reply = on_arp_reply, .userdata = runner });
        if (r < 0)
                return r;
        runner->raw = config->raw; /* added: to be removed */

        dhcp4_client_start(runner->client, time_now_boottime());
        settle(runner);
        *ret = TAKE_PTR(runner);
        return 0;
}

Dhcp4Runner *dhcp4_runner_free(Dhcp4Runner *runner) {
        if (!runner)
                return NULL;
        if (runner->client)
                dhcp4_client_stop(runner->client, time_now_boottime());
        dhcp4_client_free(runner->client);
        if (runner->raw)
                dhcp4_raw_remove(runner->raw, runner->ifindex);
        close_udp(runner);
        event_source_free(runner->timer);
        free(runner);
        return NULL;
}

void dhcp4_runner_retry(Dhcp4Runner *runner) {
        dhcp4_client_retry(runner->client, time_now_boottime());
        settle(runner);
}

void dhcp4_runner_renew(Dhcp4Runner *runner) {
        dhcp4_client_renew(runner->client, time_now_boottime());
        settle(runner);
}

void dhcp4_runner_restart(Dhcp4Runner *runner) {
        uint64_t now = time_now_boottime();

        dhcp4_client_stop(runner->client, now);
        dhcp4_client_start(runner->client, now);
        settle(runner);
}

void dhcp4_runner_abandon(Dhcp4Runner *runner) {
        dhcp4_client_abandon(runner->client);
        settle(runner);
}

const Dhcp4Client *dhcp4_runner_client(const Dhcp4Runner *runner) {
        return runner->client;
}
