/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A TFTP server that misbehaves; how, says the name of the file that is asked for:
 *
 *   tftp-hostile ADDRESS OTHER-ADDRESS     serves on port 69 of ADDRESS; strangers speak from OTHER-ADDRESS
 *   tftp-hostile --list                    prints a line for each: name, verdict that a good client comes to, milliseconds within
 *                                          which it does, bytes that it then has
 *   tftp-hostile --file                    prints the file that is served; each misbehaviour has so many bytes of it
 *
 * The verdict is "ok" when the client must get the file in spite of all, else the name of an errno.
 * Forbidden behaviour of a client (too many ACKs, too many errors) is named on standard output.
 */

#include "base/cleanup.h"
#include "base/time.h"
#include "net/ip-address.h"
#include "net/tftp-packet.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE 100000u
#define FILE_SIZE_MAX 1000000u
#define BLOCK_SIZE 1000u
#define N_BLOCKS (FILE_SIZE / BLOCK_SIZE + 1) /* the last one is empty */
#define MID_WAY (N_BLOCKS / 2)

#define OACK "\0\6"
#define ERROR "\0\5"

#define SILENCE_MSEC 30000
#define REPEAT_MSEC 400
#define TRIES (SILENCE_MSEC / REPEAT_MSEC)

typedef struct Misbehaviour Misbehaviour;

typedef struct Client {
        const Misbehaviour *m;
        SocketAddress address;
        unsigned n_requests; /* for this name, this one included */
        bool options;        /* it asks for some */
        size_t blksize;      /* one of them */

        int fd, fd_stranger, fd_abroad; /* our TID, another one, one of another address */
        size_t block_size;
        uint8_t salt;      /* added to each byte of the file */
        bool wraps_to_one; /* from block 65535 */
        unsigned n_acks, n_errors;
} Client;

struct Misbehaviour {
        const char *name, *verdict;
        unsigned msec;
        void (*run)(Client *client);
        const char *text; /* what `run` wants to know: a packet, as a rule */
        size_t size;
        uint64_t file_size; /* if it is not FILE_SIZE */
};

static uint8_t content(uint64_t offset) {
        return (uint8_t) (offset * 31 + offset / 251);
}

static void transmit(const Client *client, int fd, const void *data, size_t size) {
        (void) sendto(fd, data, size, MSG_NOSIGNAL, &client->address.sa,
                        socket_address_size(&client->address));
}

static void send_text(const Client *client) {
        transmit(client, client->fd, client->m->text, client->m->size);
}

static uint16_t wire_number(const Client *client, unsigned block) {
        return (uint16_t) (client->wraps_to_one && block > 65535 ? block - 65535 : block);
}

/* A block with what belongs there, or, from a stranger, with what does not. */
static void send_block_from(const Client *client, int fd, unsigned block, size_t size) {
        uint8_t packet[TFTP_DATA_MAX] = { 0, TFTP_DATA };
        uint16_t number = wire_number(client, block);
        uint64_t offset = (uint64_t) (block - 1) * client->block_size;

        packet[2] = number >> 8;
        packet[3] = number & 0xff;
        for (size_t i = 0; i < size; i++)
                packet[TFTP_HEADER_SIZE + i] = fd == client->fd ? content(offset + i) + client->salt : '?';
        transmit(client, fd, packet, TFTP_HEADER_SIZE + size);
}

static uint64_t file_size(const Misbehaviour *m) {
        return m->file_size ? m->file_size : FILE_SIZE;
}

static size_t size_of(const Client *client, unsigned block) {
        uint64_t offset = (uint64_t) (block - 1) * client->block_size, size = file_size(client->m);

        return offset < size ? MIN(client->block_size, (size_t) (size - offset)) : 0;
}

static void send_block(const Client *client, unsigned block) {
        send_block_from(client, client->fd, block, size_of(client, block));
}

static unsigned last_block(const Client *client) {
        return (unsigned) (file_size(client->m) / client->block_size) + 1;
}

/* The number of the ACK that comes; -1 for none. An error ends us: the client has given up. */
static int receive_ack(Client *client, int msec) {
        uint8_t packet[TFTP_REQUEST_MAX];
        struct pollfd pollfd = { .fd = client->fd, .events = POLLIN };

        if (poll(&pollfd, 1, msec) <= 0 || recv(client->fd, packet, sizeof(packet), 0) < TFTP_HEADER_SIZE)
                return -1;
        if (packet[1] != TFTP_ACK)
                exit(EXIT_SUCCESS);
        client->n_acks++;
        return packet[2] << 8 | packet[3];
}

