/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For programs whose memory holds what nobody else may see. */

/*
 * No core dump of this process and of those that it starts, and no debugger for this one. The limit is 1, not 0:
 * where /proc/sys/kernel/core_pattern is a program, the kernel starts it at a limit of 0, too (core(5)).
 */
int secrecy_begin(void);
