/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/time.h"
#include "net/tftp-blocks.h"
#include "net/tftp-client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The client as a machine among hostile servers: each step of the input lets time pass, or has something arrive that is right so
 * far that the states behind are reached. Whatever comes, and whenever, it must keep what its header promises; and when nothing
 * comes any more it must end.
 */

/* The longest time without a new byte in the file: sessions without one, each silent for 10 s after a request of 17 s. */
#define FRUITLESS_MAX_USEC (10 * USEC_PER_MINUTE)
#define DEADLINE_MAX (10 * USEC_PER_SEC)
#define END_MAX (28 * USEC_PER_SEC)

/* What it may send for one thing that happens: the ACKs ahead of a server that catches up, an error and a request. */
#define SENT_MAX 67

#define STRANGERS_MAX 16

typedef enum Broken {
        BROKEN_OPEN = 1 << 0,
        BROKEN_SEND = 1 << 1,
        BROKEN_WRITE = 1 << 2,
} Broken;

typedef struct World {
        TftpClient *client;
        TftpClientConfig config;
        uint64_t now;
        unsigned broken;
        bool ended; /* as seen from outside: nothing may follow */

        unsigned n_sent, n_strangers;
        uint16_t port; /* from which the server answers the last request */
        TftpOptions asked;
        uint16_t next;     /* the block that is due */
        size_t block_size; /* that the server has agreed to */

        uint64_t bytes, progress; /* in the file without a gap; when the last came, sleep not counted */
        uint64_t end;             /* of all that has been written */
        struct {
                uint64_t from, to;
        } kept[TFTP_WINDOW_MAX]; /* what this request has brought beyond a gap */
        unsigned n_kept;
        bool changed;     /* the file is another one now */
        bool has_wrapped; /* once is enough: it takes its time */
} World;

static SocketAddress server(const World *world, uint16_t port) {
        SocketAddress address = world->config.server;

        address.in.sin_port = htons(port); /* at the same place in both families */
        return address;
}

static int on_open(void *userdata) {
        World *world = userdata;

        assert(!world->ended);
        if (world->broken & BROKEN_OPEN)
                return -EMFILE;
        world->port++;
        world->n_kept = 0;
        world->next = 1;
        world->block_size = TFTP_BLOCK_SIZE_DEFAULT;
        return world->broken & 0x80 ? 8192 : 4 * 1024 * 1024;
}

/* The options of a request; they are an OACK's but for the opcode before them. */
static void on_request(World *world, const uint8_t *data, size_t size) {
        uint8_t packet[TFTP_REQUEST_MAX];
        size_t start = 2 + strlen(world->config.file_name) + 1 + strlen("octet") + 1;
        TftpPacket parsed;

        assert(size >= start && size <= TFTP_REQUEST_MAX);
        world->asked = (TftpOptions){};
        if (size == start)
                return;
        memcpy(packet, data, size);
        packet[start - 1] = TFTP_OACK;
        packet[start - 2] = 0;
        assert(tftp_packet_parse(&parsed, packet + start - 2, size - start + 2) == 0);
        world->asked = parsed.options;
}

static int on_send(const SocketAddress *to, const uint8_t *data, size_t size, void *userdata) {
        World *world = userdata;
        bool to_server = socket_address_same_host(to, &world->config.server);
        uint16_t number;

        assert(!world->ended && size >= TFTP_HEADER_SIZE && data[0] == 0);
        world->n_sent++;
        number = (uint16_t) (data[2] << 8 | data[3]);
        switch (data[1]) {
        case TFTP_RRQ:
                assert(to_server && socket_address_same_port(to, &world->config.server));
                on_request(world, data, size);
                break;
        case TFTP_ACK: /* nothing that it does not hold, and to nobody else */
                assert(to_server && size == TFTP_HEADER_SIZE);
                assert(world->bytes >= world->block_size * UINT16_MAX ||
                                number <= world->bytes / world->block_size + 1);
                world->next = (uint16_t) (number + 1);
                break;
        case TFTP_ERROR:
                assert(data[size - 1] == '\0');
                world->n_strangers += number == TFTP_ERROR_UNKNOWN_TID;
                assert(to_server || number == TFTP_ERROR_UNKNOWN_TID);
                assert(world->n_strangers <= STRANGERS_MAX);
                break;
        default:
                assert(false);
        }
        return world->broken & BROKEN_SEND ? -ENETUNREACH : 0;
}

