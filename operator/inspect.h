/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An encrypted file as a device sees it. What decides is the device's own reader (tpm/cms.h): it checks all that can be checked
 * without the private key before it uses that key, so that a file which makes it ask for the key is one that the device takes.
 */

#include "tpm/certificate.h"

#include <stdio.h>

#define INSPECT_REASON_MAX 256

/*
 * 0 when the device of this certificate takes the file, as far as can be seen without its key; else the errors of cms_decrypt() with
 * the reason. -ENOKEY: it is for somebody else.
 */
int inspect_check(const void *file, size_t size, const Certificate *certificate,
                char reason[static INSPECT_REASON_MAX]);

/* The same for whichever device it is for: 0 when it is whole and well-formed. */
int inspect_check_form(const void *file, size_t size, char reason[static INSPECT_REASON_MAX]);

/*
 * Prints for whom it is, how it is encrypted, and whether our devices take it; with a certificate, whether that one's does. 0 when one does;
 * else a negative errno, after having said why.
 */
int inspect_print(const void *file, size_t size, const Certificate *certificate, FILE *output);
