// SPDX-License-Identifier: GPL-2.0-or-later
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config_parse.h"
#include "methods.h"
#include "schedule.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

struct text text_seconds(uint64_t ms)
{
	struct text t;
	int n;

	n = snprintf(t.s, sizeof(t.s), "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
	while (t.s[n - 1] == '0')
		t.s[--n] = '\0';
	if (t.s[n - 1] == '.')
		t.s[--n] = '\0';
	return t;
}

struct text text_us_as_ms(int64_t us)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%.2f ms", us / 1e3);
	return t;
}

struct text text_age(uint64_t ns)
{
	uint64_t s = ns / NS_PER_S, min = s / 60, h = min / 60;
	struct text t;

	if (s < 1)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " ms", ns / NS_PER_MS);
	else if (min < 1)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " s", s);
	else if (h < 1)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " min %" PRIu64 " s", min, s % 60);
	else if (h < 24)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " h %" PRIu64 " min", h, min % 60);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " d %" PRIu64 " h", h / 24, h % 24);
	return t;
}

struct text text_percent(uint64_t part, uint64_t whole)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%.1f %%", whole ? 100.0 * part / whole : 0.0);
	return t;
}

struct text text_rate(double per_s)
{
	struct text t;

	/* the bounds are where rounding adds a digit */
	snprintf(t.s, sizeof(t.s), "%.*f", per_s >= 99.95 || per_s <= 0 ? 0 : per_s >= 0.995 ? 1 : 2, per_s);
	return t;
}

struct text text_field(unsigned field, uint32_t value)
{
	struct text t;

	if (!profile_field_is_count(field))
		return text_seconds(value);
	snprintf(t.s, sizeof(t.s), "%" PRIu32, value);
	return t;
}

double rate_per_s(uint64_t before, uint64_t after, uint64_t period_ns)
{
	return after > before && period_ns ? (after - before) * 1e9 / period_ns : 0;
}

uint64_t lateness_max_us(const __u64 *buckets, uint64_t seen_us)
{
	unsigned top = LATENESS_BUCKETS - 1;

	while (top && !buckets[top])
		top--;
	if (top ? seen_us > lateness_bound_us(top - 1) : seen_us || !buckets[0])
		return seen_us;
	return lateness_bound_us(top);
}

bool lateness_quantile(const __u64 *buckets, double q, uint64_t max_us, uint64_t *us)
{
	uint64_t copy[LATENESS_BUCKETS], total = 0, sum = 0, rank;
	unsigned b;

	/* the controller goes on counting meanwhile: total and sum must be of the same numbers */
	for (b = 0; b < LATENESS_BUCKETS; b++) {
		copy[b] = buckets[b];
		total += copy[b];
	}
	if (!total)
		return false;
	rank = q * total;
	if (rank < q * total || !rank)
		rank++;
	for (b = 0; b < LATENESS_BUCKETS - 1; b++) {
		sum += copy[b];
		if (sum >= rank)
			break;
	}
	/* the last bucket has no bound of its own */
	*us = b < LATENESS_BUCKETS - 1 && lateness_bound_us(b) < max_us ? lateness_bound_us(b) : max_us;
	return true;
}

static const char *parse_number(const char *s, unsigned decimals, uint32_t *out)
{
	const char *fault;
	uint64_t n = 0;

	fault = parse_decimal(s, decimals, &n);
	if (!fault && n > UINT32_MAX)
		fault = "is too large";
	if (!fault)
		*out = n;
	return fault;
}

const char *parse_seconds(const char *s, uint32_t *ms)
{
	return parse_number(s, 3, ms);
}

const char *parse_u32(const char *s, uint32_t *value)
{
	return parse_number(s, 0, value);
}

int parse_intervals(const char *s, uint32_t ms[MAX_INTERVALS], char *why, size_t why_size)
{
	char copy[256], *rest = copy, *item;
	uint32_t list[MAX_INTERVALS] = {0};
	const char *fault = NULL;
	unsigned n = 0;

	if (snprintf(copy, sizeof(copy), "%s", s) >= (int)sizeof(copy)) {
		snprintf(why, why_size, "the list is too long; give %d intervals or fewer", MAX_INTERVALS);
		return -EINVAL;
	}
	while (!fault && (item = next_item(&rest))) {
		if (n == MAX_INTERVALS) {
			snprintf(why, why_size, "the list has more than %d intervals; leave out those after",
				 MAX_INTERVALS);
			return -EINVAL;
		}
		fault = parse_seconds(item, &list[n]);
		if (!fault && !list[n])
			fault = "is no wait";
		n++;
	}
	if (fault) {
		snprintf(why, why_size, "interval %u, \"%s\", %s; give seconds, as in 0.5,1,2", n, item, fault);
		return -EINVAL;
	}
	memcpy(ms, list, sizeof(list));
	return n;
}