static bool wait_for_ack(Client *client, unsigned block, int msec) {
        uint64_t end = time_now_boottime() + (unsigned) msec * USEC_PER_MSEC, now;

        while ((now = time_now_boottime()) < end)
                if (receive_ack(client, (int) ((end - now) / USEC_PER_MSEC) + 1) ==
                                wire_number(client, block))
                        return true;
        return false;
}

/* A server as it should be, for so many blocks; it is patient, as a client that starves is not to blame. */
static void serve(Client *client, unsigned first, unsigned last) {
        for (unsigned block = first, i = 0; block <= last && i < TRIES; i++) {
                send_block(client, block);
                if (!wait_for_ack(client, block, REPEAT_MSEC))
                        continue;
                block++;
                i = 0;
        }
}

static void serve_rest(Client *client, unsigned first) {
        serve(client, first, last_block(client));
}

__attribute__((format(printf, 2, 3))) static void send_oack(Client *client, const char *format, ...) {
        char packet[TFTP_REQUEST_MAX] = { 0, TFTP_OACK };
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(packet + 2, sizeof(packet) - 2, format, arguments);
        va_end(arguments);
        for (char *p = packet + 2; *p; p++)
                if (*p == ' ')
                        *p = '\0';
        transmit(client, client->fd, packet, (size_t) n + 3);
}

/* Agrees to blocks of BLOCK_SIZE, if it is asked. */
static void agree(Client *client) {
        if (!client->options)
                return;
        client->block_size = BLOCK_SIZE;
        for (unsigned i = 0; i < TRIES; i++) {
                send_oack(client, "blksize %u", BLOCK_SIZE);
                if (wait_for_ack(client, 0, REPEAT_MSEC))
                        return;
        }
}

static void serve_all(Client *client) {
        agree(client);
        serve_rest(client, 1);
}

/* Listens, so that no ICMP error tells that nobody does. */
static void pause_for(Client *client, uint64_t usec) {
        uint64_t end = time_now_boottime() + usec, now;

        while ((now = time_now_boottime()) < end)
                receive_ack(client, (int) ((end - now) / USEC_PER_MSEC) + 1);
}

static void be_silent(Client *client) {
        pause_for(client, SILENCE_MSEC * USEC_PER_MSEC);
}

#define WINDOW 8

/* A window without its block number `lost`. Returns what is acknowledged then. */
static unsigned serve_window(Client *client, unsigned acked, unsigned lost) {
        int number;

        for (unsigned i = 1; i <= WINDOW; i++)
                if (i != lost && acked + i <= N_BLOCKS)
                        send_block(client, acked + i);
        number = receive_ack(client, REPEAT_MSEC);
        return number > (int) acked ? (unsigned) number : acked;
}

static void agree_to_window(Client *client) {
        client->block_size = BLOCK_SIZE;
        send_oack(client, "blksize %u windowsize %u", BLOCK_SIZE, WINDOW);
        wait_for_ack(client, 0, REPEAT_MSEC);
}

/* The misbehaviours, in the order of a transfer. */

static void run_late_answer(Client *client) {
        if (client->n_requests >= 3)
                serve_all(client);
}

/* Each request, after so many seconds. */
static void run_slow_answer(Client *client) {
        pause_for(client, (unsigned) atoi(client->m->text) * USEC_PER_SEC);
        serve_all(client);
}

/* The first answer counts. */
static void run_answered_twice(Client *client) {
        send_oack(client, "blksize %u", BLOCK_SIZE);
        if (fork() == 0) {
                client->fd = client->fd_stranger;
                client->salt = 1;
        }
        serve_all(client);
}

static void run_only_plain(Client *client) {
        if (!client->options)
                serve_all(client);
}

/* Says its text, whatever comes. */
static void run_text(Client *client) {
        send_text(client);
        be_silent(client);
}

/* Says its text to options, and behaves without. */
static void run_text_to_options(Client *client) {
        if (client->options)
                run_text(client);
        serve_all(client);
}

/*
 * The text comes when something has been agreed to: it is the server's system that refuses blocks of more
 * than a frame, or any.
 */
