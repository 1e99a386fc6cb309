/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a drain over? One judgement of one reading. Pure. */
#ifndef SIPRTX_DRAIN_H
#define SIPRTX_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

enum drain {
	DRAIN_WAITS,
	DRAIN_DONE,	     /* nothing is held, and nothing new can be */
	DRAIN_UNLOADED,	     /* the maps are no longer those it began with */
	DRAIN_CAPTURE_ON,    /* somebody switched capture on again */
	DRAIN_INTERRUPTED,   /* by a signal */
	DRAIN_NO_CONTROLLER, /* nobody is there to end what is held */
	DRAIN_TIME_OVER,
};

struct drain_facts {
	uint32_t held;	  /* slots in use, read after all else here */
	bool capture;	  /* the tunable as written is not 0 any more */
	bool settled;	  /* 0 was in force at the reading before too: no XDP program still goes by the former value */
	bool unloaded;	  /* the pins are gone, or others */
	bool interrupted; /* a signal came */
	bool alive;	  /* the controller has been seen lately; one that is started anew is not missed at once */
	uint64_t waited_ns; /* since capture was switched off */
	uint64_t limit_ns;  /* 0: as long as it takes */
};

/* What is drained is drained, though time be over or the controller gone by then. */
enum drain drain_judge(const struct drain_facts *f);

#endif
