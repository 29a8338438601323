/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rows are states, columns what happens; "-" is dropped and counted. "Again" is a new request for what is
 * still missing.
 *
 *              timer             OACK               DATA                    ERROR           ICMP
 *  REQUESTING  RRQ repeated, at  ACK 0, RECEIVING;  1: as below, RECEIVING  see below: RRQ  FAILED
 *              last without      or again, if       (RFC 2347: no options   without         (the server)
 *              options; FAILED   a larger window    granted); larger than   options;
 *                                is better; not     512 bytes: ERROR 8,     again; FAILED
 *                                agreeable: ERROR   RRQ without options;    (the server)
 *                                8, RRQ without     else -
 *                                options
 *  RECEIVING   ACK repeated;     ACK 0 repeated     next: written, ACK at   see below:      again;
 *              again;            before block 1;    the window's end; the   again; FAILED   FAILED
 *              FAILED (silence)  else -             last: DONE. Beyond:     (the TID)       (the TID)
 *                                (the TID)          written, ACK repeated
 *                                                   once, or again. The
 *                                                   last once more: ACK
 *                                                   repeated. (the TID)
 *  DONE        -                 -                  -                       -               -
 *  FAILED      -                 -                  -                       -               -
 *
 * RFC 1350 §4: the server's TID is taken from its first answer. A packet from anywhere else gets ERROR 5 and
 * disturbs nothing.
 *
 * RFC 1350 §2: an ACK is sent again when nothing comes; RFC 1123 §4.2.3.2: by a timer that adapts. §4.2.3.1
 * binds the side that sends DATA. We keep duplicates from multiplying on this side too: an ACK that is
 * repeated because an old block arrived is repeated once in a round trip at most, and only when that block
 * is the last one and nothing has come after it.
 *
 * RFC 7440 §4: an ACK for each window; when a block is missing, at once for the last block before it, so
 * that the server goes on from there. The blocks after it are kept (net/tftp-blocks.h), but none of them is
 * acknowledged before it has come.
 *
 * Again: the ladder (net/tftp-ladder.c) has gone down, or the server does not repeat a block that was lost.
 * Most servers ignore an ACK that they have had before, so that a lost block would cost their timer of a
 * second or more: 1 MB from dnsmasq 2.90 at 10 ms and 1 % loss would take 17 s instead of 9 s. So after a
 * timeout a new request is sent if it has caught up before that timer. It comes from a new TID, its blocks
 * may have another size, and what we hold of the file stays: blocks of it that come again are compared (a
 * file that has changed meanwhile is no file). Without windows their ACKs are sent ahead, a few at a time,
 * so that the server passes over them. Each of these ACKs is true. tftpd-hpa lets us set its timer
 * (utimeout): a new request asks for that too, as the round trip is known by then (1 MB at 10 ms and 1 %:
 * 0.8 s instead of 2.8 s).
 *
 * ERROR: it tells that there is no such file only before anything of the file has come. ERROR 1 always tells
 * so then. ERROR 0 and 4 tell so only in answer to an RRQ without options, because some servers also send
 * them for options that they do not like. So any ERROR but 1 and 2 leads to an RRQ without options. After an
 * OACK the server has a file, and any ERROR but 2 means that it cannot send what it has granted (0 or 1,
 * "message too long"): we ask for blocks of one frame, then for nothing. Once something has come, an ERROR
 * ends the request and not the transfer: busybox has a process for each client, and when that has ended the
 * next one finds our ACK malformed. A transfer that fails then is broken off (-ECONNRESET). It is never
 * taken for a file that is missing.
 *
 * Deviations: after the last ACK we do not stay to send it again (RFC 1350 §6 encourages that): the file is
 * complete, and a server that did not get that ACK learns from the kernel (port unreachable) that we are
 * gone.
 */

#include "net/tftp-client.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"
#include "net/tftp-blocks.h"
#include "net/tftp-ladder.h"
#include "net/tftp-timer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_OPTION 1 /* seconds; the least that RFC 2349 has */

