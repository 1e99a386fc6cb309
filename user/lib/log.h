/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line an event on stderr; with a journald on the other end, its "<N>" priority prefixes. */
#ifndef SIPRTX_LOG_H
#define SIPRTX_LOG_H

#include <stdbool.h>
#include <syslog.h>

extern bool log_verbose; /* LOG_DEBUG lines and libbpf's own */

/* priority: LOG_ERR .. LOG_DEBUG. A sentence, no trailing newline. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_DEBUG, __VA_ARGS__)

#endif
