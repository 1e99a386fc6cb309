/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller: loads what is not loaded yet, then sends what is due until a signal ends it. */
#ifndef SIPRTXD_CONTROLLER_H
#define SIPRTXD_CONTROLLER_H

#include "config.h"

/*
 * Runs until SIGTERM or SIGINT; SIGHUP opens the journal anew. The programs stay attached, what is pending stays in
 * the maps. Returns 0 after an ordered end, or -errno with a sentence logged.
 */
int controller_run(const struct config *c);

#endif
