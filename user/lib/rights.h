/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities of this process: what it has, and how siprtxd gives away what it needs no more. */
#ifndef SIPRTX_RIGHTS_H
#define SIPRTX_RIGHTS_H

#include <stdbool.h>

#include "owner.h"

/* In effect; rights_read() first. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON. */
bool rights_have(unsigned capability);
void rights_read(void);
/* Reads them: may this process load and attach? */
bool rights_to_load(void);

/*
 * Becomes that user for good, of all rights with CAP_NET_RAW alone; the bounding set is empty then. `who` not set: the
 * user stays, and so do the rights, for they are those of a set-up that chose them. In either case no program run from
 * here on gains any. Before the first thread: the kernel keeps rights by thread. 0 or -errno.
 */
int rights_reduce(const struct owner *who);

/* faccessat() as that user would find it; `who` not set, or this process already: as this process does. 0 or -errno. */
int rights_access(const struct owner *who, const char *path, int mode);

#endif
