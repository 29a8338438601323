/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The TFTP machine against models of the servers that are in use, over a line with delay and loss, on a fake clock: thousands of
 * transfers that each take no time. What is modelled of a server is what decides under loss: which options it has, when it
 * repeats a block, what it makes of an ACK that it did not expect, and when it gives up.
 *
 * With arguments (SERVER RTT-MS LOSS-PERCENT BYTES SEED) it runs one transfer and shows each packet.
 */

#include "tests/test.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/time.h"
#include "net/tftp-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRAME 1480 /* of a fragment */
#define SESSIONS_MAX 4096
#define QUEUE_MAX 16384 /* packets on the way, a power of two */

typedef struct ServerModel {
        const char *name;
        size_t block_max;    /* 0: knows no options at all */
        unsigned window_max; /* 0: does not know the option */
        bool utimeout;       /* knows the option */
        uint64_t timer;      /* until the first repetition */
        double backoff;      /* by which it grows */
        unsigned tries;      /* until it gives up and closes its socket */
        bool restarts;       /* its timer, with any packet that comes */
} ServerModel;

static const ServerModel models[] = {
        { "dnsmasq", 1468, 0, false, 1500 * USEC_PER_MSEC, 1.3, 8 },
        { "tftpd-hpa", 65464, 0, true, USEC_PER_SEC, 2, 6 },
        { "atftpd", 65464, 65535, false, USEC_PER_SEC, 1, 5 },
        { "busybox", 65464, 0, false, 100 * USEC_PER_MSEC, 1.5, 12, true },
        { "dnsmasq-2.91", 1468, 65535, false, USEC_PER_SEC, 1.3, 8 },
        { "rfc1350", 0, 0, false, USEC_PER_SEC, 1, 10 },
};

static const ServerModel *find_model(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(models); i++)
                if (strcmp(models[i].name, name) == 0)
                        return &models[i];
        fail_msg("no server is called %s", name);
        return NULL;
}

typedef enum WorldFlags {
        NO_FRAGMENTS = 1 << 0, /* only what fits into a frame of 1500 bytes comes through */
        JUMBO = 1 << 3,        /* the ports at both ends carry 9100 bytes */
        DIES = 1 << 1,         /* the server, after some blocks */
        VERBOSE = 1 << 2,
} WorldFlags;

typedef struct Session {
        bool open;
        uint16_t client; /* its TID */
        TftpOptions granted;
        uint64_t block_size, window;
        uint64_t acked; /* all up to here */
        bool started;   /* ACK 0 has come */
        uint64_t deadline, timer;
        unsigned tries;
} Session;

typedef struct Packet {
        uint64_t due;
        bool to_server;
        uint16_t from, to; /* TIDs */
        uint8_t head[TFTP_REQUEST_MAX];
        size_t size;   /* of the head */
        size_t filler; /* bytes of the file from `offset` on that follow it */
        uint64_t offset;
} Packet;

typedef struct World {
        const ServerModel *model;
        uint64_t now, delay, size;
        uint32_t loss; /* of 2^32, a frame */
        uint64_t seed;
        WorldFlags flags;

        TftpClient *client;
        uint16_t tid;
        uint8_t *file; /* what the client has written */
        uint64_t progress, stall;
        uint64_t n_frames;
        Session sessions[SESSIONS_MAX];
        unsigned n_sessions;
        Packet queue[QUEUE_MAX];
        unsigned head, tail;
} World;

static uint32_t draw(World *w) {
        w->seed ^= w->seed << 13;
        w->seed ^= w->seed >> 7;
        w->seed ^= w->seed << 17;
        return (uint32_t) (w->seed >> 32);
}

static uint8_t content(uint64_t offset) {
        return (uint8_t) (offset * 31 + offset / 251);
}

