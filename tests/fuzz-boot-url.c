/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "net/boot-url.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const char *text) {
        BootUrl url;

        if (boot_url_parse(text, &url) < 0)
                return;
        if (url.port == 0 || (url.address.family == AF_UNSPEC) != (url.host[0] != '\0') ||
                        (url.host[0] && !domain_name_is_valid(url.host)))
                abort();
        for (const char *p = url.path; *p; p++)
                if (*p < 0x20 || *p >= 0x7f)
                        abort();
}

/* A name from the wire is as it should be, and is the same when it is built and parsed again. */
static void check_name(Cursor input) {
        char name[DOMAIN_NAME_MAX], again[DOMAIN_NAME_MAX];
        uint8_t memory[300];
        Buffer buffer = BUFFER(memory, sizeof(memory));
        Cursor cursor;

        if (domain_name_parse(&input, name) < 0)
                return;
        if (!domain_name_is_valid(name))
                abort();
        domain_name_append(&buffer, name);
        if (!strchr(name, '.'))
                buffer_append_u8(&buffer, 0);
        cursor = CURSOR(memory, buffer.size);
        if (buffer_status(&buffer) < 0 || domain_name_parse(&cursor, again) < 0 || cursor.left > 0 ||
                        strcmp(name, again) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);

        if (!text)
                abort();
        check_url(text);
        check_name(CURSOR(data, size));
        return 0;
}
