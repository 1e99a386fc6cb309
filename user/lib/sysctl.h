/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_SYSCTL_H
#define SIPRTX_SYSCTL_H

/* The number in a file of /proc/sys, -1: it is not there. /proc/sys/net is that of the caller's network namespace. */
long long sysctl_number(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
