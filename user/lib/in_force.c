// SPDX-License-Identifier: GPL-2.0-or-later
#include "schedule.h"

typedef bool (*value_ok)(unsigned index, uint32_t value, char *why, size_t why_size);

/* True when the value is newly found out of range. Two writers and the data path are at it: single loads and stores. */
static bool refresh(uint32_t *in_force, uint32_t *seen, const uint32_t *from, value_ok ok, unsigned index)
{
	uint32_t value = __atomic_load_n(from, __ATOMIC_RELAXED);
	bool changed = value != *seen;
	char why[128];

	*seen = value;
	if (value == *in_force)
		return false;
	if (!ok(index, value, why, sizeof(why)))
		return changed;
	__atomic_store_n(in_force, value, __ATOMIC_RELAXED);
	return false;
}

unsigned in_force_refresh(struct siprtx_in_force *in_force, struct siprtx_in_force *seen, const uint32_t *profiles,
			  const uint32_t *tunables)
{
	unsigned bad = 0;

	/* a mapped ARRAY of u32 has 8 bytes an entry */
	for (unsigned profile = 0; profile < MAX_PROFILES; profile++) {
		for (unsigned field = 0; field < PF_COUNT; field++) {
			unsigned i = profile * PROFILE_FIELDS + field;

			bad += refresh(&in_force->profiles[i], &seen->profiles[i], &profiles[2 * i], profile_field_ok,
				       field);
		}
	}
	for (unsigned i = 0; i < TUN_COUNT; i++)
		bad += refresh(&in_force->tunables[i], &seen->tunables[i], &tunables[2 * i], tunable_ok, i);
	return bad;
}
