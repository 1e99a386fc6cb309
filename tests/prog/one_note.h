/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of one program: what it told the controller. */
#ifndef TEST_ONE_NOTE_H
#define TEST_ONE_NOTE_H

#include <bpf/libbpf.h>
#include <string.h>

#include "one_edge.h"

static struct siprtx_late_final noted; /* the last one; of any other kind `note` alone is there */
static unsigned n_noted;

static inline int on_note(void *ctx, void *data, size_t size)
{
	(void)ctx;
	memset(&noted, 0, sizeof(noted));
	memcpy(&noted, data, size < sizeof(noted) ? size : sizeof(noted));
	n_noted++;
	return 0;
}

/* The one note of what was just run: its kind, 0: there is none. */
static inline unsigned note_kind(void)
{
	struct ring_buffer *ring = ring_buffer__new(edge.pins.fd[PIN_notes], on_note, NULL, NULL);

	n_noted = 0;
	assert_non_null(ring);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	assert_true(n_noted <= 1);
	return n_noted ? noted.note.kind : 0;
}

#endif
