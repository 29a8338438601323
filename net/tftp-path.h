/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is known of a path, the server at its end and the file, and how it is learnt. net/tftp-tuning.h draws conclusions. */

#include "base/time.h"
#include "net/tftp-packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a request is carried out, or would be. */
typedef struct TftpPlan {
        size_t block_size;
        unsigned window;
        uint64_t utimeout; /* 0: the server's own timer */
} TftpPlan;

typedef struct TftpPath {
        size_t frame_block;    /* the largest block that fits into one frame of the link */
        size_t receive_buffer; /* the socket's, as the kernel counts it */

        size_t block_max;    /* what the server grants at most */
        unsigned window_max; /* likewise; 1: it has no windows */
        bool has_utimeout;   /* it lets us set its timer, or has not been asked yet */
        uint64_t repeat;     /* after which it was seen to repeat a block by itself; at first a guess */

        uint64_t rtt;      /* 0: not known yet */
        uint64_t n_frames; /* that have come */
        uint64_t n_lost;   /* blocks or ACKs that have not */
        struct {
                uint64_t since, at;   /* the last loss */
                unsigned n, n_before; /* from then on, and in as long a time before */
        } fragments; /* of those of them that take more than a frame: what they leave in the kernel */
        bool fragments_come; /* a block of several frames has come through */
        bool fragments_lost; /* such blocks must not be asked for any more */

        uint64_t bytes; /* that we have already */
        uint64_t size;  /* of the file, or TFTP_SIZE_UNKNOWN */
} TftpPath;

/* A path of which only the link is known. */
TftpPath tftp_path(unsigned mtu, bool ipv6);

/* How many frames a block takes. */
unsigned tftp_path_frames(const TftpPath *path, size_t block_size);

/* What the server has made of a request (RFC 2347: what it has not granted is not in the OACK; without an OACK that is all). */
TftpPlan tftp_path_learn(TftpPath *path, const TftpOptions *asked, const TftpOptions *granted);

/* A block has come; blocks of a request with that plan, or their ACKs, have not. */
void tftp_path_on_block(TftpPath *path, size_t size);
void tftp_path_on_lost(TftpPath *path, uint64_t now, const TftpPlan *plan, unsigned n_blocks);

/* One of these was only late. */
void tftp_path_on_late(TftpPath *path, const TftpPlan *plan);

/*
 * What came of a block of which a fragment was lost waits in the kernel for that fragment, for 30 s as a rule, and there is
 * room for 4 MB of this. When it is full nothing is put together any more, ours or others'. This is what we take of it, and
 * what may be there now.
 */
#define TFTP_FRAGMENTS_USEC (30 * USEC_PER_SEC)
#define TFTP_FRAGMENTS_MAX 700
unsigned tftp_path_fragments(const TftpPath *path);
