/* SPDX-License-Identifier: Apache-2.0 */

/* The whole reader on any file, with keys in software that the corpus is encrypted to. */

#include "base/cleanup.h"
#include "base/memfd.h"
#include "tests/software-key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static SoftwareKey rsa, p256;
        char reason[ENVELOPE_REASON_MAX];
        _cleanup_close_ int fd = -1;
        Envelope envelope;
        CmsReport report;
        uint64_t n;

        if (!rsa.key) {
                must(software_key_open(SOFTWARE_KEY_RSA2048, "SN19842256", &rsa) >= 0);
                must(software_key_open(SOFTWARE_KEY_P256, "SN19842256", &p256) >= 0);
        }
        if (envelope_detect(data, size, &envelope, reason) < 0 || envelope.kind == ENVELOPE_PLAIN)
                return 0;

        rsa.n_operations = p256.n_operations = 0;
        if (cms_decrypt(&envelope, (const CmsKey[]){ rsa.cms, p256.cms }, 2, CMS_LEGACY_CIPHERS, &fd,
                            &report) >= 0) {
                must(memfd_check_sealed(fd, &n) >= 0 && n <= size);
                must(rsa.n_operations + p256.n_operations == 1);
        } else {
                must(fd == -1 && report.reason[0]);
                must(rsa.n_operations + p256.n_operations <= 1);
        }
        return 0;
}
