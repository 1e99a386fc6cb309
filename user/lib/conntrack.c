// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack.h"

#include "sysctl.h"

#define FOLDER "/proc/sys/net/netfilter/"

void conntrack_read(struct conntrack *out)
{
	/* the module may be there for other namespaces alone: flows tell that it is at work in this one */
	long long flows = sysctl_number(FOLDER "nf_conntrack_count");
	long long timeout_s = sysctl_number(FOLDER "nf_conntrack_udp_timeout");

	*out = (struct conntrack){.on = flows > 0 && timeout_s >= 0};
	if (!out->on)
		return;
	out->flows = flows;
	out->forgets_ms = timeout_s < UINT32_MAX / 1000 ? timeout_s * 1000 : UINT32_MAX;
}

uint32_t conntrack_refresh_ms(const struct conntrack *c, uint32_t refresh)
{
	if (!c->on)
		return 0;
	return refresh < c->forgets_ms / 2 ? refresh : c->forgets_ms / 2;
}
