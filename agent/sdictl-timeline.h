/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When the steps of the last attempt were made, from the journal of this boot, where the caller may read it. */

#include <jansson.h>

/* A list of objects: step, interface (or null), seconds since the boot. null where there is no journal to be read. */
json_t *sdictl_timeline(void);

/* The same for a person. */
void sdictl_print_timeline(const json_t *timeline);
