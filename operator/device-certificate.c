/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/device-certificate.h"

#include "base/text.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <string.h>

void device_certificate_done(DeviceCertificate *certificate) {
        X509_free(certificate->x509);
        certificate_free(certificate->read);
        *certificate = (DeviceCertificate){};
}

static int parse(const void *data, size_t n, DeviceCertificate *certificate) {
        const uint8_t *der, *public;
        size_t n_der, n_public;
        int r;

        r = certificate_from_pem(data, n, &certificate->read);
        if (r == -EBADMSG) {
                r = certificate_from_der(data, n, &certificate->read);
                if (r >= 0) {
                        (void) certificate_get_der(certificate->read, &n_der);
                        if (n_der != n)
                                return -EBADMSG;
                }
        }
        if (r < 0)
                return r;
        der = certificate_get_der(certificate->read, &n_der);
        certificate->x509 = d2i_X509(NULL, &der, (long) n_der);
        if (!certificate->x509)
                return openssl_error(-EBADMSG);
        public = certificate_get_public(certificate->read, &n_public);
        return certificate_fingerprint(public, n_public, certificate->fingerprint);
}

int device_certificate_parse(const void *data, size_t n, DeviceCertificate *ret) {
        DeviceCertificate certificate = {};
        int r;

        if (n > DEVICE_CERTIFICATE_SIZE_MAX)
                return -EBADMSG;
        r = parse(data, n, &certificate);
        if (r < 0) {
                device_certificate_done(&certificate);
                return r;
        }
        *ret = certificate;
        return 0;
}

/* All of the name: one with a NUL in it is not what it looks like. */
static bool is(const X509_NAME_ENTRY *entry, const char *id) {
        _cleanup_openssl_ unsigned char *text = NULL;
        int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));

        return n >= 0 && (size_t) n == strlen(id) && memcmp(text, id, (size_t) n) == 0;
}

int device_certificate_check_name(const DeviceCertificate *certificate, const char *id,
                char reason[static DEVICE_CERTIFICATE_REASON_MAX]) {
        static const int types[] = { NID_commonName, NID_serialNumber };
        const X509_NAME *subject = X509_get_subject_name(certificate->x509);
        char shown[160];

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, types[i], at)) >= 0;)
                        if (is(X509_NAME_get_entry(subject, at), id))
                                return openssl_error(0);
        X509_NAME_oneline(subject, shown, sizeof(shown)); /* escapes what is not printable */
        snprintf(reason, DEVICE_CERTIFICATE_REASON_MAX, "the certificate is not of this device, but of %s",
                        shown);
        return openssl_error(-EPERM);
}
