// SPDX-License-Identifier: GPL-2.0-or-later
/* The messages siprtx makes itself, out of an INVITE: byte for byte, read by the scanner, sums checked plainly. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "../fuzz/agree.h"
/* the second parser */
#include "../fuzz/plain_dialog.c"
#include "../fuzz/plain_key.c"
#include "../fuzz/plain_sip.c"

#include "frame.h"
#include "sip_make.h"

#define REASON "Reason: Q.850;cause=102;text=\"Recovery on timer expiry\"\r\nContent-Length: 0\r\n\r\n"
#define BODY   "v=0\r\n"

static struct siprtx_slot invite, out;
static const uint8_t own_mac[6] = {2, 0, 0, 0, 1, 1};

static void put16(uint8_t *p, unsigned value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static unsigned get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint8_t *bytes(struct siprtx_slot *s, unsigned at)
{
	return (uint8_t *)s + at;
}

/* As the XDP program leaves it; `tags` at both ends. */
static void hold(const char *message, bool ipv6, unsigned tags)
{
	unsigned ip_len = ipv6 ? 40 : 20, len = strlen(message);
	uint8_t *ip = bytes(&invite, SLOT_L3), *l2;

	memset(&invite, 0, sizeof(invite));
	memset(&out, 0xee, sizeof(out));
	invite.frame_off = SLOT_L3 - 14 - 4 * tags;
	invite.l4_off = SLOT_L3 + ip_len;
	invite.sip_off = invite.l4_off + 8;
	invite.sip_len = len;
	invite.frame_len = SLOT_L3 - invite.frame_off + ip_len + 8 + len;
	invite.sport = 40000;
	invite.dport = 5060;
	invite.ingress = 7;
	invite.egress = 8;
	invite.outside = 1;
	invite.in_tags = tags | (tags == 2 ? SLOT_IN_8021AD : 0);
	put16((uint8_t *)&invite.in_tci[0], 101);
	put16((uint8_t *)&invite.in_tci[1], 102);
	memcpy(invite.from_mac, "\x02\0\0\0\x01\x02", 6);
	l2 = bytes(&invite, invite.frame_off);
	memcpy(l2, "\x02\0\0\0\x02\x02\x02\0\0\0\x02\x01", 12);
	for (unsigned i = 0; i < tags; i++) {
		put16(l2 + 12 + 4 * i, 0x8100);
		put16(l2 + 14 + 4 * i, 200 + i);
	}
	put16(bytes(&invite, SLOT_L3 - 2), ipv6 ? 0x86dd : 0x0800);
	if (ipv6) {
		put16(ip, 0x6680); /* traffic class 0x68, flow label 1 */
		put16(ip + 2, 1);
		put16(ip + 4, 8 + len);
		ip[6] = 17;
		ip[7] = 63;
		inet_pton(AF_INET6, "2001:db8:1::2", ip + 8);
		inet_pton(AF_INET6, "2001:db8:2::2", ip + 24);
		memcpy(invite.saddr, ip + 8, 16);
		memcpy(invite.daddr, ip + 24, 16);
	} else {
		ip[0] = 0x45;
		ip[1] = 0x68;
		put16(ip + 2, 28 + len);
		ip[8] = 63;
		ip[9] = 17;
		memcpy(ip + 12, "\x0a\x4d\x01\x02\x0a\x4d\x02\x02", 8);
		invite.saddr[10] = invite.saddr[11] = invite.daddr[10] = invite.daddr[11] = 0xff;
		memcpy(invite.saddr + 12, ip + 12, 4);
		memcpy(invite.daddr + 12, ip + 16, 4);
	}
	put16(bytes(&invite, invite.l4_off), invite.sport);
	put16(bytes(&invite, invite.l4_off) + 2, invite.dport);
	put16(bytes(&invite, invite.l4_off) + 4, 8 + len);
	memcpy(bytes(&invite, invite.sip_off), message, len);
}

static uint16_t plain_sum(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Lengths agree, and after frame_sum() so do the checksums; the scanner takes the message for `method` or `code`. */
static void assert_frame(enum sip_method method, unsigned code, const char *message)
{
	uint8_t *ip = bytes(&out, SLOT_L3), *udp = bytes(&out, out.l4_off);
	unsigned udp_len = get16(udp + 4), end = out.frame_off + out.frame_len;
	struct sip_msg m;

	frame_sum(&out);
	assert_int_equal(out.sip_len, strlen(message));
	assert_memory_equal(bytes(&out, out.sip_off), message, out.sip_len);
	assert_int_equal(end, out.sip_off + out.sip_len);
	assert_int_equal(udp_len, 8 + out.sip_len);
	if (ip[0] >> 4 == 4) {
		assert_int_equal(get16(ip + 2), end - SLOT_L3);
		assert_int_equal(plain_sum(ip, 20, 0), 0xffff);
		assert_int_equal(plain_sum(udp, udp_len, 17 + udp_len + plain_sum(ip + 12, 8, 0)), 0xffff);
	} else {
		assert_int_equal(get16(ip + 4), udp_len);
		assert_int_equal(plain_sum(udp, udp_len, 17 + udp_len + plain_sum(ip + 8, 32, 0)), 0xffff);
	}
	assert_int_equal(sip_scan(&out, out.sip_off, end, &m), SIP_OK);
	assert_int_equal(m.method, method);
	assert_int_equal(m.code, code);
}

static void expect_reply(const char *message, bool ipv6, unsigned port, const char *reply)
{
	hold(message, ipv6, 0);
	assert_int_equal(make_reply(&invite, 408, 0xabcd12, own_mac, &out), 0);
	assert_frame(SIP_INVITE, 408, reply);
	assert_int_equal(get16(bytes(&out, out.l4_off)), 5060);
	assert_int_equal(get16(bytes(&out, out.l4_off) + 2), port);
}

#define START  "INVITE sip:bob@10.77.2.2 SIP/2.0\r\n"
#define FROM   "From: A <sip:a@b>;tag=1\r\n"
#define TO     "To: <sip:bob@10.77.2.2>\r\n"
#define TAGGED "To: <sip:bob@10.77.2.2>;tag=00abcd12\r\n"
#define REST   "Call-ID: c@h\r\nCSeq: 7 INVITE\r\n"
#define TAIL   "Contact: <sip:a@h>\r\nContent-Length: 5\r\n\r\n" BODY
#define STATUS "SIP/2.0 408 Request Timeout\r\n"

static void rule_50_reply_echoes(void **state)
{
	(void)state;
	expect_reply(START "Via: SIP/2.0/UDP 10.77.1.2:5062;branch=z9hG4bKa\r\nMax-Forwards: 70\r\n" FROM TO REST TAIL,
		     false, 5062, STATUS "Via: SIP/2.0/UDP 10.77.1.2:5062;branch=z9hG4bKa\r\n" FROM TAGGED REST REASON);
	/* order as it stands; an unknown header that begins like one of them is not echoed */
	expect_reply(START "CSeq: 7 INVITE\r\nViax: no\r\n" FROM "Via: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa\r\n" TO
			   "Call-ID: c@h\r\nRecord-Route: <sip:p;lr>\r\n" TAIL,
		     false, 5060,
		     STATUS "CSeq: 7 INVITE\r\n" FROM "Via: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa\r\n" TAGGED
			    "Call-ID: c@h\r\n" REASON);
	/* an addr-spec without brackets: what follows is the header's parameter */
	expect_reply(START "Via: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa\r\n" FROM "To: sip:bob@x;x=1\r\n" REST TAIL,
		     false, 5060,
		     STATUS "Via: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa\r\n" FROM
			    "To: sip:bob@x;x=1;tag=00abcd12\r\n" REST REASON);
}

static void rule_51_refusal(void **state)
{
	(void)state;
	hold(START "Via: SIP/2.0/UDP 10.77.1.2:5062;branch=z9hG4bKa\r\n" FROM TO REST TAIL, false, 0);
	invite.bypass = BYPASS_REFUSED;
	invite.retry_after = 3600;
	assert_int_equal(make_reply(&invite, 503, 0xabcd12, own_mac, &out), 0);
	assert_frame(SIP_INVITE, 503,
		     "SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP "
		     "10.77.1.2:5062;branch=z9hG4bKa\r\n" FROM TAGGED REST
		     "Retry-After: 3600\r\nReason: Q.850;cause=38;text=\"Network out of order\"\r\n"
		     "Content-Length: 0\r\n\r\n");
}

static void rule_50_reply_vias(void **state)
{
	(void)state;
	/* rport asked for: filled in, and received with it even where the host is the same (RFC 3581 4) */
	expect_reply(START "Via: SIP/2.0/UDP 10.77.1.2:5060;rport;branch=z9hG4bKa\r\n" FROM TO REST TAIL, false, 40000,
		     STATUS
		     "Via: SIP/2.0/UDP 10.77.1.2:5060;rport=40000;branch=z9hG4bKa;received=10.77.1.2\r\n" FROM TAGGED
			     REST REASON);
	/* a host that is not the source, or a name: received (18.2.1) */
	expect_reply(START "Via: SIP/2.0/UDP 10.77.1.3:5062;branch=z9hG4bKa\r\n" FROM TO REST TAIL, false, 5062,
		     STATUS
		     "Via: SIP/2.0/UDP 10.77.1.3:5062;branch=z9hG4bKa;received=10.77.1.2\r\n" FROM TAGGED REST REASON);
	expect_reply(START "Via: SIP/2.0/UDP sw.test;branch=z9hG4bKa\r\n" FROM TO REST TAIL, false, 5060,
		     STATUS "Via: SIP/2.0/UDP sw.test;branch=z9hG4bKa;received=10.77.1.2\r\n" FROM TAGGED REST REASON);
	/* several in a line, several lines, compact names, quoted commas; only the first element is changed */
	expect_reply(
		START
		"v: SIP/2.0/UDP sw.test ;branch=z9hG4bKa;x=\"a,;rport\";RPORT , SIP/2.0/UDP "
		"two;branch=z9hG4bKb;rport\r\n"
		"f: <sip:a@b>;tag=1\r\nVIA: SIP/2.0/TCP three;rport\r\nt: <sip:bob@c>\r\ni: c@h\r\nCSeq: 7 INVITE\r\n"
		"v:SIP/2.0/UDP four\r\n" TAIL,
		false, 40000,
		STATUS
		"v: SIP/2.0/UDP sw.test ;branch=z9hG4bKa;x=\"a,;rport\";RPORT=40000;received=10.77.1.2 , SIP/2.0/UDP "
		"two;branch=z9hG4bKb;rport\r\n"
		"f: <sip:a@b>;tag=1\r\nVIA: SIP/2.0/TCP three;rport\r\nt: <sip:bob@c>;tag=00abcd12\r\ni: c@h\r\n"
		"CSeq: 7 INVITE\r\nv: SIP/2.0/UDP four\r\n" REASON);
	/* folded lines come out in one; bare LF as CR LF */
	expect_reply(START "Via: SIP/2.0/UDP 10.77.1.2\r\n ;branch=z9hG4bKa\r\n\t;rport\r\n , SIP/2.0/UDP two\r\n" FROM
			   "To: \"Bob\n B\"\n <sip:bob@c>\n" REST TAIL,
		     false, 40000,
		     STATUS "Via: SIP/2.0/UDP 10.77.1.2 ;branch=z9hG4bKa\t;rport=40000;received=10.77.1.2 , "
			    "SIP/2.0/UDP two\r\n" FROM "To: \"Bob B\" <sip:bob@c>;tag=00abcd12\r\n" REST REASON);
	/* one that is there already stays as it is */
	expect_reply(
		START "Via: SIP/2.0/UDP sw.test:5070;received=10.9.9.9;rport=1;branch=z9hG4bKa\r\n" FROM TO REST TAIL,
		false, 5070,
		STATUS
		"Via: SIP/2.0/UDP sw.test:5070;received=10.9.9.9;rport=1;branch=z9hG4bKa\r\n" FROM TAGGED REST REASON);
}

static void rule_50_reply_ipv6(void **state)
{
	(void)state;
	expect_reply(START "Via: SIP/2.0/UDP [2001:DB8:1:0::2]:5062;branch=z9hG4bKa\r\n" FROM TO REST TAIL, true, 5062,
		     STATUS "Via: SIP/2.0/UDP [2001:DB8:1:0::2]:5062;branch=z9hG4bKa\r\n" FROM TAGGED REST REASON);
	assert_int_equal(get16(bytes(&out, SLOT_L3)), 0x6680);
	assert_int_equal(get16(bytes(&out, SLOT_L3) + 2), 0);
	/* received is bare (RFC 5118 4.5) */
	expect_reply(
		START "Via: SIP/2.0/UDP [2001:db8:1::3];branch=z9hG4bKa;rport\r\n" FROM TO REST TAIL, true, 40000,
		STATUS
		"Via: SIP/2.0/UDP [2001:db8:1::3];branch=z9hG4bKa;rport=40000;received=2001:db8:1::2\r\n" FROM TAGGED
			REST REASON);
	assert_memory_equal(bytes(&out, SLOT_L3) + 8, invite.daddr, 16);
	assert_memory_equal(bytes(&out, SLOT_L3) + 24, invite.saddr, 16);
}

#define PLAIN START "Via: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa\r\n" FROM TO REST TAIL

static void rule_50_reply_frame(void **state)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1};
	static const unsigned tpid[2] = {0x88a8, 0x8100};

	(void)state;
	for (unsigned tags = 0; tags <= 2; tags++) {
		uint8_t *l2;

		hold(PLAIN, false, tags);
		assert_int_equal(make_reply(&invite, 503, 1, own_mac, &out), 0);
		assert_int_equal(out.frame_off, SLOT_L3 - 14 - 4 * tags);
		l2 = bytes(&out, out.frame_off);
		assert_memory_equal(l2, macs, 12);
		for (unsigned i = 0; i < tags; i++) {
			assert_int_equal(get16(l2 + 12 + 4 * i), tags == 2 ? tpid[i] : 0x8100);
			assert_int_equal(get16(l2 + 14 + 4 * i), 101 + i);
		}
		assert_int_equal(get16(bytes(&out, SLOT_L3 - 2)), 0x0800);
		assert_memory_equal(bytes(&out, SLOT_L3) + 12, "\x0a\x4d\x02\x02\x0a\x4d\x01\x02", 8);
		assert_int_equal(bytes(&out, SLOT_L3)[1], 0x68);
		assert_memory_equal(bytes(&out, out.sip_off), "SIP/2.0 503 Service Unavailable\r\n", 33);
		assert_memory_equal(out.nexthop, invite.saddr, 16);
		assert_int_equal(out.egress, 7);
		assert_int_equal(out.wire, 0);
	}
}

