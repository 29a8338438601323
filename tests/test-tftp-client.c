/* SPDX-License-Identifier: Apache-2.0 */

/* The TFTP machine on a fake clock, with a fake server that says exactly what a test wants. */

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/tftp-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RTT (10 * USEC_PER_MSEC)
#define TID 40000

typedef struct Sent {
        SocketAddress to;
        uint8_t data[TFTP_REQUEST_MAX];
        size_t size;
} Sent;

typedef struct Fixture {
        TftpClient *client;
        uint64_t now;
        unsigned n_opened;
        int send_error, write_error;

        Sent sent[64];
        unsigned n_sent, n_read;

        uint64_t bytes; /* of the file, as far as it has been written */
        bool gap;       /* there was one */
        uint8_t last;   /* byte of it */
} Fixture;

static SocketAddress address(const char *text, uint16_t port) {
        IpAddress ip;

        assert_int_equal(ip_address_parse(text, &ip), 0);
        return socket_address(&ip, port, 0);
}

static int fake_open(void *userdata) {
        Fixture *f = userdata;

        f->n_opened++;
        return 4 * 1024 * 1024;
}

static int fake_send(const SocketAddress *to, const uint8_t *data, size_t size, void *userdata) {
        Fixture *f = userdata;
        Sent *sent = &f->sent[f->n_sent % ELEMENTSOF(f->sent)];

        if (f->send_error < 0)
                return f->send_error;
        assert_true(f->n_sent - f->n_read < ELEMENTSOF(f->sent));
        assert_true(size <= sizeof(sent->data));
        sent->to = *to;
        memcpy(sent->data, data, size);
        sent->size = size;
        f->n_sent++;
        return 0;
}

static int fake_write(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        Fixture *f = userdata;

        if (f->write_error < 0)
                return f->write_error;
        assert_true(offset >= f->bytes || f->gap);
        f->gap |= offset > f->bytes;
        f->bytes = MAX(f->bytes, offset + size);
        if (size > 0)
                f->last = data[size - 1];
        return 0;
}

static int fake_compare(uint64_t offset, const uint8_t *data, size_t size, void *userdata) {
        Fixture *f = userdata;

        assert_true(offset + size <= f->bytes);
        for (size_t i = 0; i < size; i++)
                if (data[i] != f->last)
                        return 0;
        return 1;
}

static void setup(Fixture *f, uint64_t size_max) {
        TftpClientConfig config = {
                .server = address("192.0.2.1", TFTP_PORT),
                .file_name = "SN1.enc",
                .size_max = size_max,
                .mtu = 1500,
                .open = fake_open,
                .send = fake_send,
                .write = fake_write,
                .compare = fake_compare,
                .userdata = f,
        };

        *f = (Fixture){ .now = 1000 * USEC_PER_SEC };
        assert_int_equal(tftp_client_new(&f->client, &config), 0);
        assert_int_equal(tftp_client_start(f->client, f->now), 0);
}

static void teardown(Fixture *f) {
        assert_int_equal(f->n_sent, f->n_read); /* every packet was expected */
        tftp_client_free(f->client);
}

static const Sent *next_sent(Fixture *f) {
        assert_true(f->n_read < f->n_sent);
        return &f->sent[f->n_read++ % ELEMENTSOF(f->sent)];
}

static void expect_packet(Fixture *f, uint16_t port, const void *data, size_t size) {
        const Sent *sent = next_sent(f);

        assert_int_equal(ntohs(sent->to.in.sin_port), port);
        assert_int_equal(sent->size, size);
        assert_memory_equal(sent->data, data, size);
}

static void expect_ack(Fixture *f, uint16_t block) {
        expect_packet(f, TID, (uint8_t[]){ 0, 4, block >> 8, block & 0xff }, 4);
}

static void expect_error(Fixture *f, uint16_t port, uint16_t code) {
        const Sent *sent = next_sent(f);

        assert_int_equal(ntohs(sent->to.in.sin_port), port);
        assert_true(sent->size > 5);
        assert_memory_equal(sent->data, ((uint8_t[]){ 0, 5, code >> 8, code & 0xff }), 4);
}

/* The value of an option in a request, or NULL. */
static const char *option(const Sent *request, const char *name) {
        const char *p = (const char *) request->data + 2,
                   *end = (const char *) request->data + request->size;

        p += strlen(p) + 1;
        p += strlen(p) + 1;
        while (p < end) {
                const char *value = p + strlen(p) + 1;

                if (strcmp(p, name) == 0)
                        return value;
                p = value + strlen(value) + 1;
        }
        return NULL;
}

static const Sent *expect_request(Fixture *f) {
        const Sent *sent = next_sent(f);

        assert_int_equal(ntohs(sent->to.in.sin_port), TFTP_PORT);
        assert_memory_equal(sent->data, "\0\1SN1.enc\0octet", 16);
        return sent;
}

static void expect_plain_request(Fixture *f) {
        expect_packet(f, TFTP_PORT, "\0\1SN1.enc\0octet", 16);
}

static void receive_from(Fixture *f, const SocketAddress *from, const void *data, size_t size) {
        _cleanup_free_ uint8_t *copy = malloc(MAX(size, 1u));

        assert_non_null(copy);
        memcpy(copy, data, size);
        tftp_client_dispatch_packet(f->client, f->now, from, copy, size);
}

static void receive(Fixture *f, const void *data, size_t size) {
        SocketAddress from = address("192.0.2.1", TID);

        receive_from(f, &from, data, size);
}

