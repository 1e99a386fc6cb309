/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kept frame, made fit for the wire (rule 49, RFC 6864). Works on a slot alone: no clock, no socket. */
#ifndef SIPRTX_FRAME_H
#define SIPRTX_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

/* Whole IP header and UDP checksums, once (WIRE_SUMMED). A UDP sum of 0 goes out as 0xffff (RFC 768, RFC 8200 8.1). */
void frame_sum(struct siprtx_slot *s);
/*
 * A fresh IPv4 identification (host byte order) where DF is clear, the header checksum adjusted (RFC 1624): call
 * frame_sum() first. IPv6: nothing.
 */
void frame_renew_id(struct siprtx_slot *s, uint16_t id);
/* Writes the MACs and clears WIRE_NO_MAC. True when they changed. */
bool frame_set_macs(struct siprtx_slot *s, const uint8_t dst[6], const uint8_t src[6]);
const uint8_t *frame_dst_mac(const struct siprtx_slot *s);

#endif
