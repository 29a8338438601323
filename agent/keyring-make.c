/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keyring.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static bool fits(const Certificate *certificate, const TpmKey *key, const char *name) {
        char text[CERTIFICATE_NAME_MAX + 1];

        return certificate_check_key(certificate, key) >= 0 &&
                        strcmp(certificate_get_name(certificate, text), name) == 0;
}

int keyring_make(const Config *config, KeyringSlot slot, Tpm *tpm, TpmKey *key, const char *name,
                char reason[static TPM_REASON_MAX], Certificate **ret) {
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        int r;

        if (keyring_load(config, slot, &tpm, reason, &certificate) >= 0 && fits(certificate, key, name)) {
                *ret = TAKE_PTR(certificate);
                return 0;
        }
        certificate = certificate_free(certificate);
        if (certificate_load(tpm, keyring_tpm_slot(slot), &certificate) >= 0 &&
                        fits(certificate, key, name)) {
                *ret = TAKE_PTR(certificate);
                return 0;
        }
        r = certificate_make(key, name, ret);
        if (r < 0)
                snprintf(reason, TPM_REASON_MAX, "cannot make the certificate: %.200s",
                                r == -EINVAL ? "the serial number cannot be a name in it" : tpm_reason(tpm));
        return r;
}

int keyring_save(const Config *config, KeyringSlot slot, const Certificate *certificate,
                char reason[static TPM_REASON_MAX]) {
        _cleanup_free_ char *pem = NULL;
        char path[PATH_MAX];
        int r;

        config_state_path(path, sizeof(path), "");
        r = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : certificate_to_pem(certificate, &pem);
        if (r >= 0)
                r = file_replace(keyring_where(config, slot, path), pem, strlen(pem), 0644, FILE_DURABLE);
        if (r < 0)
                snprintf(reason, TPM_REASON_MAX, "%.160s: %s", path, strerror(-r));
        return r;
}

/* Whether the TPM's memory holds just this one. */
static bool is_kept(TpmKeySlot slot, Tpm *tpm, const Certificate *certificate) {
        _cleanup_(certificate_freep) Certificate *kept = NULL;
        const uint8_t *ours, *theirs;
        size_t n_ours, n_theirs;

        if (certificate_load(tpm, slot, &kept) < 0)
                return false;
        ours = certificate_get_der(certificate, &n_ours);
        theirs = certificate_get_der(kept, &n_theirs);
        return n_ours == n_theirs && memcmp(ours, theirs, n_ours) == 0;
}

int keyring_keep(KeyringSlot slot, Tpm *tpm, const Certificate *certificate) {
        TpmKeySlot tpm_slot = keyring_tpm_slot(slot);

        return is_kept(tpm_slot, tpm, certificate) ? 0 : certificate_store(tpm, tpm_slot, certificate);
}

int keyring_remove(const Config *config, KeyringSlot slot, char reason[static TPM_REASON_MAX]) {
        _cleanup_tpm_ Tpm *tpm = NULL;
        char path[PATH_MAX];
        bool gone = false;
        int r;

        r = tpm_open(config->tcti, &tpm, reason);
        if (r < 0)
                return r;
        r = tpm_key_remove(tpm, keyring_tpm_slot(slot));
        gone = r >= 0;
        if (r >= 0 || r == -ENOENT) {
                r = certificate_discard(tpm, keyring_tpm_slot(slot));
                gone = gone || r >= 0;
        }
        if (r < 0 && r != -ENOENT && r != -EEXIST) {
                snprintf(reason, TPM_REASON_MAX, "%s", tpm_reason(tpm));
                return r;
        }
        r = file_remove(keyring_where(config, slot, path));
        if (r < 0 && r != -ENOENT) {
                snprintf(reason, TPM_REASON_MAX, "%.200s: %s", path, strerror(-r));
                return r;
        }
        return gone || r >= 0 ? 0 : -ENOENT;
}
