/* SPDX-License-Identifier: Apache-2.0 */

/* Detection, and the base64 in what was detected. */

#include "base/cleanup.h"
#include "tpm/base64.h"
#include "tpm/envelope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ uint8_t *decoded = NULL;
        char reason[ENVELOPE_REASON_MAX];
        Envelope envelope;
        size_t n;

        if (envelope_detect(data, size, &envelope, reason) < 0 || !envelope.base64)
                return 0;
        decoded = malloc(BASE64_DECODED_MAX(envelope.body.left) + 1);
        if (!decoded)
                abort();
        if (base64_decode(envelope.body, decoded, &n) >= 0 && n > BASE64_DECODED_MAX(envelope.body.left))
                abort();
        return 0;
}
