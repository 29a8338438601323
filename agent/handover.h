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
 *
 * Root's `sdictl load` uses sockets of its own, so that it never waits behind others. It connects to sdi-load itself, leaves a ticket
 * there, and gives that connection to sdi-unwrap together with the file. So sdi-load knows from root what root has asked for, and
 * nobody else can ask for it.
 *
 * Nobody waits without a limit: sending has HANDOVER_PATIENCE_USEC, and a reply that its reader has no room for is dropped.
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
        HANDOVER_ENCRYPTED = 1 << 0, /* to sdi-load: the file was, and is no more */
        HANDOVER_ROOT = 1 << 1,      /* in a ticket, always: the device may be provisioned already */
        HANDOVER_MERGE = 1 << 2,     /* in a ticket: into what is installed, not in its place */
        HANDOVER_CHECK_ONLY = 1
                        << 3, /* to sdi-load: it is refused already, and checked for the look of it alone */
        _HANDOVER_FLAGS_REQUEST = HANDOVER_ENCRYPTED | HANDOVER_CHECK_ONLY,
        _HANDOVER_FLAGS_TICKET = HANDOVER_ROOT | HANDOVER_MERGE,
} HandoverFlags;

typedef struct HandoverRequest {
        char magic[8];
        uint32_t flags;
        uint32_t reserved;
        uint64_t size;                    /* of the file in the memfd */
        char origin[HANDOVER_ORIGIN_MAX]; /* URL or path, printable; never empty */
        char interface[IFNAMSIZ];         /* empty for a local file */

        /* To sdi-load only; zero on the first hop. A ticket has the hash, and the key's fingerprint is empty. */
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

/* How long a receiver waits for the request after a connection, and a sender for a receiver that has no room. */
#define HANDOVER_PATIENCE_USEC (5 * USEC_PER_SEC)

/* How long sdi-unwrap may need beside the time of the loader: a slow TPM needs a minute. */
#define HANDOVER_MARGIN_USEC (5 * USEC_PER_MINUTE)

/*
 * Connects to the socket at `path`; -EPERM unless root listens there, so that nobody else is told a configuration; -EAGAIN when there
 * is no room for another connection in time.
 */
int handover_connect(const char *path);

/* Receiving on `fd` ends with -EAGAIN after so long. */
int handover_set_patience(int fd, uint64_t usec);

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

/*
 * Sends request and memfd, and a connection or -1: from sdi-unwrap to sdi-load the one on which to answer, from root to sdi-unwrap the
 * one to sdi-load. All stay the caller's; the size is filled in.
 */
int handover_send(int fd, HandoverRequest *request, int fd_file, int fd_connection);

/* Root's first message on a connection to sdi-load. `ticket` comes from handover_request_init(), with flags and hash set by the caller. */
int handover_send_ticket(int fd, const HandoverRequest *ticket);
int handover_receive_ticket(int fd, HandoverRequest *ret);

/* After handover_send() with a connection to answer on: 0 when the receiver has taken over, -EPROTO, -EAGAIN, ... */
int handover_wait_taken(int fd);

/*
 * Receives a request. Returns 0 and a memfd that the caller owns; -EBADMSG for anything that is not one whole, valid request
 * with one sealed memfd of the size it states and, if and only if `ret_connection` is not NULL, a connection;
 * -ENODATA when the peer has closed.
 */
int handover_receive(int fd, HandoverRequest *ret, int *ret_file, int *ret_connection);

/* `reason` is printable, and cut to fit. Never waits: -EAGAIN when the reader has no room. */
int handover_reply(int fd, Verdict verdict, const char *reason);

/* 0; -EBADMSG; -ECONNRESET when the peer has ended without a reply; -EAGAIN. */
int handover_receive_reply(int fd, Verdict *ret, char ret_reason[static HANDOVER_REASON_MAX]);
