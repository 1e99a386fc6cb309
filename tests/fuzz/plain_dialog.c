// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <string.h>

#include "plain_read.h"
#include "plain_sip.h"

/* A run of bytes up to one of `stops`, or a quoted string: SIP_MAX_BRANCH bytes at most. */
static enum sip_verdict take_piece(struct cursor *c, const char *stops)
{
	size_t before = c->at;

	if (peek(c, 0) == '"') {
		if (!take_quoted(c))
			return SIP_MALFORMED;
	} else {
		take_run(c, stops);
	}
	if (c->at == before)
		return SIP_MALFORMED;
	return c->at - before > SIP_MAX_BRANCH ? SIP_TOO_LONG : SIP_OK;
}

static enum sip_verdict call_id(const uint8_t *data, const struct plain_msg *m, struct plain_dialog *out)
{
	struct cursor c = inside(data, m->value[PLAIN_CALL_ID]);

	take_lws(&c);
	out->call_id = take_run(&c, "");
	take_lws(&c);
	if (out->call_id.len > SIP_MAX_CALL_ID)
		return SIP_TOO_LONG;
	return out->call_id.len == 0 || peek(&c, 0) >= 0 ? SIP_MALFORMED : SIP_OK;
}

/* [ display-name ] "<" addr-spec ">" / addr-spec: whether it can be read. */
static bool take_address(struct cursor *c)
{
	take_lws(c);
	for (int pieces = 0; peek(c, 0) >= 0 && peek(c, 0) != ';' && peek(c, 0) != '<'; pieces++) {
		if (pieces == SIP_MAX_PIECES || take_piece(c, "\",;<") != SIP_OK)
			return false;
		take_lws(c);
	}
	if (take(c, '<')) {
		take_run(c, ">");
		if (!take(c, '>'))
			return false;
		take_lws(c);
	}
	return peek(c, 0) < 0 || peek(c, 0) == ';';
}

/* *( SEMI ( "tag" EQUAL token / generic-param ) ), white space inside a parameter making several pieces of it */
static enum sip_verdict take_parameters(struct cursor *c, struct plain_span *out)
{
	for (int pieces = 0; peek(c, 0) >= 0; pieces++) {
		enum sip_verdict verdict;
		bool tag = false;
		size_t before;

		if (take(c, ';')) {
			take_lws(c);
			tag = take_name(c, "tag");
			if (tag && out->at)
				return SIP_MALFORMED;
		}
		before = c->at;
		verdict = take_piece(c, "\",;");
		if (verdict != SIP_OK)
			return verdict;
		if (tag)
			*out = (struct plain_span){.at = before, .len = c->at - before};
		take_lws(c);
		if (tag && !at_separator(c))
			return SIP_MALFORMED;
		if (pieces >= SIP_MAX_PIECES)
			return SIP_TOO_LONG;
	}
	return SIP_OK;
}

static enum sip_verdict tag_of(const uint8_t *data, struct plain_span value, struct plain_span *out)
{
	struct cursor c = inside(data, value);
	enum sip_verdict verdict;

	if (!take_address(&c))
		return SIP_MALFORMED;
	verdict = take_parameters(&c, out);
	if (verdict != SIP_OK)
		return verdict;
	if (out->len && data[out->at] == '"')
		return SIP_MALFORMED;
	return out->len > SIP_MAX_TAG ? SIP_TOO_LONG : SIP_OK;
}

/* response-num, but 0 and the last one of all */
static bool take_response_number(struct cursor *c, uint32_t *out)
{
	return take_number(c, UINT32_MAX - 1, out) && *out > 0;
}

static enum sip_verdict rseq(const uint8_t *data, const struct plain_msg *m, struct plain_dialog *out)
{
	struct cursor c = inside(data, m->value[PLAIN_RSEQ]);

	take_lws(&c);
	if (m->unreadable[PLAIN_RSEQ] || !take_response_number(&c, &out->rseq))
		return SIP_MALFORMED;
	take_lws(&c);
	return peek(&c, 0) < 0 ? SIP_OK : SIP_MALFORMED;
}

static enum sip_verdict rack(const uint8_t *data, const struct plain_msg *m, struct plain_dialog *out)
{
	struct cursor c = inside(data, m->value[PLAIN_RACK]);
	enum sip_method method;

	take_lws(&c);
	if (c.at == 0 || m->unreadable[PLAIN_RACK] || !take_response_number(&c, &out->rseq) || !take_lws(&c) ||
	    !take_cseq(&c, &out->cseq, &method))
		return SIP_MALFORMED;
	return method == SIP_INVITE ? SIP_OK : SIP_CSEQ_MISMATCH;
}

void plain_dialog(const uint8_t *data, const struct plain_msg *m, struct plain_dialog *out)
{
	memset(out, 0, sizeof(*out));
	out->cseq = m->cseq;
	out->verdict = call_id(data, m, out);
	if (out->verdict == SIP_OK)
		out->verdict = tag_of(data, m->value[PLAIN_FROM], &out->from_tag);
	if (out->verdict == SIP_OK)
		out->verdict = tag_of(data, m->value[PLAIN_TO], &out->to_tag);
	if (out->verdict != SIP_OK)
		return;
	if (m->method == SIP_PRACK && m->code == 0)
		out->verdict = rack(data, m, out);
	else if (m->code > 100 && m->code < 200 && (m->value[PLAIN_RSEQ].at || m->unreadable[PLAIN_RSEQ]))
		out->verdict = rseq(data, m, out);
}
