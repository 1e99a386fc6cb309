// SPDX-License-Identifier: GPL-2.0-or-later
#include "play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../fuzz/plain_sip.h"
#include "pcap_frames.h"
#include "scan_run.h"

#define PASS	  2
#define MAX_PORTS 16 /* the product's own limit */

struct player {
	struct play *play;
	struct edge edge;
	struct scan_run scan;
	char *why;
	size_t why_size;
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) give_up(struct player *r, const char *format, ...)
{
	va_list args;

	if (r->failed)
		return;
	r->failed = true;
	va_start(args, format);
	vsnprintf(r->why, r->why_size, format, args);
	va_end(args);
}

/* The ports SIP is on: where whole requests go to and whole responses come from. */
struct ports {
	uint16_t port[MAX_PORTS];
	unsigned n;
};

static void add_port(struct ports *p, uint16_t port)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->port[i] == port)
			return;
	if (p->n < MAX_PORTS)
		p->port[p->n++] = port;
}

static void find_port(void *ctx, const struct frame *f, const struct datagram *d)
{
	struct plain_msg m;

	(void)f;
	if (!d->data)
		return;
	plain_sip(d->data, d->len, &m);
	if (m.verdict == SIP_OK)
		add_port(ctx, m.code ? d->sport : d->dport);
}

static struct play_row *find_row(struct play *p, const struct siprtx_key *key)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!memcmp(&p->rows[i].key, key, sizeof(*key)))
			return &p->rows[i];
	return NULL;
}

/* A value of the message in the scanner's buffer, up to the line's end, cut to what `to` holds. */
static void copy_value(char *to, size_t size, const struct scan_run *s, unsigned at, unsigned len)
{
	const char *buf = (const char *)s->buf + at, *end = (const char *)s->buf + s->result->end;

	while (len && buf < end && (*buf == ' ' || *buf == '\t')) {
		buf++;
		len--;
	}
	snprintf(to, size, "%.*s", (int)len, buf);
	to[strcspn(to, "\r\n")] = 0;
}

static struct play_row *add_row(struct player *r, const struct siprtx_key *key, const struct datagram *d)
{
	const struct sip_msg *m = &r->scan.result->msg;
	struct play *p = r->play;
	struct play_row *row;

	if (p->n == p->room) {
		p->room = p->room * 2 + 64;
		p->rows = realloc(p->rows, p->room * sizeof(*p->rows));
		assert_non_null(p->rows);
	}
	row = &p->rows[p->n++];
	memset(row, 0, sizeof(*row));
	row->key = *key;
	row->cseq = m->cseq;
	row->slot = -1;
	copy_value(row->method, sizeof(row->method), &r->scan, m->start, sizeof(row->method));
	row->method[strcspn(row->method, " ")] = 0;
	copy_value(row->call_id, sizeof(row->call_id), &r->scan, m->call_id, sizeof(row->call_id));
	copy_value(row->branch, sizeof(row->branch), &r->scan, m->branch, m->branch_len);
	snprintf(row->from, sizeof(row->from), "%s:%u", d->src, d->sport);
	snprintf(row->to, sizeof(row->to), "%s:%u", d->dst, d->dport);
	return row;
}

/* Through a product's program, which must let it pass as it is. The counter it raised. */
static unsigned through(struct player *r, int prog, const struct frame *in)
{
	uint64_t before[CNT_COUNT];
	struct frame out;
	int raised = -1;

	for (unsigned i = 0; i < CNT_COUNT; i++)
		before[i] = counter(&r->edge, i);
	if (run(prog, in, &out) != PASS || out.len != in->len || memcmp(out.data, in->data, in->len))
		give_up(r, "packet %u did not pass as it came", r->play->packets);
	for (unsigned i = 0; i < CNT_COUNT; i++) {
		uint64_t more = counter(&r->edge, i) - before[i];

		if (more > 1 || (more && raised >= 0))
			give_up(r, "packet %u was counted twice", r->play->packets);
		if (more)
			raised = (int)i;
	}
	if (raised < 0) {
		give_up(r, "packet %u was not counted", r->play->packets);
		return 0;
	}
	r->play->counted[raised]++;
	return raised;
}

static void invite(struct player *r, const struct datagram *d, unsigned counted)
{
	struct play_row *row = find_row(r->play, &r->scan.result->key);
	struct siprtx_slot *slot;

	switch (counted) {
	case CNT_captured:
		slot = last_captured(&r->edge);
		if (!slot || memcmp(&slot->key, &r->scan.result->key, sizeof(slot->key)) || (row && row->slot >= 0)) {
			give_up(r, "packet %u: the key in the slot is not the scanner's", r->play->packets);
			return;
		}
		row = row ?: add_row(r, &slot->key, d);
		row->slot = slot - r->edge.pins.slots;
		break;
	case CNT_copy_passed:
	case CNT_copy_answered:
	case CNT_remembered:
		if (!row) {
			give_up(r, "packet %u: a copy of an INVITE that was not seen", r->play->packets);
			return;
		}
		break;
	default:
		row = row ?: add_row(r, &r->scan.result->key, d);
		row->unhelped = counted;
	}
	row->seen++;
}

