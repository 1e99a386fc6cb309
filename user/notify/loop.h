/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_NOTIFY_LOOP_H
#define SIPRTX_NOTIFY_LOOP_H

#include "config.h"

/* Reads the configuration (anew); what is wrong is printed. NULL: it cannot be used. The caller owns it. */
typedef struct config *(*loop_config)(void *arg);

/*
 * Tells consumers what siprtxd records until SIGTERM or SIGINT; waits while nothing is loaded. SIGHUP: the
 * configuration again. Takes `config`. 0, or -errno with a sentence logged.
 */
int loop_run(struct config *config, loop_config again, void *arg);

#endif
