/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms-report.h"

#include <errno.h>
#include <openssl/objects.h>
#include <stdarg.h>
#include <stdio.h>

int cms_refuse(CmsReport *report, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(report->reason, sizeof(report->reason), format, ap);
        va_end(ap);
        return error;
}

const char *cms_oid_text(char text[static CMS_OID_TEXT], const ASN1_OBJECT *object) {
        if (OBJ_obj2txt(text, CMS_OID_TEXT, object, 0) <= 0)
                snprintf(text, CMS_OID_TEXT, "an unknown algorithm");
        return text;
}

int cms_key_failed(CmsReport *report, const CmsKey *key, int error) {
        const char *reason = key->reason ? key->reason(key->userdata) : "";

        if (error == -ENOMEM)
                return error;
        if (error == -EOPNOTSUPP)
                return cms_refuse(report, error, "this device's key cannot decrypt: %s", reason);
        return cms_refuse(report, -EAGAIN, "this device's key cannot be used now: %s", reason);
}
