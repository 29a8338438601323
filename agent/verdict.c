/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/verdict.h"

#include "base/cleanup.h"

#include <assert.h>

static const char *const names[] = {
        [VERDICT_INSTALLED] = "installed",
        [VERDICT_ALREADY_PROVISIONED] = "already-provisioned",
        [VERDICT_EMPTY] = "empty",
        [VERDICT_TOO_LARGE] = "too-large",
        [VERDICT_NOT_ENCRYPTED] = "not-encrypted",
        [VERDICT_MALFORMED] = "malformed",
        [VERDICT_UNSUPPORTED] = "unsupported-encryption",
        [VERDICT_OTHER_DEVICE] = "for-another-device",
        [VERDICT_UNDECIPHERABLE] = "cannot-be-decrypted",
        [VERDICT_CHECK_REFUSED] = "refused-by-check",
        [VERDICT_COMMIT_FAILED] = "commit-failed",
        [VERDICT_TOO_SOON] = "too-soon",
        [VERDICT_UNDISCLOSED] = "undisclosed",
        [VERDICT_LOADER_BUSY] = "loader-busy",
        [VERDICT_LOADER_TIMEOUT] = "loader-timeout",
        [VERDICT_NO_KEY] = "no-key",
        [VERDICT_TPM_UNAVAILABLE] = "tpm-unavailable",
        [VERDICT_MISCONFIGURED] = "misconfigured",
        [VERDICT_UNAVAILABLE] = "unavailable",
};
static_assert(ELEMENTSOF(names) == _VERDICT_MAX, "a verdict without a name");

const char *verdict_to_string(Verdict verdict) {
        return names[verdict];
}

bool verdict_is_final(Verdict verdict) {
        return verdict == VERDICT_INSTALLED || verdict == VERDICT_ALREADY_PROVISIONED;
}

bool verdict_is_refusal(Verdict verdict) {
        return verdict >= VERDICT_EMPTY && verdict <= VERDICT_TOO_SOON;
}
