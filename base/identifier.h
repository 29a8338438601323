/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A *unique device identifier* (RFC 8886, section 2): the serial number, as it stands in file names, in URLs and in a
 * certificate. [A-Za-z0-9._-], not beginning with "." or "-", so that none of these needs quoting and none is an option or leaves
 * its folder.
 */

#include <stdbool.h>
#include <stddef.h>

#define IDENTIFIER_MAX 64

/* Whether these n bytes are one. */
bool identifier_is_valid(const char *text, size_t n);

/* Copies one with a NUL: 0, or -EINVAL when it is none, with `ret` untouched. */
int identifier_parse(const char *text, size_t n, char ret[static IDENTIFIER_MAX + 1]);
