/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwrap.h"

#include "agent/keyring.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "tpm/cms.h"
#include "tpm/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>

/* The TPM is opened when, and only when, the file names one of our certificates, or one is kept in the TPM. */
typedef struct Device {
        const Config *config;
        Certificate *certificates[_KEYRING_SLOT_MAX];
        Tpm *tpm;
        bool stale; /* the certificate is of another key than the TPM's */
        char reason[TPM_REASON_MAX];
} Device;

typedef struct DeviceKey {
        Device *device;
        KeyringSlot slot;
} DeviceKey;

static void device_done(Device *device) {
        for (size_t i = 0; i < ELEMENTSOF(device->certificates); i++)
                certificate_free(device->certificates[i]);
        tpm_free(device->tpm);
}

static int open_key(const DeviceKey *slot, TpmKey **ret) {
        Device *device = slot->device;
        int r;

        if (!device->tpm) {
                r = tpm_open(device->config->tcti, &device->tpm, device->reason);
                if (r < 0)
                        return r;
        }
        r = keyring_open(device->config, slot->slot, device->tpm, device->certificates[slot->slot],
                        device->reason, ret);
        device->stale = r == -ESTALE;
        return r;
}

static int decrypt_rsa(void *userdata, const uint8_t *cipher, size_t n, uint8_t *ret_block) {
        const DeviceKey *slot = userdata;
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_key(slot, &key);
        if (r < 0)
                return r;
        r = tpm_key_decrypt_rsa(key, cipher, n, ret_block);
        if (r < 0)
                snprintf(slot->device->reason, TPM_REASON_MAX, "%s", tpm_key_reason(key));
        return r;
}

static int agree_ecdh(void *userdata, const uint8_t *point, size_t n_point, uint8_t *ret_z) {
        const DeviceKey *slot = userdata;
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_key(slot, &key);
        if (r < 0)
                return r;
        r = tpm_key_agree_ecdh(key, point, n_point, ret_z);
        if (r < 0)
                snprintf(slot->device->reason, TPM_REASON_MAX, "%s", tpm_key_reason(key));
        return r;
}

static const char *key_reason(void *userdata) {
        const DeviceKey *slot = userdata;

        return slot->device->reason;
}

/* How many keys there are. Where there is none for want of a certificate that can be read: negative errno, with a reason. */
static int load_keys(Device *device, DeviceKey slots[static _KEYRING_SLOT_MAX],
                CmsKey ret[static _KEYRING_SLOT_MAX]) {
        int n = 0, error = 0;

        for (KeyringSlot slot = 0; slot < _KEYRING_SLOT_MAX; slot++) {
                int r;

                r = keyring_load(device->config, slot, &device->tpm, device->reason,
                                &device->certificates[slot]);
                if (r < 0) {
                        error = r == -ENOENT ? error : r;
                        continue;
                }
                slots[n] = (DeviceKey){ .device = device, .slot = slot };
                ret[n] = (CmsKey){
                        .certificate = device->certificates[slot],
                        .decrypt_rsa = decrypt_rsa,
                        .agree_ecdh = agree_ecdh,
                        .reason = key_reason,
                        .userdata = &slots[n],
                };
                n++;
        }
        return n > 0 ? n : error;
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
        case -EPERM: /* triple DES */
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
        _cleanup_(device_done) Device device = { .config = config };
        DeviceKey slots[_KEYRING_SLOT_MAX];
        CmsKey keys[_KEYRING_SLOT_MAX];
        CmsReport cms = { 0 };
        int n, r;

        report->encrypted = true;
        n = load_keys(&device, slots, keys);
        if (n <= 0) {
                snprintf(report->reason, sizeof(report->reason), "%s",
                                n < 0 ? device.reason
                                      : "encrypted, but this device has no key yet; `sdictl key create` makes one");
                return n == -EAGAIN || n == -ENODEV ? VERDICT_TPM_UNAVAILABLE : VERDICT_NO_KEY;
        }

        r = cms_decrypt(envelope, keys, (size_t) n, config->legacy_ciphers ? CMS_LEGACY_CIPHERS : 0, ret_fd,
                        &cms);
        snprintf(report->reason, sizeof(report->reason), "%s", cms.reason);
        snprintf(report->detail, sizeof(report->detail), "%s", cms.detail);
        snprintf(report->cipher, sizeof(report->cipher), "%s", cms.cipher);
        report->authenticated = cms.authenticated;
        if (device.stale)
                return VERDICT_NO_KEY;
        if (r < 0)
                return verdict_of(r);
        set_fingerprint(keys[cms.key].certificate, report);
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