static int on_write(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        World *world = userdata;

        (void) data;
        assert(!world->ended && offset >= world->bytes && size > 0);
        assert(size <= TFTP_BLOCK_SIZE_MAX && offset + size <= world->config.size_max);
        if (world->broken & BROKEN_WRITE)
                return -ENOSPC;
        world->end = MAX(world->end, offset + size);
        if (offset > world->bytes) {
                assert(world->n_kept < TFTP_WINDOW_MAX);
                world->kept[world->n_kept].from = offset;
                world->kept[world->n_kept++].to = offset + size;
                return 0;
        }
        world->bytes += size;
        world->progress = world->now;
        for (unsigned i = 0; i < world->n_kept; i++)
                if (world->kept[i].from <= world->bytes) {
                        world->bytes = MAX(world->bytes, world->kept[i].to);
                        world->kept[i] = world->kept[--world->n_kept];
                        i = UINT_MAX; /* from the first one on */
                }
        return 0;
}

static int on_compare(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        World *world = userdata;

        assert(!world->ended && size > 0 && size <= TFTP_BLOCK_SIZE_MAX && offset + size <= world->bytes);
        return data[0] == data[size - 1] && !world->changed;
}

/* After each call of the machine. */
static void check(World *world, unsigned sent_max) {
        uint64_t timeout = tftp_client_get_timeout(world->client);
        TftpState state = tftp_client_get_state(world->client);
        const char *reason = tftp_client_get_reason(world->client);
        int error = tftp_client_get_error(world->client);

        assert(world->n_sent <= sent_max);
        world->n_sent = 0;
        assert((state == TFTP_STATE_FAILED) == (error < 0) && error <= 0);
        assert((error < 0) == (*reason != '\0'));
        for (const char *p = reason; *p; p++)
                assert(*p >= ' ' && *p <= '~');
        assert(tftp_client_get_bytes(world->client) == world->bytes);
        assert(tftp_client_get_block_size(world->client) <= TFTP_BLOCK_SIZE_MAX);
        if (state == TFTP_STATE_DONE) {
                assert(world->end == world->bytes);
                assert(tftp_client_get_size(world->client) == TFTP_SIZE_UNKNOWN ||
                                tftp_client_get_size(world->client) == world->bytes);
        }
        world->ended = state == TFTP_STATE_DONE || state == TFTP_STATE_FAILED;
        assert(world->ended == (timeout == USEC_INFINITY));
        assert(world->ended || timeout <= world->now + DEADLINE_MAX);
        assert(world->now - world->progress <= FRUITLESS_MAX_USEC);
}

/* As the event loop has it: each deadline is met. */
static void pass(World *world, uint64_t usec) {
        uint64_t end = world->now + usec;
        unsigned n = 0;

        while (tftp_client_get_timeout(world->client) <= end) {
                world->now = MAX(world->now, tftp_client_get_timeout(world->client));
                tftp_client_dispatch_timer(world->client, world->now);
                check(world, SENT_MAX);
                assert(n++ < 10000); /* it does not spin */
        }
        world->now = end;
}

static void give(World *world, const SocketAddress *from, const uint8_t *data, size_t size) {
        /* Of exactly this size, so that AddressSanitizer sees a read past its end. */
        _cleanup_free_ uint8_t *copy = malloc(size ? size : 1);

        if (!copy)
                abort();
        if (size > 0)
                memcpy(copy, data, size);
        tftp_client_dispatch_packet(world->client, world->now, from, copy, size);
        check(world, SENT_MAX);
}

static SocketAddress sender(const World *world, uint8_t how) {
        SocketAddress from = server(world, world->port);

        if ((how & 0xe0) == 0xe0)
                from.in.sin_port = htons(world->port - 1); /* who answered the request before */
        if ((how & 0xf0) == 0xf0)
                from.in.sin_addr.s_addr ^= 1; /* the flow of an IPv6 address: ignored there */
        return from;
}

static void give_block(World *world, Cursor *input, uint8_t how) {
        static const uint16_t sizes[] = { 0, 1, 7, 512, 513 };
        static uint8_t packet[TFTP_DATA_MAX + 1];
        SocketAddress from = sender(world, how);
        uint16_t number = world->next;
        size_t size = world->block_size;
        uint8_t kind, ahead;
        unsigned n;

        if (cursor_u8(input, &kind) < 0)
                return;
        if (kind & 8 && cursor_u8(input, &ahead) == 0)
                number = (uint16_t) (number + (int8_t) ahead);
        else
                world->next++;
        if ((kind & 7) < ELEMENTSOF(sizes))
                size = sizes[kind & 7];
        else if ((kind & 7) == 5)
                size--;
        packet[1] = TFTP_DATA;
        packet[2] = number >> 8;
        packet[3] = number & 0xff;
        /* Many at once, and once in a while so many that a wrap of the block number is seen. */
        n = kind & 0x10 ? 1 + (kind >> 5) * 40 : 1;
        if (kind == 0xf6 && !world->has_wrapped) {
                world->has_wrapped = true;
                n = UINT16_MAX;
        }
        for (; n > 0 && !world->ended; n--) {
                give(world, &from, packet, TFTP_HEADER_SIZE + MIN(size, sizeof(packet) - TFTP_HEADER_SIZE));
                packet[2] = world->next >> 8;
                packet[3] = world->next & 0xff;
        }
}

