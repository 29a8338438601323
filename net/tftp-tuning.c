/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TFTP costs a round trip for each window of blocks, so there are two levers, larger blocks and larger windows, and which of
 * them a server has is only known from its OACK. The common ones:
 *
 *                    blksize up to         windowsize    repeats a block after
 *  tftpd-hpa 5.2     65464                 no            1 s, or utimeout
 *  dnsmasq 2.90      one frame             no            1 to 2 s
 *  dnsmasq 2.91      one frame             yes           the same, or timeout
 *  atftpd 0.8        65464                 yes           5 s, or timeout
 *  busybox tftpd     65464                 no            100 ms
 *
 * The first request, when nothing is known, asks for both at once: the largest block, a window of 16, tsize. A configuration of
 * 20 KB is then there after two round trips (OACK, data) from every server but those that have neither lever; asking for one
 * frame first and for more when the OACK tells round trip and size would take three. Of a server that only does frames, 16
 * of them still are 23 KB. No more than 16, because a server that grants both sends 1 MB in one burst, if the file is that
 * large. A server that knows no options answers with 512 bytes at once; nothing is lost by having asked.
 *
 * A block of 64 KB is 45 frames. If one is lost all are: with 1 % of the frames that is a third of the blocks, and where
 * fragments are filtered it is each of them. So the answer to loss is a new request, with what then is best. It costs little:
 * what we have need not come again for its own sake. To a server without windows we acknowledge the blocks that we hold, a
 * few ahead of it, and it passes over them at the speed of the line. Each of these ACKs is true. To acknowledge blocks that
 * have not come, in the hope that they will, would turn any server into one with windows; it is not done, because a
 * block lost then would be lost for good, and because it would be a lie.
 *
 * What comes of a block of several frames, when one of them is lost, takes memory in the kernel for half a minute, and when that is
 * full no such block comes any more. So with loss the large blocks are for files that are done before that.
 *
 * The other plans are compared by a rough model of the time for the rest of the file: round trips, the share of blocks that are
 * lost and what each costs, and some microseconds a frame, which alone decide when the round trip is next to nothing.
 */

#include "net/tftp-tuning.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "net/tftp-blocks.h"

#define FIRST_WINDOW 16

/* What a received frame takes of a socket's buffer: with some drivers a page and its bookkeeping. */
#define FRAME_MEMORY 4352

#define NEVER USEC_PER_HOUR

#define FRAME_USEC 8  /* 1500 bytes at 1.5 Gbit/s, or the work for them */
#define PAUSE_USEC 90 /* that a server makes after each block, once one has been lost (atftpd) */
#define RTT_UNKNOWN (50 * USEC_PER_MSEC)
#define UTIMEOUT_MIN (20 * USEC_PER_MSEC)

/* Added to those that came, so that a first loss does not look like a hundred percent. */
#define PRIOR_FRAMES 64

/* What a new request may have in flight while it catches up with what we hold. */
#define CATCH_UP_FRAMES 64

unsigned tftp_tuning_ahead(const TftpPath *path, size_t block_size) {
        return MAX(CATCH_UP_FRAMES / tftp_path_frames(path, block_size), 1u);
}

/* A window must fit into the socket's buffer, or its tail is lost each time. */
static unsigned window_limit(const TftpPath *path, size_t block_size) {
        size_t memory = (size_t) tftp_path_frames(path, block_size) * FRAME_MEMORY;
        size_t n = MAX(path->receive_buffer / memory, 1u);

        return (unsigned) MIN(n, (size_t) path->window_max);
}

TftpPlan tftp_tuning_first(const TftpPath *path) {
        return (TftpPlan){
                .block_size = TFTP_BLOCK_SIZE_MAX,
                .window = MIN(window_limit(path, TFTP_BLOCK_SIZE_MAX), (unsigned) FIRST_WINDOW),
        };
}

static double round_trip(const TftpPath *path) {
        return (double) (path->rtt > 0 ? path->rtt : RTT_UNKNOWN);
}

static uint64_t to_usec(double usec) {
        return (uint64_t) MIN(usec, (double) INT64_MAX);
}

static double power(double base, unsigned exponent) {
        double result = 1;

        for (; exponent > 0; exponent /= 2, base *= base)
                if (exponent % 2 == 1)
                        result *= base;
        return result;
}