/* Levenshtein's distance, of names short enough to be commands; cut at 31 bytes. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32], i, j, diagonal, above, cost;
	unsigned la = strnlen(a, 31), lb = strnlen(b, 31);

	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			above = row[j];
			cost = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < cost)
				cost = above + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
			diagonal = above;
		}
	}
	return row[lb];
}

int nearest_name(const char *word, const char *const *names, unsigned n)
{
	unsigned i, d, best = 3; /* more than two slips are another word */
	size_t len = strlen(word);
	int found = -1;

	for (i = 0; i < n; i++) {
		if (!names[i])
			continue;
		d = len >= 2 && !strncmp(word, names[i], len) ? 0 : distance(word, names[i]);
		if (d < best && d < strlen(names[i])) {
			best = d;
			found = i;
		}
	}
	return found;
}

char *bpftool_line(const char *pin_path, const char *map, uint32_t key, uint32_t value, char *buf, size_t size)
{
	uint8_t k[4], v[4];

	memcpy(k, &key, sizeof(k));
	memcpy(v, &value, sizeof(v));
	snprintf(buf, size, "bpftool map update pinned %s/%s key %u %u %u %u value 0x%02x 0x%02x 0x%02x 0x%02x",
		 pin_path, map, k[0], k[1], k[2], k[3], v[0], v[1], v[2], v[3]);
	return buf;
}

#define NAME_OF(names, i) ((size_t)(i) < sizeof(names) / sizeof((names)[0]) && (names)[i] ? (names)[i] : "?")

const char *state_name(enum siprtx_state state)
{
	static const char *const names[] = {
		[ST_FREE] = "free",	      [ST_CALLING] = "calling",	      [ST_PROCEEDING] = "proceeding",
		[ST_COMPLETED] = "completed", [ST_TERMINATED] = "terminated",
	};

	return NAME_OF(names, state);
}

const char *stage_name(enum siprtx_stage stage)
{
	static const char *const names[] = {
		[STAGE_NOTHING] = "nothing",	       [STAGE_TRYING] = "trying",   [STAGE_PROGRESS] = "progress",
		[STAGE_PROGRESS_SDP] = "progress_sdp", [STAGE_RINGING] = "ringing",
	};

	return NAME_OF(names, stage);
}

const char *event_name(enum siprtx_event_kind kind)
{
	static const char *const names[] = {
		[EV_NEW] = "new",
		[EV_SEND] = "send",
		[EV_COPY] = "copy",
		[EV_RESPONSE] = "response",
		[EV_CANCEL] = "cancel",
		[EV_EXHAUSTED] = "exhausted",
		[EV_LATE] = "late_response",
		[EV_GIVEN_UP] = "given_up",
		[EV_ICMP] = "icmp",
		[EV_CONFIRMED] = "confirmed",
		[EV_REPLIED] = "replied",
		[EV_GATEWAY] = "gateway",
	};

	return NAME_OF(names, kind);
}

const char *kind_name(enum siprtx_kind kind)
{
	static const char *const names[] = {
		[KIND_INVITE] = "invite",     [KIND_REQUEST] = "request", [KIND_FINAL] = "final",
		[KIND_RELIABLE] = "reliable", [KIND_PROBE] = "probe",
	};

	return NAME_OF(names, kind);
}

const char *gateway_state_name(enum siprtx_gateway_state state)
{
	static const char *const names[] = {
		[GATEWAY_UP] = "up", [GATEWAY_SUSPECT] = "suspect", [GATEWAY_DOWN] = "down"};

	return NAME_OF(names, state);
}

const char *bypass_name(enum siprtx_bypass bypass)
{
	static const char *const names[] = {
		[BYPASS_NONE] = "none", [BYPASS_FAST] = "fast", [BYPASS_REFUSED] = "refused"};

	return NAME_OF(names, bypass);
}

const char *on_down_name(enum siprtx_on_down on_down)
{
	static const char *const names[] = {
		[ON_DOWN_PASS] = "pass", [ON_DOWN_FAST] = "fast", [ON_DOWN_REPLY_503] = "reply-503"};

	return NAME_OF(names, on_down);
}

const char *admin_name(enum siprtx_admin admin)
{
	static const char *const names[] = {[ADMIN_AUTO] = "auto", [ADMIN_UP] = "up", [ADMIN_DOWN] = "down"};

	return NAME_OF(names, admin);
}

const char *slot_state_name(enum siprtx_kind kind, enum siprtx_state state)
{
	if (!kind_is_response(kind) || state == ST_FREE)
		return state_name(state);
	return state == ST_COMPLETED ? "confirmed" : "unconfirmed";
}

struct text text_message(enum siprtx_kind kind, unsigned method, unsigned code)
{
	struct text t;

	if (kind_is_response(kind))
		snprintf(t.s, sizeof(t.s), "%u %s", code, method_name(method));
	else
		snprintf(t.s, sizeof(t.s), "%s", method_name(method));
	return t;
}
