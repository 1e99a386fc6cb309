/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c's judgement of rights, users and files. */
#ifndef SIPRTX_CHECK_RIGHTS_H
#define SIPRTX_CHECK_RIGHTS_H

#include "check.h"
#include "owner.h"

/* Who siprtxd will be; not set: who runs it. Adds a problem where that cannot be. */
void check_user(const struct config *c, enum check_purpose purpose, struct owner *who, struct problems *problems);
/* The capabilities, by name; what is loaded needs no right to load. */
void check_rights(const struct config *c, enum check_purpose purpose, bool loaded, struct problems *problems);
/* May he get at the pins, or is there at least no door shut? Without that there is nothing else to say of them. */
bool check_way_to_pins(const struct config *c, enum check_purpose purpose, const struct owner *who,
		       struct problems *problems);
/* The journal's folder: there, his to write, with room for a day's worth. */
void check_journal(const struct config *c, const struct owner *who, struct problems *problems);

#endif
