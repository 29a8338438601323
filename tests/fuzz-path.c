/* SPDX-License-Identifier: Apache-2.0 */

/* A request's path, and what a form sends. What is taken for a device has an identifier as its name, and nothing else. */

#include "base/cleanup.h"
#include "directory/path.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        char value[256];

        assert(text);
        for (unsigned factory = 0; factory < 2; factory++) {
                Path path = path_parse(text, factory);
                bool named = path.kind == PATH_PEM || path.kind == PATH_DER || path.kind == PATH_JSON ||
                                path.kind == PATH_ENROLL;

                assert(named == (path.id[0] != '\0'));
                assert(!named || (identifier_is_valid(path.id, strlen(path.id)) && strstr(text, path.id)));
        }
        if (form_get((const char *) data, size, "serials", value, sizeof(value)) >= 0)
                assert(strlen(value) < sizeof(value));
        return 0;
}
