// SPDX-License-Identifier: GPL-2.0-or-later
#include "claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "load.h"
#include "log.h"

static int say_locked(const char *path, int err)
{
	struct pins p;

	if (err != -EWOULDBLOCK) {
		log_error("cannot lock %s: %s. Run as root.", path, strerror(-err));
	} else if (!pins_open(&p, path, false)) {
		log_error("another siprtxd (pid %u) serves %s. End it first, or name another pin_path.", p.meta->pid,
			  path);
		pins_close(&p);
	} else {
		log_error("another siprtxd is about to serve %s. End it first, or name another pin_path.", path);
	}
	return err;
}

static int load_missing(const struct config *config)
{
	char why[1024] = "";
	int err;

	if (load_is_done(config))
		return 0;
	err = load(config, why, sizeof(why));
	if (err)
		log_error("%s", why);
	return err;
}

int claim_pins(const struct config *config, struct pins *pins, int *lock)
{
	/* before the load, where there is something to lock: the maps of a running controller are not to be touched */
	int err;

	*lock = lock_pins(config->pin_path);
	if (*lock < 0 && *lock != -ENOENT)
		return say_locked(config->pin_path, *lock);
	err = load_missing(config);
	if (err)
		return err;
	if (*lock < 0)
		*lock = lock_pins(config->pin_path);
	if (*lock < 0)
		return say_locked(config->pin_path, *lock);
	err = pins_open(pins, config->pin_path, true);
	if (err)
		log_error("cannot open the maps under %s for writing: %s. Run as root or as the user they were loaded "
			  "for (user = ...), or load again.",
			  config->pin_path, strerror(-err));
	return err;
}

int claim_again(const struct config *config, bool may_load, char *why, size_t why_size)
{
	if (load_is_done(config))
		return 0;
	if (may_load)
		return load(config, why, why_size) ?: 1;
	snprintf(why, why_size,
		 "an interface is without its programs, and siprtxd has no right to attach them: calls pass "
		 "unhelped there. Run: systemctl restart siprtx-load, or as root: siprtx load.");
	return -EPERM;
}
