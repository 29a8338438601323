/* SPDX-License-Identifier: Apache-2.0 */

/* What a factory sends. What is accepted is a certificate that an operator's tool and a device read as well, with the key that it had. */

#include "base/cleanup.h"
#include "directory/submission.h"
#include "tpm/certificate.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const Policy policy = {
                .accept = { { (char *) "certificate", (char *) "request", (char *) "key" }, 3 },
                .key_types = { { (char *) "p256", (char *) "p384" }, 2 }, /* RSA keys take long to check */
                .extensions = { { (char *) "keyUsage", (char *) "subjectKeyIdentifier",
                                                (char *) "basicConstraints" },
                                3 },
                .issuers = (char *) "",
        };
        static const SubmissionRules rules = { .policy = &policy };
        char type[SUBMISSION_TYPE_MAX], reason[SUBMISSION_REASON_MAX] = "";
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        const uint8_t *public;
        static Record record;
        SubmissionKind kind;
        size_t n;
        int r;

        record = (Record){};
        r = submission_parse(&rules, size % 2 ? "SN1" : "", data, size, &record, &kind, type, reason);
        assert((r < 0) == (reason[0] != '\0'));
        if (r < 0)
                return 0;
        assert(certificate_from_der(record.der, record.n_der, &certificate) == 0);
        public = certificate_get_public(certificate, &n);
        assert(certificate_fingerprint(public, n, fingerprint) == 0);
        assert(memcmp(fingerprint, record.fingerprint, sizeof(fingerprint)) == 0);
        return 0;
}