/* Made of one taken at egress, made here: as if the gateway had sent it, by the link the INVITE left by. */
static void rule_50_reply_lifted(void **state)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 2, 2};

	(void)state;
	for (unsigned tags = 0; tags <= 2; tags++) {
		for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
			uint8_t *l2, *ip = bytes(&out, SLOT_L3);

			hold(PLAIN, ipv6, tags);
			invite.ingress = 0;
			invite.in_tags = SLOT_AT_EGRESS;
			invite.reply_tag = 0xabcd1234;
			assert_int_equal(make_reply(&invite, 503, invite.reply_tag, NULL, &out), 0);
			frame_sum(&out);
			l2 = bytes(&out, out.frame_off);
			assert_int_equal(out.frame_off, invite.frame_off);
			assert_memory_equal(l2, macs, 12);
			assert_memory_equal(l2 + 12, bytes(&invite, invite.frame_off) + 12,
					    SLOT_L3 - out.frame_off - 12);
			if (ipv6) {
				assert_int_equal(get16(ip), 0x668d);
				assert_int_equal(get16(ip + 2), 0x1234);
				assert_memory_equal(ip + 8, bytes(&invite, SLOT_L3) + 24, 16);
				assert_memory_equal(ip + 24, bytes(&invite, SLOT_L3) + 8, 16);
			} else {
				assert_int_equal(get16(ip + 4), 0x1234);
				assert_int_equal(get16(ip + 6), 0x4000);
				assert_int_equal(plain_sum(ip, 20, 0), 0xffff);
				assert_memory_equal(ip + 12, "\x0a\x4d\x02\x02\x0a\x4d\x01\x02", 8);
			}
		}
	}
}