static void receive_oack(Fixture *f, const char *text) {
        char data[256] = { 0, 6 };
        size_t n = strlen(text);

        for (size_t i = 0; i < n; i++) /* written with spaces for readability */
                data[2 + i] = text[i] == ' ' ? '\0' : text[i];
        receive(f, data, 2 + n + 1);
}

static void receive_data(Fixture *f, uint16_t block, size_t size, uint8_t fill) {
        uint8_t data[TFTP_DATA_MAX] = { 0, 3, block >> 8, block & 0xff };

        memset(data + 4, fill, size);
        receive(f, data, 4 + size);
}

/* Until the machine wants to be called. */
static void wait_for_timer(Fixture *f) {
        uint64_t timeout = tftp_client_get_timeout(f->client);

        assert_true(timeout != USEC_INFINITY && timeout >= f->now);
        f->now = timeout;
        tftp_client_dispatch_timer(f->client, f->now);
}

static void assert_done(Fixture *f, uint64_t bytes) {
        assert_string_equal(tftp_client_get_reason(f->client), "");
        assert_int_equal(tftp_client_get_state(f->client), TFTP_STATE_DONE);
        assert_int_equal(tftp_client_get_error(f->client), 0);
        assert_int_equal(f->bytes, bytes);
        assert_int_equal(tftp_client_get_bytes(f->client), bytes);
        assert_true(tftp_client_get_timeout(f->client) == USEC_INFINITY);
}

static void assert_failed(Fixture *f, int error) {
        assert_int_equal(tftp_client_get_state(f->client), TFTP_STATE_FAILED);
        assert_int_equal(tftp_client_get_error(f->client), error);
        assert_true(tftp_client_get_timeout(f->client) == USEC_INFINITY);
        assert_string_not_equal(tftp_client_get_reason(f->client), "");
}

/* From the request to ACK 0, with a round trip of RTT. */
static void agree(Fixture *f, const char *oack) {
        expect_request(f);
        f->now += RTT;
        receive_oack(f, oack);
        expect_ack(f, 0);
}

static void test_lockstep(void **state) {
        Fixture f;

        (void) state;
        setup(&f, 1000);
        agree(&f, "blksize 100 tsize 250");
        assert_int_equal(tftp_client_get_size(f.client), 250);
        for (uint16_t block = 1; block <= 2; block++) {
                f.now += RTT;
                receive_data(&f, block, 100, 'a');
                expect_ack(&f, block);
        }
        assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_RECEIVING);
        receive_data(&f, 3, 50, 'z');
        expect_ack(&f, 3);
        assert_done(&f, 250);
        assert_int_equal(f.last, 'z');
        assert_int_equal(f.n_opened, 1);

        receive_data(&f, 4, 100, 'x'); /* data after the end */
        assert_done(&f, 250);
        teardown(&f);
}

static void test_sizes_at_the_edge(void **state) {
        Fixture f;

        (void) state;
        setup(&f, 1000); /* empty */
        agree(&f, "blksize 100 tsize 0");
        receive_data(&f, 1, 0, 0);
        expect_ack(&f, 1);
        assert_done(&f, 0);
        teardown(&f);

        setup(&f, 200); /* a multiple of the block, and as large as allowed */
        agree(&f, "blksize 100 tsize 200");
        receive_data(&f, 1, 100, 'a');
        receive_data(&f, 2, 100, 'a');
        receive_data(&f, 3, 0, 0);
        for (uint16_t block = 1; block <= 3; block++)
                expect_ack(&f, block);
        assert_done(&f, 200);
        teardown(&f);
}

static void test_server_without_options(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        receive_data(&f, 2, 512, 'x'); /* cannot be first */
        receive_data(&f, 1, 512, 'a');
        expect_ack(&f, 1);
        assert_int_equal(tftp_client_get_size(f.client), TFTP_SIZE_UNKNOWN);
        receive_data(&f, 2, 511, 'b');
        expect_ack(&f, 2);
        assert_done(&f, 1023);
        teardown(&f);
}

static void test_request_is_repeated_and_given_up(void **state) {
        uint64_t start;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        start = f.now;
        for (unsigned i = 0; i < 4; i++) {
                assert_non_null(option(expect_request(&f), "tsize"));
                wait_for_timer(&f);
        }
        for (unsigned i = 0; i < 4; i++) {
                expect_plain_request(&f); /* perhaps it is the options */
                wait_for_timer(&f);
        }
        assert_failed(&f, -ETIMEDOUT);
        assert_int_equal(f.now - start, 17 * USEC_PER_SEC);
        assert_int_equal(f.n_opened, 1);
        teardown(&f);
}

/* The answer to any of the requests counts, with options or without, for 15 s. */
static void test_server_that_answers_late(void **state) {
        static const uint64_t answers[] = { 4, 6, 10, 15 };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                for (unsigned plain = 0; plain < 2; plain++) {
                        uint64_t due;
                        Fixture f;

                        setup(&f, UINT64_MAX);
                        due = f.now + answers[i] * USEC_PER_SEC;
                        while (tftp_client_get_timeout(f.client) < due)
                                wait_for_timer(&f);
                        while (f.n_read < f.n_sent)
                                next_sent(&f);
                        f.now = due;
                        if (!plain) {
                                receive_oack(&f, "blksize 100 tsize 50");
                                expect_ack(&f, 0);
                        }
                        receive_data(&f, 1, 50, 'a');
                        expect_ack(&f, 1);
                        assert_done(&f, 50);
                        assert_int_equal(f.n_opened, 1);
                        teardown(&f);
                }
}

