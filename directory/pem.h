/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A certificate as RFC 7468, section 5, has it. OpenSSL's own writer is made for more, and takes ten times as long. */

#include <stddef.h>
#include <stdint.h>

#define PEM_SIZE_MAX(n) ((n) *4 / 3 + (n) / 48 + 80)

/* Returns how long it is. `text` has PEM_SIZE_MAX(n) bytes. */
size_t pem_format(const uint8_t *der, size_t n, char *text);