static void rule_50_reply_refused(void **state)
{
	static char longest[SLOT_SIZE];

	(void)state;
	hold(START "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" FROM "To: <sip:b@c> ; Tag=2\r\n" REST TAIL, false, 0);
	assert_int_equal(make_reply(&invite, 408, 1, own_mac, &out), -EBADMSG);
	hold(START "Via: SIP/2.0/UDP h;branch=z9hG4bKa;maddr=10.1.1.1\r\n" FROM TO REST TAIL, false, 0);
	assert_int_equal(make_reply(&invite, 408, 1, own_mac, &out), -EOPNOTSUPP);
	hold(PLAIN, false, 0);
	invite.ingress = 0;
	assert_int_equal(make_reply(&invite, 408, 1, own_mac, &out), -EOPNOTSUPP);
	hold("OPTIONS sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" FROM TO
	     "Call-ID: c\r\nCSeq: 7 OPTIONS\r\n\r\n",
	     false, 0);
	assert_int_equal(make_reply(&invite, 408, 1, own_mac, &out), -EBADMSG);
	hold("INVITE garbage", false, 0);
	assert_int_equal(make_reply(&invite, 408, 1, own_mac, &out), -EBADMSG);
	/* the longest INVITE a slot holds, all of it Call-ID: tag and Reason have no room */
	snprintf(longest, sizeof(longest),
		 START "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" FROM TO "CSeq: 7 INVITE\r\nCall-ID: %01600d\r\n\r\n",
		 0);
	hold(longest, false, 0);
	assert_int_equal(make_reply(&invite, 408, 1, own_mac, &out), -EMSGSIZE);
	assert_int_equal(bytes(&out, 0)[SLOT_SIZE - 1], 0xee);
}

