/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who this device is. Only root can read most sources, so `sdictl prepare` reads them (identity-source.h) before
 * sdi-agent starts, and the agent reads the file that it leaves.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_TEXT_MAX 64
#define IDENTITY_DUID_SIZE 18

typedef struct Identity {
        /* Each empty when not known; else [A-Za-z0-9._-], not beginning with "." or "-". */
        char serial[IDENTITY_TEXT_MAX + 1];
        char source[16]; /* of the serial number, as in [Identity] Source= */
        char uuid[IDENTITY_TEXT_MAX + 1];
        char platform[IDENTITY_TEXT_MAX + 1];

        /* DUID-UUID (RFC 6355): of a UUID that everybody can compute from the serial number; identity_set_duid(). */
        uint8_t duid[IDENTITY_DUID_SIZE];
        bool has_duid;
} Identity;

/*
 * Takes n bytes of a source for a value: surrounding white space and NULs removed, 0 if what is left can serve in a file
 * name; -EBADMSG for other bytes, -E2BIG, -ENODATA when empty or a maker's placeholder ("Default string", "000000").
 */
int identity_parse_value(char ret[static IDENTITY_TEXT_MAX + 1], const void *data, size_t n);

/* JSON, as `sdictl identity --json` prints it and $RUNTIME_DIRECTORY/identity.json holds it. *ret is freed by the caller. */
int identity_to_json(const Identity *identity, char **ret);

/* Everything is checked again: 0, -EBADMSG, or -ENOMEM. */
int identity_from_json(const char *text, size_t n, Identity *ret);
