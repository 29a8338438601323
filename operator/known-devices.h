/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The keys of devices as they were first seen (RFC 8886, section 3.1: *the consumer is expected to pin the end-entity key
 * fingerprint*), as ssh keeps those of hosts: a file with "IDENTIFIER FINGERPRINT" a line, the fingerprint SHA-256 of the public
 * key in hexadecimal, which `sdictl key show` prints on the device. Lines are added at the end and never changed, under a
 * lock: several programs may share a file.
 */

#include "base/identifier.h"
#include "tpm/certificate.h"

#define KNOWN_DEVICES_REASON_MAX 512

typedef struct KnownDevices KnownDevices;

/* `path` is made, with its folder, when it is not there. -EBADMSG, and the line in `reason`, for what is no such file. */
int known_devices_open(const char *path, KnownDevices **ret, char reason[static KNOWN_DEVICES_REASON_MAX]);

/* Accepts NULL, returns NULL. */
KnownDevices *known_devices_free(KnownDevices *known);

typedef enum KnownVerdict {
        KNOWN_SAME,
        KNOWN_NEW,     /* and now recorded */
        KNOWN_CHANGED, /* another key than the one recorded: `ret_line` is where */
} KnownVerdict;

/* A verdict, or a negative errno with the reason. `ret_recorded` is what is known of it. */
int known_devices_check(KnownDevices *known, const char *id,
                const uint8_t fingerprint[static CERTIFICATE_FINGERPRINT_SIZE],
                uint8_t ret_recorded[static CERTIFICATE_FINGERPRINT_SIZE], unsigned *ret_line,
                char reason[static KNOWN_DEVICES_REASON_MAX]);

/* Hexadecimal, in upper or lower case, with blanks or colons between: 0 or -EINVAL. */
int known_devices_parse_fingerprint(
                const char *text, size_t n, uint8_t ret[static CERTIFICATE_FINGERPRINT_SIZE]);

/* One line without its end: 1 for a device, 0 for a comment or a blank line, -EBADMSG. For the tests. */
int known_devices_parse_line(const char *text, size_t n, char ret_id[static IDENTIFIER_MAX + 1],
                uint8_t ret_fingerprint[static CERTIFICATE_FINGERPRINT_SIZE]);

DEFINE_CLEANUP(KnownDevices, known_devices_free)