#define REQUEST_VIA "Via: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n"

static void rule_50_cancel_and_ack(void **state)
{
	static const char message[] =
		START "Max-Forwards: 9\r\nVia: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa;rport, SIP/2.0/UDP two\r\nVia: "
		      "SIP/2.0/UDP three\r\n"
		      "Route: <sip:p1;lr>,\r\n <sip:p2;lr>\r\n" FROM TO "Route: <sip:p3;lr>\r\nRequire: 100rel\r\n" REST
		      "Proxy-Authorization: x\r\n" TAIL;
	static const char response[] = "SIP/2.0 487 Request Terminated\r\nv: SIP/2.0/UDP "
				       "10.77.1.2;branch=z9hG4bKa;rport=1;received=1.1.1.1\r\n" FROM
				       "t : <sip:bob@10.77.2.2>\r\n ;tag=gw\r\n" REST "Content-Length: 0\r\n\r\n";
	char to[SLOT_SIZE];

	(void)state;
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		hold(message, ipv6, 1);
		assert_int_equal(make_cancel(&invite, &out), 0);
		assert_frame(SIP_CANCEL, 0,
			     "CANCEL sip:bob@10.77.2.2 SIP/2.0\r\n" REQUEST_VIA
			     "Route: <sip:p1;lr>, <sip:p2;lr>\r\n" FROM TO
			     "Route: <sip:p3;lr>\r\nCall-ID: c@h\r\nCSeq: 7 CANCEL\r\nContent-Length: 0\r\n\r\n");
		assert_memory_equal(bytes(&out, out.frame_off), bytes(&invite, invite.frame_off),
				    SLOT_L3 - invite.frame_off);
		assert_int_equal(out.outside, 1);
		assert_int_equal(out.egress, 8);
		/* in the place of the response */
		out.sip_off = SLOT_L3 + 28;
		out.sip_len = sizeof(response) - 1;
		memcpy(bytes(&out, out.sip_off), response, out.sip_len);
		assert_int_equal(make_to_value(&out, to, sizeof(to)), 0);
		assert_string_equal(to, "<sip:bob@10.77.2.2> ;tag=gw");
		assert_int_equal(make_ack(&invite, to, &out), 0);
		assert_frame(SIP_ACK, 0,
			     "ACK sip:bob@10.77.2.2 SIP/2.0\r\n" REQUEST_VIA "Route: <sip:p1;lr>, <sip:p2;lr>\r\n" FROM
			     "To: <sip:bob@10.77.2.2> ;tag=gw\r\n"
			     "Route: <sip:p3;lr>\r\nCall-ID: c@h\r\nCSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n");
	}
	assert_int_equal(make_to_value(&out, to, 8), -EMSGSIZE);
}