/* New requests in a row that ask for nothing smaller and after which nothing new came. */
#define FRUITLESS_MAX 8

/*
 * While a new request passes over what we hold, a lost ACK is all that can stop it: no reason to begin from
 * the start.
 */
#define CATCH_UP_TIMEOUTS 4u

/* No server repeats a block sooner: a block that comes before that has only been late. */
#define SERVER_TIMER_MIN (80 * USEC_PER_MSEC)

/*
 * After which a server repeats a block, unless we have set that: no server in use is between 100 ms, which
 * we wait anyway, and this.
 */
#define SERVER_TIMER USEC_PER_SEC

/* It is set to two round trips, and at least to this. */
#define UTIMEOUT_MIN (20 * USEC_PER_MSEC)

/* For each block that is passed over, at both ends. */
#define BLOCK_USEC 20

/* When it is not known. */
#define RTT_GUESS (50 * USEC_PER_MSEC)

/* ERROR 5 to strangers: more would make us a tool against a third party whose address is forged. */
#define STRANGERS_MAX 16

struct TftpClient {
        TftpClientConfig config;
        TftpState state;
        int error;
        char reason[192];
        uint64_t n_dropped;
        unsigned n_strangers;

        uint64_t deadline;
        TftpTimer timer;

        TftpLadder ladder;
        uint64_t bytes_requested; /* how much we held when the request was begun */
        unsigned n_fruitless;
        TftpOptions asked; /* an answer to these counts, also when a plain request has been sent since */

        SocketAddress peer; /* RECEIVING: the server's TID */
        TftpPlan plan;      /* and what it has agreed to; before that, what it was asked for */
        TftpBlocks blocks;
        bool granted;  /* a request has been, so there is a file */
        uint64_t end;  /* of what has been written, by any request */
        uint64_t size; /* announced, or TFTP_SIZE_UNKNOWN */
};

DEFINE_CLEANUP(TftpClient, tftp_client_free)

static const char *const state_names[] = {
        [TFTP_STATE_REQUESTING] = "requesting",
        [TFTP_STATE_RECEIVING] = "receiving",
        [TFTP_STATE_DONE] = "done",
        [TFTP_STATE_FAILED] = "failed",
};
static_assert(ELEMENTSOF(state_names) == _TFTP_STATE_MAX, "a state without a name");

const char *tftp_state_to_string(TftpState state) {
        return state_names[state];
}

static void set_state(TftpClient *client, TftpState state) {
        client->state = state;
        if (state == TFTP_STATE_DONE || state == TFTP_STATE_FAILED)
                client->deadline = USEC_INFINITY;
}

_printf_(3, 4) static void fail(TftpClient *client, int error, const char *format, ...) {
        va_list arguments;

        client->error = error;
        va_start(arguments, format);
        vsnprintf(client->reason, sizeof(client->reason), format, arguments);
        va_end(arguments);
        set_state(client, TFTP_STATE_FAILED);
}

static int send_to(TftpClient *client, const SocketAddress *to, const uint8_t *data, size_t size) {
        return client->config.send(to, data, size, client->config.userdata);
}

static void send_error(TftpClient *client, const SocketAddress *to, TftpErrorCode code, const char *text) {
        uint8_t packet[TFTP_ERROR_PACKET_MAX];

        send_to(client, to, packet, tftp_build_error(packet, code, text));
}

/* What is wrong with what the server does: it hears so, and the transfer ends. */
static void refuse(TftpClient *client, TftpErrorCode code, int error, const char *text) {
        send_error(client, &client->peer, code, text);
        fail(client, error, "%s", text);
}

static int send_request(TftpClient *client, uint64_t now) {
        static const TftpOptions none = {};
        uint8_t packet[TFTP_REQUEST_MAX];
        int r;

        r = tftp_build_request(packet, client->config.file_name,
                        tftp_timer_request_is_plain(&client->timer, now) ? &none : &client->asked);
        if (r < 0)
                return r;
        tftp_timer_on_sent(&client->timer, now, client->timer.n_timeouts == 0);
        client->deadline = tftp_timer_request_deadline(&client->timer, now);
        return send_to(client, &client->config.server, packet, (size_t) r);
}

