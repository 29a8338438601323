/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/time.h"
#include "net/dhcp6-client.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The client as a machine among hostile servers: each step of the input lets time pass or gives it a message, made valid as far
 * as its header goes so that the states behind are reached. It must keep its promises in any order.
 */

typedef struct World {
        Dhcp6Client *client;
        uint64_t now;
        uint32_t xid, random;
        bool bound;
        unsigned n_sent;
} World;

static const uint8_t client_id[] = { 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static int on_send(Dhcp6Type type, const struct in6_addr *source, const struct in6_addr *destination,
                const uint8_t *data, size_t size, void *userdata) {
        World *world = userdata;
        Dhcp6Message message;

        if (dhcp6_message_parse(&message, data, size) < 0 || message.type != type || size > 1200 ||
                        message.client_id.left != sizeof(client_id))
                abort();
        /* From an address of the lease only while that is ours; else to all servers. */
        if ((source && !world->bound) || (!source && !IN6_ARE_ADDR_EQUAL(destination, &dhcp6_servers)))
                abort();
        world->xid = message.xid;
        world->n_sent++;
        return -ENOBUFS;
}

static void on_notify(Dhcp6Event event, const Dhcp6Lease *lease, void *userdata) {
        World *world = userdata;

        if (!lease)
                abort();
        switch (event) {
        case DHCP6_EVENT_BOUND:
                if (world->bound || lease->n_addresses == 0)
                        abort();
                world->bound = true;
                break;
        case DHCP6_EVENT_RENEWED:
                if (!world->bound || lease->n_addresses == 0)
                        abort();
                break;
        case DHCP6_EVENT_LOST:
                if (!world->bound)
                        abort();
                world->bound = false;
                break;
        case DHCP6_EVENT_INFORMED:
                if (world->bound || lease->n_addresses > 0)
                        abort();
                break;
        }
}

static uint32_t on_random(void *userdata) {
        World *world = userdata;

        return world->random = world->random * 1664525 + 1013904223;
}

static void give_message(World *world, Cursor *input) {
        uint8_t memory[800], kind, n;
        Buffer buffer = BUFFER(memory, sizeof(memory));
        const uint8_t *options;

        if (cursor_u8(input, &kind) < 0 || cursor_u8(input, &n) < 0 || cursor_take(input, n, &options) < 0)
                return;
        dhcp6_build_begin(&buffer, kind & 1 ? DHCP6_ADVERTISE : DHCP6_REPLY, world->xid);
        dhcp6_append_option(&buffer, DHCP6_OPTION_CLIENT_ID, client_id, sizeof(client_id));
        dhcp6_append_option(&buffer, DHCP6_OPTION_SERVER_ID, kind & 2 ? "server1" : "server2", 7);
        if (kind & 4)
                dhcp6_append_option(&buffer, DHCP6_OPTION_RAPID_COMMIT, NULL, 0);
        if (kind & 8)
                dhcp6_append_ia(&buffer,
                                &(Dhcp6Ia){
                                                .iaid = 7,
                                                .addresses = { { .address = { .s6_addr = { 0x20, 1,
                                                                                              [15] = kind >> 5 } },
                                                                .preferred = 30,
                                                                .valid = kind & 16 ? 60 : UINT32_MAX } },
                                                .n_addresses = 1,
                                });
        buffer_append(&buffer, options, n);
        if (dhcp6_client_dispatch_message(world->client, world->now, memory, buffer.size) < 0)
                abort();
}

static void decline(World *world) {
        const Dhcp6Lease *lease = dhcp6_client_get_lease(world->client);
        struct in6_addr address = IN6ADDR_ANY_INIT;

        if (lease && lease->n_addresses > 0)
                address = lease->addresses[0].address;
        dhcp6_client_decline(world->client, world->now, &address);
}

static void step(World *world, Cursor *input) {
        uint8_t what;
        uint16_t seconds;
        const uint8_t *raw;

        if (cursor_u8(input, &what) < 0)
                return;
        switch (what % 8) {
        case 0:
                if (cursor_be16(input, &seconds) < 0)
                        return;
                world->now += seconds * (USEC_PER_SEC / 4);
                dhcp6_client_dispatch_timer(world->client, world->now);
                break;
        case 1:
                if (dhcp6_client_get_timeout(world->client) == USEC_INFINITY)
                        return;
                world->now = MAX(world->now, dhcp6_client_get_timeout(world->client));
                dhcp6_client_dispatch_timer(world->client, world->now);
                break;
        case 2:
        case 3:
                give_message(world, input);
                break;
        case 4:
                if (cursor_take(input, input->left / 2, &raw) == 0)
                        (void) dhcp6_client_dispatch_message(world->client, world->now, raw, input->left);
                break;
        case 5:
                if (what & 0x80) {
                        dhcp6_client_stop(world->client, world->now);
                        world->bound = false;
                        dhcp6_client_start(world->client, world->now);
                } else if (what & 0x40)
                        dhcp6_client_start(world->client, world->now);
                else
                        dhcp6_client_retry(world->client, world->now);
                break;
        case 6:
                decline(world);
                break;
        case 7:
                if (what & 0x80)
                        dhcp6_client_inform(world->client, world->now);
                else
                        dhcp6_client_renew(world->client, world->now);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        World world = { .now = USEC_PER_HOUR };
        Dhcp6ClientConfig config = {
                .n_client_id = sizeof(client_id),
                .iaid = 7,
                .host_name = "SN1",
                .vendor_class = "sdi",
                .user_class = "switch",
                .enterprise = 32473,
                .send = on_send,
                .notify = on_notify,
                .random = on_random,
                .userdata = &world,
        };
        Cursor input = CURSOR(data, size);
        unsigned n_steps = 0;

        memcpy(config.client_id, client_id, sizeof(client_id));
        if (dhcp6_client_new(&world.client, &config) < 0)
                return 0;
        dhcp6_client_start(world.client, world.now);
        while (input.left > 0) {
                const Dhcp6Lease *lease;

                step(&world, &input);
                n_steps++;
                lease = dhcp6_client_get_lease(world.client);
                if (world.bound != (lease && lease->n_addresses > 0) ||
                                dhcp6_client_get_timeout(world.client) == 0)
                        abort();
        }
        /* However it is provoked, it says at most two things for each that happens. */
        if (world.n_sent > 2 * n_steps + 1)
                abort();
        dhcp6_client_free(world.client);
        return 0;
}
