/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwrap.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "tpm/certificate.h"
#include "tpm/cms.h"
#include "tpm/key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>

#define CERTIFICATE_SIZE_MAX (64 * 1024)

/* The TPM is opened when, and only when, the file names our certificate. */
typedef struct DeviceKey {
        const Config *config;
        const Certificate *certificate;
        Tpm *tpm;
        TpmKey *key;
        bool stale; /* the certificate is of another key than the TPM's */
        char reason[TPM_REASON_MAX];
} DeviceKey;

static void device_key_close(DeviceKey *device) {
        tpm_key_free(device->key);
        tpm_free(device->tpm);
}

static int device_key_open(DeviceKey *device) {
        TpmKeyType type;
        int r;

        r = tpm_key_type_from_string(device->config->key_type, &type);
        if (r < 0)
                return r;
        r = tpm_open(device->config->tcti, &device->tpm, device->reason);
        if (r < 0)
                return r;
        r = tpm_key_open(device->tpm, TPM_KEY_DEVICE, type, &device->key);
        if (r < 0) {
                snprintf(device->reason, sizeof(device->reason), "%s", tpm_reason(device->tpm));
                return r;
        }
        r = certificate_check_key(device->certificate, device->key);
        device->stale = r == -ESTALE;
        if (device->stale)
                snprintf(device->reason, sizeof(device->reason),
                                "the key in the TPM is not that of the certificate; `sdictl key create` makes a new one");
        return r;
}

static int decrypt_rsa(void *userdata, const uint8_t *cipher, size_t n, uint8_t *ret_block) {
        DeviceKey *device = userdata;
        int r;

        r = device_key_open(device);
        if (r < 0)
                return r;
        r = tpm_key_decrypt_rsa(device->key, cipher, n, ret_block);
        if (r < 0)
                snprintf(device->reason, sizeof(device->reason), "%s", tpm_reason(device->tpm));
        return r;
}

static const char *device_key_reason(void *userdata) {
        const DeviceKey *device = userdata;

        return device->reason;
}

static int load_certificate(Certificate **ret) {
        _cleanup_free_ char *pem = NULL;
        char path[PATH_MAX];
        size_t size;
        int r;

        r = file_read(AT_FDCWD, config_state_path(path, sizeof(path), "device.crt"), CERTIFICATE_SIZE_MAX,
                        &pem, &size);
        return r < 0 ? r : certificate_from_pem(pem, size, ret);
}

static void set_fingerprint(const Certificate *certificate, UnwrapReport *report) {
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        size_t n;
        const uint8_t *public = certificate_get_public(certificate, &n);

        if (certificate_fingerprint(public, n, fingerprint) >= 0)
                text_hex(report->key_fingerprint, fingerprint, sizeof(fingerprint));
}

static Verdict verdict_of(int error) {
        switch (error) {
        case -EBADMSG:
                return VERDICT_MALFORMED;
        case -E2BIG:
                return VERDICT_TOO_LARGE;
        case -ENOKEY:
                return VERDICT_OTHER_DEVICE;
        case -EOPNOTSUPP:
                return VERDICT_UNSUPPORTED;
        case -EKEYREJECTED:
                return VERDICT_UNDECIPHERABLE;
        case -EAGAIN:
                return VERDICT_TPM_UNAVAILABLE;
        default: /* of the system */
                return VERDICT_UNAVAILABLE;
        }
}

static Verdict decrypt(const Config *config, const Envelope *envelope, int *ret_fd, UnwrapReport *report) {
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        _cleanup_(device_key_close) DeviceKey device = { .config = config };
        CmsReport cms = { 0 };
        int r;

        report->encrypted = true;
        r = load_certificate(&certificate);
        if (r < 0) {
                snprintf(report->reason, sizeof(report->reason),
                                "encrypted, but this device has no key yet; `sdictl key create` makes one");
                return VERDICT_NO_KEY;
        }

        device.certificate = certificate;
        r = cms_decrypt(envelope,
                        &(CmsKey){
                                        .certificate = certificate,
                                        .decrypt_rsa = decrypt_rsa,
                                        .reason = device_key_reason,
                                        .userdata = &device,
                        },
                        1, 0, ret_fd, &cms);
        snprintf(report->reason, sizeof(report->reason), "%s", cms.reason);
        snprintf(report->detail, sizeof(report->detail), "%s", cms.detail);
        snprintf(report->cipher, sizeof(report->cipher), "%s", cms.cipher);
        report->authenticated = cms.authenticated;
        if (device.stale)
                return VERDICT_NO_KEY;
        if (r < 0)
                return verdict_of(r);
        set_fingerprint(certificate, report);
        return VERDICT_INSTALLED;
}

static Verdict unwrap(const Config *config, int fd_file, const void *file, size_t size, int *ret_fd,
                UnwrapReport *report) {
        Envelope envelope;
        int r;

        if (EVP_Digest(file, size, report->sha256, NULL, EVP_sha256(), NULL) != 1) {
                snprintf(report->reason, sizeof(report->reason), "out of memory");
                return VERDICT_UNAVAILABLE;
        }
        r = envelope_detect(file, size, &envelope, report->reason);
        if (r < 0)
                return VERDICT_MALFORMED;
        if (envelope.kind != ENVELOPE_PLAIN)
                return decrypt(config, &envelope, ret_fd, report);

        /* RFC 8886 §4.3: "configured to only support encrypted configuration [...] it should abort". */
        if (config->encrypted_only) {
                snprintf(report->reason, sizeof(report->reason),
                                "not encrypted, and EncryptedOnly=yes is set");
                return VERDICT_NOT_ENCRYPTED;
        }
        r = fcntl(fd_file, F_DUPFD_CLOEXEC, 3);
        if (r < 0) {
                snprintf(report->reason, sizeof(report->reason), "%s", strerror(errno));
                return VERDICT_UNAVAILABLE;
        }
        *ret_fd = r;
        return VERDICT_INSTALLED;
}

Verdict unwrap_file(const Config *config, int fd_file, size_t size, int *ret_fd, UnwrapReport *report) {
        Verdict verdict;
        void *file;

        *report = (UnwrapReport){ 0 };
        if (size == 0) {
                snprintf(report->reason, sizeof(report->reason), "the file is empty");
                return VERDICT_EMPTY;
        }
        file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd_file, 0);
        if (file == MAP_FAILED) {
                snprintf(report->reason, sizeof(report->reason), "%s", strerror(errno));
                return VERDICT_UNAVAILABLE;
        }
        verdict = unwrap(config, fd_file, file, size, ret_fd, report);
        munmap(file, size);
        return verdict;
}
