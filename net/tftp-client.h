/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The TFTP client as a machine (RFC 1350, octet mode, reading): it is told the time and what arrived, and
 * says what to send and when it wants to be called again. It owns no socket and reads no clock;
 * net/tftp-transfer.h drives it.
 */

#include "net/ip-address.h"
#include "net/tftp-packet.h"

#include <stddef.h>
#include <stdint.h>

typedef enum TftpState {
        TFTP_STATE_REQUESTING, /* no answer yet: the server's TID is not known */
        TFTP_STATE_RECEIVING,
        TFTP_STATE_DONE,
        TFTP_STATE_FAILED,
        _TFTP_STATE_MAX,
} TftpState;

const char *tftp_state_to_string(TftpState state);

typedef struct TftpClientConfig {
        SocketAddress server;
        const char *file_name;
        uint64_t size_max; /* of the file */
        unsigned mtu;      /* of the link: what goes into one frame */

        /*
         * Chooses a new local TID (RFC 1350 §4): what still arrives for the last one is no longer given to
         * the machine. Called before each new request, not when one is repeated. Returns the size of the
         * receive buffer (SO_RCVBUF as the kernel counts it), which no burst may exceed, or an error, which
         * ends the transfer.
         */
        int (*open)(void *userdata);
        /* Sends from that TID. An error is a lost packet to the machine, except for the very first one. */
        int (*send)(const SocketAddress *to, const uint8_t *data, size_t size, void *userdata);
        /*
         * Writes at that place in the file, perhaps beyond a part that comes later; an error ends the
         * transfer.
         */
        int (*write)(uint64_t offset, const uint8_t *data, size_t size, void *userdata);
        /* 1 when this is what the file has at that place, else 0; an error ends the transfer. */
        int (*compare)(uint64_t offset, const uint8_t *data, size_t size, void *userdata);
        void *userdata;
} TftpClientConfig;

typedef struct TftpClient TftpClient;

/* Copies the configuration; file_name must outlive the client. */
int tftp_client_new(TftpClient **ret, const TftpClientConfig *config);
TftpClient *tftp_client_free(TftpClient *client);

/*
 * Sends the request. Returns -EINVAL or -ENAMETOOLONG for a name that no request can carry, else the error
 * of open() or send(). Not to be used further after an error.
 */
int tftp_client_start(TftpClient *client, uint64_t now);

/* Tells the server of a transfer under way that we give it up. */
void tftp_client_stop(TftpClient *client);

/* The next time at which it wants tftp_client_dispatch_timer(); USEC_INFINITY when it has ended. */
uint64_t tftp_client_get_timeout(const TftpClient *client);
void tftp_client_dispatch_timer(TftpClient *client, uint64_t now);

/* Gives it a packet. What is malformed, not for us or not expected is counted and changes nothing. */
void tftp_client_dispatch_packet(TftpClient *client, uint64_t now, const SocketAddress *from,
                const uint8_t *data, size_t size);

/* An ICMP error that says that `to` cannot be reached; `error` is the errno that the kernel makes of it. */
void tftp_client_dispatch_unreachable(TftpClient *client, uint64_t now, const SocketAddress *to, int error);

TftpState tftp_client_get_state(const TftpClient *client);

/*
 * Why it FAILED, negative: -ENOENT (no such file: the server's error 1 before anything of it has come, or 0
 * or 4 to a request without options), -EACCES and -EREMOTEIO (its error 2 and others, likewise), -ECONNRESET
 * (an error after that: broken off), -EFBIG (more than size_max), -EBADMSG (less than the server announced),
 * -ESTALE (the file has changed on the server meanwhile), -EPROTO (blocks larger than agreed), -ETIMEDOUT
 * (silence, or hardly more than that), -ECONNREFUSED and the like (ICMP), or what open(), write() or
 * compare() returned.
 */
int tftp_client_get_error(const TftpClient *client);

/*
 * The same for a person: what the server said, as one printable line, or a sentence of ours. Empty when
 * nothing failed.
 */
const char *tftp_client_get_reason(const TftpClient *client);

uint64_t tftp_client_get_bytes(const TftpClient *client);   /* in the file so far */
uint64_t tftp_client_get_size(const TftpClient *client);    /* announced, or TFTP_SIZE_UNKNOWN */
uint64_t tftp_client_get_dropped(const TftpClient *client); /* packets that changed nothing */

/* Of the blocks, as the server has agreed to them; before that, of those of a server without options. */
size_t tftp_client_get_block_size(const TftpClient *client);
