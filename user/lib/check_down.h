/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be done while a gateway is down (on_down), as far as it would do nothing. */
#ifndef SIPRTX_CHECK_DOWN_H
#define SIPRTX_CHECK_DOWN_H

#include "config.h"
#include "pins.h"
#include "problem.h"

/* By the configuration alone. */
void check_down(const struct config *c, struct problems *problems);
/* By the tunables in force. */
void check_judged(const struct config *c, const struct pins *pins, struct problems *problems);

#endif
