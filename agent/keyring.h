/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The keys that this device has: known by their certificates, which are kept where everybody can read them. */

#include "agent/config.h"
#include "tpm/certificate.h"

/* Where a file names several of our certificates, the first of these counts. */
typedef enum KeyringSlot {
        KEYRING_OPERATOR, /* the slots of tpm/key.h: state directory, operator.crt */
        KEYRING_DEVICE,   /* device.crt */
        KEYRING_HANDLE,   /* [Key] Handle= and Certificate=: made elsewhere */
        _KEYRING_SLOT_MAX,
} KeyringSlot;

const char *keyring_slot_to_string(KeyringSlot slot);
int keyring_slot_from_string(const char *text, KeyringSlot *ret);

/* The slot of tpm/key.h. Not for KEYRING_HANDLE. */
TpmKeySlot keyring_tpm_slot(KeyringSlot slot);

/* Where its certificate is: a path, or "nv:0x01c00002"; "" when none is configured. Returns `where`, of PATH_MAX. */
const char *keyring_where(const Config *config, KeyringSlot slot, char *where);

/*
 * -ENOENT: the slot is empty. A certificate in the TPM's memory is read from *tpm, which is opened if it is NULL; errors of tpm.h
 * then have a reason.
 */
int keyring_load(const Config *config, KeyringSlot slot, Tpm **tpm, char reason[static TPM_REASON_MAX],
                Certificate **ret);

/*
 * The key of that certificate: -ESTALE when the TPM has another one there. For all errors there is a reason. keyring_find() gives up
 * (-ENOENT) where the key would have to be made again, which may take long.
 */
int keyring_open(const Config *config, KeyringSlot slot, Tpm *tpm, const Certificate *certificate,
                char reason[static TPM_REASON_MAX], TpmKey **ret);
int keyring_find(const Config *config, KeyringSlot slot, Tpm *tpm, const Certificate *certificate,
                char reason[static TPM_REASON_MAX], TpmKey **ret);

/*
 * The certificate of a slot of ours, for its key and this name. What was published stays: the one in the state directory if it fits, else
 * the one in the TPM, else a new one. For all errors there is a reason.
 */
int keyring_make(const Config *config, KeyringSlot slot, Tpm *tpm, TpmKey *key, const char *name,
                char reason[static TPM_REASON_MAX], Certificate **ret);

/* Puts it where everybody reads it; on an error the reason names the file. */
int keyring_save(const Config *config, KeyringSlot slot, const Certificate *certificate,
                char reason[static TPM_REASON_MAX]);

/*
 * Empties a slot of ours: what the TPM has of it, then the file, so that the file is there as long as anything is. -ENOENT: it was
 * empty; for all other errors there is a reason. What others have put in its place in the TPM stays.
 */
int keyring_remove(const Config *config, KeyringSlot slot, char reason[static TPM_REASON_MAX]);

/* And into the TPM's memory, unless it is there: errors of tpm.h, which a device can live with. */
int keyring_keep(KeyringSlot slot, Tpm *tpm, const Certificate *certificate);
