/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tftp-path.h"

#include "base/cleanup.h"

/* So many blocks that are lost while none of several frames has come, of sizes that become smaller: none will. */
#define LOST_MAX 3

TftpPath tftp_path(unsigned mtu, bool ipv6) {
        unsigned header = (ipv6 ? 40 : 20) + 8 + TFTP_HEADER_SIZE;

        return (TftpPath){
                .frame_block = mtu < header + TFTP_BLOCK_SIZE_MIN
                                ? TFTP_BLOCK_SIZE_DEFAULT
                                : MIN(mtu - header, (unsigned) TFTP_BLOCK_SIZE_MAX),
                .block_max = TFTP_BLOCK_SIZE_MAX,
                .window_max = UINT16_MAX,
                .has_utimeout = true,
                .repeat = USEC_PER_SEC,
                .size = TFTP_SIZE_UNKNOWN,
        };
}

unsigned tftp_path_frames(const TftpPath *path, size_t block_size) {
        /* The headers of UDP and TFTP are part of what is cut into fragments. */
        size_t header = 8 + TFTP_HEADER_SIZE, fragment = path->frame_block + header;

        return (unsigned) ((block_size + header + fragment - 1) / fragment);
}

TftpPlan tftp_path_learn(TftpPath *path, const TftpOptions *asked, const TftpOptions *granted) {
        bool any = tftp_options_any(granted);
        TftpPlan plan = { .block_size = TFTP_BLOCK_SIZE_DEFAULT, .window = 1 };

        if (granted->present[TFTP_OPTION_BLKSIZE])
                plan.block_size = granted->value[TFTP_OPTION_BLKSIZE];
        if (granted->present[TFTP_OPTION_WINDOWSIZE])
                plan.window = (unsigned) granted->value[TFTP_OPTION_WINDOWSIZE];
        if (granted->present[TFTP_OPTION_UTIMEOUT])
                plan.utimeout = granted->value[TFTP_OPTION_UTIMEOUT];

        if (!any || plan.block_size < asked->value[TFTP_OPTION_BLKSIZE])
                path->block_max = plan.block_size;
        if (!any || plan.window < asked->value[TFTP_OPTION_WINDOWSIZE])
                path->window_max = plan.window;
        if (!any || plan.utimeout < asked->value[TFTP_OPTION_UTIMEOUT])
                path->has_utimeout = false;
        return plan;
}

void tftp_path_on_block(TftpPath *path, size_t size) {
        unsigned frames = tftp_path_frames(path, size);

        path->n_frames += frames;
        path->fragments_come |= frames > 1;
}

unsigned tftp_path_fragments(const TftpPath *path) {
        uint64_t left = TFTP_FRAGMENTS_USEC -
                        MIN(path->fragments.at - path->fragments.since, TFTP_FRAGMENTS_USEC);

        return path->fragments.n + (unsigned) (path->fragments.n_before * left / TFTP_FRAGMENTS_USEC);
}

void tftp_path_on_lost(TftpPath *path, uint64_t now, const TftpPlan *plan, unsigned n_blocks) {
        unsigned frames = tftp_path_frames(path, plan->block_size);

        path->n_lost += n_blocks;
        if (now - path->fragments.since >= TFTP_FRAGMENTS_USEC) {
                path->fragments.n_before = now - path->fragments.since < 2 * TFTP_FRAGMENTS_USEC
                                ? path->fragments.n
                                : 0;
                path->fragments.n = 0;
                path->fragments.since = now;
        }
        path->fragments.at = now;
        if (frames == 1)
                return;
        path->fragments.n += n_blocks * frames;
        if ((path->n_lost >= LOST_MAX && !path->fragments_come) ||
                        tftp_path_fragments(path) > TFTP_FRAGMENTS_MAX)
                path->fragments_lost = true;
}

void tftp_path_on_late(TftpPath *path, const TftpPlan *plan) {
        unsigned frames = tftp_path_frames(path, plan->block_size);

        path->n_lost -= MIN(path->n_lost, 1u);
        if (frames > 1)
                path->fragments.n -= MIN(path->fragments.n, frames);
}