static void run_text_after_oack(Client *client, size_t blksize_max) {
        if (client->blksize > blksize_max) {
                send_oack(client, "blksize %zu", client->blksize);
                wait_for_ack(client, 0, REPEAT_MSEC);
                run_text(client);
        }
        serve_all(client);
}

static void run_too_long_to_send(Client *client) {
        run_text_after_oack(client, 1468);
}

static void run_options_fail(Client *client) {
        run_text_after_oack(client, 0);
}

/* An OACK for whatever is asked for, although there is no such file. */
static void run_oack_and_text(Client *client) {
        if (client->options)
                send_oack(client, "blksize %u", BLOCK_SIZE);
        if (client->options)
                wait_for_ack(client, 0, REPEAT_MSEC);
        run_text(client);
}

/* Does what is asked, and does not say so. */
static void run_large_first_block(Client *client) {
        if (client->options) {
                send_block_from(client, client->fd, 1, BLOCK_SIZE);
                be_silent(client);
        }
        serve_all(client);
}

/* The same with an OACK. */
static void run_oack(Client *client) {
        send_oack(client, "%s", client->m->text);
        be_silent(client);
}

static void run_oack_to_options(Client *client) {
        if (client->options)
                run_oack(client);
        serve_all(client);
}

static void run_oack_again_and_again(Client *client) {
        agree(client);
        for (unsigned block = 1; block <= last_block(client); block++) {
                send_oack(client, "%s", client->m->text);
                serve(client, block, block);
        }
}

static void run_long_error(Client *client) {
        uint8_t packet[60000] = { 0, TFTP_ERROR, 0, TFTP_ERROR_NOT_FOUND };

        memset(packet + TFTP_HEADER_SIZE, '\033', sizeof(packet) - TFTP_HEADER_SIZE);
        transmit(client, client->fd, packet, sizeof(packet));
}

/* Says its text first, and then behaves as if it had not. */
static void run_text_first(Client *client) {
        send_text(client);
        serve_all(client);
}

static void run_text_mid_way(Client *client) {
        agree(client);
        serve(client, 1, MID_WAY);
        send_text(client);
        serve_rest(client, MID_WAY + 1);
}

static void run_text_again_and_again(Client *client) {
        agree(client);
        for (unsigned block = 1; block <= last_block(client); block++) {
                send_text(client);
                serve(client, block, block);
        }
}

static void run_growing_oack(Client *client) {
        agree(client);
        send_oack(client, "blksize 65464");
        serve(client, 1, MID_WAY);
        send_oack(client, "blksize 65464 windowsize 16");
        serve_rest(client, MID_WAY + 1);
}

static void run_options_ignored(Client *client) {
        serve_rest(client, 1);
}

/* Announces the size that its text says. */
static void run_size(Client *client) {
        client->block_size = BLOCK_SIZE;
        send_oack(client, "blksize %u tsize %s", BLOCK_SIZE, client->m->text);
        wait_for_ack(client, 0, REPEAT_MSEC);
        serve_rest(client, 1);
        be_silent(client);
}

static void run_endless(Client *client) {
        agree(client);
        for (unsigned block = 1;; block++) {
                send_block_from(client, client->fd, block, client->block_size);
                wait_for_ack(client, block, REPEAT_MSEC);
        }
}

static void run_large_block(Client *client) {
        agree(client);
        serve(client, 1, MID_WAY);
        send_block_from(client, client->fd, MID_WAY + 1, client->block_size + 1);
        be_silent(client);
}

static void run_short_block(Client *client) {
        client->block_size = BLOCK_SIZE;
        send_oack(client, "blksize %u tsize %u", BLOCK_SIZE, FILE_SIZE);
        wait_for_ack(client, 0, REPEAT_MSEC);
        serve(client, 1, MID_WAY);
        send_block_from(client, client->fd, MID_WAY + 1, BLOCK_SIZE / 2);
        be_silent(client);
}

static void run_after_the_end(Client *client) {
        serve_all(client);
        for (unsigned block = 1; block <= N_BLOCKS + 10; block++)
                send_block_from(client, client->fd, block, BLOCK_SIZE);
}

