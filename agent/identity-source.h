/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reads the identity from where the hardware keeps it. For programs that run as root. */

#include "agent/config.h"
#include "agent/identity.h"

/*
 * Goes through [Identity] Source= in its order; the first that yields a serial number counts. `root` is "/" but in tests.
 * Returns 0, or -ENODATA when no source has one: uuid and platform may be there nevertheless. `on_skip` is called with a
 * line for each source that has something which cannot serve as a serial number, and may be NULL.
 */
int identity_read(const Config *config, const char *root, void (*on_skip)(const char *line), Identity *ret);

/*
 * The DUID of a serial number: DUID-UUID (RFC 6355) with the version 5 UUID (RFC 9562 §5.5) of the serial number in the name
 * space below. An operator computes it with
 *     uuidgen --sha1 --namespace 904c4fda-dc73-4c83-8ca4-ca2f1ff03feb --name SN19842256
 * and puts 0004 before it.
 */
int identity_set_duid(Identity *identity);