/* A new TID: nothing that an earlier request has led to can be taken for the answer to the next one. */
static int open_tid(TftpClient *client) {
        int r;

        r = client->config.open(client->config.userdata);
        if (r < 0)
                return r;
        client->ladder.receive_buffer = (size_t) r;
        return 0;
}

static int start_request(TftpClient *client, uint64_t now) {
        tftp_timer_on_request(&client->timer, now);
        set_state(client, TFTP_STATE_REQUESTING);
        return send_request(client, now);
}

/* The next request asks for what the ladder says. */
static void ask(TftpClient *client) {
        client->plan = tftp_ladder_plan(&client->ladder);
        client->asked = (TftpOptions){};
        if (client->ladder.rung == TFTP_RUNG_PLAIN)
                return;
        tftp_options_set(&client->asked, TFTP_OPTION_TSIZE, 0);
        tftp_options_set(&client->asked, TFTP_OPTION_BLKSIZE, client->plan.block_size);
        tftp_options_set(&client->asked, TFTP_OPTION_TIMEOUT, TIMEOUT_OPTION);
        if (client->plan.window > 1)
                tftp_options_set(&client->asked, TFTP_OPTION_WINDOWSIZE, client->plan.window);
        if (client->timer.rtt.smoothed > 0) /* not at first */
                tftp_options_set(&client->asked, TFTP_OPTION_UTIMEOUT,
                                MAX(2 * client->timer.rtt.smoothed, UTIMEOUT_MIN));
}

static void request_again(TftpClient *client, uint64_t now) {
        int r;

        r = open_tid(client);
        if (r >= 0) {
                ask(client);
                r = start_request(client, now);
        }
        if (r < 0)
                fail(client, r, "cannot send: %s", strerror(-r));
}

static void request_plain(TftpClient *client, uint64_t now) {
        client->ladder.rung = TFTP_RUNG_PLAIN;
        request_again(client, now);
}

/* False after too many requests that have brought nothing and asked for nothing else. */
static bool may_go_on(TftpClient *client) {
        if (client->blocks.bytes > client->bytes_requested)
                client->n_fruitless = 0;
        client->bytes_requested = client->blocks.bytes;
        if (client->n_fruitless > 0)
                tftp_ladder_on_fruitless(&client->ladder, client->plan.block_size);
        return client->n_fruitless++ < FRUITLESS_MAX;
}

/* A new request for the rest, when the server has ended the last one. */
static bool go_on(TftpClient *client, uint64_t now) {
        if (!may_go_on(client))
                return false;
        request_again(client, now);
        return true;
}

/* The same when it has not: the server hears that we give up what is under way. */
static bool leave(TftpClient *client, uint64_t now, TftpErrorCode code) {
        if (!may_go_on(client))
                return false;
        send_error(client, &client->peer, code, "going on with another request");
        request_again(client, now);
        return true;
}

/* `once`: the time until the next block is a round trip. */
static void send_ack(TftpClient *client, uint64_t now, uint64_t block, bool once) {
        uint8_t packet[TFTP_HEADER_SIZE];
        size_t n = tftp_build_ack(packet, tftp_blocks_acknowledge(&client->blocks, block));

        tftp_timer_on_sent(&client->timer, now, once);
        send_to(client, &client->peer, packet, n);
}

/* What is due after a block, or after ACK 0. */
static void acknowledge(TftpClient *client, uint64_t now) {
        TftpBlocks *blocks = &client->blocks;
        uint64_t due = tftp_blocks_due(blocks, tftp_ladder_ahead(&client->ladder, blocks->block_size));

        while (blocks->acked < due) {
                uint64_t block = blocks->window > 1 ? due : blocks->acked + 1;

                send_ack(client, now, block, block == blocks->last);
        }
}