/* From the wrong place in time, as blocks are counted. */
static void run_wrong_blocks(Client *client) {
        if (client->n_requests > 1) { /* to one that catches up some of them are right */
                serve_all(client);
                return;
        }
        agree(client);
        for (unsigned block = 1; block <= last_block(client); block++) {
                static const unsigned offsets[] = { 2, 3, 100, 30000, 65534, 65535 };

                for (unsigned i = 0; i < ELEMENTSOF(offsets); i++)
                        send_block_from(client, client->fd, block + offsets[i], client->block_size);
                serve(client, block, block);
        }
}

/*
 * What a client may repeat since then: something every 5 ms, if it starves so that nothing is there in time.
 */
static unsigned repetitions(uint64_t since) {
        return (unsigned) ((time_now_boottime() - since) / (5 * USEC_PER_MSEC));
}

static void run_duplicates(Client *client) {
        uint64_t start = time_now_boottime();

        agree(client);
        for (unsigned block = 1; block <= N_BLOCKS; block++) {
                for (unsigned i = 0; i < 10; i++)
                        send_block(client, block);
                wait_for_ack(client, block, REPEAT_MSEC);
        }
        if (client->n_acks > 2 * N_BLOCKS + repetitions(start))
                printf("%s: %u ACKs for %u blocks\n", client->m->name, client->n_acks, N_BLOCKS);
}

/*
 * Each packet once more, a little later, with each ACK answered by a block: without an end, if the client
 * plays along.
 */
static void run_sorcerer(Client *client) {
        uint64_t start = time_now_boottime();
        unsigned block = 1, n_sent = 0;

        agree(client);
        send_block(client, block);
        send_block(client, block);
        while (n_sent < 100 * N_BLOCKS) {
                int number = receive_ack(client, REPEAT_MSEC);

                if (number == (int) N_BLOCKS)
                        break;
                block = number >= 0 ? (unsigned) number + 1 : block;
                send_block(client, block);
                n_sent++;
        }
        if (n_sent > 3 * N_BLOCKS + repetitions(start))
                printf("%s: %u blocks instead of %u\n", client->m->name, n_sent, N_BLOCKS);
}

static void run_reordered(Client *client) {
        static const unsigned order[WINDOW] = { 2, 1, 4, 3, 8, 7, 6, 5 };
        unsigned acked = 0;

        agree_to_window(client);
        while (acked < N_BLOCKS) {
                int number;

                for (unsigned i = 0; i < WINDOW; i++)
                        if (acked + order[i] <= N_BLOCKS)
                                send_block(client, acked + order[i]);
                number = receive_ack(client, REPEAT_MSEC);
                acked = number > (int) acked ? (unsigned) number : acked;
        }
}

/* The text's first character says which block of each window is lost at first. */
static void run_window_with_gap(Client *client) {
        unsigned acked = 0, lost = (unsigned) *client->m->text - '0';

        agree_to_window(client);
        while (acked < N_BLOCKS) {
                acked = serve_window(client, acked, lost);
                acked = serve_window(client, acked, 0);
        }
}

/* All at once, until the last is acknowledged. */
static void run_window_exceeded(Client *client) {
        agree_to_window(client);
        for (int acked = 0; acked < (int) N_BLOCKS;) {
                int number;

                for (unsigned block = (unsigned) acked + 1; block <= N_BLOCKS; block++)
                        send_block(client, block);
                while ((number = receive_ack(client, REPEAT_MSEC)) >= 0)
                        acked = MAX(acked, number);
        }
}

/* Some blocks come later than any timer expects. */
static void run_delayed(Client *client) {
        agree(client);
        for (unsigned block = 1; block <= last_block(client); block++) {
                if (block % 30 == 0)
                        receive_ack(client, 300);
                serve(client, block, block);
        }
}

static void run_wrong_port(Client *client) {
        agree(client);
        for (unsigned block = 1; block <= last_block(client); block++) {
                send_block_from(client, client->fd_stranger, block, size_of(client, block));
                serve(client, block, block);
        }
}

static void run_wrong_address(Client *client) {
        send_block_from(client, client->fd_abroad, 1, client->block_size);
        agree(client);
        for (unsigned block = 1; block <= last_block(client); block++) {
                send_block_from(client, client->fd_abroad, block, size_of(client, block));
                serve(client, block, block);
        }
}

static void run_text_from_stranger(Client *client) {
        agree(client);
        serve(client, 1, MID_WAY);
        transmit(client, client->fd_stranger, client->m->text, client->m->size);
        transmit(client, client->fd_abroad, client->m->text, client->m->size);
        serve_rest(client, MID_WAY + 1);
}

