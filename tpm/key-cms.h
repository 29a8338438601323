/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A key in the TPM as cms_decrypt() takes it. */

#include "tpm/cms.h"
#include "tpm/key.h"

/* Both must live as long as the result is used. The certificate is what files name, and must be of this key. */
CmsKey tpm_key_to_cms(TpmKey *key, const Certificate *certificate);