/* From the last block on, as if nothing had been sent since. */
static void acknowledge_again(TftpClient *client, uint64_t now) {
        send_ack(client, now, client->blocks.last, false);
        acknowledge(client, now);
}

/*
 * The server repeats what we have acknowledged: perhaps our ACK was lost, perhaps the two have passed each
 * other.
 */
static void repeat_ack(TftpClient *client, uint64_t now) {
        client->n_dropped++;
        if (tftp_timer_may_repeat(&client->timer, now))
                send_ack(client, now, client->blocks.last, false);
}

/* A timeout may just be a lost ACK; only after that is there a reason to do something else. */
static unsigned timeouts_expected(const TftpClient *client) {
        return tftp_blocks_catching_up(&client->blocks) ? CATCH_UP_TIMEOUTS : 1;
}

static void arm(TftpClient *client, uint64_t now) {
        client->deadline = tftp_timer_receive_deadline(&client->timer, now, timeouts_expected(client));
}

static void begin_receiving(
                TftpClient *client, uint64_t now, const SocketAddress *from, const TftpOptions *granted) {
        tftp_timer_on_answer(&client->timer, now);
        client->granted = true;
        client->peer = *from;
        client->plan = tftp_ladder_learn(&client->ladder, &client->asked, granted);
        tftp_blocks_begin(&client->blocks, client->plan.block_size, client->plan.window);
        set_state(client, TFTP_STATE_RECEIVING);
        arm(client, now);
}

/*
 * An OACK that we cannot agree to. RFC 2347: who does not get what it can agree to may ask again without
 * options. To a request without options an OACK is no answer at all.
 */
static void refuse_options(TftpClient *client, uint64_t now, const SocketAddress *from) {
        if (client->state != TFTP_STATE_REQUESTING || !tftp_options_any(&client->asked)) {
                client->n_dropped++;
                return;
        }
        send_error(client, from, TFTP_ERROR_OPTION, "options not acceptable");
        request_plain(client, now);
}

/*
 * Servers that cannot tell the size say -1 in 32 bits, or what we have sent (0), or too little: then it is
 * not known.
 */
static void on_size(TftpClient *client, uint64_t size) {
        uint64_t known = client->size;

        if (size == UINT32_MAX || (known == TFTP_SIZE_UNKNOWN && size < client->end))
                return;
        client->size = size;
        if (known != TFTP_SIZE_UNKNOWN && known != size)
                refuse(client, TFTP_ERROR_UNDEFINED, -ESTALE, "the file has changed meanwhile");
        else if (size > client->config.size_max)
                refuse(client, TFTP_ERROR_DISK_FULL, -EFBIG, "the file is too large"); /* RFC 2349 */
}

/* A larger window is worth a new request. */
static bool has_more(const TftpClient *client) {
        uint64_t left = client->size == TFTP_SIZE_UNKNOWN ? 0 : client->size - client->blocks.bytes;

        return tftp_ladder_has_more(&client->ladder, &client->plan, left);
}

static void on_oack(
                TftpClient *client, uint64_t now, const SocketAddress *from, const TftpOptions *options) {
        if (client->state == TFTP_STATE_RECEIVING) {
                if (client->blocks.last == 0 &&
                                tftp_options_any(&client->asked)) /* the first one stands; ACK 0 was lost */
                        repeat_ack(client, now);
                else
                        client->n_dropped++;
                return;
        }
        if (!tftp_options_acceptable(&client->asked, options)) {
                refuse_options(client, now, from);
                return;
        }

        begin_receiving(client, now, from, options);
        if (options->present[TFTP_OPTION_TSIZE])
                on_size(client, options->value[TFTP_OPTION_TSIZE]);
        if (client->state != TFTP_STATE_RECEIVING ||
                        (has_more(client) && leave(client, now, TFTP_ERROR_OPTION)))
                return;
        send_ack(client, now, 0, true);
        acknowledge(client, now);
}

