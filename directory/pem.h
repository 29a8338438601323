/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A certificate as RFC 7468, section 5, has it. *ret is freed with free(). -ENOMEM. */

#include <stddef.h>
#include <stdint.h>

int pem_from_der(const uint8_t *der, size_t n, char **ret, size_t *ret_size);
