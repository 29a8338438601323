/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The processes of a PID namespace, as /proc shows them: those of a command are told by being new. */

#include <stdbool.h>
#include <stdint.h>

/* Remembers which processes there are now. */
void processes_mark(void);

/* False for those that were there at processes_mark(), and for the caller. */
bool process_is_new(int pid);

void processes_for_each(void (*f)(int pid, void *userdata), void *userdata);

/* Memory in KB as PSS (a page that n processes share counts 1/n for each); 0 when it has just ended. */
uint64_t process_memory(int pid);
