/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Domain names as DHCPv6 and router advertisements carry them: RFC 1035 §3.1, without compression. */

#include "base/buffer.h"
#include "base/cursor.h"

#include <stdbool.h>

#define DOMAIN_NAME_MAX 254 /* as text, with its NUL */

/*
 * Takes a name from the cursor: its labels with dots between them. Returns 0; -ENODATA for the root, an empty name; -EBADMSG for
 * what is none, or has a label that is no host's: anything but letters, digits, "-" and "_".
 */
int domain_name_parse(Cursor *cursor, char ret[static DOMAIN_NAME_MAX]);

/* True for a name as domain_name_parse() returns it, with or without a dot behind it. */
bool domain_name_is_valid(const char *name);

/* Appends a name that is valid; a single label stays without its end (RFC 4704 §4.2: a partial name). */
void domain_name_append(Buffer *buffer, const char *name);
