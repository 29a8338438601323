/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/onie-eeprom.h"

#include <errno.h>
#include <string.h>

#define VERSION 1

/* CRC-32 as of IEEE 802.3, bit by bit: 2 KB once per boot need no table. */
static uint32_t crc32(const uint8_t *p, size_t n) {
        uint32_t crc = UINT32_MAX;

        for (; n > 0; p++, n--) {
                crc ^= *p;
                for (unsigned i = 0; i < 8; i++)
                        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
        return ~crc;
}

int onie_eeprom_size(const uint8_t *header, size_t size, size_t *ret) {
        static const uint8_t magic[8] = "TlvInfo";
        Cursor cursor = CURSOR(header, size);
        const uint8_t *id;
        uint8_t version;
        uint16_t length;

        if (cursor_take(&cursor, sizeof(magic), &id) < 0 || cursor_u8(&cursor, &version) < 0 ||
                        cursor_be16(&cursor, &length) < 0)
                return -EBADMSG;
        if (memcmp(id, magic, sizeof(magic)) != 0 || version != VERSION ||
                        length > ONIE_EEPROM_SIZE_MAX - ONIE_EEPROM_HEADER_SIZE)
                return -EBADMSG;
        *ret = ONIE_EEPROM_HEADER_SIZE + (size_t) length;
        return 0;
}

static int next_tlv(Cursor *tlvs, uint8_t *ret_type, Cursor *ret_value) {
        uint8_t type, length;

        if (cursor_u8(tlvs, &type) < 0 || cursor_u8(tlvs, &length) < 0 ||
                        cursor_sub(tlvs, length, ret_value) < 0)
                return -EBADMSG;
        *ret_type = type;
        return 0;
}

int onie_eeprom_parse(const uint8_t *data, size_t size, Cursor *ret) {
        Cursor all = CURSOR(data, size), rest, value, tlvs;
        uint32_t crc;
        uint8_t type;
        size_t whole;
        int r;

        r = onie_eeprom_size(data, size, &whole);
        if (r < 0)
                return r;
        r = cursor_sub(&all, whole, &rest);
        if (r < 0)
                return r;
        rest = tlvs = CURSOR(rest.p + ONIE_EEPROM_HEADER_SIZE, rest.left - ONIE_EEPROM_HEADER_SIZE);

        do {
                r = next_tlv(&rest, &type, &value);
                if (r < 0)
                        return r;
        } while (type != ONIE_TLV_CRC32);

        /* The CRC is the last TLV and covers all before its own value. */
        if (rest.left != 0 || cursor_be32(&value, &crc) < 0 || value.left != 0 ||
                        crc32(data, whole - 4) != crc)
                return -EBADMSG;
        *ret = CURSOR(tlvs.p, tlvs.left - 6);
        return 0;
}

int onie_eeprom_find(Cursor tlvs, OnieTlv wanted, Cursor *ret) {
        Cursor value;
        uint8_t type;

        while (next_tlv(&tlvs, &type, &value) == 0)
                if (type == wanted) {
                        *ret = value;
                        return 0;
                }
        return -ENODATA;
}