/* Each fragment may be lost, and with it the whole. */
static void transmit(World *w, const Packet *packet) {
        size_t n_frames = (packet->size + packet->filler + 8 + FRAME - 1) / FRAME;
        bool lost = (w->flags & NO_FRAGMENTS) && n_frames > 1;

        for (size_t i = 0; i < n_frames; i++)
                lost |= w->loss > 0 && draw(w) < w->loss;
        w->n_frames += n_frames;
        if (w->flags & VERBOSE)
                printf("%10.3f %s %5u %5u  %02x %5u + %zu%s\n", (double) w->now / 1000,
                                packet->to_server ? "->" : "<-", packet->from, packet->to, packet->head[1],
                                packet->head[2] << 8 | packet->head[3], packet->filler,
                                lost ? "  LOST" : "");
        if (lost)
                return;
        assert_true(w->tail - w->head < QUEUE_MAX);
        w->queue[w->tail % QUEUE_MAX] = *packet;
        w->queue[w->tail++ % QUEUE_MAX].due = w->now + w->delay;
}

static int world_open(void *userdata) {
        World *w = userdata;

        w->tid++;
        return 4 * 1024 * 1024;
}

static int world_send(const SocketAddress *to, const uint8_t *data, size_t size, void *userdata) {
        World *w = userdata;
        Packet packet = { .to_server = true, .from = w->tid, .to = ntohs(to->in.sin_port), .size = size };

        memcpy(packet.head, data, size);
        transmit(w, &packet);
        return 0;
}

static int world_write(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        World *w = userdata;

        assert_true(offset + size <= w->size);
        memcpy(w->file + offset, data, size);
        w->stall = MAX(w->stall, w->now - w->progress);
        w->progress = w->now;
        return 0;
}

static int world_compare(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        World *w = userdata;

        assert_true(offset + size <= tftp_client_get_bytes(w->client));
        return memcmp(w->file + offset, data, size) == 0;
}

static uint16_t session_tid(const World *w, const Session *session) {
        return (uint16_t) (1000 + (session - w->sessions));
}

static void send_block(World *w, const Session *session, uint64_t block) {
        uint64_t offset = (block - 1) * session->block_size;
        Packet packet = {
                .from = session_tid(w, session),
                .to = session->client,
                .head = { 0, TFTP_DATA, (block >> 8) & 0xff, block & 0xff },
                .size = 4,
                .offset = offset,
        };

        if (offset > w->size)
                return;
        packet.filler = MIN(session->block_size, w->size - offset);
        transmit(w, &packet);
}

static void send_oack(World *w, const Session *session) {
        static const char *const names[] = { "tsize", "blksize", "windowsize", "timeout", "utimeout" };
        Packet packet = { .from = session_tid(w, session), .to = session->client };
        Buffer buffer = BUFFER(packet.head, sizeof(packet.head));

        buffer_append_be16(&buffer, TFTP_OACK);
        for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++) {
                char text[24];
                int n;

                if (!session->granted.present[i])
                        continue;
                n = snprintf(text, sizeof(text), "%" PRIu64, session->granted.value[i]);
                buffer_append(&buffer, names[i], strlen(names[i]) + 1);
                buffer_append(&buffer, text, (size_t) n + 1);
        }
        packet.size = buffer.size;
        transmit(w, &packet);
}

/* What the server has to say now: the OACK, or the window after the last ACK. */
static void speak(World *w, Session *session) {
        session->deadline = w->now + session->timer;
        if (!session->started)
                send_oack(w, session);
        else
                for (uint64_t i = 1; i <= session->window; i++)
                        send_block(w, session, session->acked + i);
}

/* dnsmasq: what fits into a frame of its own port. */
static size_t block_max(const World *w) {
        return w->model->block_max == 1468 && (w->flags & JUMBO) ? 9100 - 32 : w->model->block_max;
}

static void on_request(World *w, const Packet *packet) {
        static const char *const names[] = { "tsize", "blksize", "windowsize", "timeout", "utimeout" };
        const ServerModel *model = w->model;
        const char *p = (const char *) packet->head + 2, *end = (const char *) packet->head + packet->size;
        Session *session;

        assert_true(w->n_sessions < SESSIONS_MAX);
        session = &w->sessions[w->n_sessions++];
        *session = (Session){ .open = true, .client = packet->from, .block_size = 512, .window = 1 };
        session->timer = model->timer;
        p += strlen(p) + 1;
        p += strlen(p) + 1;
        session->started = p == end || model->block_max == 0;
        while (p < end && model->block_max > 0) {
                const char *value = p + strlen(p) + 1;
                uint64_t n = strtoull(value, NULL, 10);

                for (TftpOption i = 0; i < _TFTP_OPTION_MAX; i++)
                        if (strcmp(p, names[i]) == 0) {
                                if (i == TFTP_OPTION_TSIZE)
                                        n = w->size;
                                if (i == TFTP_OPTION_BLKSIZE)
                                        session->block_size = n = MIN(n, block_max(w));
                                if (i == TFTP_OPTION_WINDOWSIZE && model->window_max == 0)
                                        continue;
                                if (i == TFTP_OPTION_WINDOWSIZE)
                                        session->window = n = MIN(n, model->window_max);
                                if (i == TFTP_OPTION_TIMEOUT)
                                        continue;
                                if (i == TFTP_OPTION_UTIMEOUT && !model->utimeout)
                                        continue;
                                if (i == TFTP_OPTION_UTIMEOUT)
                                        session->timer = n;
                                tftp_options_set(&session->granted, i, n);
                        }
                p = value + strlen(value) + 1;
        }
        speak(w, session);
}