/*
 * The share of things of n frames that come through. Of a lost block nothing is counted as having come, although one of its
 * frames may be all that is missing: with large blocks that are lost more often than not, it would look as if hardly any
 * frame was.
 */
static double pass(const TftpPath *path, unsigned n) {
        double loss = (double) path->n_lost / (double) (path->n_frames + PRIOR_FRAMES);

        return MAX(power(1 - MIN(loss, 0.9), n), 0.001);
}

/* From the last block boundary on: the rest of a block of which we have a part comes again. */
static double bytes_left(const TftpPath *path, size_t block_size) {
        uint64_t from = path->bytes / block_size * block_size;

        if (path->size != TFTP_SIZE_UNKNOWN)
                return (double) (path->size - MIN(from, path->size));
        return (double) path->bytes + TFTP_BLOCK_SIZE_MAX; /* as much again */
}

uint64_t tftp_tuning_cost(const TftpPath *path, const TftpPlan *plan) {
        unsigned frames = tftp_path_frames(path, plan->block_size);
        unsigned ahead = plan->window > 1 ? plan->window : tftp_tuning_ahead(path, plan->block_size);
        double blocks = (double) (path->bytes / plan->block_size), rtt = round_trip(path), stops;

        /* What stops it for a timeout: an ACK that is lost, or all the blocks that it is told by how far the server is. */
        stops = blocks * (1 - pass(path, 1)) +
                        blocks / ahead * (1 / (1 - power(1 - pass(path, frames), ahead)) - 1);
        return to_usec(rtt + blocks / ahead * rtt + blocks * frames * FRAME_USEC + stops * (2 * rtt + 5000));
}

/* A block of a server without windows: a round trip, and for each time that it or its ACK is lost the time to repair that. */
static double lockstep_usec(const TftpPath *path, const TftpPlan *plan, double blocks, unsigned frames) {
        double tries = 1 / pass(path, frames + 1), rtt = round_trip(path), repair;

        if (plan->utimeout > 0)
                repair = (double) plan->utimeout * tries; /* it doubles each time */
        else
                repair = MIN(3 * rtt + 20000 + (double) tftp_tuning_cost(path, plan), (double) path->repeat);
        return blocks * (rtt + (tries - 1) * repair + frames * FRAME_USEC);
}

/* Whether a block comes is looked at for so many tries, more make no difference. */
#define TRIES_MAX 8

/*
 * How many blocks the start of a window moves on in a round, in the long run. The server begins it at the first block that is
 * missing, and sends all of it; what came of the last one is kept. So the blocks at its start come for the second time or
 * more, if only to be where they are missing, and those at its end for the first time.
 */
static double progress(double pass, unsigned n) {
        double comes[TRIES_MAX], x = n;

        for (unsigned i = 0; i < TRIES_MAX; i++)
                comes[i] = 1 - power(1 - pass, i + 1);
        for (unsigned i = 0; i < 5; i++) {
                double all_come = 1, sum = 0;

                for (unsigned j = 0; j < n; j++) {
                        all_come *= comes[(unsigned) MIN((n - 1 - j) / x, TRIES_MAX - 1.0)];
                        sum += all_come;
                }
                x = (x + MAX(sum, pass)) / 2;
        }
        return x;
}

/* The rounds until the last n blocks have all come. */
static double rounds_at_the_end(double pass, unsigned n) {
        double sum = 0, missing = 1;

        for (unsigned i = 1; missing > 0.01 && i < 1000; i++) {
                sum += missing;
                missing = 1 - power(1 - power(1 - pass, i), n);
        }
        return sum;
}

static double window_usec(const TftpPath *path, const TftpPlan *plan, double blocks, unsigned frames) {
        double p = pass(path, frames), rtt = round_trip(path), rounds, unnoticed;
        unsigned n = MIN(plan->window, (unsigned) MIN(blocks, TFTP_WINDOW_MAX));

        rounds = rounds_at_the_end(p, n);
        if (blocks > n)
                rounds += (blocks - n) / progress(p, n);
        /* When nothing comes after what is lost, or the ACK is, a timer must find it out. */
        unnoticed = 1 - (1 - power(p, n - 1) * (1 - p)) * pass(path, 1);
        return rounds *
                        (rtt + unnoticed * (rtt + 5000) +
                                        n * (frames * FRAME_USEC + (path->n_lost > 0 ? PAUSE_USEC : 0)));
}

