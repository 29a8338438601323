/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secrecy.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int secrecy_begin(void) {
        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                return -errno;
        /* -EPERM: the limit is 0 already, and not ours to raise. */
        return setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 1 }) < 0 && errno != EPERM ? -errno : 0;
}
