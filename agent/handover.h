/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How a file passes from program to program: sdi-agent to sdi-unwrap, sdi-unwrap to sdi-load. One AF_UNIX SOCK_SEQPACKET request, a
 * fixed-size header and a sealed memfd beside it, and one reply, a verdict and a reason. The receiver trusts the sender in
 * nothing: peer, length, seals, size and every field are checked here.
 *
 * sdi-unwrap passes the connection of who asked it on with the configuration, so that sdi-load can answer there and sdi-unwrap,
 * whose memory has seen keys, can end while the loader works. It waits only until sdi-load has taken over, which closes
 * their own connection to say so.
 */

#include "agent/verdict.h"
#include "base/time.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HANDOVER_ORIGIN_MAX 512
#define HANDOVER_REASON_MAX 256

typedef enum HandoverFlags {
        HANDOVER_REINSTALL = 1 << 0, /* the device may be provisioned already; only root may say so */
        HANDOVER_ENCRYPTED = 1 << 1, /* to sdi-load: the file was, and is no more */
        HANDOVER_MERGE = 1 << 2,     /* with HANDOVER_REINSTALL: into what is installed, not in its place */
        _HANDOVER_FLAGS_ALL = HANDOVER_REINSTALL | HANDOVER_ENCRYPTED | HANDOVER_MERGE,
} HandoverFlags;

typedef struct HandoverRequest {
        char magic[8];
        uint32_t flags;
        uint32_t reserved;
        uint64_t size;                    /* of the file in the memfd */
        char origin[HANDOVER_ORIGIN_MAX]; /* URL or path, printable; never empty */
        char interface[IFNAMSIZ];         /* empty for a local file */

        /* To sdi-load only; zero on the first hop. */
        uint8_t sha256[32]; /* of the file as it was fetched */
        char key_fingerprint
                        [65]; /* SHA-256 of the key that unwrapped it, hexadecimal; empty if it was not encrypted */
        char padding[7];
} HandoverRequest;

typedef struct HandoverReply {
        char magic[8];
        uint32_t verdict;
        uint32_t reserved;
        char reason[HANDOVER_REASON_MAX]; /* one printable line for a person; empty with VERDICT_INSTALLED */
} HandoverReply;

/* Fills a request; `origin` and `interface` are printable, and cut to fit. */
void handover_request_init(HandoverRequest *request, const char *origin, const char *interface);

/* So long a receiver waits for the request of who has connected. */
#define HANDOVER_PATIENCE_USEC (5 * USEC_PER_SEC)

/* Connects to the socket at `path`; -EPERM unless root listens there, so that nobody else is told a configuration. */
int handover_connect(const char *path);

/*
 * A connection made ahead: who listens there is started, and gets ready, while the file is still on its way. `fd` is -1 where there
 * is none; what is left in the end is the owner's to close.
 */
typedef struct HandoverAhead {
        int fd;
        uint64_t since;
} HandoverAhead;

/* Errors are not told: handover_take() meets them again. */
void handover_prepare(HandoverAhead *ahead, const char *path);

/* The connection made ahead if its receiver surely still waits, else a new one. It is the caller's; errors as of handover_connect(). */
int handover_take(HandoverAhead *ahead, const char *path);

/* Sends request and memfd, and the connection on which to answer or -1 for this one. All stay the caller's; the size is filled in. */
int handover_send(int fd, HandoverRequest *request, int fd_file, int fd_reply);

/* After handover_send() with a connection to answer on: 0 when the receiver has taken over, -EPROTO, -EAGAIN, ... */
int handover_wait_taken(int fd);

/*
 * Receives a request. Returns 0 and a memfd that the caller owns; -EBADMSG for anything that is not one whole, valid request
 * with one sealed memfd of the size it states and, if and only if `ret_reply` is not NULL, a connection to answer on;
 * -ENODATA when the peer has closed.
 */
int handover_receive(int fd, HandoverRequest *ret, int *ret_file, int *ret_reply);

/* `reason` is printable, and cut to fit. */
int handover_reply(int fd, Verdict verdict, const char *reason);

/* 0; -EBADMSG; -ECONNRESET when the peer has ended without a reply; -EAGAIN. */
int handover_receive_reply(int fd, Verdict *ret, char ret_reason[static HANDOVER_REASON_MAX]);
