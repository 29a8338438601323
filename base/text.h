/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Text that comes from outside, made fit for a log line, a file name or a status. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies n bytes as one printable line: control bytes, DEL, backslash and all that is not ASCII become \xNN. What does
 * not fit ends in "...". Always NUL-terminated; returns `text`.
 */
const char *text_escape(char *text, size_t size, const void *data, size_t n);

/* The same for text that has been escaped before, such as a reason of another program's: a backslash stays. */
const char *text_escape_again(char *text, size_t size, const void *data, size_t n);

/* Lower-case hexadecimal; `text` holds 2 n + 1 bytes. Returns `text`. */
const char *text_hex(char *text, const void *data, size_t n);

/* The value of a hexadecimal digit in either case; -EINVAL for any other character. */
int text_parse_hex_digit(char digit);

/* True when every byte is a printable ASCII character other than space. */
bool text_is_graphic(const char *text);

/* Copies a string that must fit with its NUL: 0, or -E2BIG with `text` untouched. */
int text_copy(char *text, size_t size, const char *source);

/* A decimal number without sign or spaces: 0, -EINVAL, or -ERANGE when above `max`. */
int text_parse_u64(const char *text, uint64_t max, uint64_t *ret);

/* yes/no, true/false, on/off, 1/0 as systemd reads them. */
int text_parse_boolean(const char *text, bool *ret);