static const struct sip_fresh fresh = {0xab, 0xcd, 0xef, 1000001};

/* From `via` of the INVITE follows who asks, and from port and family of the frame who is asked. */
static void expect_options(const char *via, bool ipv6, unsigned tags, unsigned dport, const char *from, const char *to)
{
	char message[SLOT_SIZE], options[SLOT_SIZE];

	snprintf(message, sizeof(message), START "Via: SIP/2.0/UDP %s;branch=z9hG4bKa\r\n" FROM TO REST TAIL, via);
	hold(message, ipv6, tags);
	invite.dport = dport;
	put16(bytes(&invite, invite.l4_off) + 2, dport);
	snprintf(options, sizeof(options),
		 "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK00000000000000ab\r\n"
		 "Max-Forwards: 70\r\nFrom: <sip:%s>;tag=000000ef\r\nTo: <sip:%s>\r\n"
		 "Call-ID: 00000000000000cd\r\nCSeq: 1000001 OPTIONS\r\nContact: <sip:%s>\r\n"
		 "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n",
		 to, from, from, to, from);
	assert_int_equal(make_options(&invite, &fresh, &out), 0);
	assert_frame(SIP_OPTIONS, 0, options);
	assert_null(disagreement(bytes(&out, out.sip_off), out.sip_len));
}

