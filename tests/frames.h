/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Frames captured from real servers, in tests/frames/. */

#include "tests/test.h"

#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads one; the caller frees it. The folder comes from meson. */
static inline uint8_t *frame_read(const char *name, size_t *ret_size) {
        char path[PATH_MAX], *data;

        snprintf(path, sizeof(path), "%s/%s", getenv("SDI_FRAMES"), name);
        assert_int_equal(file_read(AT_FDCWD, path, 65536, &data, ret_size), 0);
        return (uint8_t *) data;
}