#define STRAYS 100000u

static void run_strays(Client *client) {
        uint8_t packet[TFTP_REQUEST_MAX];
        unsigned n_errors = 0;

        agree(client);
        for (unsigned block = 1; block <= N_BLOCKS; block++) {
                for (unsigned i = 0; i <= STRAYS / N_BLOCKS; i++)
                        send_block_from(client, client->fd_stranger, block, 1);
                serve(client, block, block);
        }
        while (recv(client->fd_stranger, packet, sizeof(packet), MSG_DONTWAIT) > 0)
                n_errors++;
        if (n_errors > 16 || (n_errors == 0 && client->n_requests == 1))
                printf("%s: %u errors to a stranger\n", client->m->name, n_errors);
}

/* After so many blocks, and then for ever. */
static void run_silence_after(Client *client) {
        if (client->n_requests > 1)
                return;
        agree(client);
        serve(client, 1, (unsigned) atoi(client->m->text));
        be_silent(client);
}

static void run_acks_ignored(Client *client) {
        agree(client);
        for (unsigned i = 0; i < SILENCE_MSEC / 100; i++) {
                send_block(client, 1);
                receive_ack(client, 100);
        }
}

/* What dies is replaced when it is asked again, each time for a little of the file. */
static void run_dies_again_and_again(Client *client) {
        agree(client);
        serve(client, 1, client->n_requests * 20);
}

/* The file is taken away while it is sent. */
static void run_gone_mid_way(Client *client) {
        if (client->n_requests == 1) {
                agree(client);
                serve(client, 1, MID_WAY);
        }
        run_text(client);
}

/* Has an error for those who come again: twice, if the text says so, or always. */
static void run_error_when_asked_again(Client *client) {
        if (client->n_requests > 1 && (*client->m->text == '-' || client->n_requests <= 3))
                transmit(client, client->fd, ERROR "\0\0no\0", 7);
        else if (client->n_requests > 1)
                serve_all(client);
        else {
                agree(client);
                serve(client, 1, MID_WAY);
        }
}

static void run_dies_at_once(Client *client) {
        agree(client);
}

static void run_other_file(Client *client) {
        agree(client);
        if (client->n_requests == 1)
                serve(client, 1, MID_WAY);
        client->salt = 1;
        if (client->n_requests > 1)
                serve_rest(client, 1);
}

static void run_other_size(Client *client) {
        client->block_size = BLOCK_SIZE;
        send_oack(client, "blksize %u tsize %u", BLOCK_SIZE, FILE_SIZE + client->n_requests - 1);
        wait_for_ack(client, 0, REPEAT_MSEC);
        serve(client, 1, MID_WAY);
}

static void run_wrap_to_one(Client *client) {
        client->block_size = 8;
        client->wraps_to_one = true;
        send_oack(client, "blksize 8");
        wait_for_ack(client, 0, REPEAT_MSEC);
        serve_rest(client, 1);
}

#define TEXT(literal) .text = (literal), .size = sizeof(literal) - 1

#define QUICK 5000    /* at once, with a few timeouts */
#define REQUEST 20000 /* no answer to a request */
#define PATIENT 14000 /* no next block */

