// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx show transactions: the slots in use, read while XDP and the controller change them. */
#include <string.h>

#include "cli.h"
#include "json_text.h"
#include "health.h"
#include "methods.h"
#include "record.h"
#include "sip.h"
#include "sip_detail.h"

#define COPY_TRIES 4 /* a slot that changed so often is another's by now, or about to be */

/* A copy of one moment. False: the slot is free, or a probe's, or will not hold still. */
static bool copy_slot(const struct siprtx_slot *live, struct siprtx_slot *copy)
{
	unsigned i;

	for (i = 0; i < COPY_TRIES; i++) {
		uint64_t word = __atomic_load_n(&live->word, __ATOMIC_ACQUIRE);

		if (word_state(word) == ST_FREE)
			return false;
		*copy = *live;
		copy->word = word;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&live->word, __ATOMIC_RELAXED) == word)
			return copy->kind != KIND_PROBE;
	}
	return false;
}

static struct sip_span call_id(const struct siprtx_slot *s)
{
	uint32_t end = s->sip_off + s->sip_len;
	struct sip_detail detail = {0};
	struct sip_msg m;

	/* nothing says that what is in the map was written by this version of the data path */
	if (s->sip_off >= SLOT_L3 + 28 && end <= SLOT_SIZE && sip_scan(s, s->sip_off, end, &m) == SIP_OK)
		sip_detail(s, end, &m, &detail);
	return detail.call_id;
}

static const char *span_text(const struct siprtx_slot *s, struct sip_span span)
{
	return (const char *)s + span.at;
}

/* Is there a next deadline to speak of? */
static bool waits(const struct siprtx_slot *s)
{
	uint32_t state = word_state(s->word);

	return s->due_ns && (state == ST_CALLING || state == ST_PROCEEDING);
}

/* How far it has come: the stage, the final response, or why it ended. */
static struct text progress(uint64_t word)
{
	struct text t;

	switch (word_state(word)) {
	case ST_PROCEEDING:
		if (word_end(word)) /* given up; so is one that is calling */
			snprintf(t.s, sizeof(t.s), "%s", record_reason_name(word_end(word)));
		else
			snprintf(t.s, sizeof(t.s), "%s %u", stage_name(word_stage(word)), word_code(word));
		break;
	case ST_COMPLETED:
		snprintf(t.s, sizeof(t.s), "%u", word_code(word));
		break;
	case ST_TERMINATED:
		snprintf(t.s, sizeof(t.s), "%s%s", record_reason_name(word_end(word)),
			 word & WORD_REPLIED ? ", replied" : "");
		break;
	default:
		snprintf(t.s, sizeof(t.s), "%s", word_end(word) ? record_reason_name(word_end(word)) : "-");
	}
	return t;
}

static void transaction_row(const struct pins *pins, struct table *t, uint32_t slot, const struct siprtx_slot *s,
			    uint64_t now)
{
	struct sip_span id = call_id(s);

	table_cell(t, PLAIN, "%u", slot);
	table_cell(t, PLAIN, "%s", text_message(s->kind, s->method, word_code(s->word)).s);
	table_cell(t, PLAIN, "%s", slot_state_name(s->kind, word_state(s->word)));
	table_cell(t, PLAIN, "%s", progress(s->word).s);
	table_cell(t, PLAIN, "%s", text_endpoint(s->daddr, s->dport).s);
	table_cell(t, PLAIN, "%s", text_endpoint(s->saddr, s->sport).s);
	table_cell(t, PLAIN, "%u", s->sends);
	if (!waits(s))
		table_cell(t, PLAIN, "-");
	else if (s->due_ns < now)
		table_cell(t, s->due_ns + ALIVE_NS < now ? RED : PLAIN, "overdue");
	else
		table_cell(t, PLAIN, "%.1f s", (s->due_ns - now) / 1e9);
	table_cell(t, PLAIN, "%s", text_age(age_ns(now, s->first_ns)).s);
	table_cell(t, PLAIN, "%s", text_us_as_ms(s->late_us_max).s);
	table_cell(t, PLAIN, "%s", profile_label(pins, s->profile).s);
	table_cell(t, PLAIN, "%.*s", id.len, span_text(s, id));
}

static json_t *transaction_json(const struct pins *pins, uint32_t slot, const struct siprtx_slot *s, uint64_t now)
{
	struct sip_span id = call_id(s);
	uint64_t w = s->word;

	return json_pack(
		"{s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:s, s:s, s:i, s:o, s:I, s:o, s:I, s:s, s:I, s:o, s:b}",
		"slot", (int)slot, "generation", (json_int_t)word_gen(w), "kind", kind_name(s->kind), "method",
		method_name(s->method), "state", slot_state_name(s->kind, word_state(w)), "stage",
		stage_name(word_stage(w)), "end", record_reason_name(word_end(w)), "last_code", (int)word_code(w),
		"taken", !!(w & WORD_TAKEN), "gateway", text_endpoint(s->daddr, s->dport).s, "src",
		text_endpoint(s->saddr, s->sport).s, "sends", (int)s->sends, "due_in_us",
		waits(s) ? json_integer(((int64_t)s->due_ns - (int64_t)now) / 1000) : json_null(), "age_us",
		(json_int_t)(age_ns(now, s->first_ns) / 1000), "response_age_us",
		s->resp_ns ? json_integer(age_ns(now, s->resp_ns) / 1000) : json_null(), "late_us_max",
		(json_int_t)s->late_us_max, "profile", profile_label(pins, s->profile).s, "cseq", (json_int_t)s->cseq,
		"call_id", json_text(span_text(s, id), id.len), "replied", !!(w & WORD_REPLIED));
}

int cmd_transactions(struct cli *cli, char **args)
{
	const struct pins *pins = &cli->pins;
	struct table *t = NULL;
	json_t *list = NULL;
	uint32_t i;

	(void)args;
	if (cli->json)
		list = json_array();
	else
		t = table_new(">SLOT:METHOD:STATE:STAGE:GATEWAY:FROM:>SENDS:>NEXT IN:>AGE:>LATE MAX:PROFILE:CALL-ID");
	if (!list && !t)
		return cli_no_memory();
	for (i = 0; i < pins->entries[PIN_slots]; i++) {
		struct siprtx_slot copy;

		if (!copy_slot(&pins->slots[i], &copy))
			continue;
		if (list)
			json_array_append_new(list, transaction_json(pins, i, &copy, now_ns()));
		else
			transaction_row(pins, t, i, &copy, now_ns());
	}
	if (list)
		return cli_print_json(
			cli, json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "transactions", list));
	return cli_print_table(cli, t, 0);
}
