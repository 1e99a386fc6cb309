/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds the scanner and the plain parser against each other: whatever the bytes, they must say the same, wherever in
 * its buffer the scanner finds them and whatever lies around them.
 */
#ifndef SIPRTX_AGREE_H
#define SIPRTX_AGREE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "key.h"
#include "plain_sip.h"
#include "sip.h"
#include "sip_detail.h"
#include "sip_dialog.h"

#define AGREE_BEGIN (SLOT_L3 + 28)
#define AGREE_LAST  (SLOT_SIZE - 8) /* no message may reach beyond */

/* An offset the plain parser counts from the message as the scanner counts it; nowhere stays nowhere. */
static inline size_t agree_at(size_t beg, size_t at)
{
	return at ? beg + at : 0;
}

static inline const char *agree_message(size_t beg, const struct sip_msg *m, const struct plain_msg *p)
{
	const uint16_t value[PLAIN_HEADERS] = {m->via,	   m->call_id, m->cseq_at,
					       m->from,	   m->to,      m->content_length_at,
					       m->rseq_at, m->rack_at, m->retry_after_at};

	for (int i = 0; i < PLAIN_HEADERS; i++) {
		if (value[i] != (p->unreadable[i] ? SIP_UNREADABLE : agree_at(beg, p->value[i].at)))
			return "position of a header";
	}
	if (m->code != p->code || m->method != p->method)
		return "code or method";
	if (m->cseq != p->cseq)
		return "CSeq number";
	if (m->host != beg + p->host.at || m->host_len != p->host.len || m->port != p->port)
		return "sent-by";
	if (m->branch != beg + p->branch.at || m->branch_len != p->branch.len)
		return "branch";
	if (m->via_end != beg + p->via_end || m->cseq_end != beg + p->value[PLAIN_CSEQ].at + p->value[PLAIN_CSEQ].len)
		return "end of Via or CSeq";
	if (m->start != beg + p->start || m->body != beg + p->body || m->lines != p->lines)
		return "start, body or lines";
	return m->content_length == p->content_length ? NULL : "Content-Length";
}

static inline bool agree_span(size_t beg, struct sip_span a, struct plain_span b)
{
	return a.at == agree_at(beg, b.at) && a.len == b.len;
}

/* What user space shows is what the programs match by, wherever both can read it. */
static inline bool agree_shown(struct sip_span a, struct sip_span shown)
{
	return !a.len || !shown.len || (a.at == shown.at && a.len == shown.len);
}

/* Any words will do, as long as no two are equal. */
static inline const struct siprtx_hash_key *agree_key(void)
{
	static struct siprtx_hash_key key;

	for (uint32_t i = 0; i < KEY_WORDS && !key.k[0]; i++)
		key.k[KEY_WORDS - 1 - i] = (KEY_WORDS - i) * 2654435761u;
	return &key;
}

static inline const char *agree_dialog(const struct siprtx_slot *slot, const uint8_t *data, size_t beg,
				       const struct sip_msg *m, const struct plain_msg *plain)
{
	const struct siprtx_hash_key *key = agree_key();
	struct siprtx_key hash = {};
	struct plain_dialog p;
	struct sip_detail shown;
	struct sip_dialog d;
	uint64_t expected[2];

	plain_dialog(data, plain, &p);
	if (sip_dialog(slot, m, &d) != (int)p.verdict)
		return "verdict on the dialog";
	if (p.verdict != SIP_OK)
		return NULL;
	if (!agree_span(beg, d.call_id, p.call_id))
		return "Call-ID";
	if (!agree_span(beg, d.from_tag, p.from_tag) || !agree_span(beg, d.to_tag, p.to_tag))
		return "a tag";
	if (d.cseq != p.cseq || d.rseq != p.rseq)
		return "RSeq or RAck";
	sip_detail(slot, m->body, m, &shown);
	if (!agree_shown(d.call_id, shown.call_id) || !agree_shown(d.from_tag, shown.from_tag) ||
	    !agree_shown(d.to_tag, shown.to_tag))
		return "Call-ID or a tag, and what user space shows of it";
	sip_dialog_key(slot, &d, key, &hash);
	plain_dialog_key(data, &p, key->k, expected);
	return hash.hash[0] == expected[0] && hash.hash[1] == expected[1] ? NULL : "dialog key";
}

