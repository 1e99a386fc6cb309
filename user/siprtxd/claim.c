// SPDX-License-Identifier: GPL-2.0-or-later
#include "claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "head.h"
#include "load.h"
#include "lock.h"
#include "log.h"
#include "reattach.h"
#include "successor.h"

static int say_locked(const char *path, int err)
{
	struct siprtx_meta head = {};

	if (err != -EWOULDBLOCK)
		log_error("cannot lock %s: %s. Run as root.", path, strerror(-err));
	else if (successor_pending(path))
		log_error("`siprtx load` is taking over from another version under %s: start siprtxd when it is done.",
			  path);
	else if (head_read(path, &head) || !head.pid)
		log_error("another siprtxd is about to serve %s. End it first, or name another pin_path.", path);
	else if (head.abi != SIPRTX_ABI)
		log_error("a siprtxd of version %u (pid %u) serves %s. Run `siprtx load`, which lets it finish what it "
			  "holds.",
			  head.abi, head.pid, path);
	else
		log_error("another siprtxd (pid %u) serves %s. End it first, or name another pin_path.", head.pid,
			  path);
	return err;
}

static int load_missing(const struct config *config)
{
	char why[1024] = "";
	int err;

	err = load(config, SUCCESSOR_LIMIT_NS, why, sizeof(why));
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
	if (!load_is_done(config)) {
		/* a load that takes over from another version makes a new folder, and locks it meanwhile */
		if (*lock >= 0)
			close(*lock);
		err = load_missing(config);
		*lock = err ? -1 : lock_pins(config->pin_path);
		if (err)
			return err;
	}
	if (*lock < 0)
		return say_locked(config->pin_path, *lock);
	err = pins_open(pins, config->pin_path, PINS_WRITE | PINS_SLOTS);
	if (err)
		log_error("cannot open the maps under %s for writing: %s. Run as root or as the user they were loaded "
			  "for (user = ...), or load again.",
			  config->pin_path, strerror(-err));
	return err;
}

bool claim_is_over(const struct config *config, int lock)
{
	struct stat st;

	if (fstat(lock, &st) || st.st_nlink)
		return false;
	log_info(
		"the maps that were under %s are gone: another version has taken over from them, or they were removed. "
		"Nothing is left to do here.",
		config->pin_path);
	return true;
}

int claim_again(const struct config *config, struct pins *pins, int lock, bool may_load, char *why, size_t why_size)
{
	if (!lock_is_of(lock, config->pin_path)) {
		snprintf(why, why_size, "another version is taking over from the maps that were under %s.",
			 config->pin_path);
		return -EBUSY;
	}
	if (load_is_done(config))
		return 0;
	/* a load keeps the loop from sending for as long as the kernel verifies the programs */
	if (may_load)
		return reattach(config, pins) ? load(config, SUCCESSOR_LIMIT_NS, why, why_size) ?: 1 : 1;
	snprintf(why, why_size,
		 "an interface is without its programs, and siprtxd has no right to attach them: calls pass "
		 "unhelped there. Run: systemctl restart siprtx-load, or as root: siprtx load.");
	return -EPERM;
}
