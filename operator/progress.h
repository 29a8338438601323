/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A bar on the terminal that standard error is; nothing on anything else. */

#include <stddef.h>

/* Shows it, at most ten times a second, and at the end. */
void progress_show(size_t done, size_t failed, size_t total);

/* Makes room for a line of text; progress_show() brings the bar back. */
void progress_hide(void);