static void rule_52_options(void **state)
{
	(void)state;
	/* sent-by is where it came from, with another port than it came from */
	expect_options("10.77.1.2:5062", false, 0, 5060, "10.77.1.2:5062", "10.77.2.2");
	expect_options("10.77.1.2", false, 1, 5080, "10.77.1.2", "10.77.2.2:5080");
	expect_options("10.77.1.2:5060;rport", false, 2, 5060, "10.77.1.2", "10.77.2.2");
	/* a name, or another address: where it came from */
	expect_options("sw.test:5062", false, 0, 5060, "10.77.1.2:40000", "10.77.2.2");
	expect_options("10.77.1.3", false, 0, 5060, "10.77.1.2:40000", "10.77.2.2");
	expect_options("[2001:DB8:1:0::2]:5062", true, 0, 5060, "[2001:DB8:1:0::2]:5062", "[2001:db8:2::2]");
	expect_options("sw.test", true, 1, 5080, "[2001:db8:1::2]:40000", "[2001:db8:2::2]:5080");
}

/* All round the message is the INVITE's: MACs, tags, addresses, ports, DSCP and TTL. */
static void rule_52_options_frame(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		unsigned tags = i % 3;
		bool ipv6 = i >= 3;
		uint8_t *ip = bytes(&invite, SLOT_L3);

		hold(PLAIN, ipv6, tags);
		invite.wire = WIRE_SUMMED | WIRE_NO_MAC;
		memcpy(invite.nexthop, "nexthop of sixteen", 16);
		assert_int_equal(make_options(&invite, &fresh, &out), 0);
		assert_int_equal(out.frame_off, invite.frame_off);
		assert_memory_equal(bytes(&out, out.frame_off), bytes(&invite, out.frame_off), SLOT_L3 - out.frame_off);
		/* but for length and checksum */
		memcpy(bytes(&out, SLOT_L3) + (ipv6 ? 4 : 2), ip + (ipv6 ? 4 : 2), 2);
		assert_memory_equal(bytes(&out, SLOT_L3), ip, ipv6 ? 40 : 20);
		assert_memory_equal(bytes(&out, out.l4_off), bytes(&invite, out.l4_off), 4);
		assert_memory_equal(out.saddr, invite.saddr, 16);
		assert_memory_equal(out.daddr, invite.daddr, 16);
		assert_memory_equal(out.nexthop, invite.nexthop, 16);
		assert_int_equal(out.sport, 40000);
		assert_int_equal(out.dport, 5060);
		assert_int_equal(out.egress, 8);
		assert_int_equal(out.outside, 1);
		assert_int_equal(out.wire, WIRE_NO_MAC);
	}
}

