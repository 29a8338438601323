/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keyring.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define CERTIFICATE_SIZE_MAX (64 * 1024)

static const struct {
        const char *name;
        TpmKeySlot slot;
        const char *file;
} slots[] = {
        [KEYRING_OPERATOR] = { "operator", TPM_KEY_OPERATOR, "operator.crt" },
        [KEYRING_DEVICE] = { "device", TPM_KEY_DEVICE, "device.crt" },
        [KEYRING_HANDLE] = { "handle", _TPM_KEY_SLOT_MAX, NULL },
};
static_assert(ELEMENTSOF(slots) == _KEYRING_SLOT_MAX, "every slot is known");

const char *keyring_slot_to_string(KeyringSlot slot) {
        return slots[slot].name;
}

int keyring_slot_from_string(const char *text, KeyringSlot *ret) {
        for (size_t i = 0; i < ELEMENTSOF(slots); i++)
                if (strcmp(text, slots[i].name) == 0) {
                        *ret = (KeyringSlot) i;
                        return 0;
                }
        return -EINVAL;
}

TpmKeySlot keyring_tpm_slot(KeyringSlot slot) {
        return slots[slot].slot;
}

const char *keyring_where(const Config *config, KeyringSlot slot, char *where) {
        if (slots[slot].file)
                return config_state_path(where, PATH_MAX, slots[slot].file);
        snprintf(where, PATH_MAX, "%s", config->key_certificate);
        return where;
}

static int load_nv(const Config *config, const char *index, Tpm **tpm, char reason[static TPM_REASON_MAX],
                Certificate **ret) {
        int r;

        if (!*tpm) {
                r = tpm_open(config->tcti, tpm, reason);
                if (r < 0)
                        return r;
        }
        r = certificate_load_index(*tpm, (uint32_t) strtoul(index, NULL, 16), ret);
        if (r < 0)
                snprintf(reason, TPM_REASON_MAX, "%s", r == -EBADMSG ? "no certificate" : tpm_reason(*tpm));
        return r;
}

int keyring_load(const Config *config, KeyringSlot slot, Tpm **tpm, char reason[static TPM_REASON_MAX],
                Certificate **ret) {
        _cleanup_free_ char *text = NULL;
        char where[PATH_MAX];
        size_t size;
        int r;

        keyring_where(config, slot, where);
        if (where[0] == '\0' || (slot == KEYRING_HANDLE && config->key_handle == 0))
                return -ENOENT;
        if (strncmp(where, "nv:", strlen("nv:")) == 0)
                return load_nv(config, where + strlen("nv:"), tpm, reason, ret);
        r = file_read(AT_FDCWD, where, CERTIFICATE_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = certificate_from_pem(text, size, ret);
        if (r < 0)
                snprintf(reason, TPM_REASON_MAX, "%.200s: %s", where,
                                r == -EBADMSG ? "no certificate, PEM" : strerror(-r));
        return r;
}

static int open_handle(const Config *config, Tpm *tpm, const Certificate *certificate, TpmKey **ret) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = tpm_key_open_handle(tpm, config->key_handle, &key);
        if (r >= 0)
                r = certificate_check_key(certificate, key);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(key);
        return 0;
}

static int open_key(const Config *config, KeyringSlot slot, Tpm *tpm, const Certificate *certificate,
                bool make, char reason[static TPM_REASON_MAX], TpmKey **ret) {
        size_t n;
        const uint8_t *public = certificate_get_public(certificate, &n);
        int r;

        if (slot == KEYRING_HANDLE)
                r = open_handle(config, tpm, certificate, ret);
        else
                r = make ? tpm_key_open(tpm, keyring_tpm_slot(slot), public, n, ret)
                         : tpm_key_find(tpm, keyring_tpm_slot(slot), public, n, ret);
        if (r == -ESTALE)
                snprintf(reason, TPM_REASON_MAX,
                                "the key in the TPM is not that of the certificate; `sdictl key create%s` makes a new one",
                                slot == KEYRING_OPERATOR ? " --slot=operator" : "");
        else if (r < 0)
                snprintf(reason, TPM_REASON_MAX, "%s", tpm_reason(tpm));
        if (r >= 0 && !config->bus_encryption)
                tpm_key_expose(*ret);
        return r;
}

int keyring_open(const Config *config, KeyringSlot slot, Tpm *tpm, const Certificate *certificate,
                char reason[static TPM_REASON_MAX], TpmKey **ret) {
        return open_key(config, slot, tpm, certificate, true, reason, ret);
}

int keyring_find(const Config *config, KeyringSlot slot, Tpm *tpm, const Certificate *certificate,
                char reason[static TPM_REASON_MAX], TpmKey **ret) {
        return open_key(config, slot, tpm, certificate, false, reason, ret);
}
