/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What siprtx says in its own name about an INVITE it holds, once that is exhausted or refused (rules 50 and 51): the
 * response a UAS makes of it (RFC 3261 8.2.6), its CANCEL (9.1) and the ACK to a non-2xx (17.1.1.3). And what it asks
 * the gateway of an INVITE (rule 52): OPTIONS (11.1). Each is made out of the INVITE's slot into another one, as a
 * frame ready for frame_sum(). Pure: no clock, no socket, no random numbers.
 */
#ifndef SIPRTX_SIP_MAKE_H
#define SIPRTX_SIP_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/*
 * The response `code` (408 or 503) to the INVITE, towards where 18.2.2 and RFC 3581 say. `tag` is the one of To;
 * `own_mac` the inside interface's, NULL: the reply is to be lifted (made_frame.h). The caller sets out->outside.
 * To one that is refused (siprtx_slot.bypass) it says by its retry_after when to come back.
 * 0; -EBADMSG: the INVITE cannot be read or is within a dialog; -EOPNOTSUPP: nobody knows the way back, or the top Via
 * asks for an address of its own (maddr); -EMSGSIZE: no room. *out is then undefined.
 */
int make_reply(const struct siprtx_slot *invite, uint16_t code, uint32_t tag, const uint8_t own_mac[6],
	       struct siprtx_slot *out);

/* 0, or -EBADMSG or -EMSGSIZE as above. */
int make_cancel(const struct siprtx_slot *invite, struct siprtx_slot *out);
/* The To value of a message in a slot (sip_off, sip_len), without its line ends. 0, -EBADMSG or -EMSGSIZE. */
int make_to_value(const struct siprtx_slot *response, char *to, size_t size);
/* `to` is that of the response; so `out` may be the slot the response was in. */
int make_ack(const struct siprtx_slot *invite, const char *to, struct siprtx_slot *out);

/* What tells one OPTIONS from all others. */
struct sip_fresh {
	uint64_t branch, call_id; /* random */
	uint32_t from_tag;	  /* random */
	uint32_t cseq;		  /* below 2^31 */
};

/*
 * OPTIONS to where the request in this slot went: an INVITE, or what was made here of one. From the same address and
 * port; sent-by, From and Contact are those of its top Via where its host is that address, else the address and port
 * themselves. Of two made of one request, with as many digits in cseq, nothing but *fresh differs, nor any length.
 * 0; -EBADMSG: it cannot be read, or is a response; -EMSGSIZE. *out is then undefined.
 */
int make_options(const struct siprtx_slot *request, const struct sip_fresh *fresh, struct siprtx_slot *out);

#endif