/* What a block must be, whatever is in it. */
static bool check_block(TftpClient *client, uint64_t offset, size_t size) {
        bool last = size < client->plan.block_size;
        uint64_t end = offset + size;

        if (size > client->plan.block_size)
                refuse(client, TFTP_ERROR_ILLEGAL, -EPROTO, "a block is larger than agreed");
        else if (end > client->config.size_max)
                refuse(client, TFTP_ERROR_DISK_FULL, -EFBIG, "the file is too large");
        else if (last && client->size != TFTP_SIZE_UNKNOWN && end < client->size)
                refuse(client, TFTP_ERROR_UNDEFINED, -EBADMSG, "the file is shorter than was announced");
        else if (last && end < client->end)
                refuse(client, TFTP_ERROR_UNDEFINED, -ESTALE, "the file has changed meanwhile");
        else
                return true;
        return false;
}

/* What we hold of a block is compared, the rest is written. */
static bool store_block(TftpClient *client, uint64_t offset, const uint8_t *data, size_t size) {
        const TftpClientConfig *config = &client->config;
        uint64_t bytes = MAX(client->blocks.bytes, offset);
        size_t held = (size_t) MIN(bytes - offset, (uint64_t) size);
        int r = 1;

        if (held > 0)
                r = config->compare(offset, data, held, config->userdata);
        if (r == 0) {
                refuse(client, TFTP_ERROR_UNDEFINED, -ESTALE, "the file has changed meanwhile");
                return false;
        }
        if (r > 0 && size > held)
                r = config->write(offset + held, data + held, size - held, config->userdata);
        if (r < 0) {
                send_error(client, &client->peer, TFTP_ERROR_DISK_FULL, "cannot write");
                fail(client, r, "cannot write: %s", strerror(-r));
                return false;
        }
        client->end = MAX(client->end, offset + size);
        if (client->end > client->size)
                client->size = TFTP_SIZE_UNKNOWN;
        tftp_ladder_on_block(&client->ladder, size);
        return true;
}

/*
 * The time since our last ACK, or, after a timeout, since the first one, where that is a round trip for
 * certain. True when the block has been lost before, and no timer has told that: the server has repeated it.
 */
static bool measure(TftpClient *client, uint64_t now) {
        TftpTimer *timer = &client->timer;
        uint64_t usec = now - timer->sent, waited = now - timer->progress;
        bool once = timer->sent_once, repeated = client->plan.utimeout > 0 && usec >= client->plan.utimeout;

        timer->sent_once = false;
        if (once && !repeated)
                tftp_timer_on_round_trip(timer, usec);
        if (once || timer->n_timeouts == 0)
                return once && repeated;
        if (usec < timer->rtt.smoothed / 2 && waited < timer->rtt.smoothed + SERVER_TIMER_MIN) {
                tftp_timer_on_round_trip(
                                timer, waited); /* too early to answer what we have repeated: it was late */
                return false;
        }
        return timer->n_timeouts <= timeouts_expected(client);
}

static bool take_block(TftpClient *client, uint64_t block, const TftpPacket *packet) {
        uint64_t offset = tftp_blocks_offset(&client->blocks, block);

        return check_block(client, offset, packet->size) &&
                        store_block(client, offset, packet->data, packet->size);
}

/* `lower`: the ladder has gone down. */
static void on_next_block(
                TftpClient *client, uint64_t now, uint64_t block, const TftpPacket *packet, bool lower) {
        if (!take_block(client, block, packet))
                return;

        tftp_blocks_take(&client->blocks, packet->size);
        if (measure(client, now))
                lower |= tftp_ladder_on_lost(&client->ladder, now, client->plan.block_size, 1);
        client->timer.progress = now;
        client->timer.n_timeouts = 0;
        arm(client, now);

        if (client->blocks.complete) {
                send_ack(client, now, client->blocks.last, true);
                set_state(client, TFTP_STATE_DONE);
        } else if (tftp_timer_is_too_slow(&client->timer, now, client->blocks.bytes))
                refuse(client, TFTP_ERROR_UNDEFINED, -ETIMEDOUT, "the server is too slow");
        else if (!lower || !leave(client, now, TFTP_ERROR_UNDEFINED))
                acknowledge(client, now);
}