static const Misbehaviour misbehaviours[] = {
        { "silence-at-the-request", "ETIMEDOUT", REQUEST, be_silent },
        { "answer-to-the-third-request", "ok", QUICK, run_late_answer },
        { "answers-after-4-s", "ok", QUICK + 4000, run_slow_answer, TEXT("4") },
        { "answers-after-6-s", "ok", QUICK + 6000, run_slow_answer, TEXT("6") },
        { "answers-after-10-s", "ok", QUICK + 10000, run_slow_answer, TEXT("10") },
        { "answers-after-15-s", "ok", QUICK + 15000, run_slow_answer, TEXT("15") },
        { "request-answered-twice", "ok", QUICK, run_answered_twice },
        { "only-plain-requests-answered", "ok", REQUEST, run_only_plain },
        { "options-ignored", "ok", QUICK, run_options_ignored },
        { "error-8-to-options", "ok", QUICK, run_text_to_options, TEXT(ERROR "\0\10no options\0") },
        { "error-4-to-options", "ok", QUICK, run_text_to_options, TEXT(ERROR "\0\4illegal\0") },
        { "error-8-to-everything", "EREMOTEIO", QUICK, run_text, TEXT(ERROR "\0\10no options\0") },
        { "not-found", "ENOENT", QUICK, run_text, TEXT(ERROR "\0\1not found\0") },
        { "no-access", "EACCES", QUICK, run_text, TEXT(ERROR "\0\2no\0") },
        { "error-without-text", "ENOENT", QUICK, run_text, TEXT(ERROR "\0\1") },
        { "error-not-terminated", "ENOENT", QUICK, run_text, TEXT(ERROR "\0\1not found") },
        { "error-text-is-no-text", "ENOENT", QUICK, run_text,
                        TEXT(ERROR "\0\1\033[2J\r\n\377\376%s%n\\\0") },
        { "error-text-of-60000-bytes", "ENOENT", QUICK, run_long_error },
        { "not-found-by-error-0", "ENOENT", QUICK, run_text, TEXT(ERROR "\0\0no file\0") },
        { "not-found-by-error-4", "ENOENT", QUICK, run_text, TEXT(ERROR "\0\4no file\0") },
        { "not-found-after-an-oack", "ENOENT", QUICK, run_oack_and_text, TEXT(ERROR "\0\1no file\0") },
        { "error-0-after-an-oack-and-always", "EREMOTEIO", QUICK, run_oack_and_text,
                        TEXT(ERROR "\0\0oh\0") },
        { "no-access-after-an-oack", "EACCES", QUICK, run_oack_and_text, TEXT(ERROR "\0\2no\0") },
        { "error-0-to-options", "ok", QUICK, run_text_to_options, TEXT(ERROR "\0\0what\0") },
        { "error-code-65535-to-options", "ok", QUICK, run_text_to_options, TEXT(ERROR "\377\377what\0") },
        { "error-0-to-large-blocks", "ok", QUICK, run_too_long_to_send,
                        TEXT(ERROR "\0\0Message too long\0") },
        { "error-1-to-large-blocks", "ok", QUICK, run_too_long_to_send,
                        TEXT(ERROR "\0\1Message too long\0") },
        { "error-0-after-an-oack", "ok", QUICK, run_options_fail, TEXT(ERROR "\0\0oh\0") },
        { "error-code-65535", "EREMOTEIO", QUICK, run_text, TEXT(ERROR "\377\377what\0") },

        { "oack-empty", "ok", QUICK, run_text_to_options, TEXT(OACK) },
        { "oack-not-terminated", "ok", QUICK, run_text_to_options, TEXT(OACK "blksize=1000") },
        { "oack-without-value", "ok", QUICK, run_oack_to_options, TEXT("blksize") },
        { "oack-empty-value", "ok", QUICK, run_oack_to_options, TEXT("blksize ") },
        { "oack-unknown-option", "ok", QUICK, run_oack_to_options, TEXT("multicast 224.0.0.1,1758,1") },
        { "oack-not-asked-for", "ok", QUICK, run_oack_to_options, TEXT("utimeout 20000") },
        { "oack-twice-the-same", "ok", QUICK, run_oack_to_options, TEXT("blksize 1000 blksize 8") },
        { "oack-blksize-0", "ok", QUICK, run_oack_to_options, TEXT("blksize 0") },
        { "oack-blksize-7", "ok", QUICK, run_oack_to_options, TEXT("blksize 7") },
        { "oack-blksize-65465", "ok", QUICK, run_oack_to_options, TEXT("blksize 65465") },
        { "oack-blksize-negative", "ok", QUICK, run_oack_to_options, TEXT("blksize -1") },
        { "oack-blksize-wraps", "ok", QUICK, run_oack_to_options, TEXT("blksize 18446744073709552128") },
        { "oack-windowsize-0", "ok", QUICK, run_oack_to_options, TEXT("windowsize 0") },
        { "oack-windowsize-65535", "ok", QUICK, run_oack_to_options, TEXT("windowsize 65535") },
        { "oack-other-timeout", "ok", QUICK, run_oack_to_options, TEXT("timeout 255") },
        { "oack-bad-to-everything", "ETIMEDOUT", REQUEST, run_oack, TEXT("blksize 0") },
        { "oack-grows", "ok", QUICK, run_growing_oack },
        { "oack-again-and-again", "ok", QUICK, run_oack_again_and_again, TEXT("blksize 1000") },

        { "size-too-small", "ok", QUICK, run_size, TEXT("99999") },
        { "size-too-large", "EBADMSG", QUICK, run_size, TEXT("100001") },
        { "size-zero", "ok", QUICK, run_size, TEXT("0") },
        { "size-one", "ok", QUICK, run_size, TEXT("1") },
        { "size-minus-one", "ok", QUICK, run_size, TEXT("4294967295") },
        { "size-minus-one-in-64-bits", "ok", QUICK, run_oack_to_options,
                        TEXT("tsize 18446744073709551615") },
        { "size-over-the-limit", "EFBIG", QUICK, run_size, TEXT("1000001") },
        { "size-of-exabytes", "EFBIG", QUICK, run_size, TEXT("9223372036854775807") },
        { "file-without-an-end", "EFBIG", QUICK, run_endless },
        { "first-block-large-without-an-oack", "ok", QUICK, run_large_first_block },
        { "block-larger-than-agreed", "EPROTO", QUICK, run_large_block },
        { "block-shorter-mid-way", "EBADMSG", QUICK, run_short_block },
        { "data-after-the-end", "ok", QUICK, run_after_the_end },

        { "first-block-is-2", "ok", QUICK, run_text_first, TEXT("\0\3\0\2second") },
        { "first-block-is-0", "ok", QUICK, run_text_first, TEXT("\0\3\0\0zeroth") },
        { "first-a-request", "ok", QUICK, run_text_first, TEXT("\0\1f\0octet\0") },
        { "first-an-ack", "ok", QUICK, run_text_first, TEXT("\0\4\0\0") },
        { "first-an-unknown-opcode", "ok", QUICK, run_text_first, TEXT("\1\3\0\1data") },
        { "empty-packets", "ok", QUICK, run_text_again_and_again, TEXT("") },
        { "packets-of-one-byte", "ok", QUICK, run_text_again_and_again, TEXT("\0") },
        { "packets-of-three-bytes", "ok", QUICK, run_text_again_and_again, TEXT("\0\3\0") },
        { "acks-again-and-again", "ok", QUICK, run_text_again_and_again, TEXT("\0\4\0\1") },
        { "wrong-blocks", "ok", QUICK, run_wrong_blocks },
        { "blocks-ten-times", "ok", QUICK, run_duplicates },
        { "sorcerer-s-apprentice", "ok", QUICK, run_sorcerer },
        { "blocks-out-of-order", "ok", QUICK, run_reordered },
        { "first-of-each-window-lost", "ok", QUICK, run_window_with_gap, TEXT("1") },
        { "third-of-each-window-lost", "ok", QUICK, run_window_with_gap, TEXT("3") },
        { "last-of-each-window-lost", "ok", QUICK, run_window_with_gap, TEXT("8") },
        { "window-exceeded", "ok", QUICK, run_window_exceeded },
        { "blocks-delayed", "ok", QUICK, run_delayed },
        { "block-number-wraps-to-one", "ok", 30000, run_wrap_to_one, .file_size = 70000 * 8 },

        { "blocks-from-another-port", "ok", QUICK, run_wrong_port },
        { "blocks-from-another-address", "ok", QUICK, run_wrong_address },
        { "error-from-another-port", "ok", QUICK, run_text_from_stranger, TEXT(ERROR "\0\0die\0") },
        { "oack-from-another-port", "ok", QUICK, run_text_from_stranger, TEXT(OACK "tsize\0\70\0") },
        { "stray-packets", "ok", 10000, run_strays },
        { "error-1-mid-way", "ECONNRESET", QUICK, run_gone_mid_way, TEXT(ERROR "\0\1not found\0") },
        { "error-2-mid-way", "ECONNRESET", QUICK, run_gone_mid_way, TEXT(ERROR "\0\2no\0") },
        { "error-1-mid-way-always", "ECONNRESET", QUICK, run_text_mid_way, TEXT(ERROR "\0\1not found\0") },
        { "error-mid-way", "ECONNRESET", QUICK, run_text_mid_way, TEXT(ERROR "\0\0oh\0") },
        { "error-when-asked-again", "ok", QUICK, run_error_when_asked_again, TEXT("2") },
        { "errors-whenever-asked-again", "ECONNRESET", QUICK, run_error_when_asked_again, TEXT("-") },
        { "silence-after-the-oack", "ETIMEDOUT", PATIENT + REQUEST, run_silence_after, TEXT("0") },
        { "silence-mid-way", "ETIMEDOUT", PATIENT + REQUEST, run_silence_after, TEXT("50") },
        { "silence-before-the-last-block", "ETIMEDOUT", PATIENT + REQUEST, run_silence_after, TEXT("100") },
        { "acks-ignored", "ETIMEDOUT", PATIENT + REQUEST, run_acks_ignored },
        { "dies-and-comes-back", "ok", QUICK, run_dies_again_and_again },
        { "dies-at-once-again-and-again", "ECONNREFUSED", QUICK, run_dies_at_once },
        { "another-file-mid-way", "ESTALE", QUICK, run_other_file },
        { "another-size-mid-way", "ESTALE", QUICK, run_other_size },
};