static void test_silence_is_bounded(void **state) {
        uint64_t start;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1);
        start = f.now;
        while (tftp_client_get_timeout(f.client) != USEC_INFINITY) {
                wait_for_timer(&f);
                while (f.n_read < f.n_sent)
                        next_sent(&f);
        }
        assert_failed(&f, -ETIMEDOUT);
        assert_in_range(f.now - start, 17 * USEC_PER_SEC, 27 * USEC_PER_SEC);
        teardown(&f);
}

static void test_trickle_is_bounded(void **state) {
        uint64_t start;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 8");
        start = f.now;
        for (uint16_t block = 1;; block++) {
                f.now += 500 * USEC_PER_MSEC; /* 16 bytes a second */
                receive_data(&f, block, 8, 'a');
                if (tftp_client_get_state(f.client) != TFTP_STATE_RECEIVING)
                        break;
                expect_ack(&f, block);
        }
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -ETIMEDOUT);
        assert_in_range(f.now - start, 60 * USEC_PER_SEC, 70 * USEC_PER_SEC);
        teardown(&f);
}

static void test_lost_ack_and_lost_data(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 tsize 150");
        f.now += RTT;
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1);
        wait_for_timer(&f); /* in about two round trips, long before a server's timer */
        expect_ack(&f, 1);
        receive_data(&f, 2, 50, 'b');
        expect_ack(&f, 2);
        assert_done(&f, 150);
        teardown(&f);
}

static void test_timer_adapts(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        for (uint16_t block = 1; block <= 20; block++) {
                f.now += RTT;
                receive_data(&f, block, 100, 'a');
                expect_ack(&f, block);
        }
        assert_in_range(tftp_client_get_timeout(f.client) - f.now, RTT + 1, 2 * RTT);

        wait_for_timer(&f);
        expect_ack(&f, 20);

        /* Karn: the answer to a repeated ACK says nothing of the round trip. */
        f.now += 900 * USEC_PER_MSEC;
        receive_data(&f, 21, 100, 'a');
        expect_ack(&f, 21);
        assert_true(tftp_client_get_timeout(f.client) - f.now <= 2 * RTT);
        teardown(&f);
}

static void test_duplicates_do_not_multiply(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        f.now += RTT;
        for (unsigned i = 0; i < 100; i++)
                receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1); /* once */
        f.now += RTT;
        for (unsigned i = 0; i < 100; i++)
                receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1); /* and once in the next round trip: the first may be lost */
        receive_data(&f, 0, 100, 'x');
        receive_data(&f, 3, 100, 'x');
        receive_data(&f, 0xffff, 100, 'x');
        assert_int_equal(f.bytes, 100);
        assert_int_equal(tftp_client_get_dropped(f.client), 99 + 100 + 3);
        teardown(&f);
}

static void test_repeated_oack(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 tsize 150");
        receive_oack(&f, "blksize 100 tsize 150");
        f.now += RTT;
        receive_oack(&f, "blksize 100 tsize 150"); /* ACK 0 was lost */
        expect_ack(&f, 0);
        receive_oack(&f, "blksize 1400 tsize 99999"); /* changes nothing */
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1);
        f.now += RTT;
        receive_oack(&f, "blksize 100 tsize 150"); /* too late to mean anything */
        receive_data(&f, 2, 50, 'a');
        expect_ack(&f, 2);
        assert_done(&f, 150);
        teardown(&f);
}

static void test_bad_oack_leads_to_a_plain_request(void **state) {
        static const char *const rows[] = {
                "blksize 65465",
                "blksize 0",
                "windowsize 17",
                "timeout 2",
                "utimeout 20000",
                "multicast 224.0.0.1,1758,1",
                "tsize",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Fixture f;

                setup(&f, UINT64_MAX);
                expect_request(&f);
                receive_oack(&f, rows[i]);
                expect_error(&f, TID, TFTP_ERROR_OPTION);
                expect_plain_request(&f);
                assert_int_equal(f.n_opened, 2);
                receive_oack(&f, "blksize 512"); /* asked for nothing now */
                assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_REQUESTING);
                receive_data(&f, 1, 100, 'a');
                expect_ack(&f, 1);
                assert_done(&f, 100);
                teardown(&f);
        }
}

static void test_wrap_to_zero_and_to_one(void **state) {
        (void) state;
        for (unsigned first = 0; first <= 1; first++) {
                uint16_t number = 0;
                Fixture f;

                setup(&f, UINT64_MAX);
                agree(&f, "blksize 8");
                for (uint32_t block = 1; block <= 140000; block++) {
                        number = number == UINT16_MAX ? (uint16_t) first : (uint16_t) (number + 1);
                        receive_data(&f, number, 8, (uint8_t) block);
                        expect_ack(&f, number);
                }
                receive_data(&f, (uint16_t) (number + 1), 3, 'z');
                expect_ack(&f, (uint16_t) (number + 1));
                assert_done(&f, 140000 * 8 + 3);
                teardown(&f);
        }
}

static void test_strangers(void **state) {
        SocketAddress other_port = address("192.0.2.1", TID + 1), other_host = address("192.0.2.2", TID),
                      ipv6 = address("2001:db8::1", TID);
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        receive_from(&f, &other_host, "\0\3\0\1evil", 8); /* nobody we asked */
        expect_error(&f, TID, TFTP_ERROR_UNKNOWN_TID);
        receive_from(&f, &other_host, "\0\5\0\1evil", 9); /* no error for an error */
        receive_from(&f, &ipv6, "\0\5\0\1evil", 9);
        f.now += RTT;
        receive_oack(&f, "blksize 100");
        expect_ack(&f, 0);
        receive_from(&f, &other_port, "\0\3\0\1evil", 8);
        expect_error(&f, TID + 1, TFTP_ERROR_UNKNOWN_TID);
        receive_from(&f, &other_port, "\0\5\0\1evil", 9);
        for (unsigned i = 0; i < 100000; i++) {
                receive_from(&f, &other_port, "\0\3\0\1evil", 8);
                if (f.n_read < f.n_sent)
                        expect_error(&f, TID + 1, TFTP_ERROR_UNKNOWN_TID);
        }
        assert_true(f.n_sent < 20); /* nor may anybody use us to fill a line */
        receive_data(&f, 1, 50, 'a');
        expect_ack(&f, 1);
        assert_done(&f, 50);
        teardown(&f);
}