/* RFC 7440 §4: the server hears of a gap at once, and once. */
static void on_block_beyond(
                TftpClient *client, uint64_t now, uint64_t block, const TftpPacket *packet, bool lower) {
        if (!tftp_blocks_wants(&client->blocks, block))
                client->n_dropped++;
        else if (!take_block(client, block, packet))
                return;
        else
                tftp_blocks_keep(&client->blocks, block, packet->size);
        if (lower && leave(client, now, TFTP_ERROR_UNDEFINED))
                return;
        if (!tftp_blocks_gap(&client->blocks, block) &&
                        !(client->blocks.begun_again && tftp_timer_may_be_answer(&client->timer, now)))
                return;
        client->blocks.begun_again = false;
        send_ack(client, now, client->blocks.last,
                        true); /* what is missing comes for that and nothing else */
}

static void on_data(TftpClient *client, uint64_t now, const SocketAddress *from, const TftpPacket *packet) {
        TftpBlockKind kind;
        unsigned n_lost;
        uint64_t block;
        bool lower;

        if (client->state == TFTP_STATE_REQUESTING) {
                if (packet->block != 1) {
                        client->n_dropped++;
                        return;
                }
                /* Granted, but not told: one would have to guess what. */
                if (packet->size > TFTP_BLOCK_SIZE_DEFAULT && tftp_options_any(&client->asked)) {
                        refuse_options(client, now, from);
                        return;
                }
                client->asked = (TftpOptions){}; /* RFC 2347: a server that knows no options ignores them */
                begin_receiving(client, now, from, &client->asked);
        }

        kind = tftp_blocks_classify(&client->blocks, packet->block, &block, &n_lost);
        lower = tftp_ladder_on_lost(&client->ladder, now, client->plan.block_size, n_lost);
        switch (kind) {
        case TFTP_BLOCK_NEXT:
                on_next_block(client, now, block, packet, lower);
                break;
        case TFTP_BLOCK_BEYOND:
                on_block_beyond(client, now, block, packet, lower);
                break;
        case TFTP_BLOCK_LAST:
                repeat_ack(client, now);
                break;
        case TFTP_BLOCK_OTHER:
                client->n_dropped++;
                break;
        }
}

/*
 * A file of which something has come is there. So is one that has been granted. Else the server may say that
 * it is not, or have a general error for a request that leaves it nothing else to refuse.
 */
static int error_to_errno(const TftpClient *client, uint16_t code) {
        if (client->end > 0)
                return -ECONNRESET;
        switch (code) {
        case TFTP_ERROR_NOT_FOUND:
                return -ENOENT;
        case TFTP_ERROR_UNDEFINED:
        case TFTP_ERROR_ILLEGAL:
                return client->granted ? -EREMOTEIO : -ENOENT;
        case TFTP_ERROR_ACCESS:
                return -EACCES;
        default: /* a number from the wire */
                return -EREMOTEIO;
        }
}

/* An ERROR to a request. False when that is final. */
static bool ask_otherwise(TftpClient *client, uint64_t now, uint16_t code) {
        bool begun = client->end > 0, options = tftp_options_any(&client->asked);

        if (code == TFTP_ERROR_NOT_FOUND || code == TFTP_ERROR_ACCESS)
                return false;
        if (!options || (begun && code != TFTP_ERROR_OPTION && code != TFTP_ERROR_ILLEGAL))
                return begun && go_on(client, now);
        request_plain(client, now);
        return true;
}