static void on_ack(World *w, Session *session, uint16_t number) {
        uint64_t base = session->acked, block = base + (uint16_t) (number - (uint16_t) base);

        if (w->model->restarts)
                session->deadline = w->now + session->timer;
        if (session->window > 1) { /* RFC 7440: any ACK from the last on says where to go on */
                if (block > base + session->window)
                        return;
        } else if (number != (uint16_t) (session->started ? base + 1 : base))
                return; /* ignored, as RFC 1123 wants it */
        session->started = true;
        session->acked = block;
        session->tries = 0;
        session->timer = session->granted.present[TFTP_OPTION_UTIMEOUT]
                        ? session->granted.value[TFTP_OPTION_UTIMEOUT]
                        : w->model->timer;
        if (block * session->block_size > w->size) {
                session->open = false;
                return;
        }
        speak(w, session);
}

static void on_server_packet(World *w, const Packet *packet) {
        SocketAddress to = { .in = { .sin_family = AF_INET, .sin_port = htons(packet->to) } };
        Session *session;

        to.in.sin_addr.s_addr = htonl(0xc0000201);
        if ((w->flags & DIES) && tftp_client_get_bytes(w->client) >= 50000)
                return;
        if (packet->to == TFTP_PORT) {
                on_request(w, packet);
                return;
        }
        session = &w->sessions[packet->to - 1000];
        if (packet->head[1] == TFTP_ERROR)
                session->open = false;
        else if (!session->open) {
                if (packet->from == w->tid && packet->head[1] == TFTP_ACK)
                        tftp_client_dispatch_unreachable(w->client, w->now, &to, -ECONNREFUSED);
        } else
                on_ack(w, session, (uint16_t) (packet->head[2] << 8 | packet->head[3]));
}

static void on_client_packet(World *w, const Packet *packet) {
        SocketAddress from = { .in = { .sin_family = AF_INET, .sin_port = htons(packet->from) } };
        uint8_t data[TFTP_DATA_MAX];

        from.in.sin_addr.s_addr = htonl(0xc0000201);
        if (packet->to != w->tid || tftp_client_get_timeout(w->client) == USEC_INFINITY) {
                w->sessions[packet->from - 1000].open = false; /* port unreachable */
                return;
        }
        memcpy(data, packet->head, packet->size);
        for (size_t i = 0; i < packet->filler; i++)
                data[packet->size + i] = content(packet->offset + i);
        tftp_client_dispatch_packet(w->client, w->now, &from, data, packet->size + packet->filler);
}

static void on_session_timer(World *w, Session *session) {
        if (++session->tries >= w->model->tries) {
                session->open = false;
                return;
        }
        session->timer = (uint64_t) ((double) session->timer * w->model->backoff);
        speak(w, session);
}

/* Does what is next to be done. */
static void step(World *w) {
        uint64_t next = tftp_client_get_timeout(w->client);
        Session *session = NULL;

        for (unsigned i = 0; i < w->n_sessions; i++)
                if (w->sessions[i].open && w->sessions[i].deadline < next) {
                        session = &w->sessions[i];
                        next = session->deadline;
                }
        if (w->head != w->tail && w->queue[w->head % QUEUE_MAX].due <= next) {
                Packet packet = w->queue[w->head++ % QUEUE_MAX];

                w->now = packet.due;
                if (packet.to_server)
                        on_server_packet(w, &packet);
                else
                        on_client_packet(w, &packet);
                return;
        }
        w->now = MAX(w->now, next);
        if (session)
                on_session_timer(w, session);
        else
                tftp_client_dispatch_timer(w->client, w->now);
}

