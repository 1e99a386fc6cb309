/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of a gateway's state as a sentence of the log. Pure. */
#ifndef SIPRTXD_GATEWAY_TELL_H
#define SIPRTXD_GATEWAY_TELL_H

#include <stddef.h>

#include "gateway.h"

/* As gateway_health_ops.changed has it, the value being what it has become. Returns buf. */
char *gateway_sentence(const struct gateway *gw, uint32_t in_a_row, const struct siprtx_in_force *in_force, char *buf,
		       size_t size);

#endif