/* Before anything of the file has come. The last answer to a request without options counts. */
static void test_server_errors(void **state) {
        static const struct {
                const char *packet;
                size_t size;
                unsigned n_plain; /* requests without options */
                int error;
                const char *reason;
        } rows[] = {
#define ROW(literal, n_plain, error, reason) { literal, sizeof(literal), n_plain, error, reason }
                ROW("\0\5\0\1File not found", 0, -ENOENT, "the server says: File not found (error 1)"),
                ROW("\0\5\0\2", 0, -EACCES, "the server says: nothing (error 2)"),
                ROW("\0\5\0\0a\x1b[31m\n\xff", 1, -ENOENT,
                                "the server says: a\\x1b[31m\\x0a\\xff (error 0)"),
                ROW("\0\5\0\4no", 1, -ENOENT, "the server says: no (error 4)"),
                ROW("\0\5\0\3full", 1, -EREMOTEIO, "the server says: full (error 3)"),
                ROW("\0\5\0\10no", 1, -EREMOTEIO, "the server says: no (error 8)"),
                ROW("\0\5\xff\xff?", 1, -EREMOTEIO, "the server says: ? (error 65535)"),
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Fixture f;

                setup(&f, UINT64_MAX);
                expect_request(&f);
                for (unsigned n = 0; n < rows[i].n_plain; n++) {
                        receive(&f, rows[i].packet, rows[i].size);
                        expect_plain_request(&f);
                }
                receive(&f, rows[i].packet, rows[i].size);
                assert_failed(&f, rows[i].error);
                assert_string_equal(tftp_client_get_reason(f.client), rows[i].reason);
                teardown(&f);
        }
}

/*
 * The server cannot send what it has granted; it may be able to send something smaller, or what it grants
 * nobody.
 */
static void test_error_after_the_oack(void **state) {
        static const uint8_t codes[] = { 0, 1, 3, 4, 8, 99 };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                for (unsigned works = 0; works < 3; works++) { /* blocks of a frame; no options; nothing */
                        const uint8_t error[] = { 0, 5, 0, codes[i], 0 };
                        const Sent *request;
                        Fixture f;

                        setup(&f, UINT64_MAX);
                        agree(&f, "blksize 65464 tsize 50");
                        receive(&f, error, sizeof(error));
                        request = expect_request(&f);
                        assert_string_equal(option(request, "blksize"), "1468");
                        receive_oack(&f, "blksize 1468 tsize 50");
                        expect_ack(&f, 0);
                        if (works > 0) {
                                receive(&f, error, sizeof(error));
                                expect_plain_request(&f);
                        }
                        if (works == 2)
                                receive(&f, error, sizeof(error));
                        else {
                                receive_data(&f, 1, 50, 'a');
                                expect_ack(&f, 1);
                                assert_done(&f, 50);
                        }
                        if (works == 2)
                                assert_failed(&f, codes[i] == 1 ? -ENOENT : -EREMOTEIO);
                        teardown(&f);
                }
}

/* It does what it was asked for, without an OACK. */
static void test_large_block_without_an_oack(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        receive_data(&f, 1, 513, 'a');
        expect_error(&f, TID, TFTP_ERROR_OPTION);
        expect_plain_request(&f);
        assert_int_equal(f.bytes, 0);
        receive_data(&f, 1, 512, 'a');
        expect_ack(&f, 1);
        receive_data(&f, 2, 1, 'a');
        expect_ack(&f, 2);
        assert_done(&f, 513);
        teardown(&f);

        setup(&f, UINT64_MAX); /* whatever it is asked for */
        expect_request(&f);
        receive_data(&f, 1, 1000, 'a');
        expect_error(&f, TID, TFTP_ERROR_OPTION);
        expect_plain_request(&f);
        receive_data(&f, 1, 1000, 'a');
        expect_error(&f, TID, TFTP_ERROR_ILLEGAL);
        assert_failed(&f, -EPROTO);
        teardown(&f);
}

/* A size that is none, or too little: the file ends where it ends. */
static void test_sizes_that_are_wrong(void **state) {
        static const char *const rows[] = {
                "blksize 100 tsize 0",
                "blksize 100 tsize 1",
                "blksize 100 tsize 4294967295",
                "blksize 100 tsize 100",
                "blksize 100 tsize 149",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Fixture f;

                setup(&f, 1000000);
                agree(&f, rows[i]);
                receive_data(&f, 1, 100, 'a');
                expect_ack(&f, 1);
                wait_for_timer(&f);
                expect_ack(&f, 1);
                wait_for_timer(&f);
                expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
                expect_request(&f); /* it is told again, and it is no reason to think that the file has changed */
                receive_oack(&f, rows[i]);
                expect_ack(&f, 0);
                expect_ack(&f, 1);
                receive_data(&f, 2, 50, 'a');
                expect_ack(&f, 2);
                assert_done(&f, 150);
                assert_true(tftp_client_get_size(f.client) == TFTP_SIZE_UNKNOWN);
                teardown(&f);
        }
}