/* The next one is made of the one before, and differs from it in what is fresh alone. */
static void rule_52_options_of_options(void **state)
{
	const struct sip_fresh next = {0xffffffffffffffff, 0xfedcba9876543210, 0xffffffff, 9999999};
	static struct siprtx_slot first, again;
	struct siprtx_hash_key secret;
	struct siprtx_key a, b;
	struct plain_msg plain;
	struct sip_msg m;
	uint64_t key[2];

	(void)state;
	for (unsigned i = 0; i < KEY_WORDS; i++)
		secret.k[i] = i * 2654435761u;
	hold(START "Via: SIP/2.0/UDP sw.test;branch=z9hG4bKa\r\n" FROM TO REST TAIL, false, 1);
	assert_int_equal(make_options(&invite, &next, &first), 0);
	assert_int_equal(make_options(&first, &fresh, &again), 0);
	assert_int_equal(make_options(&invite, &fresh, &out), 0);
	assert_int_equal(again.frame_len, first.frame_len);
	assert_int_equal(again.frame_len, out.frame_len);
	assert_memory_equal(bytes(&again, again.frame_off), bytes(&out, out.frame_off), out.frame_len);
	/* and back */
	assert_int_equal(make_options(&again, &next, &out), 0);
	assert_memory_equal(bytes(&first, first.frame_off), bytes(&out, out.frame_off), out.frame_len);
	/* a key of its own, the same for both parsers */
	assert_int_equal(sip_scan(&first, first.sip_off, first.sip_off + first.sip_len, &m), SIP_OK);
	sip_key(&first, &m, SIP_OPTIONS, &secret, &a);
	plain_sip(bytes(&first, first.sip_off), first.sip_len, &plain);
	assert_int_equal(plain.verdict, SIP_OK);
	plain_key(bytes(&first, first.sip_off), &plain, SIP_OPTIONS, secret.k, key);
	assert_memory_equal(&a, key, sizeof(key));
	assert_int_equal(sip_scan(&again, again.sip_off, again.sip_off + again.sip_len, &m), SIP_OK);
	sip_key(&again, &m, SIP_OPTIONS, &secret, &b);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static void rule_52_options_refused(void **state)
{
	(void)state;
	hold("INVITE garbage", false, 0);
	assert_int_equal(make_options(&invite, &fresh, &out), -EBADMSG);
	hold("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" FROM TO REST "\r\n", false, 0);
	assert_int_equal(make_options(&invite, &fresh, &out), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_50_reply_echoes),
		cmocka_unit_test(rule_50_reply_vias),
		cmocka_unit_test(rule_50_reply_ipv6),
		cmocka_unit_test(rule_50_reply_frame),
		cmocka_unit_test(rule_50_reply_refused),
		cmocka_unit_test(rule_50_cancel_and_ack),
		cmocka_unit_test(rule_50_reply_lifted),
		cmocka_unit_test(rule_51_refusal),
		cmocka_unit_test(rule_52_options),
		cmocka_unit_test(rule_52_options_frame),
		cmocka_unit_test(rule_52_options_of_options),
		cmocka_unit_test(rule_52_options_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
