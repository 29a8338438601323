/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One line to the journal where standard error is the journal's, with its fields; else to standard error. Text from outside
 * must have gone through text_escape() before it comes here.
 */

#include "base/cleanup.h"

#include <errno.h>
#include <syslog.h>

/* The milestones of RFC 8886 §4.3; units/sdi.catalog explains each. */
#define LOG_ID_CARRIER "b1f4b7d64be04c3e8f1f0c4a88860001"
#define LOG_ID_LEASE "b1f4b7d64be04c3e8f1f0c4a88860002"
#define LOG_ID_FETCHED "b1f4b7d64be04c3e8f1f0c4a88860003"
#define LOG_ID_UNWRAPPED "b1f4b7d64be04c3e8f1f0c4a88860004"
#define LOG_ID_CHECKED "b1f4b7d64be04c3e8f1f0c4a88860005"
#define LOG_ID_COMMITTED "b1f4b7d64be04c3e8f1f0c4a88860006"
#define LOG_ID_PROVISIONED "b1f4b7d64be04c3e8f1f0c4a88860007"
#define LOG_ID_REFUSED "b1f4b7d64be04c3e8f1f0c4a88860008"
#define LOG_ID_NO_CONFIGURATION "b1f4b7d64be04c3e8f1f0c4a88860009"

/* The name before each line on standard error; messages above `level` (LOG_INFO, LOG_DEBUG) are dropped. */
void log_open(const char *program, int level);

/* `id` and `interface` may be NULL. */
void log_message(int priority, const char *id, const char *interface, const char *format, ...)
                _printf_(4, 5);

#define log_error(...) log_message(LOG_ERR, NULL, NULL, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, NULL, NULL, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, NULL, NULL, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, NULL, NULL, __VA_ARGS__)

/* Logs and returns `error`, which %m names. */
#define log_error_errno(error, ...)                            \
        ({                                                     \
                int _error = (error);                          \
                errno = _error < 0 ? -_error : _error;         \
                log_message(LOG_ERR, NULL, NULL, __VA_ARGS__); \
                _error;                                        \
        })