static void test_long_error_text(void **state) {
        uint8_t packet[60000] = { 0, 5, 0, 0 };
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        memset(packet + 4, '\n', sizeof(packet) - 4);
        receive(&f, packet, sizeof(packet));
        expect_plain_request(&f);
        receive(&f, packet, sizeof(packet));
        assert_failed(&f, -ENOENT);
        assert_true(strlen(tftp_client_get_reason(f.client)) < 192);
        teardown(&f);
}

static void test_sizes_that_are_refused(void **state) {
        Fixture f;

        (void) state;
        setup(&f, 1000);
        expect_request(&f);
        receive_oack(&f, "blksize 100 tsize 1001");
        expect_error(&f, TID, TFTP_ERROR_DISK_FULL);
        assert_failed(&f, -EFBIG);
        teardown(&f);

        setup(&f, 150); /* not announced */
        agree(&f, "blksize 100");
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1);
        receive_data(&f, 2, 51, 'a');
        expect_error(&f, TID, TFTP_ERROR_DISK_FULL);
        assert_failed(&f, -EFBIG);
        assert_int_equal(f.bytes, 100);
        teardown(&f);

        setup(&f, 1000); /* less: a truncated file is no file */
        agree(&f, "blksize 100 tsize 100");
        receive_data(&f, 1, 99, 'a');
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -EBADMSG);
        teardown(&f);

        setup(&f, 1000); /* larger than agreed */
        agree(&f, "blksize 100");
        receive_data(&f, 1, 101, 'a');
        expect_error(&f, TID, TFTP_ERROR_ILLEGAL);
        assert_failed(&f, -EPROTO);
        teardown(&f);
}

static void test_unreachable(void **state) {
        SocketAddress server = address("192.0.2.1", TFTP_PORT), tid = address("192.0.2.1", TID),
                      other = address("192.0.2.2", TFTP_PORT);
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        tftp_client_dispatch_unreachable(f.client, f.now, &other, -ECONNREFUSED);
        tftp_client_dispatch_unreachable(f.client, f.now, &tid, -ECONNREFUSED);
        assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_REQUESTING);
        tftp_client_dispatch_unreachable(f.client, f.now, &server, -ECONNREFUSED);
        assert_failed(&f, -ECONNREFUSED);
        teardown(&f);

        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        tftp_client_dispatch_unreachable(f.client, f.now, &server, -ECONNREFUSED);
        assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_RECEIVING);
        tftp_client_dispatch_unreachable(
                        f.client, f.now, &tid, -ECONNREFUSED); /* it has given up this transfer */
        expect_request(&f);
        assert_int_equal(f.n_opened, 2);
        tftp_client_dispatch_unreachable(
                        f.client, f.now, &server, -ECONNREFUSED); /* it is not there at all */
        assert_failed(&f, -ECONNREFUSED);
        teardown(&f);
}

static void test_malformed_packets_change_nothing(void **state) {
        static const uint8_t packet[] = { 0, 3, 0 };
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        for (size_t n = 0; n <= sizeof(packet); n++)
                receive(&f, packet, n);
        f.now += RTT;
        receive_oack(&f, "blksize 100");
        expect_ack(&f, 0);
        for (size_t n = 0; n <= sizeof(packet); n++)
                receive(&f, packet, n);
        receive(&f, "\0\1file\0octet", 13);
        receive(&f, "\0\4\0\1", 4);
        receive_data(&f, 1, 1, 'a');
        expect_ack(&f, 1);
        assert_done(&f, 1);
        assert_int_equal(tftp_client_get_dropped(f.client), 10);
        teardown(&f);
}

static void test_write_fails(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        f.write_error = -ENOSPC;
        receive_data(&f, 1, 100, 'a');
        expect_error(&f, TID, TFTP_ERROR_DISK_FULL);
        assert_failed(&f, -ENOSPC);
        teardown(&f);
}

static void test_send_fails(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        f.send_error = -ENETDOWN; /* the link flaps: like a lost packet */
        f.now += RTT;
        receive_data(&f, 1, 100, 'a');
        assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_RECEIVING);
        f.send_error = 0;
        wait_for_timer(&f);
        expect_ack(&f, 1);
        tftp_client_free(f.client);

        f = (Fixture){ .send_error = -ENETUNREACH };
        assert_int_equal(tftp_client_new(&f.client,
                                         &(TftpClientConfig){ .server = address("192.0.2.1", TFTP_PORT),
                                                         .file_name = "f",
                                                         .open = fake_open,
                                                         .send = fake_send,
                                                         .userdata = &f }),
                        0);
        assert_int_equal(tftp_client_start(f.client, 1), -ENETUNREACH);
        teardown(&f);
}

static void test_stop_tells_the_server(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        tftp_client_stop(f.client);
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -ECANCELED);
        teardown(&f);
}

static void test_windows(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 windowsize 4 tsize 850");
        for (uint16_t block = 1; block <= 8; block++) {
                receive_data(&f, block, 100, 'a');
                if (block % 4 == 0)
                        expect_ack(&f, block);
        }
        receive_data(&f, 9, 50, 'z');
        expect_ack(&f, 9);
        assert_done(&f, 850);
        teardown(&f);
}