static int open_socket(const char *text, uint16_t port) {
        SocketAddress address;
        IpAddress ip;
        int fd;

        if (ip_address_parse(text, &ip) < 0)
                return -1;
        address = socket_address(&ip, port, 0);
        fd = socket(ip.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, &address.sa, socket_address_size(&address)) < 0)
                return -1;
        return fd;
}

/* In a process of its own: many clients at a time, and no harm in being silent. */
static void answer(Client *client, const char *address, const char *other_address) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        client->fd = open_socket(address, 0);
        client->fd_stranger = open_socket(address, 0);
        client->fd_abroad = open_socket(other_address, 0);
        client->block_size = TFTP_BLOCK_SIZE_DEFAULT;
        if (client->fd < 0 || client->fd_stranger < 0 || client->fd_abroad < 0) {
                perror("tftp-hostile");
                exit(EXIT_FAILURE);
        }
        client->m->run(client);
        fflush(stdout);
        exit(EXIT_SUCCESS);
}

/* The size of blocks that a request asks for, or 0. */
static size_t blksize(const char *p, const char *end) {
        const char *option = memmem(p, (size_t) (end - p), "blksize", sizeof("blksize"));

        return option ? strtoul(option + sizeof("blksize"), NULL, 10) : 0;
}

static int serve_requests(int fd, const char *address, const char *other_address) {
        unsigned n_requests[ELEMENTSOF(misbehaviours)] = {};

        for (;;) {
                char packet[TFTP_REQUEST_MAX + 1] = "";
                Client client = {};
                socklen_t n = sizeof(client.address);
                ssize_t size = recvfrom(fd, packet, TFTP_REQUEST_MAX, 0, &client.address.sa, &n);
                const char *name = packet + 2;

                if (size < 0)
                        return EXIT_FAILURE;
                client.blksize = blksize(packet, packet + size);
                client.options = (size_t) size > 2 + strlen(name) + 1 + strlen("octet") + 1;
                for (size_t i = 0; i < ELEMENTSOF(misbehaviours); i++)
                        if (packet[1] == TFTP_RRQ && strcmp(name, misbehaviours[i].name) == 0) {
                                client.m = &misbehaviours[i];
                                client.n_requests = ++n_requests[i];
                        }
                if (client.m && fork() == 0)
                        answer(&client, address, other_address);
        }
}

int main(int argc, char **argv) {
        int fd;

        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
                for (size_t i = 0; i < ELEMENTSOF(misbehaviours); i++)
                        printf("%s %s %u %" PRIu64 "\n", misbehaviours[i].name, misbehaviours[i].verdict,
                                        misbehaviours[i].msec, file_size(&misbehaviours[i]));
                return EXIT_SUCCESS;
        }
        if (argc == 2 && strcmp(argv[1], "--file") == 0) {
                for (unsigned i = 0; i < FILE_SIZE_MAX; i++)
                        putchar(content(i));
                return EXIT_SUCCESS;
        }
        if (argc != 3) {
                fputs("usage: tftp-hostile ADDRESS OTHER-ADDRESS | --list | --file\n", stderr);
                return EXIT_FAILURE;
        }
        fd = open_socket(argv[1], TFTP_PORT);
        if (fd < 0) {
                perror("tftp-hostile");
                return EXIT_FAILURE;
        }
        signal(SIGCHLD, SIG_IGN);
        puts("ready");
        fflush(stdout);
        return serve_requests(fd, argv[1], argv[2]);
}