static void request(struct player *r, const struct datagram *d, unsigned counted)
{
	const struct scan_result *said = r->scan.result;
	struct play_row *row;

	if (said->msg.method == SIP_INVITE) {
		invite(r, d, counted);
		return;
	}
	if (said->msg.method == SIP_ACK)
		return;
	row = find_row(r->play, &said->key);
	if (said->msg.method == SIP_CANCEL && row && strcmp(row->method, "INVITE") == 0) {
		row->cancelled = true;
		return;
	}
	row = row ?: add_row(r, &said->key, d);
	row->seen++;
}

static void on_frame(void *ctx, const struct frame *f, const struct datagram *d)
{
	struct player *r = ctx;
	const struct scan_result *said = r->scan.result;
	struct play_row *row;
	unsigned counted;
	bool sip;

	if (r->failed)
		return;
	r->play->packets++;
	scan_frame(&r->scan, f);
	sip = said->reason == SCAN_READ && said->verdict == SIP_OK;
	counted = through(r, sip && said->msg.code ? r->edge.outside : r->edge.inside, f);
	if (!sip || r->failed)
		return;
	if (!said->msg.code) {
		request(r, d, counted);
		return;
	}
	row = find_row(r->play, &said->key);
	if (row && row->code < 200)
		row->code = said->msg.code;
}

static void player_up(struct player *r, const struct ports *found, const char *given)
{
	char ports[160] = "siprtx.sip_ports=5060";
	char *more[] = {"siprtx.max_transactions=8192", ports, NULL};
	uint64_t bits[1024] = {};
	size_t at = strlen(ports);

	for (unsigned i = 0; i < found->n && !given; i++)
		if (found->port[i] != 5060)
			at += snprintf(ports + at, sizeof(ports) - at, ",%u", found->port[i]);
	if (given)
		snprintf(ports, sizeof(ports), "siprtx.sip_ports=%s", given);
	edge_up(&r->edge, more);
	edge_run("ip link set out0 mtu 9000; ip route add default via " GATEWAY "; ip route add default via " GATEWAY6);
	r->edge.pins.in_force->tunables[TUN_dup_window] = 0; /* the gaps of the file are not waited for */
	for (unsigned i = 0; i < r->edge.config.n_sip_ports; i++)
		bits[r->edge.config.sip_ports[i] >> 6] |= 1ull << (r->edge.config.sip_ports[i] & 63);
	scan_up(&r->scan, r->edge.pins.fd[PIN_hash_key], NULL, bits);
}

int play(const char *path, const char *ports, struct play *p, char *why, size_t size)
{
	struct player r = {.play = p, .why = why, .why_size = size};
	struct ports found = {};

	memset(p, 0, sizeof(*p));
	if (pcap_frames(path, find_port, &found, &p->left_out, why, size))
		return -1;
	player_up(&r, &found, ports);
	if (pcap_frames(path, on_frame, &r, &p->left_out, why, size))
		r.failed = true;
	for (unsigned i = 0; i < p->n; i++)
		if (p->rows[i].slot >= 0)
			p->rows[i].word = r.edge.pins.slots[p->rows[i].slot].word;
	p->sum = slot_sum(&r.edge);
	scan_down(&r.scan);
	edge_down(&r.edge);
	return r.failed ? -1 : 0;
}

void play_free(struct play *p)
{
	free(p->rows);
	memset(p, 0, sizeof(*p));
}

unsigned play_retransmitted(const struct play *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += strcmp(p->rows[i].method, "INVITE") == 0 && p->rows[i].seen > 1;
	return n;
}

static const char *state_of(const struct play_row *row)
{
	static const char *const states[] = {"free", "calling", "proceeding", "completed", "terminated"};
	static const char *const counters[] = {
#define COUNTER(number, name, help) [number] = #name,
#include "counters.def"
#undef COUNTER
	};

	if (row->unhelped)
		return counters[row->unhelped];
	if (row->slot < 0)
		return "-";
	if (word_end(row->word) == END_CANCELLED)
		return "cancelled";
	return word_state(row->word) <= ST_TERMINATED ? states[word_state(row->word)] : "?";
}

void play_print(FILE *to, const struct play *p)
{
	fprintf(to, "%-9s %-24s %10s %-32s %-21s    %-21s %4s %4s %s\n", "method", "Call-ID", "CSeq", "branch", "from",
		"to", "seen", "code", "siprtx");
	for (unsigned i = 0; i < p->n; i++) {
		const struct play_row *row = &p->rows[i];

		fprintf(to, "%-9s %-24.24s %10u %-32.32s %-21s -> %-21s %4u %4u %s\n", row->method, row->call_id,
			row->cseq, row->branch, row->from, row->to, row->seen, row->code, state_of(row));
	}
	if (p->left_out)
		fprintf(to, "%u packets left out: cut when captured, or over 4096 bytes\n", p->left_out);
	fprintf(to, "%u request transactions, %u retransmitted INVITEs\n", p->n, play_retransmitted(p));
}
