/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What becomes of a file that was handed over: the code of a hand-over's reply, and the `result` in status.json. */

#include <stdbool.h>
#include <stdint.h>

typedef enum Verdict {
        VERDICT_INSTALLED,           /* committed, and `provisioned` is on stable storage */
        VERDICT_ALREADY_PROVISIONED, /* by somebody else meanwhile; nothing was touched */

        /* The file will not do; the operator may replace it, so the schedule asks again. */
        VERDICT_EMPTY,
        VERDICT_TOO_LARGE,
        VERDICT_NOT_ENCRYPTED, /* and the device takes encrypted ones only */
        VERDICT_MALFORMED,
        VERDICT_UNSUPPORTED, /* encrypted in a way that the device does not take */
        VERDICT_OTHER_DEVICE,
        VERDICT_UNDECIPHERABLE, /* one answer for every cryptographic failure */
        VERDICT_CHECK_REFUSED,
        VERDICT_COMMIT_FAILED,
        VERDICT_TOO_SOON, /* not authenticated, and too many such files were opened lately; it was not opened */

        /* Nothing is known against the file. */
        VERDICT_UNDISCLOSED, /* not authenticated, and opened: nobody but root is told why it was not installed */
        VERDICT_LOADER_BUSY, /* EX_TEMPFAIL */
        VERDICT_LOADER_TIMEOUT,
        VERDICT_NO_KEY,
        VERDICT_TPM_UNAVAILABLE,
        VERDICT_MISCONFIGURED, /* sdi.conf, or no loader */
        VERDICT_UNAVAILABLE,   /* a program of ours did not answer, or had no memory */
        _VERDICT_MAX,
} Verdict;

/* "installed", "not-encrypted", ... as in sdictl(1). */
const char *verdict_to_string(Verdict verdict);

/* The device is provisioned: there is nothing left to do. */
bool verdict_is_final(Verdict verdict);

/* The file itself was refused, as against "not now". */
bool verdict_is_refusal(Verdict verdict);
