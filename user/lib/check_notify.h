/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Can what [notify NAME] names be used on this host? Looks only, as who runs it. */
#ifndef SIPRTX_CHECK_NOTIFY_H
#define SIPRTX_CHECK_NOTIFY_H

#include "config.h"
#include "problem.h"

/* Warnings: a consumer that cannot be reached is tried again, and keeps nothing else from working. */
void check_notify(const struct config *c, struct problems *problems);

#endif
