/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The board's EEPROM in the TlvInfo format that ONIE defines for white-box switches. */

#include "base/cursor.h"

#include <stddef.h>
#include <stdint.h>

#define ONIE_EEPROM_HEADER_SIZE 11
#define ONIE_EEPROM_SIZE_MAX 2048

typedef enum OnieTlv {
        ONIE_TLV_PRODUCT_NAME = 0x21,
        ONIE_TLV_SERIAL_NUMBER = 0x23,
        ONIE_TLV_PLATFORM_NAME = 0x28,
        ONIE_TLV_CRC32 = 0xfe,
} OnieTlv;

/* The size of the whole, header included, by its first ONIE_EEPROM_HEADER_SIZE bytes; -EBADMSG if this is no TlvInfo. */
int onie_eeprom_size(const uint8_t *header, size_t size, size_t *ret);

/*
 * Checks the whole, its CRC-32 last: 0 or -EBADMSG. On success *ret stands before the first TLV and ends before the CRC, for
 * onie_eeprom_find().
 */
int onie_eeprom_parse(const uint8_t *data, size_t size, Cursor *ret);

/* The first TLV of this type: 0, or -ENODATA. */
int onie_eeprom_find(Cursor tlvs, OnieTlv type, Cursor *ret);
