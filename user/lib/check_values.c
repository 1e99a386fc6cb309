// SPDX-License-Identifier: GPL-2.0-or-later
/* What an operator has written into the maps, as far as it cannot be used. */
#include "check.h"

#include <bpf/bpf.h>
#include <string.h>

#include "record.h"
#include "schedule.h"
#include "view.h"

static void add_bad_value(const struct pins *pins, struct problems *problems, const char *map, unsigned index,
			  uint32_t in_force, const char *who, const char *why)
{
	char line[PATH_MAX + 128], remedy[256];

	bpftool_line(pins->path, map, index, in_force, line, sizeof(line));
	snprintf(remedy, sizeof(remedy), "Run: %.250s", line);
	problem_add(problems, PROBLEM_WARNING, map, remedy, "%s%s; it is ignored, %u stays in force", who, why,
		    in_force);
}

static bool is_ipv4_mapped(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(addr, mapped, sizeof(mapped));
}

/* A profile that has a first interval in force. */
static bool is_profile(const struct pins *pins, uint32_t profile)
{
	return profile < MAX_PROFILES && pins->in_force->profiles[profile * PROFILE_FIELDS];
}

static void bad_profile(struct problems *problems, const char *map, const uint8_t addr[16], unsigned bits,
			uint32_t profile)
{
	char text[64];

	problem_add(problems, PROBLEM_WARNING, map, "Give it the number of one that `siprtx profile list` names",
		    "%s/%u has profile %u, which does not exist; it is ignored, the last one that did stays in force",
		    format_endpoint(addr, 0, text, sizeof(text)), bits, profile);
}

/* Gateways whose profile does not exist. */
static void check_gateways(const struct pins *pins, struct problems *problems)
{
	struct siprtx_gateway_key gateway, next_gateway;
	struct siprtx_prefix prefix, next_prefix;
	struct siprtx_gateway value;
	uint32_t profile;
	int fd = pins->fd[PIN_gw_profile];
	bool more = !bpf_map_get_next_key(fd, NULL, &next_prefix);

	while (more) {
		prefix = next_prefix;
		more = !bpf_map_get_next_key(fd, &prefix, &next_prefix);
		if (!bpf_map_lookup_elem(fd, &prefix, &profile) && !is_profile(pins, profile))
			bad_profile(problems, "gw_profile", prefix.addr,
				    is_ipv4_mapped(prefix.addr) && prefix.prefixlen >= 96 ? prefix.prefixlen - 96
											  : prefix.prefixlen,
				    profile);
	}
	fd = pins->fd[PIN_gateways];
	more = !bpf_map_get_next_key(fd, NULL, &next_gateway);
	while (more) {
		gateway = next_gateway;
		more = !bpf_map_get_next_key(fd, &gateway, &next_gateway);
		if (!bpf_map_lookup_elem(fd, &gateway, &value) && value.profile != NO_PROFILE &&
		    !is_profile(pins, value.profile))
			bad_profile(problems, "gateways", gateway.addr, is_ipv4_mapped(gateway.addr) ? 32 : 128,
				    value.profile);
	}
}

void check_values(const struct pins *pins, struct problems *problems)
{
	char why[128], who[64];

	for (unsigned profile = 0; profile < MAX_PROFILES; profile++) {
		struct siprtx_name name = {0};

		if (bpf_map_lookup_elem(pins->fd[PIN_profile_names], &profile, &name) || !*name.name)
			continue;
		snprintf(who, sizeof(who), "profile %.31s: ", name.name);
		for (unsigned field = 0; field < PF_COUNT; field++) {
			unsigned i = profile * PROFILE_FIELDS + field;

			if (!profile_field_ok(field, *pins_u32(pins->profiles, i), why, sizeof(why)))
				add_bad_value(pins, problems, "profiles", i, pins->in_force->profiles[i], who, why);
		}
	}
	for (unsigned i = 0; i < TUN_COUNT; i++) {
		if (!tunable_ok(i, *pins_u32(pins->tunables, i), why, sizeof(why)))
			add_bad_value(pins, problems, "tunables", i, pins->in_force->tunables[i], "", why);
	}
	check_gateways(pins, problems);
}
