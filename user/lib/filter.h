/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seccomp filter: which system calls siprtxd may make once it serves. */
#ifndef SIPRTX_FILTER_H
#define SIPRTX_FILTER_H

#include <stdbool.h>

/*
 * From here on every thread may make the calls a serving siprtxd makes, and no others; `loads`: those of loading and
 * attaching too. Another call fails with ENOSYS, and the kernel logs it (audit type 1326): siprtxd goes on, and what it
 * then cannot do it says as ever. ENOSYS and not EPERM, for a newer C library goes back to the older call on that
 * alone. 0 or -errno.
 */
int filter_install(bool loads);

#endif
