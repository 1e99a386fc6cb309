// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "log.h"

/* The line of `systemctl status` is for people. */
#define STATUS_NS 2000000000ull

void service_open(struct service *s)
{
	uint64_t us = 0;

	*s = (struct service){};
	if (sd_watchdog_enabled(0, &us) > 0)
		s->watchdog_ns = us * 1000 / 2; /* as sd_watchdog_enabled(3) recommends */
}

static void describe(const struct sender *sender, uint32_t held, char *out, size_t size)
{
	char well[120] = "", other[120] = "";

	for (unsigned i = 0; i < sender->n_ports; i++) {
		char *list = sender_is_well(sender, i) ? well : other;
		size_t n = strlen(list);

		snprintf(list + n, sizeof(well) - n, "%s%s", n ? ", " : "", sender->port[i].name);
	}
	snprintf(out, size, "%s%s%s%s%s; %u transactions held", *well ? "Sending on " : "", well,
		 *well && *other ? "; " : "", *other ? "not sending on " : "", other, held);
}

static void tell_status(struct service *s, const struct sender *sender, uint32_t held, uint64_t now_ns)
{
	char status[sizeof(s->status)];

	if (s->ready && now_ns < s->status_ns)
		return;
	s->status_ns = now_ns + STATUS_NS;
	describe(sender, held, status, sizeof(status));
	if (strcmp(status, s->status))
		sd_notifyf(0, "STATUS=%s", status);
	strcpy(s->status, status);
}

void service_round(struct service *s, const struct sender *sender, uint32_t held, uint64_t now_ns)
{
	tell_status(s, sender, held, now_ns);
	if (!s->ready)
		sd_notify(0, "READY=1");
	s->ready = true;
	if (!s->watchdog_ns || now_ns < s->alive_ns)
		return;
	s->alive_ns = now_ns + s->watchdog_ns;
	sd_notify(0, "WATCHDOG=1");
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void service_log_ready(const struct pins *pins, const struct config *config)
{
	const struct siprtx_meta *m = pins->meta;
	char list[1024] = "";
	unsigned profiles = 0;
	size_t n = 0;

	for (unsigned i = 0; i < m->interfaces && n < sizeof(list); i++) {
		const struct siprtx_interface *itf = &m->interface[i];

		n += snprintf(list + n, sizeof(list) - n, "%s%s %s (%s)", i ? ", " : "",
			      itf->side == SIDE_INSIDE ? "inside" : "outside", itf->name,
			      itf->attach == ATTACH_GENERIC ? "generic" : "native");
		if (itf->attach == ATTACH_GENERIC)
			log_warning("%s has no native XDP: generic mode works, but slower. A driver with XDP support "
				    "mends it.",
				    itf->name);
	}
	for (unsigned i = 0; i < MAX_PROFILES; i++)
		profiles += config->profile[i].name[0] != '\0';
	log_info("siprtxd: ready: %s%s; %u profiles; journal %s; maps under %s", list,
		 config_takes_egress(config) ? ", capture at TC egress" : "", profiles, config->journal,
		 config->pin_path);
}
