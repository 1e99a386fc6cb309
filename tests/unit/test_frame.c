// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames made fit for the wire, against a plain RFC 1071 sum of the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"

struct shape {
	unsigned tags;	  /* 0..2 */
	unsigned options; /* bytes of IPv4 options, or of IPv6 extension headers */
	bool ipv6;
	bool df;
	unsigned payload;
};

static void put16(uint8_t *p, unsigned value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static unsigned get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint8_t *bytes(struct siprtx_slot *s)
{
	return (uint8_t *)s;
}

static void ipv4(uint8_t *ip, const struct shape *f, unsigned length)
{
	ip[0] = 0x40 | (20 + f->options) / 4;
	ip[1] = 0x68; /* DSCP CS3 and an ECN bit pattern, to be left alone */
	put16(ip + 2, length);
	put16(ip + 4, 0x1234);
	put16(ip + 6, f->df ? 0x4000 : 0);
	ip[8] = 63;
	ip[9] = 17;
	memcpy(ip + 12, "\x0a\x4d\x01\x02\x0a\x4d\x02\x02", 8);
	memset(ip + 20, 1, f->options); /* no operation */
}

static void ipv6(uint8_t *ip, const struct shape *f, unsigned length)
{
	ip[0] = 0x60;
	put16(ip + 4, length - 40);
	ip[6] = f->options ? 0 : 17; /* hop-by-hop options, padding alone */
	ip[7] = 63;
	for (unsigned i = 0; i < 32; i++)
		ip[8 + i] = 0x20 + 7 * i;
	if (f->options) {
		ip[40] = 17;
		ip[41] = f->options / 8 - 1;
		ip[42] = 1;
		ip[43] = f->options - 4;
	}
}

/* A slot as XDP leaves it, with checksums as a local sender half makes them. Of malloc, so that ASan sees its end. */
static struct siprtx_slot *frame(struct shape f)
{
	struct siprtx_slot *s = aligned_alloc(64, sizeof(*s));
	uint8_t *ip, *udp;

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	s->frame_off = SLOT_L3 - 14 - 4 * f.tags;
	s->l4_off = SLOT_L3 + (f.ipv6 ? 40 : 20) + f.options;
	s->sip_off = s->l4_off + 8;
	s->sip_len = f.payload;
	s->frame_len = s->sip_off + f.payload - s->frame_off;
	s->wire = WIRE_NO_MAC;
	for (unsigned i = 0; i < f.tags; i++)
		memcpy(bytes(s) + s->frame_off + 12 + 4 * i, "\x81\x00\x00\x07", 4);
	put16(bytes(s) + SLOT_L3 - 2, f.ipv6 ? 0x86dd : 0x0800);
	ip = bytes(s) + SLOT_L3;
	(f.ipv6 ? ipv6 : ipv4)(ip, &f, s->sip_off + f.payload - SLOT_L3);
	udp = bytes(s) + s->l4_off;
	put16(udp, 5060);
	put16(udp + 2, 5060);
	put16(udp + 4, 8 + f.payload);
	put16(udp + 6, 0xbeef);
	for (unsigned i = 0; i < f.payload; i++)
		udp[8 + i] = 0x80 | i * 31;
	return s;
}

/* RFC 1071 as its text has it: 16-bit words in network order, an odd byte padded with zero. Not complemented. */
static unsigned plain_sum(unsigned sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Pseudo header (RFC 768, RFC 8200 8.1) and datagram; 0xffff when the checksum in it is right. */
static unsigned udp_sum(struct siprtx_slot *s, bool is_ipv6)
{
	const uint8_t *ip = bytes(s) + SLOT_L3, *udp = bytes(s) + s->l4_off;
	uint8_t tail[4] = {0, 17, udp[4], udp[5]};
	unsigned sum = is_ipv6 ? plain_sum(0, ip + 8, 32) : plain_sum(0, ip + 12, 8);

	return plain_sum(plain_sum(sum, tail, 4), udp, get16(udp + 4));
}

static unsigned ip_sum(struct siprtx_slot *s)
{
	const uint8_t *ip = bytes(s) + SLOT_L3;

	return plain_sum(0, ip, 4 * (ip[0] & 15));
}

static void check_sum(struct shape f)
{
	struct siprtx_slot *s = frame(f), before;

	memcpy(&before, s, sizeof(before));
	frame_sum(s);
	assert_int_equal(udp_sum(s, f.ipv6), 0xffff);
	if (!f.ipv6)
		assert_int_equal(ip_sum(s), 0xffff);
	assert_int_equal(s->wire, WIRE_NO_MAC | WIRE_SUMMED);
	/* nothing but the checksums differs */
	before.wire = s->wire;
	memcpy(bytes(&before) + s->l4_off + 6, bytes(s) + s->l4_off + 6, 2);
	if (!f.ipv6)
		memcpy(bytes(&before) + SLOT_L3 + 10, bytes(s) + SLOT_L3 + 10, 2);
	assert_memory_equal(&before, s, sizeof(before));
	free(s);
}

static void rule_49_sums_of_every_shape(void **state)
{
	(void)state;
	for (unsigned tags = 0; tags <= 2; tags++)
		for (unsigned options = 0; options <= 40; options += 8)
			for (unsigned payload = 0; payload < 1700; payload += payload < 20 ? 1 : 379) {
				check_sum((struct shape){tags, options, false, false, payload});
				check_sum((struct shape){tags, options, true, false, payload});
			}
}

static void sum_zero_goes_out_as_ffff(void **state)
{
	(void)state;
	for (unsigned is_ipv6 = 0; is_ipv6 <= 1; is_ipv6++) {
		struct siprtx_slot *s = frame((struct shape){.ipv6 = is_ipv6, .payload = 301});
		uint8_t *udp = bytes(s) + s->l4_off;

		/* a word of the message made equal to the checksum without it: the sum is then 0xffff */
		put16(udp + 8, 0);
		frame_sum(s);
		memcpy(udp + 8, udp + 6, 2);
		s->wire &= ~WIRE_SUMMED;
		frame_sum(s);
		assert_int_equal(get16(udp + 6), 0xffff);
		free(s);
	}
}

static void summed_once(void **state)
{
	struct siprtx_slot *s = frame((struct shape){.payload = 100});
	unsigned check;

	(void)state;
	frame_sum(s);
	check = get16(bytes(s) + s->l4_off + 6);
	bytes(s)[s->sip_off]++;
	frame_sum(s);
	assert_int_equal(get16(bytes(s) + s->l4_off + 6), check);
	free(s);
}

static void length_beyond_the_slot(void **state)
{
	struct siprtx_slot *s = frame((struct shape){.payload = 100});

	(void)state;
	put16(bytes(s) + s->l4_off + 4, 0xffff);
	frame_sum(s);
	assert_true(s->wire & WIRE_SUMMED);
	free(s);
}

static void rule_49_every_id(void **state)
{
	struct siprtx_slot *s = frame((struct shape){.options = 12, .payload = 40});
	uint8_t *ip = bytes(s) + SLOT_L3;
	unsigned udp;

	(void)state;
	frame_sum(s);
	udp = get16(bytes(s) + s->l4_off + 6);
	for (unsigned id = 0; id <= 0xffff; id++) {
		unsigned check;

		frame_renew_id(s, id);
		assert_int_equal(get16(ip + 4), id);
		check = get16(ip + 10);
		put16(ip + 10, 0);
		assert_int_equal(check, (uint16_t)~ip_sum(s));
		put16(ip + 10, check);
	}
	assert_int_equal(get16(bytes(s) + s->l4_off + 6), udp);
	free(s);
}

static void id_stays(struct shape f)
{
	struct siprtx_slot *s = frame(f), before;

	frame_sum(s);
	memcpy(&before, s, sizeof(before));
	frame_renew_id(s, 0x4321);
	assert_memory_equal(&before, s, sizeof(before));
	free(s);
}

static void rule_49_no_id_to_renew(void **state)
{
	(void)state;
	id_stays((struct shape){.df = true, .payload = 40});
	id_stays((struct shape){.ipv6 = true, .payload = 40});
	id_stays((struct shape){.ipv6 = true, .options = 8, .payload = 40});
}

static void rule_49_macs(void **state)
{
	static const uint8_t gateway[6] = {2, 0, 0, 0, 0, 1}, other[6] = {2, 0, 0, 0, 0, 2},
			     own[6] = {2, 0, 0, 0, 0, 3};

	(void)state;
	for (unsigned tags = 0; tags <= 2; tags++) {
		struct siprtx_slot *s = frame((struct shape){.tags = tags, .payload = 40}), before;
		uint8_t *eth = bytes(s) + SLOT_L3 - 14 - 4 * tags;

		memcpy(&before, s, sizeof(before));
		assert_true(frame_set_macs(s, gateway, own));
		assert_int_equal(s->wire & WIRE_NO_MAC, 0);
		assert_memory_equal(eth, gateway, 6);
		assert_memory_equal(eth + 6, own, 6);
		assert_ptr_equal(frame_dst_mac(s), eth);
		assert_false(frame_set_macs(s, gateway, own));
		assert_true(frame_set_macs(s, other, own));
		assert_true(frame_set_macs(s, other, gateway));
		/* tags, type and packet are as they were */
		memcpy(bytes(&before) + s->frame_off, eth, 12);
		before.wire = s->wire;
		assert_memory_equal(&before, s, sizeof(before));
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_49_sums_of_every_shape),
		cmocka_unit_test(sum_zero_goes_out_as_ffff),
		cmocka_unit_test(summed_once),
		cmocka_unit_test(length_beyond_the_slot),
		cmocka_unit_test(rule_49_every_id),
		cmocka_unit_test(rule_49_no_id_to_renew),
		cmocka_unit_test(rule_49_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
