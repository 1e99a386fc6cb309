// SPDX-License-Identifier: GPL-2.0-or-later
#include "by_rule.h"

#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "../fuzz/plain_sip.h"
#include "txns.h"

#define UNREAD -1

/* The counter of a message that is not to be acted on, or UNREAD. */
static int unread(const uint8_t *data, size_t len, unsigned ip, struct plain_msg *m)
{
	if (ip + len > SLOT_ROOM)
		return CNT_too_long;
	plain_sip(data, len, m);
	switch (m->verdict) {
	case SIP_OK:
		return UNREAD;
	case SIP_KEEPALIVE:
		return CNT_keepalive;
	case SIP_STUN:
		return CNT_stun;
	case SIP_NOT_SIP:
		return CNT_not_sip;
	case SIP_BAD_VERSION:
		return CNT_bad_version;
	case SIP_TOO_LONG:
		return CNT_too_long;
	case SIP_MALFORMED:
		return CNT_malformed;
	case SIP_LEGACY:
		return CNT_legacy;
	case SIP_CSEQ_MISMATCH:
		return CNT_cseq_mismatch;
	}
	return UNREAD;
}

/* Finds the INVITE of this sent-by, branch and CSeq number: 0 none, 1 an ended one, 2 a held one, in *slot. */
static int find(const struct edge *e, const uint8_t *data, const struct plain_msg *m, struct siprtx_slot **slot)
{
	struct siprtx_hash_key secret;
	const struct txns t = txns_of(&e->pins);
	struct siprtx_key key;
	__u32 zero = 0;
	uint64_t at;

	assert_int_equal(bpf_map_lookup_elem(e->pins.fd[PIN_hash_key], &zero, &secret), 0);
	plain_key(data, m, SIP_INVITE, secret.k, (uint64_t *)key.hash);
	if (txns_find(&t, &key, &at) < 0)
		return 0;
	if (at & TXN_EXHAUSTED || txn_gen(at) != word_gen(e->pins.slots[txn_slot(at)].word))
		return 1;
	*slot = &e->pins.slots[txn_slot(at)];
	return 2;
}

static unsigned invite(const struct siprtx_slot *slot, int found)
{
	if (found == 0)
		return CNT_captured;
	if (found == 1 || word_state(slot->word) == ST_TERMINATED)
		return CNT_remembered;
	return word_state(slot->word) == ST_CALLING ? CNT_copy_passed : CNT_copy_answered;
}

struct by_rule by_rule_inside(const struct edge *e, const uint8_t *data, size_t len, unsigned ip)
{
	struct by_rule r = {};
	struct plain_msg m;
	int found, reason = unread(data, len, ip, &m);

	if (reason != UNREAD) {
		r.counter = reason;
	} else if (m.code) {
		r.counter = CNT_response_out;
	} else if (m.method == SIP_INVITE) {
		found = find(e, data, &m, &r.slot);
		r.counter = invite(r.slot, found);
	} else if (m.method == SIP_CANCEL) {
		r.moves = find(e, data, &m, &r.slot) == 2 &&
			  (word_state(r.slot->word) == ST_CALLING || word_state(r.slot->word) == ST_PROCEEDING);
		r.counter = r.moves ? CNT_cancel : CNT_cancel_unknown;
	} else {
		r.counter = CNT_other_method;
	}
	return r;
}

/* Does this response move the transaction? Finals end it; a 1xx moves it out of calling, later to a longer stage. */
static bool moves(const struct siprtx_slot *slot, const struct plain_msg *m, size_t body)
{
	unsigned stage, state = word_state(slot->word);

	if (state != ST_CALLING && state != ST_PROCEEDING)
		return false;
	if (m->code == 100)
		stage = STAGE_TRYING;
	else if (m->code == 180)
		stage = STAGE_RINGING;
	else if (m->content_length == ~0u ? body > 0 : m->content_length > 0)
		stage = STAGE_PROGRESS_SDP;
	else
		stage = STAGE_PROGRESS;
	return m->code >= 200 || state == ST_CALLING || stage > word_stage(slot->word);
}

struct by_rule by_rule_outside(const struct edge *e, const uint8_t *data, size_t len, unsigned ip)
{
	struct by_rule r = {};
	struct plain_msg m;
	int found, reason = unread(data, len, ip, &m);

	if (reason != UNREAD) {
		r.counter = reason;
	} else if (!m.code) {
		r.counter = CNT_request_in;
	} else if (m.method != SIP_INVITE) {
		r.counter = CNT_response_other;
	} else if (m.content_length != ~0u && m.content_length > len - m.body) {
		r.counter = CNT_short_body;
	} else {
		found = find(e, data, &m, &r.slot);
		r.moves = found == 2 && moves(r.slot, &m, len - m.body);
		if (found == 0)
			r.counter = CNT_response_unknown;
		else if (!r.moves)
			r.counter = CNT_response_repeat;
		else
			r.counter = m.code < 200 ? CNT_provisional : CNT_final;
	}
	return r;
}
