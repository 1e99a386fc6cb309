/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame round a message that siprtx makes itself: Ethernet, VLAN tags, IP and UDP, made of those of the INVITE. */
#ifndef SIPRTX_MADE_FRAME_H
#define SIPRTX_MADE_FRAME_H

#include "sip_write.h"

/*
 * Towards the softswitch. Where the message goes in *out; then all round it, `port` being the softswitch's. With
 * own_mac it goes out of the interface the INVITE came in by; NULL: the INVITE was taken at egress, and the reply comes
 * in from the gateway where that left, with its addresses and MACs the other way round, and its tags (lift_id()).
 */
struct sip_writer made_reply_begin(const struct siprtx_slot *invite, struct siprtx_slot *out);
int made_reply_end(const struct sip_writer *w, const struct siprtx_slot *invite, uint16_t port,
		   const uint8_t own_mac[6], struct siprtx_slot *out);

/* Towards the gateway, as the INVITE went. */
struct sip_writer made_request_begin(const struct siprtx_slot *invite, struct siprtx_slot *out);
int made_request_end(const struct sip_writer *w, const struct siprtx_slot *invite, struct siprtx_slot *out);
/* made_*_end: 0, or -EMSGSIZE where the message did not go in. WIRE_SUMMED is not set. */

#endif