static void test_gap_in_a_window(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 windowsize 8");
        f.now += RTT;
        receive_data(&f, 1, 100, 'a');
        receive_data(&f, 2, 100, 'a');
        receive_data(&f, 4, 100, 'x');
        expect_ack(&f, 2);             /* at once */
        receive_data(&f, 5, 100, 'x'); /* and once */
        receive_data(&f, 8, 100, 'x');
        receive_data(&f, 2, 100, 'x');  /* what is old */
        receive_data(&f, 11, 100, 'x'); /* or beyond the window is nothing at all */
        assert_int_equal(tftp_client_get_bytes(f.client), 200);
        f.now += RTT;
        receive_data(&f, 3, 100, 'b'); /* the server goes on from there */
        assert_int_equal(tftp_client_get_bytes(f.client), 500);
        receive_data(&f, 4, 100, 'b');
        receive_data(&f, 5, 100, 'b');
        receive_data(&f, 7, 100, 'b'); /* 6 is lost once more */
        expect_ack(&f, 5);
        for (uint16_t block = 6; block <= 13; block++)
                receive_data(&f, block, 100, 'b');
        expect_ack(&f, 13);
        assert_int_equal(tftp_client_get_bytes(f.client), 1300);
        teardown(&f);
}

/*
 * The block that is missing is lost again, and so are all the others up to one that we have: no need to wait
 * for a timer.
 */
static void test_gap_again(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 windowsize 8");
        f.now += RTT;
        receive_data(&f, 1, 100, 'a');
        receive_data(&f, 3, 100, 'a');
        expect_ack(&f, 1);
        receive_data(&f, 6, 100, 'a');
        receive_data(&f, 5, 100, 'a'); /* only out of order */
        f.now += RTT;
        receive_data(&f, 6, 100, 'a');
        expect_ack(&f, 1);
        receive_data(&f, 7, 100, 'a');
        receive_data(&f, 9, 100, 'a');
        f.now += RTT;
        for (uint16_t block = 2; block <= 9; block++)
                receive_data(&f, block, 100, 'a');
        expect_ack(&f, 9);
        assert_int_equal(tftp_client_get_bytes(f.client), 900);
        teardown(&f);
}

/* What comes beyond a gap is checked as if it came in its turn. */
static void test_end_beyond_a_gap(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 windowsize 8 tsize 350");
        receive_data(&f, 2, 100, 'a');
        expect_ack(&f, 0);
        receive_data(&f, 3, 100, 'a');
        receive_data(&f, 4, 50, 'a');
        assert_int_equal(tftp_client_get_bytes(f.client), 0);
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 4);
        assert_done(&f, 350);
        teardown(&f);

        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 windowsize 8 tsize 350");
        receive_data(&f, 2, 99, 'a');
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -EBADMSG);
        teardown(&f);

        setup(&f, 150);
        agree(&f, "blksize 100 windowsize 8");
        receive_data(&f, 2, 51, 'a');
        expect_error(&f, TID, TFTP_ERROR_DISK_FULL);
        assert_failed(&f, -EFBIG);
        teardown(&f);

        setup(&f, UINT64_MAX); /* a last block before one that has come already: it would stay in the file */
        agree(&f, "blksize 100 windowsize 8");
        receive_data(&f, 3, 100, 'a');
        expect_ack(&f, 0);
        receive_data(&f, 1, 50, 'a');
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -ESTALE);
        teardown(&f);
}

static void test_lost_tail_of_a_window(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 windowsize 8");
        f.now += RTT;
        for (uint16_t block = 1; block <= 6; block++)
                receive_data(&f, block, 100, 'a');
        assert_in_range(tftp_client_get_timeout(f.client) - f.now, RTT, 4 * RTT);
        wait_for_timer(&f);
        expect_ack(&f, 6);
        teardown(&f);
}

/*
 * Two blocks of a server without windows; the third and then everything is lost until the client goes on
 * with another request.
 */
static void lose_third_block(Fixture *f) {
        setup(f, UINT64_MAX);
        agree(f, "blksize 100 tsize 350");
        for (uint16_t block = 1; block <= 2; block++) {
                f->now += RTT;
                receive_data(f, block, 100, 'a');
                expect_ack(f, block);
        }
        wait_for_timer(f);
        expect_ack(f, 2); /* it may have been the ACK */
        wait_for_timer(f);
        expect_error(f, TID, TFTP_ERROR_UNDEFINED); /* an end to that one */
        expect_request(f);
        assert_int_equal(f->n_opened, 2);
        f->now += RTT;
}

static void test_goes_on_with_another_request(void **state) {
        Fixture f;

        (void) state;
        lose_third_block(&f);
        receive_oack(&f, "blksize 100 tsize 350");
        expect_ack(&f, 0);
        expect_ack(&f, 1); /* ahead of the server: we have these */
        expect_ack(&f, 2);
        f.now += RTT;
        receive_data(&f, 1, 100, 'a'); /* compared; block 2 is lost, and not missed */
        receive_data(&f, 3, 100, 'b');
        expect_ack(&f, 3);
        receive_data(&f, 4, 50, 'c');
        expect_ack(&f, 4);
        assert_done(&f, 350);
        teardown(&f);
}

static void test_goes_on_with_other_blocks(void **state) {
        Fixture f;

        (void) state;
        lose_third_block(&f);
        receive_oack(&f, "blksize 80 tsize 350"); /* the server is free to grant less */
        expect_ack(&f, 0);
        expect_ack(&f, 1);
        expect_ack(&f, 2);
        receive_data(&f, 3, 80, 'a'); /* bytes 160 to 240; 200 are there */
        expect_ack(&f, 3);
        assert_int_equal(f.bytes, 240);
        receive_data(&f, 4, 80, 'b');
        expect_ack(&f, 4);
        receive_data(&f, 5, 30, 'c');
        expect_ack(&f, 5);
        assert_done(&f, 350);
        teardown(&f);
}

