/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fetches one file by TFTP into a memfd: drives the client of net/tftp-client.h with a socket, a timer and
 * the clock.
 */

#include "base/event.h"
#include "net/ip-address.h"
#include "net/tftp-packet.h"

#include <stdint.h>

typedef struct TftpTransfer TftpTransfer;

typedef struct TftpTransferConfig {
        SocketAddress server;  /* with its port, TFTP_PORT as a rule; IPv6 link-local: with its scope */
        const char *interface; /* the port to use and no other, or NULL: as routes go */
        SocketAddress source;  /* our address, port 0; AF_UNSPEC: the kernel's choice */
        const char *file_name;
        uint64_t size_max; /* of the file, in bytes */
        unsigned mtu;      /* of the link; 0: 1500 */
} TftpTransferConfig;

/*
 * Called once, unless the transfer is freed before. error 0: fd_take is the caller's, an unsealed memfd that
 * holds the file and nothing else. Below 0: fd_take is -1; the error is one of tftp_client_get_error(). The
 * transfer may be freed in the call.
 */
typedef void (*tftp_transfer_done_t)(TftpTransfer *transfer, int error, int fd_take, void *userdata);

/*
 * Sends the request. Copies what is in the configuration. Errors that are known at once are returned,
 * without a call of `done`: -EINVAL, -ENAMETOOLONG (the name), -ENODEV (the interface), -EADDRNOTAVAIL (the
 * source), -ENETUNREACH.
 */
int tftp_transfer_new(TftpTransfer **ret, EventLoop *loop, const TftpTransferConfig *config,
                tftp_transfer_done_t done, void *userdata);

/* A transfer under way is given up, and the server told. */
TftpTransfer *tftp_transfer_free(TftpTransfer *transfer);

typedef struct TftpProgress {
        uint64_t bytes; /* received */
        uint64_t size;  /* announced by the server, or TFTP_SIZE_UNKNOWN */
        uint64_t rate;  /* bytes a second since the request */
} TftpProgress;

TftpProgress tftp_transfer_get_progress(const TftpTransfer *transfer);

/*
 * Why it failed, as one printable line: what the server said, or a sentence of ours. Empty unless it failed.
 */
const char *tftp_transfer_get_reason(const TftpTransfer *transfer);