typedef struct Outcome {
        int error;
        uint64_t usec, stall, n_frames;
        unsigned n_requests;
} Outcome;

static Outcome run(const ServerModel *model, uint64_t rtt, double loss, uint64_t size, uint64_t seed,
                WorldFlags flags) {
        _cleanup_free_ World *w = calloc(1, sizeof(*w));
        TftpClientConfig config = {
                .server.in = { .sin_family = AF_INET, .sin_port = htons(TFTP_PORT) },
                .file_name = "f",
                .size_max = UINT64_MAX,
                .mtu = flags & JUMBO ? 9100 : 1500,
                .open = world_open,
                .send = world_send,
                .write = world_write,
                .compare = world_compare,
                .userdata = w,
        };
        Outcome outcome;

        assert_non_null(w);
        w->file = calloc(1, size + 1);
        assert_non_null(w->file);
        config.server.in.sin_addr.s_addr = htonl(0xc0000201);
        w->model = model;
        w->now = USEC_PER_HOUR;
        w->progress = USEC_PER_HOUR;
        w->delay = rtt / 2;
        w->size = size;
        w->loss = (uint32_t) (loss * UINT32_MAX);
        w->seed = seed * 0x9e3779b97f4a7c15 + 1;
        w->flags = flags;
        w->tid = 50000;
        for (unsigned i = 0; i < 10; i++)
                draw(w);
        assert_int_equal(tftp_client_new(&w->client, &config), 0);
        assert_int_equal(tftp_client_start(w->client, w->now), 0);
        while (tftp_client_get_timeout(w->client) != USEC_INFINITY)
                step(w);

        outcome = (Outcome){
                .error = tftp_client_get_error(w->client),
                .usec = w->now - USEC_PER_HOUR,
                .stall = w->stall,
                .n_frames = w->n_frames,
                .n_requests = w->n_sessions,
        };
        if (outcome.error == 0) {
                assert_int_equal(tftp_client_get_bytes(w->client), size);
                for (uint64_t i = 0; i < size; i++)
                        if (w->file[i] != content(i))
                                fail_msg("byte %" PRIu64 " is wrong", i);
        }
        if (flags & VERBOSE)
                printf("%s: %s\n", model->name, tftp_client_get_reason(w->client));
        tftp_client_free(w->client);
        free(w->file);
        return outcome;
}

