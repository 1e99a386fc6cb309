// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Puts records of a gateway's state into the map `exhausted`, as siprtxd's recorder does.
 *
 *   add_record PIN-PATH ADDRESS PORT NAME EVENT...
 *
 * EVENT: up, suspect, down, or call for an exhausted one. One record each, in order. Prints the sequence of the first.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../include/abi.h"

static int open_map(const char *folder, const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static __u8 event_of(const char *word)
{
	if (!strcmp(word, "up"))
		return RECORD_GATEWAY_UP;
	if (!strcmp(word, "suspect"))
		return RECORD_GATEWAY_SUSPECT;
	return strcmp(word, "down") ? RECORD_EXHAUSTED : RECORD_GATEWAY_DOWN;
}

static void make(struct siprtx_record *r, char *const *argv, __u64 seq, const char *event)
{
	static const __u8 mapped[12] = {[10] = 0xff, 0xff};
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	memset(r, 0, sizeof(*r));
	r->seq = seq;
	r->ts_ms = t.tv_sec * 1000ull + t.tv_nsec / 1000000;
	r->event = event_of(event);
	r->reason = r->event == RECORD_GATEWAY_UP  ? (__u8)WHY_RESPONSE
		    : r->event == RECORD_EXHAUSTED ? 1
						   : (__u8)WHY_EXHAUSTED;
	r->sends = 3;
	r->dport = strtoul(argv[3], NULL, 10);
	memcpy(r->daddr, mapped, sizeof(mapped));
	inet_pton(AF_INET, argv[2], r->daddr + 12);
	memcpy(r->saddr, r->daddr, sizeof(r->saddr));
	snprintf(r->gateway_name, sizeof(r->gateway_name), "%s", argv[4]);
	if (r->event == RECORD_EXHAUSTED)
		snprintf(r->call_id, sizeof(r->call_id), "call-%llu\"\\$(id)", (unsigned long long)seq);
}

int main(int argc, char **argv)
{
	struct siprtx_record r;
	struct siprtx_meta *m;
	int exhausted, meta;
	long page = sysconf(_SC_PAGESIZE);

	if (argc < 6)
		return 2;
	exhausted = open_map(argv[1], "exhausted");
	meta = open_map(argv[1], "meta");
	m = mmap(NULL, (sizeof(*m) + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, meta, 0);
	if (m == MAP_FAILED) {
		perror("meta");
		return 1;
	}
	printf("%llu\n", (unsigned long long)m->next_seq);
	for (int i = 5; i < argc; i++) {
		make(&r, argv, m->next_seq, argv[i]);
		if (bpf_map_update_elem(exhausted, &r.seq, &r, BPF_ANY)) {
			perror("exhausted");
			return 1;
		}
		__atomic_store_n(&m->next_seq, r.seq + 1, __ATOMIC_RELEASE);
	}
	return 0;
}
