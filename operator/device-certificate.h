/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A certificate as a directory gives it. It has no trust of its own (RFC 8886, section 3.1): what counts is that it names the
 * device, and the fingerprint of its key.
 */

#include "base/identifier.h"
#include "tpm/certificate.h"

#define DEVICE_CERTIFICATE_SIZE_MAX 16384
#define DEVICE_CERTIFICATE_REASON_MAX 256

typedef struct DeviceCertificate {
        X509 *x509;        /* for OpenSSL */
        Certificate *read; /* the same, as a device reads it */
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
} DeviceCertificate;

/* PEM or DER, one certificate: 0, or -EBADMSG. Freed with device_certificate_done(). */
int device_certificate_parse(const void *data, size_t n, DeviceCertificate *ret);
void device_certificate_done(DeviceCertificate *certificate);

/* 0 when a CN or, as an IDevID has it (IEEE 802.1AR), the serialNumber of its subject is `id`; else -EPERM with a reason. */
int device_certificate_check_name(const DeviceCertificate *certificate, const char *id,
                char reason[static DEVICE_CERTIFICATE_REASON_MAX]);
