/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * siprtx_egress as a clsact filter at TC egress of an outside interface. Two things under pin_path tell of it: the
 * pinned program (egress_NAME) that it is siprtx's, and a note (clsact_NAME) that the qdisc is, too. Both are there
 * before what they tell of, so that a crash in between leaves nothing behind that nobody knows of.
 */
#ifndef SIPRTX_ATTACH_TC_H
#define SIPRTX_ATTACH_TC_H

#include "attach.h"

/* Is the filter of this pin_path on what has this name now? Anybody may ask. */
bool tc_is_attached(const char *pin_path, const char *ifname);
/*
 * Puts prog_fd at TC egress of the interface: a filter that is there already gets the new program in place, with no
 * packet in between; a qdisc that is not there is made. Others' filters stay. 0, or -errno with a sentence in why.
 */
int tc_attach(const char *pin_path, const char *ifname, int prog_fd, struct attached *done, char *why, size_t why_size);
/* Back to what it was before; attach_settle() where that is not wanted. */
void tc_attach_undo(const char *pin_path, struct attached *done);
/* Takes the filter off, and the qdisc where siprtx made it and nobody else has a filter there. */
int tc_detach(const char *pin_path, const char *ifname);
/* As detach_others(). */
int tc_detach_others(const char *pin_path, const char (*keep)[16], unsigned n);

#endif
