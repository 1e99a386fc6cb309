// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a silent gateway heard (a log of tests/peer/sink.c) against the list it should have heard.
 *
 *   judge LOG LIST UNTIL [FROM-TO...]
 *
 * LIST: the intervals, ms, with commas. UNTIL: wall clock, ns; what is due later is not asked for. A datagram belongs
 * to the step of its call's list that is nearest in time: a step without one that was due by UNTIL is missing, with two
 * it is doubled. Prints one JSON line: calls, copies, missing, doubled; lateness of the copies in us, signed and
 * absolute, counted from the call's first datagram; and for each period FROM-TO (wall clock, ns) the first datagrams
 * and the copies in it, and how many copies came in one millisecond.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STEPS	32
#define WIDEST	2000000 /* us of lateness, either way; more counts as this */
#define BUSIEST 100000	/* copies in one millisecond; more counts as this */

struct note {
	uint64_t ns, branch;
};

struct call {
	uint64_t branch, first_ns;
	uint32_t heard; /* bit i: step i of the list; 0: the first datagram */
};

static uint64_t due_ns[STEPS]; /* after the first datagram */
static int steps = 1;
static uint32_t signed_us[2 * WIDEST + 1], absolute_us[WIDEST + 1];

/* The value with `share` of all below it, in a table of how often each value came. */
static uint32_t quantile(const uint32_t *table, uint32_t values, uint64_t count, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)(count * share);

	if (wanted >= count)
		wanted = count - 1;
	for (uint32_t v = 0; v < values; v++)
		if ((seen += table[v]) > wanted)
			return v;
	return 0;
}

static int nearest(uint64_t after)
{
	int i = 0;

	while (i + 1 < steps && after >= (due_ns[i] + due_ns[i + 1]) / 2)
		i++;
	return i;
}

static void note_late(int64_t ns)
{
	int64_t us = ns / 1000;

	us = us > WIDEST ? WIDEST : us < -WIDEST ? -WIDEST : us;
	signed_us[us + WIDEST]++;
	absolute_us[us < 0 ? -us : us]++;
}

static void period(const struct note *notes, const bool *first, uint64_t count, const char *text)
{
	uint64_t from, to, calls = 0, copies = 0;
	uint32_t *busy, *in_ms, most = 0;
	size_t length;
	char *end;

	from = strtoull(text, &end, 10);
	to = strtoull(end + 1, NULL, 10);
	length = to > from ? (to - from) / 1000000 : 0;
	busy = calloc(BUSIEST + 1, sizeof(*busy));
	in_ms = calloc(length + 1, sizeof(*in_ms));
	if (!busy || !in_ms)
		exit(1);
	for (uint64_t i = 0; i < count; i++) {
		if (notes[i].ns < from || notes[i].ns >= to)
			continue;
		if (first[i])
			calls++;
		else
			copies++, in_ms[(notes[i].ns - from) / 1000000]++;
	}
	for (size_t i = 0; i < length; i++) {
		busy[in_ms[i] < BUSIEST ? in_ms[i] : BUSIEST]++;
		most = in_ms[i] > most ? in_ms[i] : most;
	}
	printf("{\"calls\": %" PRIu64 ", \"copies\": %" PRIu64
	       ", \"in_ms\": {\"p50\": %u, \"p99.9\": %u, \"max\": %u}}",
	       calls, copies, length ? quantile(busy, BUSIEST + 1, length, .5) : 0,
	       length ? quantile(busy, BUSIEST + 1, length, .999) : 0, most);
	free(busy);
	free(in_ms);
}

static void lateness(uint64_t copies)
{
	static const struct {
		const char *name;
		double share;
	} shares[] = {{"min", 0}, {"p50", .5}, {"p99", .99}, {"p99.9", .999}, {"max", 1}};

	for (int absolute = 0; absolute < 2 && copies; absolute++) {
		printf(", \"%s_us\": {", absolute ? "absolute" : "late");
		for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
			printf("%s\"%s\": %d", i ? ", " : "", shares[i].name,
			       absolute ? (int)quantile(absolute_us, WIDEST + 1, copies, shares[i].share)
					: (int)quantile(signed_us, 2 * WIDEST + 1, copies, shares[i].share) - WIDEST);
		printf("}");
	}
}

int main(int argc, char **argv)
{
	uint64_t count, until, calls = 0, copies = 0, missing = 0, doubled = 0, foreign = 0, room = 1024;
	const struct note *notes = NULL;
	struct call *table;
	bool *first;
	FILE *log;

	if (argc < 4 || !(log = fopen(argv[1], "r"))) {
		fprintf(stderr, "usage: judge LOG LIST UNTIL [FROM-TO...]\n");
		return 2;
	}
	for (char *p = argv[2]; *p && steps < STEPS; p += *p == ',', steps++)
		due_ns[steps] = due_ns[steps - 1] + (uint64_t)(strtod(p, &p) * 1e6);
	until = strtoull(argv[3], NULL, 10);
	fseek(log, 0, SEEK_END);
	count = ftell(log) / sizeof(*notes);
	while (room < 2 * count)
		room *= 2; /* a call is one datagram at least */
	if (count)
		notes = mmap(NULL, count * sizeof(*notes), PROT_READ, MAP_PRIVATE, fileno(log), 0);
	table = mmap(NULL, room * sizeof(*table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		     -1, 0);
	first = calloc(count + 1, sizeof(*first));
	if (notes == MAP_FAILED || table == MAP_FAILED || !first) {
		perror("judge");
		return 1;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = notes[i].branch & (room - 1);

		if (!notes[i].branch) {
			foreign++;
			continue;
		}
		while (table[at].branch && table[at].branch != notes[i].branch)
			at = (at + 1) & (room - 1);
		if (!table[at].branch) {
			table[at] = (struct call){notes[i].branch, notes[i].ns, 1};
			first[i] = true;
			calls++;
			continue;
		}
		int step = nearest(notes[i].ns - table[at].first_ns);

		copies++;
		doubled += table[at].heard >> step & 1;
		table[at].heard |= 1u << step;
		note_late((int64_t)(notes[i].ns - table[at].first_ns) - (int64_t)due_ns[step]);
	}
	for (uint64_t i = 0; i < room; i++)
		for (int step = 1; table[i].branch && step < steps; step++)
			missing += table[i].first_ns + due_ns[step] < until && !(table[i].heard >> step & 1);
	printf("{\"calls\": %" PRIu64 ", \"copies\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"doubled\": %" PRIu64
	       ", \"foreign\": %" PRIu64,
	       calls, copies, missing, doubled, foreign);
	lateness(copies);
	printf(", \"periods\": [");
	for (int i = 4; i < argc; i++) {
		printf(i > 4 ? ", " : "");
		period(notes, first, count, argv[i]);
	}
	printf("]}\n");
	return 0;
}