/*
 * Fragments that will lie in the kernel at the worst time, of what is left and of `again`, blocks that come once more in next
 * to no time. The first losses are few, and some are not seen when a server repeats itself: with them it may as well be one
 * frame in a hundred.
 */
static double fragments(const TftpPath *path, double blocks, double again, unsigned frames, double usec) {
        double loss = path->n_lost > 0 ? ((double) path->n_lost + 1) / ((double) path->n_frames + 100) : 0,
               come = MAX(power(1 - MIN(loss, 0.9), frames), 0.001),
               share = MIN(TFTP_FRAGMENTS_USEC / MAX(usec, 1), 1), there = tftp_path_fragments(path);

        /* While they come, those that are there go. */
        return MAX(there,
                        there * (1 - MIN(usec / TFTP_FRAGMENTS_USEC, 1)) +
                                        (1 / come - 1) * frames * (blocks * share + again));
}

static uint64_t estimate(const TftpPath *path, const TftpPlan *plan, double again, unsigned fragments_max) {
        double left = bytes_left(path, plan->block_size),
               blocks = (double) (uint64_t) (left / (double) plan->block_size) + 1;
        unsigned frames = tftp_path_frames(path, (size_t) MIN(left, (double) plan->block_size));
        double usec = plan->window > 1 ? window_usec(path, plan, blocks, frames)
                                       : lockstep_usec(path, plan, blocks, frames);

        if (frames > 1 &&
                        (path->fragments_lost ||
                                        fragments(path, blocks, again, frames, usec) > fragments_max))
                return NEVER;
        return to_usec(usec);
}

uint64_t tftp_tuning_estimate(const TftpPath *path, const TftpPlan *plan) {
        return estimate(path, plan, 0, TFTP_FRAGMENTS_MAX);
}

/* What is begun has room to spare, as it costs to leave it. */
static void consider(const TftpPath *path, TftpPlan plan, TftpPlan *best, uint64_t *lowest) {
        double again = (double) (path->bytes / plan.block_size);
        uint64_t usec = estimate(path, &plan, again, TFTP_FRAGMENTS_MAX / 2);

        if (usec >= *lowest)
                return;
        *best = plan;
        *lowest = usec;
}

TftpPlan tftp_tuning_best(const TftpPath *path) {
        static const uint8_t frames[] = { 1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45 };
        uint64_t utimeout = MAX(to_usec(2 * round_trip(path)), UTIMEOUT_MIN), lowest = UINT64_MAX;
        TftpPlan best = {};

        for (size_t i = 0; i < ELEMENTSOF(frames); i++) {
                size_t block_size = frames[i] * (path->frame_block + 8 + TFTP_HEADER_SIZE) - 8 -
                                TFTP_HEADER_SIZE;

                if (frames[i] > 1 && path->fragments_lost)
                        break;
                block_size = MIN(block_size, path->block_max);
                consider(path,
                                (TftpPlan){ .block_size = block_size,
                                                .window = 1,
                                                .utimeout = path->has_utimeout ? utimeout : 0 },
                                &best, &lowest);
                for (unsigned window = 4; window <= TFTP_WINDOW_MAX; window *= 2)
                        consider(path,
                                        (TftpPlan){ .block_size = block_size,
                                                        .window = MIN(window,
                                                                        window_limit(path, block_size)) },
                                        &best, &lowest);
        }
        return best;
}

bool tftp_tuning_better(const TftpPath *path, const TftpPlan *plan, uint64_t stall, TftpPlan *ret) {
        uint64_t now, then;
        TftpPlan best;

        /* All the rest comes in one round trip, and a new request would cost that. */
        if (stall == 0 && path->n_lost == 0 &&
                        bytes_left(path, plan->block_size) < (double) (plan->window * plan->block_size))
                return false;
        best = tftp_tuning_best(path);
        now = tftp_tuning_estimate(path, plan);
        then = tftp_tuning_estimate(path, &best);
        if (time_add(then, tftp_tuning_cost(path, &best)) >=
                        (stall > 0 ? time_add(now, stall) : now - now / 5))
                return false;
        *ret = best;
        return true;
}