static void test_lost_ack_while_catching_up(void **state) {
        Fixture f;

        (void) state;
        lose_third_block(&f);
        receive_oack(&f, "blksize 100 tsize 350");
        for (uint16_t block = 0; block <= 2; block++)
                expect_ack(&f, block);
        f.now += RTT;
        receive_data(&f, 1, 100, 'a'); /* ACK 1 is lost, so ACK 2 means nothing to the server */
        wait_for_timer(&f);
        expect_ack(&f, 1);
        expect_ack(&f, 2);
        receive_data(&f, 2, 100, 'a');
        receive_data(&f, 3, 100, 'a');
        expect_ack(&f, 3);
        assert_int_equal(f.bytes, 300);
        teardown(&f);
}

static void test_file_that_changes_meanwhile(void **state) {
        Fixture f;

        (void) state;
        lose_third_block(&f);
        receive_oack(&f, "blksize 100 tsize 351");
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -ESTALE);
        teardown(&f);

        lose_third_block(&f);
        receive_oack(&f, "blksize 100 tsize 350");
        for (uint16_t block = 0; block <= 2; block++)
                expect_ack(&f, block);
        receive_data(&f, 1, 100, 'b');
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_failed(&f, -ESTALE);
        assert_int_equal(f.bytes, 200);
        teardown(&f);

        lose_third_block(&f);
        receive_oack(&f, "blksize 100"); /* the size is not told any more, and the file has become shorter */
        for (uint16_t block = 0; block <= 2; block++)
                expect_ack(&f, block);
        receive_data(&f, 2, 50, 'a');
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_FAILED);
        teardown(&f);
}

static void test_new_requests_are_bounded(void **state) {
        Fixture f;

        (void) state;
        lose_third_block(&f);
        for (;;) { /* a server that answers each request and never goes beyond what we have */
                while (f.n_read < f.n_sent) {
                        const Sent *sent = next_sent(&f);

                        if (sent->data[1] == 1)
                                receive_oack(&f, "blksize 100 tsize 350");
                }
                if (tftp_client_get_timeout(f.client) == USEC_INFINITY)
                        break;
                wait_for_timer(&f);
        }
        assert_failed(&f, -ETIMEDOUT);
        assert_in_range(f.n_opened, 3, 12);
        teardown(&f);
}

/*
 * Nothing comes for the ACK that was repeated: the server has the time to repeat the block itself, as
 * busybox does.
 */
static void test_server_that_repeats_soon(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 65464 tsize 65500");
        wait_for_timer(&f);
        expect_ack(&f, 0);
        assert_int_equal(tftp_client_get_timeout(f.client) - f.now, 120 * USEC_PER_MSEC);
        f.now += 100 * USEC_PER_MSEC;
        receive_data(&f, 1, 65464, 'a');
        expect_ack(&f, 1);
        assert_in_range(tftp_client_get_timeout(f.client) - f.now, RTT,
                        4 * RTT); /* a round trip has not become longer */
        f.now += RTT;
        receive_data(&f, 2, 36, 'a');
        expect_ack(&f, 2);
        assert_done(&f, 65500);
        teardown(&f);
}

/* The ACK may be what was lost; if not, the blocks are too large. */
static void test_whole_window_missing(void **state) {
        const Sent *request;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 65464 windowsize 16 tsize 20000");
        wait_for_timer(&f);
        expect_ack(&f, 0);
        wait_for_timer(&f);
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        request = expect_request(&f);
        assert_string_equal(option(request, "blksize"), "1468");
        assert_string_equal(option(request, "windowsize"), "512");
        assert_int_equal(f.n_opened, 2);
        assert_int_equal(tftp_client_get_state(f.client), TFTP_STATE_REQUESTING);
        teardown(&f);
}

/*
 * Which of two requests has been answered is not known; but not, either, that a round trip takes a second.
 */
static void test_second_request_answered(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        expect_request(&f);
        wait_for_timer(&f);
        agree(&f, "blksize 100");
        assert_in_range(tftp_client_get_timeout(f.client) - f.now, 260 * USEC_PER_MSEC, 400 * USEC_PER_MSEC);
        wait_for_timer(&f);
        expect_ack(&f, 0);
        teardown(&f);
}

static void test_large_block_missing(void **state) {
        const Sent *request;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 30000 tsize 100000");
        wait_for_timer(&f);
        expect_ack(&f, 0);
        wait_for_timer(&f);
        expect_error(&f, TID, TFTP_ERROR_UNDEFINED);
        request = expect_request(&f);
        assert_string_equal(option(request, "blksize"), "11828");
        assert_null(option(request, "windowsize"));
        assert_string_equal(option(request, "utimeout"), "20000"); /* two round trips */
        teardown(&f);
}

/* Each block is late: no request is given up for that. */
static void test_path_that_becomes_longer(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100");
        for (uint16_t block = 1; block <= 60; block++) {
                uint64_t due = f.now + (block <= 20 ? RTT : 8 * RTT);

                while (tftp_client_get_timeout(f.client) < due) {
                        wait_for_timer(&f);
                        expect_ack(&f, block - 1);
                }
                f.now = due;
                receive_data(&f, block, 100, 'a');
                expect_ack(&f, block);
        }
        assert_int_equal(f.n_opened, 1);
        teardown(&f);
}

/*
 * An ERROR ends a request that is not the first, and one that has brought something, but not the transfer.
 */
