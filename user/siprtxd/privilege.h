/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps from who started siprtxd to who serves: first the user and his rights, then the system calls. */
#ifndef SIPRTXD_PRIVILEGE_H
#define SIPRTXD_PRIVILEGE_H

#include <stdbool.h>

#include "config.h"

/*
 * Becomes the configured user, with CAP_NET_RAW alone. What needs more is done by now, or was done by who loaded.
 * Before the first thread. *may_load: the right to load is still there. 0, or -errno with a sentence logged.
 */
int privilege_drop(const struct config *c, bool *may_load);
/* What comes off the wire is in reach of this process from here on, and little else. Without a filter: a warning. */
void privilege_filter(bool may_load);

#endif
