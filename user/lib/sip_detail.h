/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a record tells of a message beyond the scanner's needs (RFC 3261, 20.10, 20.20, 20.39). Reads, never judges. */
#ifndef SIPRTX_SIP_DETAIL_H
#define SIPRTX_SIP_DETAIL_H

#include <stdint.h>

#include "abi.h"
#include "sip_msg.h"

struct sip_detail {			  /* len 0: not there, or not readable */
	struct sip_span method, ruri;	  /* of a request's start line, as they stand; empty in a response */
	struct sip_span call_id;	  /* the value, white space around it taken off */
	struct sip_span from_uri, to_uri; /* what stands in <>, or the addr-spec up to ; or white space */
	struct sip_span from_tag, to_tag;
};

/* `m` is what sip_scan() found in the message of this slot that ends at `end`. */
void sip_detail(const struct siprtx_slot *s, uint16_t end, const struct sip_msg *m, struct sip_detail *out);

#endif
