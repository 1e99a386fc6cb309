/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_CHECK_CONNTRACK_H
#define SIPRTX_CHECK_CONNTRACK_H

#include "config.h"
#include "problem.h"

/* Does connection tracking forget a call before siprtx does, and what becomes of that? */
void check_conntrack(const struct config *c, struct problems *problems);

#endif