/* An ERROR in the middle of a transfer. False when that is final. */
static bool ask_again(TftpClient *client, uint64_t now, uint16_t code) {
        if (client->end > 0)
                return go_on(client, now);
        /* The OACK has told that the file is there: the server cannot send what it has granted. */
        if (code == TFTP_ERROR_ACCESS || !tftp_ladder_on_refused(&client->ladder))
                return false;
        request_again(client, now);
        return true;
}

static void on_error(TftpClient *client, uint64_t now, const TftpPacket *packet) {
        char text[128];

        if (client->state == TFTP_STATE_REQUESTING ? ask_otherwise(client, now, packet->code)
                                                   : ask_again(client, now, packet->code))
                return;
        text_escape(text, sizeof(text), packet->data, packet->size);
        fail(client, error_to_errno(client, packet->code), "the server says: %s (error %u)",
                        *text ? text : "nothing", packet->code);
}

/* RFC 1350 §4: the address always, the port once it is known. */
static bool from_server(const TftpClient *client, const SocketAddress *from) {
        return socket_address_same_host(from, &client->config.server) &&
                        (client->state == TFTP_STATE_REQUESTING ||
                                        socket_address_same_port(from, &client->peer));
}

static void on_stranger(TftpClient *client, const SocketAddress *from, const uint8_t *data, size_t size) {
        TftpPacket packet;

        client->n_dropped++;
        /* Never an error for an error, or two of us would go on for ever. */
        if (client->n_strangers >= STRANGERS_MAX || tftp_packet_parse(&packet, data, size) < 0 ||
                        packet.opcode == TFTP_ERROR)
                return;
        client->n_strangers++;
        send_error(client, from, TFTP_ERROR_UNKNOWN_TID, "unknown transfer ID");
}

void tftp_client_dispatch_packet(TftpClient *client, uint64_t now, const SocketAddress *from,
                const uint8_t *data, size_t size) {
        TftpPacket packet;
        int r;

        if (client->state != TFTP_STATE_REQUESTING && client->state != TFTP_STATE_RECEIVING) {
                client->n_dropped++;
                return;
        }
        if (!from_server(client, from)) {
                on_stranger(client, from, data, size);
                return;
        }

        r = tftp_packet_parse(&packet, data, size);
        if (r == -EOPNOTSUPP) {
                refuse_options(client, now, from);
                return;
        }
        if (r < 0) {
                client->n_dropped++;
                return;
        }

        switch (packet.opcode) {
        case TFTP_DATA:
                on_data(client, now, from, &packet);
                break;
        case TFTP_OACK:
                on_oack(client, now, from, &packet.options);
                break;
        case TFTP_ERROR:
                on_error(client, now, &packet);
                break;
        case TFTP_RRQ:
        case TFTP_WRQ:
        case TFTP_ACK:
                break; /* the parser refuses them */
        }
}

void tftp_client_dispatch_unreachable(TftpClient *client, uint64_t now, const SocketAddress *to, int error) {
        bool receiving = client->state == TFTP_STATE_RECEIVING;

        if (client->deadline == USEC_INFINITY || !socket_address_same_host(to, &client->config.server) ||
                        !socket_address_same_port(to, receiving ? &client->peer : &client->config.server)) {
                client->n_dropped++;
                return;
        }
        /*
         * The server has given up this transfer, after too long a silence; if it is still there it may begin
         * another.
         */
        if (receiving && go_on(client, now))
                return;
        fail(client, error, "the server cannot be reached: %s", strerror(-error));
}

static void on_request_timer(TftpClient *client, uint64_t now) {
        if (tftp_timer_request_is_over(&client->timer, now)) {
                if (client->blocks.bytes > 0)
                        fail(client, -ETIMEDOUT, "the server stopped answering after %" PRIu64 " bytes",
                                        client->blocks.bytes);
                else
                        fail(client, -ETIMEDOUT, "no answer from the server");
                return;
        }
        client->timer.n_timeouts++;
        send_request(client, now);
}

/*
 * It takes less time than the server's timer until a new request has caught up. The server doubles that, as
 * a rule.
 */
