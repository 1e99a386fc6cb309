// SPDX-License-Identifier: GPL-2.0-or-later
#include "counter_sum.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

int counter_sum(const struct pins *pins, uint32_t first, uint32_t n, uint64_t *sums)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *each;
	uint32_t i, key;
	int cpu;

	if (cpus < 0)
		return cpus;
	each = malloc(cpus * sizeof(*each));
	if (!each)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		key = first + i;
		sums[i] = 0;
		if (bpf_map_lookup_elem(pins->fd[PIN_counters], &key, each))
			continue;
		for (cpu = 0; cpu < cpus; cpu++)
			sums[i] += each[cpu];
	}
	free(each);
	return 0;
}
