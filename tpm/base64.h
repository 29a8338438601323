/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cursor.h"

/*
 * Base64 (RFC 4648) as PEM and MIME carry it, with line ends and blanks anywhere. Nothing else is skipped, the last group
 * is complete, bits that do not count are zero, and nothing but blanks follows the padding: else -EBADMSG. Writes at
 * most BASE64_DECODED_MAX(text.left) bytes.
 */
#define BASE64_DECODED_MAX(n) ((n) / 4 * 3)

int base64_decode(Cursor text, uint8_t *ret_data, size_t *ret_size);
