/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TFTP packets as a client that reads files builds and parses them: RFC 1350, options of RFC 2347, 2348,
 * 2349 and 7440.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFTP_PORT 69

#define TFTP_BLOCK_SIZE_MIN 8 /* RFC 2348 */
#define TFTP_BLOCK_SIZE_DEFAULT 512
#define TFTP_BLOCK_SIZE_MAX 65464

#define TFTP_SIZE_UNKNOWN UINT64_MAX

#define TFTP_HEADER_SIZE 4
#define TFTP_DATA_MAX (TFTP_HEADER_SIZE + TFTP_BLOCK_SIZE_MAX)
#define TFTP_REQUEST_MAX 512 /* RFC 2347 */

typedef enum TftpOpcode {
        TFTP_RRQ = 1,
        TFTP_WRQ = 2,
        TFTP_DATA = 3,
        TFTP_ACK = 4,
        TFTP_ERROR = 5,
        TFTP_OACK = 6,
} TftpOpcode;

typedef enum TftpErrorCode {
        TFTP_ERROR_UNDEFINED = 0,
        TFTP_ERROR_NOT_FOUND = 1,
        TFTP_ERROR_ACCESS = 2,
        TFTP_ERROR_DISK_FULL = 3,
        TFTP_ERROR_ILLEGAL = 4,
        TFTP_ERROR_UNKNOWN_TID = 5,
        TFTP_ERROR_EXISTS = 6,
        TFTP_ERROR_NO_USER = 7,
        TFTP_ERROR_OPTION = 8, /* RFC 2347 */
} TftpErrorCode;

/* In the order in which they stand in a request: tftpd-hpa lets the last of timeout and utimeout win. */
typedef enum TftpOption {
        TFTP_OPTION_TSIZE,      /* RFC 2349: bytes */
        TFTP_OPTION_BLKSIZE,    /* RFC 2348: bytes */
        TFTP_OPTION_WINDOWSIZE, /* RFC 7440: blocks */
        TFTP_OPTION_TIMEOUT,    /* RFC 2349: seconds */
        TFTP_OPTION_UTIMEOUT,   /* tftpd-hpa's own: microseconds */
        _TFTP_OPTION_MAX,
} TftpOption;

typedef struct TftpOptions {
        bool present[_TFTP_OPTION_MAX];
        uint64_t value[_TFTP_OPTION_MAX];
} TftpOptions;

static inline void tftp_options_set(TftpOptions *options, TftpOption option, uint64_t value) {
        options->present[option] = true;
        options->value[option] = value;
}

bool tftp_options_any(const TftpOptions *options);

/*
 * RFC 2347: only what was asked for may be granted. RFC 2348, RFC 7440: blksize and windowsize may be less
 * than that. RFC 2349: a timeout is echoed as it is.
 */
bool tftp_options_acceptable(const TftpOptions *asked, const TftpOptions *granted);

typedef struct TftpPacket {
        TftpOpcode opcode; /* DATA, ERROR or OACK */
        union {
                uint16_t block; /* DATA */
                uint16_t code;  /* ERROR */
                TftpOptions options;
        };
        /*
         * DATA: the block; ERROR: the message, not terminated and not necessarily text. Both lie in what was
         * parsed.
         */
        const uint8_t *data;
        size_t size;
} TftpPacket;

/*
 * Parses what a server can send to a client that reads. Returns 0, -EBADMSG for what is malformed or is
 * nothing a server sends, and -EOPNOTSUPP for an OACK that no client could agree to: malformed, empty, with
 * an option that is not known or stands there twice, or with a value out of its range (RFC 2347: answered
 * with error 8).
 */
int tftp_packet_parse(TftpPacket *ret, const uint8_t *data, size_t size);

/*
 * A read request in octet mode. Returns its size, -EINVAL for an empty name, -ENAMETOOLONG when name and
 * options exceed the 512 bytes that RFC 2347 allows.
 */
int tftp_build_request(
                uint8_t packet[static TFTP_REQUEST_MAX], const char *name, const TftpOptions *options);

size_t tftp_build_ack(uint8_t packet[static TFTP_HEADER_SIZE], uint16_t block);

#define TFTP_ERROR_PACKET_MAX 64

/* `text` must fit. */
size_t tftp_build_error(uint8_t packet[static TFTP_ERROR_PACKET_MAX], TftpErrorCode code, const char *text);
