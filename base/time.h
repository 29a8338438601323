/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Time is uint64_t microseconds. Deadlines are absolute and on CLOCK_BOOTTIME, so that neither a clock that is set
 * for the first time nor a suspend disturbs them. Only mains and glue read a clock; machines are given `now`.
 */

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC (1000 * USEC_PER_MSEC)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_INFINITY UINT64_MAX

uint64_t time_now_boottime(void);
uint64_t time_now_realtime(void);

/* a + b, USEC_INFINITY when either is or when the sum would wrap. */
uint64_t time_add(uint64_t a, uint64_t b);

/*
 * Parses a time span as systemd.time(7) writes it: "5min", "1h 30min", "90" (seconds), "250ms". Units: us, ms, s/sec,
 * m/min, h/hr, d/day. Returns 0, -EINVAL for what is not a time span, -ERANGE for one that does not fit.
 */
int time_parse_span(const char *text, uint64_t *ret_usec);

/* "5min", "1h 30min", "250ms": writes at most size bytes with the NUL and returns `text`. */
const char *time_format_span(char *text, size_t size, uint64_t usec);

#define TIME_SPAN_MAX 64

/* RFC 3339, UTC, seconds: "2026-01-31T12:00:00Z". */
const char *time_format_utc(char *text, size_t size, uint64_t realtime_usec);

#define TIME_UTC_MAX 32
