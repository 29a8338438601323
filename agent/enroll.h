/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sends this device's identifier and public key to the vendor's directory (RFC 8886, section 3.1), over HTTPS with a client
 * certificate of the factory: PUT DIRECTORY/certificates/IDENTIFIER.
 */

#include "agent/config.h"
#include "agent/identity.h"
#include "tpm/certificate.h"

#define ENROLL_REASON_MAX 256
#define ENROLL_ANSWER_MAX 16384

/* What is sent, of the kind that Send= says: PEM, freed with free(). On an error there is a reason. */
int enroll_make(const Config *config, TpmKey *key, const Certificate *certificate, const Identity *identity,
                char **ret, char reason[static ENROLL_REASON_MAX]);

/*
 * Sends it. 0, and the certificate that the directory publishes, which may be another one with the same key: by that one will
 * files name this device.
 *
 *   -EAGAIN    not now: nobody there, or the directory cannot
 *   -EPERM     refused; the same would be refused again
 *   -EBADMSG   what it answered is not a certificate
 */
int enroll_send(const Config *config, const char *id, const char *text, Certificate **ret,
                char reason[static ENROLL_REASON_MAX]);

/* How long to wait after the nth attempt that failed, from 1 on: a second, then twice that, up to 5 minutes, and for ever. */
uint64_t enroll_backoff(unsigned n_failed, uint32_t random);

/* $STATE_DIRECTORY/enrolled: that it is done, where and with which key. */
int enroll_record(const Config *config, const char *id, const Certificate *certificate);

/* Whether it is done, for this directory, identifier and key. */
bool enroll_is_recorded(const Config *config, const char *id, const Certificate *certificate);