/* What was asked for, or some of it, or a little else. */
static void give_oack(World *world, Cursor *input, uint8_t how) {
        static const char *const names[] = { "tsize", "blksize", "windowsize", "timeout", "utimeout" };
        uint8_t packet[512] = { 0, TFTP_OACK }, omit, other;
        SocketAddress from = sender(world, how);
        uint16_t value;
        size_t size = 2;

        if (cursor_u8(input, &omit) < 0 || cursor_u8(input, &other) < 0)
                return;
        for (unsigned i = 0; i < ELEMENTSOF(names); i++) {
                uint64_t granted = world->asked.value[i];

                if ((omit & 1u << i) || (!world->asked.present[i] && !(omit & 0x80)))
                        continue;
                if ((other & 1u << i) && cursor_be16(input, &value) == 0)
                        granted = value * (other & 0x80 ? 999 : 1);
                if (i == TFTP_OPTION_BLKSIZE && granted >= TFTP_BLOCK_SIZE_MIN &&
                                granted <= TFTP_BLOCK_SIZE_MAX)
                        world->block_size = granted;
                size += (size_t) snprintf((char *) packet + size, sizeof(packet) - size, "%s%c%llu",
                                        names[i], '\0', (unsigned long long) granted) +
                                1;
        }
        give(world, &from, packet, size);
        world->block_size = tftp_client_get_block_size(world->client);
}

static void step(World *world, Cursor *input) {
        SocketAddress from;
        const uint8_t *raw;
        uint16_t n;
        uint8_t what;

        if (cursor_u8(input, &what) < 0)
                return;
        from = sender(world, what);
        switch (what % 8) {
        case 0:
                if (cursor_be16(input, &n) == 0)
                        pass(world, n * (what & 8 ? USEC_PER_MSEC : 10));
                break;
        case 1:
                pass(world, 0);
                if (!world->ended)
                        pass(world, tftp_client_get_timeout(world->client) - world->now);
                break;
        case 2:
        case 3:
                give_block(world, input, what);
                break;
        case 4:
                give_oack(world, input, what);
                break;
        case 5:
                n = (uint16_t) MIN(input->left, (size_t) what >> 3);
                if (cursor_take(input, n, &raw) == 0)
                        give(world, &from, raw, n);
                break;
        case 6:
                if (what & 8)
                        from = world->config.server;
                tftp_client_dispatch_unreachable(world->client, world->now, &from, -ECONNREFUSED);
                check(world, SENT_MAX);
                break;
        case 7:
                if (cursor_u8(input, &what) < 0)
                        return;
                if (what == 0xff)
                        tftp_client_stop(world->client);
                else if (what & 0x40) /* the machine was suspended, or held up */
                        world->progress += (what & 0x3f) * USEC_PER_SEC,
                                        world->now += (what & 0x3f) * USEC_PER_SEC;
                else if (what & 0x20)
                        world->changed = true;
                else
                        world->broken = (world->broken & 0x80) | (what & 7);
                check(world, SENT_MAX);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const unsigned mtus[] = { 1500, 9000, 576, 40 };
        World world = { .now = USEC_PER_HOUR, .progress = USEC_PER_HOUR, .port = 1000, .block_size = 512 };
        Cursor input = CURSOR(data, size);
        uint8_t settings = 0;

        (void) cursor_u8(&input, &settings);
        world.broken = settings & 0x80;
        world.config = (TftpClientConfig){
                .file_name = "f",
                .size_max = settings & 1       ? 100000
                                : settings & 2 ? 0
                                               : UINT64_MAX,
                .mtu = mtus[settings >> 2 & 3],
                .open = on_open,
                .send = on_send,
                .write = on_write,
                .compare = on_compare,
                .userdata = &world,
        };
        world.config.server.in = (struct sockaddr_in){
                .sin_family = settings & 0x10 ? AF_INET6 : AF_INET,
                .sin_port = htons(TFTP_PORT),
        };
        if (tftp_client_new(&world.client, &world.config) < 0 ||
                        tftp_client_start(world.client, world.now) < 0)
                abort();
        check(&world, 1);
        while (input.left > 0 && !world.ended)
                step(&world, &input);

        pass(&world, END_MAX);
        assert(world.ended);
        tftp_client_free(world.client);
        return 0;
}
