/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/time.h"
#include "net/dhcp4-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The client as a machine among hostile servers: each step of the input lets time pass or gives it a message, made valid as far
 * as its header goes so that the states behind are reached. It must keep its promises in any order.
 */

typedef struct World {
        Dhcp4Client *client;
        uint64_t now;
        uint32_t xid, random;
        bool bound;
        struct in_addr probed;
        unsigned n_sent;
} World;

static int on_send(Dhcp4Type type, struct in_addr source, struct in_addr destination, const uint8_t *data,
                size_t size, void *userdata) {
        static Dhcp4Message message;
        World *world = userdata;

        if (dhcp4_message_parse(&message, data, size) < 0 || message.type != type || message.header.reply)
                abort();
        /* From our address only while it is ours, to nobody in particular else. */
        if (!world->bound && (source.s_addr != 0 || destination.s_addr != INADDR_BROADCAST))
                abort();
        world->xid = message.header.xid;
        world->n_sent++;
        return 0;
}

static void on_notify(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata) {
        World *world = userdata;

        /* A conflict is told when the address is in use no more. */
        if (!lease || (event == DHCP4_EVENT_BOUND || event == DHCP4_EVENT_CONFLICT) == world->bound)
                abort();
        world->bound = event == DHCP4_EVENT_BOUND || event == DHCP4_EVENT_RENEWED;
}

static int on_probe(struct in_addr address, void *userdata) {
        World *world = userdata;

        /* While we use it we do not ask whether somebody else does. */
        if (address.s_addr == INADDR_ANY || world->bound)
                abort();
        world->probed = address;
        return -ENOBUFS;
}

static uint32_t on_random(void *userdata) {
        World *world = userdata;

        return world->random = world->random * 1664525 + 1013904223;
}

static void give_message(World *world, Cursor *input) {
        static const Dhcp4Type types[] = { DHCP4_OFFER, DHCP4_ACK, DHCP4_NAK };
        uint8_t memory[600], kind, n;
        Buffer buffer = BUFFER(memory, sizeof(memory));
        const uint8_t *options;

        if (cursor_u8(input, &kind) < 0 || cursor_u8(input, &n) < 0 || cursor_take(input, n, &options) < 0)
                return;
        dhcp4_build_begin(&buffer,
                        &(Dhcp4Header){
                                        .reply = true,
                                        .xid = world->xid,
                                        .yiaddr = { htonl(0xc0000200 + (kind >> 4)) },
                                        .chaddr = { { 2, 0, 0, 0, 0, 1 } },
                        },
                        types[kind % 3]);
        if (kind & 4) { /* what most states ask for, so that a few bytes get through */
                dhcp4_append_address(&buffer, DHCP4_OPTION_SERVER_ID, (struct in_addr){ htonl(0xc0000201) });
                dhcp4_append_address(&buffer, DHCP4_OPTION_LEASE_TIME,
                                (struct in_addr){ htonl(kind & 8 ? 30 : 3600) });
        }
        buffer_append(&buffer, options, n);
        dhcp4_build_end(&buffer);
        if (dhcp4_client_dispatch_message(world->client, world->now, memory, buffer.size) < 0)
                abort();
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
                dhcp4_client_dispatch_timer(world->client, world->now);
                break;
        case 1:
                if (dhcp4_client_get_timeout(world->client) == USEC_INFINITY)
                        return;
                world->now = dhcp4_client_get_timeout(world->client);
                dhcp4_client_dispatch_timer(world->client, world->now);
                break;
        case 2:
        case 3:
                give_message(world, input);
                break;
        case 4:
                if (cursor_take(input, input->left / 2, &raw) == 0)
                        (void) dhcp4_client_dispatch_message(world->client, world->now, raw, input->left);
                break;
        case 5:
                if (what & 0x80) {
                        dhcp4_client_stop(world->client, world->now);
                        world->bound = false;
                        dhcp4_client_start(world->client, world->now);
                } else
                        dhcp4_client_retry(world->client, world->now);
                break;
        case 6:
                dhcp4_client_dispatch_conflict(world->client, world->now, world->probed);
                break;
        case 7:
                dhcp4_client_renew(world->client, world->now);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        World world = { .now = USEC_PER_HOUR };
        Dhcp4ClientConfig config = {
                .address = { { 2, 0, 0, 0, 0, 1 } },
                .mtu = 1500,
                .n_client_id = 8,
                .host_name = "SN1",
                .vendor_class = "sdi",
                .user_class = "switch",
                .enterprise = 32473,
                .probe = on_probe,
                .send = on_send,
                .notify = on_notify,
                .random = on_random,
                .userdata = &world,
        };
        Cursor input = CURSOR(data, size);
        unsigned n_steps = 0;
        uint8_t how;

        if (cursor_u8(&input, &how) < 0)
                return 0;
        config.conflict_wait = how & 1 ? 100 * USEC_PER_MSEC : 0;
        config.previous.s_addr = how & 2 ? htonl(0xc0000200 + (how >> 4)) : INADDR_ANY;

        if (dhcp4_client_new(&world.client, &config) < 0)
                return 0;
        dhcp4_client_start(world.client, world.now);
        while (input.left > 0) {
                uint64_t timeout;

                step(&world, &input);
                n_steps++;
                timeout = dhcp4_client_get_timeout(world.client);
                if (world.bound != (dhcp4_client_get_lease(world.client) != NULL) || timeout == 0)
                        abort();
        }
        /* However it is provoked, it says at most two things for each that happens. */
        if (world.n_sent > 2 * n_steps + 1)
                abort();
        dhcp4_client_free(world.client);
        return 0;
}
