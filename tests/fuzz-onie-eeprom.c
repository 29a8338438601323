/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"
#include "agent/onie-eeprom.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An EEPROM; and, as no fuzzer finds a CRC, what its TLVs would be without one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char value[IDENTITY_TEXT_MAX + 1];
        Cursor tlvs, found;

        if (onie_eeprom_parse(data, size, &tlvs) == 0 && tlvs.left > size)
                abort();
        if (onie_eeprom_find(CURSOR(data, size), ONIE_TLV_SERIAL_NUMBER, &found) < 0)
                return 0;
        if (found.p < data || found.p + found.left > data + size)
                abort();
        if (identity_parse_value(value, found.p, found.left) == 0 &&
                        (strlen(value) == 0 || strpbrk(value, "/ \n\\%") || value[0] == '.' ||
                                        value[0] == '-'))
                abort();
        return 0;
}
