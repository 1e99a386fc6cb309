/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd (sd_notify(3)) and the log are told of the service. Without NOTIFY_SOCKET systemd is told nothing. */
#ifndef SIPRTXD_SERVICE_H
#define SIPRTXD_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "sender.h"

struct service {
	bool ready;
	uint64_t watchdog_ns; /* how often it is to be told of life; 0: it does not ask */
	uint64_t alive_ns, status_ns;
	char status[256]; /* as told last */
};

void service_open(struct service *s);
/*
 * After a round of the sending loop that went well: the first one makes the service ready, whatever link is down; each
 * one is a sign of life, told as often as the watchdog asks; and what is sent where, when that changed.
 */
void service_round(struct service *s, const struct sender *sender, uint32_t held, uint64_t now_ns);
void service_stopping(void);
/* The line of the log: everything there is to send on is well. */
void service_log_ready(const struct pins *pins, const struct config *config);

#endif
