/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TFTP costs a round trip for each window of blocks. So windows are asked for where the server has them,
 * else the largest block that the path carries, else nothing. Which options a server has is only known from
 * its OACK. The common ones:
 *
 *                    blksize up to         windowsize    repeats a block after
 *  tftpd-hpa 5.2     65464                 no            1 s
 *  dnsmasq 2.90      one frame             no            1 to 2 s
 *  dnsmasq 2.91      one frame             yes           the same, or timeout
 *  atftpd 0.8        65464                 yes           5 s, or timeout
 *  busybox tftpd     65464                 no            100 ms
 *
 * Rows are rungs, columns what leads down from them; nothing leads up.
 *
 *           asks for                        a block is lost             the server refuses    the server has
 *                                           (see below)                 what it has granted   no options
 *  LARGE    65464 bytes, windows of 16      MEDIUM; with windows FRAME  FRAME                 PLAIN
 *  MEDIUM   8 frames; only without windows  FRAME                       FRAME                 PLAIN
 *  FRAME    one frame, windows of 512       -                           PLAIN                 PLAIN
 *  PLAIN    nothing: 512 bytes (RFC 1350)   -                           the transfer fails    -
 *
 * LARGE: a configuration of 20 KB is there after two round trips (OACK, data) from every server but those
 * that have neither option, and 1 MB takes 17 round trips from tftpd-hpa instead of 715 in frames. A server
 * that knows no options answers with 512 bytes at once: to have asked costs nothing. A window is 1 MB at
 * most because the server sends it in one burst, which the socket's buffer must hold. Where frames are all
 * that the server grants, the first window is 16 of them. A file of more than that is asked for once more,
 * with windows of 512: 1 MB from dnsmasq 2.91 takes 4 round trips instead of 44.
 *
 * A block is lost: 64 KB are 45 frames, and if one of them is lost all are. That is one block of three where
 * 1 % of the frames are lost, and each where fragments are filtered or where the path carries less than the
 * port (SONiC's ports have an MTU of 9100, and the path behind them has 1500). So a block of several frames
 * is distrusted as soon as one is lost and none has come. A "frame" is one of 1500 bytes even where the
 * port's are larger. Once such blocks have come a loss is chance, and they stay the best: at 10 ms and 1 %
 * tftpd-hpa needs 0.8 s for 1 MB, and 9 s in frames. MEDIUM is in between, for longer files. Two requests in
 * a row that bring nothing new are a loss, too.
 *
 * A lost block leaves its other fragments in the kernel, for 30 s as a rule, and there is room for 4 MB of
 * them. When that is full nothing is put together any more, ours or others'. A fragment takes up to a page
 * and its bookkeeping there, so each of the two rungs with such blocks leaves 450 of them at most: 3.9 MB.
 */

#include "net/tftp-ladder.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/tftp-blocks.h"

#include <assert.h>

/* More than a path can be trusted with. */
#define MTU_MAX 1500u

#define MEDIUM_FRAMES 8u

/* Of blocks, in one burst. */
#define WINDOW_BYTES (16 * (size_t) TFTP_BLOCK_SIZE_MAX)

/* A received frame takes so much of a socket's buffer: with some drivers a page and its bookkeeping. */
#define FRAME_MEMORY 4352

/* Fragments in the kernel, and for how long they stay. */
#define FRAGMENTS_MAX 450
#define FRAGMENTS_USEC (30 * USEC_PER_SEC)

/* A new request may have so much in flight while it catches up with what we hold. */
#define CATCH_UP_FRAMES 64

static const char *const rung_names[] = {
        [TFTP_RUNG_LARGE] = "large",
        [TFTP_RUNG_MEDIUM] = "medium",
        [TFTP_RUNG_FRAME] = "frame",
        [TFTP_RUNG_PLAIN] = "plain",
};
static_assert(ELEMENTSOF(rung_names) == _TFTP_RUNG_MAX, "a rung without a name");

const char *tftp_rung_to_string(TftpRung rung) {
        return rung_names[rung];
}

TftpLadder tftp_ladder(unsigned mtu, bool ipv6) {
        unsigned header = (ipv6 ? 40 : 20) + 8 + TFTP_HEADER_SIZE;

        return (TftpLadder){
                .frame_block = mtu < header + TFTP_BLOCK_SIZE_MIN ? TFTP_BLOCK_SIZE_DEFAULT
                                                                  : MIN(mtu, MTU_MAX) - header,
                .block_max = TFTP_BLOCK_SIZE_MAX,
                .window_max = TFTP_WINDOW_MAX,
        };
}

/* The headers of UDP and TFTP are part of what is cut into fragments. */
static size_t fragment(const TftpLadder *ladder) {
        return ladder->frame_block + 8 + TFTP_HEADER_SIZE;
}

unsigned tftp_ladder_frames(const TftpLadder *ladder, size_t block_size) {
        return (unsigned) ((block_size + 8 + TFTP_HEADER_SIZE + fragment(ladder) - 1) / fragment(ladder));
}

unsigned tftp_ladder_ahead(const TftpLadder *ladder, size_t block_size) {
        return MAX(CATCH_UP_FRAMES / tftp_ladder_frames(ladder, block_size), 1u);
}

static size_t rung_block(const TftpLadder *ladder, TftpRung rung) {
        switch (rung) {
        case TFTP_RUNG_LARGE:
                return ladder->block_max;
        case TFTP_RUNG_MEDIUM:
                return MIN(MEDIUM_FRAMES * fragment(ladder) - 8 - TFTP_HEADER_SIZE, ladder->block_max);
        case TFTP_RUNG_FRAME:
                return MIN(ladder->frame_block, ladder->block_max);
        case TFTP_RUNG_PLAIN:
        case _TFTP_RUNG_MAX:
                break;
        }
        return TFTP_BLOCK_SIZE_DEFAULT;
}

/* A window must fit into the socket's buffer, or its tail is lost each time. */
static unsigned window(const TftpLadder *ladder, size_t block_size) {
        size_t memory = (size_t) tftp_ladder_frames(ladder, block_size) * FRAME_MEMORY,
               n = MIN(ladder->receive_buffer / memory, WINDOW_BYTES / block_size);

        return (unsigned) MIN(MAX(n, (size_t) 1), (size_t) ladder->window_max);
}

TftpPlan tftp_ladder_plan(const TftpLadder *ladder) {
        size_t block_size = rung_block(ladder, ladder->rung);

        return (TftpPlan){
                .block_size = block_size,
                .window = ladder->rung == TFTP_RUNG_PLAIN ? 1 : window(ladder, block_size),
        };
}

TftpPlan tftp_ladder_learn(TftpLadder *ladder, const TftpOptions *asked, const TftpOptions *granted) {
        TftpPlan plan = { .block_size = TFTP_BLOCK_SIZE_DEFAULT, .window = 1 };

        if (!tftp_options_any(granted)) {
                ladder->rung = TFTP_RUNG_PLAIN;
                return plan;
        }
        if (granted->present[TFTP_OPTION_BLKSIZE])
                plan.block_size = granted->value[TFTP_OPTION_BLKSIZE];
        if (granted->present[TFTP_OPTION_WINDOWSIZE])
                plan.window = (unsigned) granted->value[TFTP_OPTION_WINDOWSIZE];
        if (granted->present[TFTP_OPTION_UTIMEOUT])
                plan.utimeout = granted->value[TFTP_OPTION_UTIMEOUT];
        if (plan.block_size < asked->value[TFTP_OPTION_BLKSIZE])
                ladder->block_max = plan.block_size;
        if (plan.window < asked->value[TFTP_OPTION_WINDOWSIZE])
                ladder->window_max = plan.window;
        return plan;
}

static uint64_t n_windows(const TftpPlan *plan, uint64_t bytes) {
        return bytes / (plan->window * plan->block_size) + 1;
}

bool tftp_ladder_has_more(const TftpLadder *ladder, const TftpPlan *granted, uint64_t left) {
        TftpPlan plan = tftp_ladder_plan(ladder);

        return granted->window > 1 && n_windows(&plan, left) + 1 < n_windows(granted, left);
}

void tftp_ladder_on_block(TftpLadder *ladder, size_t size) {
        ladder->fragments_come |= tftp_ladder_frames(ladder, size) > 1;
}

/* The next rung with blocks that are smaller; with windows, blocks of a frame are as fast as any. */
static void go_down(TftpLadder *ladder, size_t block_size) {
        while (ladder->rung < TFTP_RUNG_FRAME &&
                        (ladder->window_max > 1 || rung_block(ladder, ladder->rung) >= block_size))
                ladder->rung++;
        ladder->n_fragments = 0;
}

bool tftp_ladder_on_lost(TftpLadder *ladder, uint64_t now, size_t block_size, unsigned n_blocks) {
        unsigned frames = tftp_ladder_frames(ladder, block_size);
        uint64_t gone = (now - ladder->lost_at) * FRAGMENTS_MAX / FRAGMENTS_USEC;

        if (n_blocks == 0 || frames == 1)
                return false;
        ladder->n_fragments -= (unsigned) MIN(gone, (uint64_t) ladder->n_fragments);
        ladder->n_fragments += n_blocks * frames;
        ladder->lost_at = now;
        if (ladder->fragments_come && ladder->n_fragments <= FRAGMENTS_MAX)
                return false;
        go_down(ladder, block_size);
        return true;
}

void tftp_ladder_on_fruitless(TftpLadder *ladder, size_t block_size) {
        if (ladder->rung < TFTP_RUNG_FRAME)
                go_down(ladder, block_size);
}

bool tftp_ladder_on_refused(TftpLadder *ladder) {
        if (ladder->rung == TFTP_RUNG_PLAIN)
                return false;
        ladder->rung = ladder->rung < TFTP_RUNG_FRAME ? TFTP_RUNG_FRAME : TFTP_RUNG_PLAIN;
        return true;
}