static void test_error_to_another_request(void **state) {
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 tsize 350");
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1);
        receive(&f, "\0\5\0\0malformed packet", 21);
        for (unsigned i = 2; i <= 4; i++) {
                expect_request(&f);
                assert_int_equal(f.n_opened, i);
                receive(&f, "\0\5\0\0malformed packet", 21);
        }
        expect_request(&f);
        receive_oack(&f, "blksize 100 tsize 350");
        expect_ack(&f, 0);
        expect_ack(&f, 1);
        receive_data(&f, 2, 100, 'b');
        expect_ack(&f, 2);
        receive(&f, "\0\5\0\1", 5);
        expect_request(&f);
        receive(&f, "\0\5\0\1", 5); /* it is gone, but it was there: another file is no substitute */
        assert_failed(&f, -ECONNRESET);
        teardown(&f);

        setup(&f, UINT64_MAX); /* also if nothing of it is in sequence yet */
        agree(&f, "blksize 100 windowsize 8");
        receive_data(&f, 2, 100, 'a');
        expect_ack(&f, 0);
        receive(&f, "\0\5\0\1", 5);
        expect_request(&f);
        receive(&f, "\0\5\0\2", 5);
        assert_failed(&f, -ECONNRESET);
        teardown(&f);

        setup(&f, UINT64_MAX);
        agree(&f, "blksize 100 tsize 350");
        receive_data(&f, 1, 100, 'a');
        expect_ack(&f, 1);
        while (tftp_client_get_timeout(f.client) != USEC_INFINITY) {
                receive(&f, "\0\5\0\0no", 7);
                if (f.n_read < f.n_sent)
                        expect_request(&f);
        }
        assert_failed(&f, -ECONNRESET);
        assert_string_equal(tftp_client_get_reason(f.client), "the server says: no (error 0)");
        assert_in_range(f.n_opened, 3, 12);
        teardown(&f);
}

static void test_larger_window_than_granted(void **state) {
        const Sent *request;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        request = expect_request(&f);
        assert_string_equal(option(request, "blksize"), "65464");
        assert_string_equal(option(request, "windowsize"), "16");
        f.now += RTT;
        receive_oack(&f,
                        "blksize 1468 windowsize 16 tsize 1000000"); /* frames, then, but more of them at once */
        expect_error(&f, TID, TFTP_ERROR_OPTION);
        request = expect_request(&f);
        assert_string_equal(option(request, "blksize"), "1468");
        assert_string_equal(option(request, "windowsize"), "512");
        f.now += RTT;
        receive_oack(&f, "blksize 1468 windowsize 64 tsize 1000000");
        expect_ack(&f, 0);
        teardown(&f);
}

static void test_fragments_that_get_lost(void **state) {
        unsigned n_requests = 0;
        Fixture f;

        (void) state;
        setup(&f, UINT64_MAX);
        for (;;) {
                const Sent *sent;

                if (f.n_read == f.n_sent) {
                        wait_for_timer(&f);
                        continue;
                }
                sent = next_sent(&f);
                if (sent->data[1] != 1)
                        continue;
                assert_in_range(++n_requests, 1, 3);
                if (atoi(option(sent, "blksize")) <= 1468)
                        break;
                f.now += RTT;
                receive_oack(&f,
                                n_requests == 1 ? "blksize 65464 tsize 100000"
                                                : "tsize 100000 blksize 2000");
        }
        assert_true(f.now - 1000 * USEC_PER_SEC < USEC_PER_SEC);
        tftp_client_free(f.client);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lockstep),
                cmocka_unit_test(test_sizes_at_the_edge),
                cmocka_unit_test(test_server_without_options),
                cmocka_unit_test(test_request_is_repeated_and_given_up),
                cmocka_unit_test(test_server_that_answers_late),
                cmocka_unit_test(test_silence_is_bounded),
                cmocka_unit_test(test_trickle_is_bounded),
                cmocka_unit_test(test_lost_ack_and_lost_data),
                cmocka_unit_test(test_timer_adapts),
                cmocka_unit_test(test_duplicates_do_not_multiply),
                cmocka_unit_test(test_repeated_oack),
                cmocka_unit_test(test_bad_oack_leads_to_a_plain_request),
                cmocka_unit_test(test_wrap_to_zero_and_to_one),
                cmocka_unit_test(test_strangers),
                cmocka_unit_test(test_server_errors),
                cmocka_unit_test(test_long_error_text),
                cmocka_unit_test(test_error_after_the_oack),
                cmocka_unit_test(test_large_block_without_an_oack),
                cmocka_unit_test(test_sizes_that_are_wrong),
                cmocka_unit_test(test_sizes_that_are_refused),
                cmocka_unit_test(test_unreachable),
                cmocka_unit_test(test_malformed_packets_change_nothing),
                cmocka_unit_test(test_write_fails),
                cmocka_unit_test(test_send_fails),
                cmocka_unit_test(test_stop_tells_the_server),
                cmocka_unit_test(test_windows),
                cmocka_unit_test(test_gap_in_a_window),
                cmocka_unit_test(test_gap_again),
                cmocka_unit_test(test_end_beyond_a_gap),
                cmocka_unit_test(test_lost_tail_of_a_window),
                cmocka_unit_test(test_goes_on_with_another_request),
                cmocka_unit_test(test_goes_on_with_other_blocks),
                cmocka_unit_test(test_lost_ack_while_catching_up),
                cmocka_unit_test(test_file_that_changes_meanwhile),
                cmocka_unit_test(test_new_requests_are_bounded),
                cmocka_unit_test(test_server_that_repeats_soon),
                cmocka_unit_test(test_large_block_missing),
                cmocka_unit_test(test_path_that_becomes_longer),
                cmocka_unit_test(test_whole_window_missing),
                cmocka_unit_test(test_second_request_answered),
                cmocka_unit_test(test_error_to_another_request),
                cmocka_unit_test(test_larger_window_than_granted),
                cmocka_unit_test(test_fragments_that_get_lost),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