static bool catches_up_soon(const TftpClient *client, unsigned n_expected) {
        const TftpPlan *plan = &client->plan;
        uint64_t rtt = client->timer.rtt.smoothed > 0 ? client->timer.rtt.smoothed : RTT_GUESS;
        unsigned at_once = plan->window > 1 ? plan->window
                                            : tftp_ladder_ahead(&client->ladder, plan->block_size);
        uint64_t timer = plan->utimeout > 0 ? plan->utimeout : SERVER_TIMER;
        uint64_t n_blocks = client->blocks.bytes / plan->block_size;
        uint64_t usec = client->timer.answered_within + (n_blocks / at_once + 1) * rtt +
                        n_blocks * BLOCK_USEC;

        return usec < timer << MIN(client->timer.n_timeouts - n_expected - 1, 8u);
}

static void on_receive_timer(TftpClient *client, uint64_t now) {
        unsigned n_expected = timeouts_expected(client), n = ++client->timer.n_timeouts;
        bool lower;

        if (tftp_timer_is_silent(&client->timer, now)) {
                fail(client, -ETIMEDOUT, "the server has gone silent");
                return;
        }
        lower = n > n_expected && tftp_ladder_on_lost(&client->ladder, now, client->plan.block_size, 1);
        if (n > n_expected && (lower || catches_up_soon(client, n_expected)) &&
                        leave(client, now, TFTP_ERROR_UNDEFINED))
                return;
        client->blocks.gap = false;
        acknowledge_again(client, now);
        arm(client, now);
}

void tftp_client_dispatch_timer(TftpClient *client, uint64_t now) {
        if (now < client->deadline)
                return;

        switch (client->state) {
        case TFTP_STATE_REQUESTING:
                on_request_timer(client, now);
                break;
        case TFTP_STATE_RECEIVING:
                on_receive_timer(client, now);
                break;
        case TFTP_STATE_DONE:
        case TFTP_STATE_FAILED:
        case _TFTP_STATE_MAX:
                break;
        }
}

int tftp_client_new(TftpClient **ret, const TftpClientConfig *config) {
        _cleanup_(tftp_client_freep) TftpClient *client = calloc(1, sizeof(*client));

        if (!client)
                return -ENOMEM;
        client->config = *config;
        client->deadline = USEC_INFINITY;
        *ret = TAKE_PTR(client);
        return 0;
}

TftpClient *tftp_client_free(TftpClient *client) {
        free(client);
        return NULL;
}

int tftp_client_start(TftpClient *client, uint64_t now) {
        const TftpClientConfig *config = &client->config;
        int r;

        client->timer.started = now;
        client->size = TFTP_SIZE_UNKNOWN;
        client->ladder = tftp_ladder(config->mtu, config->server.sa.sa_family == AF_INET6);
        r = open_tid(client);
        if (r < 0)
                return r;
        ask(client);
        return start_request(client, now);
}

void tftp_client_stop(TftpClient *client) {
        if (client->state == TFTP_STATE_RECEIVING)
                refuse(client, TFTP_ERROR_UNDEFINED, -ECANCELED, "given up");
}

uint64_t tftp_client_get_timeout(const TftpClient *client) {
        return client->deadline;
}

TftpState tftp_client_get_state(const TftpClient *client) {
        return client->state;
}

int tftp_client_get_error(const TftpClient *client) {
        return client->error;
}

const char *tftp_client_get_reason(const TftpClient *client) {
        return client->reason;
}

uint64_t tftp_client_get_bytes(const TftpClient *client) {
        return client->blocks.bytes;
}

uint64_t tftp_client_get_size(const TftpClient *client) {
        return client->size;
}

uint64_t tftp_client_get_dropped(const TftpClient *client) {
        return client->n_dropped;
}

size_t tftp_client_get_block_size(const TftpClient *client) {
        return client->state == TFTP_STATE_REQUESTING ? TFTP_BLOCK_SIZE_DEFAULT : client->plan.block_size;
}