/* A file of that size needs at most so many round trips when nothing is lost. */
static void test_round_trips(void **state) {
        static const struct {
                const char *model;
                uint64_t size;
                unsigned round_trips;
        } rows[] = {
                { "dnsmasq", 1000, 2 },
                { "tftpd-hpa", 1000, 2 },
                { "atftpd", 1000, 2 },
                { "busybox", 1000, 2 },
                { "dnsmasq-2.91", 1000, 2 },
                { "dnsmasq", 20000, 15 },
                { "tftpd-hpa", 20000, 2 },
                { "atftpd", 20000, 2 },
                { "busybox", 20000, 2 },
                { "dnsmasq-2.91", 20000, 2 },
                { "dnsmasq", 1000000, 683 },
                { "tftpd-hpa", 1000000, 17 },
                { "atftpd", 1000000, 2 },
                { "busybox", 1000000, 17 },
                { "dnsmasq-2.91", 1000000, 4 },
                { "atftpd", 10000000, 11 },
                { "rfc1350", 20000, 40 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (uint64_t rtt = USEC_PER_MSEC; rtt <= 100 * USEC_PER_MSEC; rtt *= 10) {
                        Outcome outcome = run(find_model(rows[i].model), rtt, 0, rows[i].size, 1, 0);

                        assert_int_equal(outcome.error, 0);
                        assert_int_equal(outcome.usec, rows[i].round_trips * rtt);
                }
}

static int compare_u64(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

#define SEEDS 60

/* One percent, 10 ms, 1 MB: the median of the time, and no stall over a second but for the rarest of coincidences. */
static void test_one_percent(void **state) {
        static const struct {
                const char *model;
                uint64_t median_msec;
        } rows[] = {
                { "dnsmasq", 9000 },
                { "tftpd-hpa", 800 },
                { "atftpd", 150 },
                { "busybox", 2000 },
                { "dnsmasq-2.91", 150 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t usec[SEEDS], stall[SEEDS];

                for (unsigned seed = 0; seed < SEEDS; seed++) {
                        Outcome outcome = run(find_model(rows[i].model), 10 * USEC_PER_MSEC, 0.01, 1000000,
                                        seed, 0);

                        assert_int_equal(outcome.error, 0);
                        usec[seed] = outcome.usec;
                        stall[seed] = outcome.stall;
                }
                qsort(usec, SEEDS, sizeof(*usec), compare_u64);
                qsort(stall, SEEDS, sizeof(*stall), compare_u64);
                assert_in_range(usec[SEEDS / 2], 0, rows[i].median_msec * USEC_PER_MSEC);
                assert_in_range(stall[SEEDS - 2], 0, USEC_PER_SEC);
        }
}

/* 32 MB at 100 ms and 1 %: what is lost of large blocks must not fill the kernel's memory, or only blocks of one frame are left. */
static void test_large_file(void **state) {
        static const struct {
                const char *model;
                uint64_t sec;
        } rows[] = { { "tftpd-hpa", 500 }, { "atftpd", 15 }, { "busybox", 400 } };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Outcome outcome = run(find_model(rows[i].model), 100 * USEC_PER_MSEC, 0.01, 32 << 20, 1, 0);

                assert_int_equal(outcome.error, 0);
                assert_in_range(outcome.usec, 0, rows[i].sec * USEC_PER_SEC);
        }
}

/* However bad the line: it ends well, or at least it ends. */
static void test_bad_lines(void **state) {
        static const uint64_t rtts[] = { 200, 10 * USEC_PER_MSEC, 300 * USEC_PER_MSEC };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(models); i++)
                for (size_t j = 0; j < ELEMENTSOF(rtts); j++)
                        for (unsigned seed = 0; seed < 5; seed++) {
                                assert_int_equal(run(&models[i], rtts[j], 0.05, 100000, seed, 0).error, 0);
                                assert_in_range(run(&models[i], rtts[j], 0.5, 10000, seed, 0).usec, 0,
                                                USEC_PER_HOUR);
                        }
}

static void test_filtered_fragments(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(models); i++) {
                Outcome outcome = run(&models[i], 10 * USEC_PER_MSEC, 0, 20000, 1, NO_FRAGMENTS);

                assert_int_equal(outcome.error, 0);
                assert_in_range(outcome.usec, 0, 1200 * USEC_PER_MSEC);
                for (uint64_t size = 1000; size <= 100000; size *= 10) {
                        outcome = run(&models[i], 10 * USEC_PER_MSEC, 0, size, 1, NO_FRAGMENTS | JUMBO);
                        assert_int_equal(outcome.error, 0);
                        assert_in_range(outcome.usec, 0, 2500 * USEC_PER_MSEC);
                }
        }
}

static void test_server_that_dies(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(models); i++) {
                Outcome outcome = run(&models[i], 10 * USEC_PER_MSEC, 0, 10000000, 1, DIES);

                assert_true(outcome.error < 0);
                assert_in_range(outcome.usec, 0, 30 * USEC_PER_SEC);
        }
}

static int show(char **argv) {
        Outcome outcome = run(find_model(argv[1]), (uint64_t) (strtod(argv[2], NULL) * 1000),
                        strtod(argv[3], NULL) / 100, strtoull(argv[4], NULL, 10),
                        strtoull(argv[5], NULL, 10), VERBOSE);

        printf("%d after %.3f ms, stalled for %.3f ms, %u requests, %" PRIu64 " frames\n", outcome.error,
                        (double) outcome.usec / 1000, (double) outcome.stall / 1000, outcome.n_requests,
                        outcome.n_frames);
        return outcome.error < 0;
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trips),
                cmocka_unit_test(test_one_percent),
                cmocka_unit_test(test_large_file),
                cmocka_unit_test(test_bad_lines),
                cmocka_unit_test(test_filtered_fragments),
                cmocka_unit_test(test_server_that_dies),
        };

        return argc == 6 ? show(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
