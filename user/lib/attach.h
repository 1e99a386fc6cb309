/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP programs' pinned bpf_links: which program is attached to which interface. */
#ifndef SIPRTX_ATTACH_H
#define SIPRTX_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

/* A link's pin is named so, the interface's name follows; in every ABI (abi.h). */
#define LINK_PREFIX "link_"
/*
 * The programs of the two sides are pinned too: to find a program by its number takes CAP_SYS_ADMIN, to put back the
 * former one of an interface must not.
 */
#define PROGRAM_PREFIX "prog_"
/* This one is siprtxd's user's where it is sent with (sender = live-frames). */
#define PROGRAM_OUTSIDE PROGRAM_PREFIX "outside"
/* And, with capture at egress, the one that siprtxd runs itself; its user's. */
#define PROGRAM_LIFT PROGRAM_PREFIX "lift"

/* Is PROGRAM_LIFT pinned there, for whoever may open it? */
bool lift_is_pinned(const char *pin_path);

/* What one attach() did, so that it can be undone. */
struct attached {
	char name[16];
	enum siprtx_attach mode;
	bool fresh; /* a new link or filter was made; else `former` was replaced in place */
	int former; /* program fd, -1: none */
};

/* Is a link pinned for this interface, and is it attached to what has this name now? */
enum siprtx_attach attach_state(const char *pin_path, const char *ifname);
/*
 * Attaches prog_fd to the interface by a pinned bpf_link: native mode where the driver has it, else generic. A
 * link that is there already gets the new program in place, with no packet in between. 0, or -errno with a sentence in
 * why.
 */
int attach(const char *pin_path, const char *ifname, int prog_fd, struct attached *done, char *why, size_t why_size);
/*
 * The interface was made anew: attaches the program that the former link, pinned still, holds. Nothing is verified
 * again, so it takes no time. 0; -ENOENT: there is no such link; -errno.
 */
int attach_again(const char *pin_path, const char *ifname);
/* Back to what it was before. */
void attach_undo(const char *pin_path, struct attached *done);
/* Forgets what an undo would have needed. */
void attach_settle(struct attached *done);
/*
 * Tells of the XDP program of somebody else on this interface, and what to do about it. False: there is none, or it is
 * of a link pinned under pin_path.
 */
bool attach_other(const char *pin_path, const char *ifname, char what[160], char remedy[200]);
/* Detaches and unpins one interface's link. */
int detach(const char *pin_path, const char *ifname);
/*
 * Runs `fn` for what is pinned under pin_path as prefix and a name, but for the n names in `keep`. Returns how many of
 * them there were, or -errno: that of the last that failed, after all.
 */
int detach_named(const char *pin_path, const char *prefix, const char (*keep)[16], unsigned n,
		 int (*fn)(const char *pin_path, const char *ifname));
/* Detaches every link pinned under pin_path but those of the n names in `keep`. Returns how many, or -errno. */
int detach_others(const char *pin_path, const char (*keep)[16], unsigned n);

#endif
