/* SPDX-License-Identifier: Apache-2.0 */

/* A line of the known devices: what is read is written again, and means the same. */

#include "base/text.h"
#include "operator/known-devices.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE], again[CERTIFICATE_FINGERPRINT_SIZE];
        char id[IDENTIFIER_MAX + 1], id_again[IDENTIFIER_MAX + 1], hex[2 * sizeof(fingerprint) + 1],
                        line[256];
        int n;

        if (known_devices_parse_line((const char *) data, size, id, fingerprint) <= 0)
                return 0;
        n = snprintf(line, sizeof(line), "%s %s", id, text_hex(hex, fingerprint, sizeof(fingerprint)));
        assert(known_devices_parse_line(line, (size_t) n, id_again, again) == 1);
        assert(strcmp(id, id_again) == 0 && memcmp(fingerprint, again, sizeof(again)) == 0);
        return 0;
}
