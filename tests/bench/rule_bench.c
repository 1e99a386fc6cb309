// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What single rules cost a message that they concern, off and on: ns net of an empty XDP_PASS program. None of these
 * messages changes anything, so one packet is run again and again; what they look up is warm.
 */
#include "rule_bench.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "samples.h"
#include "sip_msg.h"

#define RUNS 200000

/* The INVITE of make_invite() with another method in the start line and in CSeq; with `tag`, in a dialog. */
static void request(struct frame *f, const struct shape *shape, const char *method, const char *tag)
{
	char message[2048], wire[2048];
	int len = make_invite(message, sizeof(message), "z9hG4bKbench", 1, NULL), n;
	const char *to = strstr(strstr(message, "\r\nTo:") + 2, "\r\n"), *cseq = strstr(message, "CSeq: 1 INVITE") + 8;

	/* To stands before CSeq there */
	n = snprintf(wire, sizeof(wire), "%s%.*s%s%.*s%s%.*s", method, (int)(to - message - 6), message + 6, tag,
		     (int)(cseq - to), to, method, (int)(message + len - cseq - 6), cseq + 6);
	frame_build(f, shape, wire, n);
}

static void final_from_softswitch(struct frame *f)
{
	char message[2048];
	int len = make_response(message, sizeof(message), "z9hG4bKbench", 1, 200, "INVITE", NULL);

	frame_build(f, &(struct shape){0}, message, len);
}

/* Port unreachable from the gateway, with the whole of `of`. */
static void unreachable(struct frame *f, const struct frame *of)
{
	uint8_t *icmp;

	frame_build(f, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH, .proto = IPPROTO_ICMP}, of->data + 14,
		    of->len - 14);
	icmp = f->data + 14 + 20;
	memset(icmp, 0, 8);
	icmp[0] = icmp[1] = 3;
}

static void net(struct bench *b, const char *figure, int prog, const struct frame *f)
{
	sample(figure, cost(b, prog, f, RUNS) - cost(b, b->empty, f, RUNS));
}

void rule_bench(struct bench *b)
{
	const struct shape in = {.src = GATEWAY, .dst = SOFTSWITCH};
	const struct edge *e = &b->edge;
	__u32 *tunable = e->pins.in_force->tunables;
	struct frame bye, final, ack, invite, icmp, echo;

	request(&bye, &(struct shape){0}, "BYE", ";tag=b");
	request(&ack, &in, "ACK", ";tag=b");
	request(&invite, &(struct shape){0}, "INVITE", "");
	final_from_softswitch(&final);
	unreachable(&icmp, &invite);
	echo = icmp;
	echo.data[14 + 20] = 8;
	/* nothing is taken: what is measured is how far such a message is looked at */
	tunable[TUN_capture] = 0;
	net(b, "rules.bye_ns", e->inside, &bye);
	net(b, "rules.final_ns", e->inside, &final);
	net(b, "rules.ack_ns", e->outside, &ack);
	tunable[TUN_methods] = 1u << SIP_BYE;
	tunable[TUN_confirm] = 1;
	net(b, "rules.bye_methods_ns", e->inside, &bye);
	net(b, "rules.final_confirm_ns", e->inside, &final);
	net(b, "rules.ack_confirm_ns", e->outside, &ack);
	tunable[TUN_methods] = tunable[TUN_confirm] = 0;
	tunable[TUN_capture] = 1;
	net(b, "rules.icmp_unreachable_ns", e->outside, &icmp);
	net(b, "rules.icmp_other_ns", e->outside, &echo);
}