/* A slot filled with `around` again and again. */
static inline void agree_fill(struct siprtx_slot *slot, const char *around)
{
	uint8_t *buf = (uint8_t *)slot;
	size_t n = strlen(around);

	for (size_t at = 0; at < SLOT_SIZE; at += n)
		memcpy(buf + at, around, at + n <= SLOT_SIZE ? n : SLOT_SIZE - at);
}

/* Both say SIP_OK: *m is of a message that lies from `beg` on. What they disagree in, NULL for nothing. */
static inline const char *agree_found(const struct siprtx_slot *slot, const uint8_t *data, size_t beg,
				      const struct sip_msg *found, const struct plain_msg *plain)
{
	struct sip_msg m = *found;
	struct siprtx_key hash = {};
	uint64_t expected[2];
	const char *what = agree_message(beg, &m, plain);

	if (what)
		return what;
	sip_key(slot, &m, m.method, agree_key(), &hash);
	plain_key(data, plain, plain->method, agree_key()->k, expected);
	return hash.hash[0] == expected[0] && hash.hash[1] == expected[1] ? NULL : "key";
}

/* Scans the message that lies from `beg` on. What the two disagree in, NULL for nothing. */
static inline const char *agree_scan(const struct siprtx_slot *slot, const uint8_t *data, size_t beg, size_t len,
				     const struct plain_msg *plain)
{
	const char *what;
	enum sip_verdict verdict = beg + len > AGREE_LAST ? SIP_TOO_LONG : plain->verdict;
	struct sip_msg m;

	if (sip_scan(slot, (uint32_t)beg, (uint32_t)(beg + len), &m) != (int)verdict)
		return "verdict";
	if (verdict != SIP_OK)
		return NULL;
	if (sip_retry_after(slot, &m) != plain->retry_after)
		return "Retry-After";
	what = agree_found(slot, data, beg, &m, plain);
	return what ? what : agree_dialog(slot, data, beg, &m, plain);
}

/* The same bytes as the beginning of a message. */
static inline const char *agree_quote(const struct siprtx_slot *slot, const uint8_t *data, size_t beg, size_t len,
				      const struct plain_msg *plain)
{
	bool whole = plain->verdict == SIP_OK && beg + len <= AGREE_LAST;
	struct sip_msg m;

	if ((sip_scan_quote(slot, (uint32_t)beg, (uint32_t)(beg + len), &m) == SIP_OK) != whole)
		return "verdict on a quote";
	return whole ? agree_found(slot, data, beg, &m, plain) : NULL;
}

/* NULL, or what the two disagree in. A datagram that no slot holds is not looked at. */
static inline const char *disagreement(const uint8_t *data, size_t len)
{
	static const char *const around[] = {"\n", " SIP/2.0\r\n\r\n", ";branch=z9hG4bKother\r\n\r\n"};
	static struct siprtx_slot slot;
	struct plain_msg plain, quote;

	if (AGREE_BEGIN + len > SLOT_SIZE)
		return NULL;
	plain_sip(data, len, &plain);
	plain_quote(data, len, &quote);
	for (size_t shift = 0; shift < 8 && AGREE_BEGIN + shift + len <= SLOT_SIZE; shift++) {
		const char *what;

		agree_fill(&slot, around[shift % 3]);
		memcpy((uint8_t *)&slot + AGREE_BEGIN + shift, data, len);
		what = agree_scan(&slot, data, AGREE_BEGIN + shift, len, &plain);
		if (!what)
			what = agree_quote(&slot, data, AGREE_BEGIN + shift, len, &quote);
		if (what)
			return what;
	}
	return NULL;
}

#endif
