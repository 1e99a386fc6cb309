/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INVITEs to a gateway that is down (on_down): the state in the map `gateways` says what is done with a new one. One
 * that is refused goes no further: the controller answers it (reply.h). Until it has, none of its copies goes further
 * either, while the controller is there to do it.
 */
#ifndef BPF_REFUSE_H
#define BPF_REFUSE_H

#include "count.h"
#include "sip_dialog.h"
#include "slot.h"

/*
 * `asked` by the gateway's state, of an INVITE that is about to be held. One within a dialog goes through as ever: the
 * call stands at that gateway and nowhere else. So does one of which that cannot be told, and one that nobody would
 * answer.
 */
static __always_inline __u32 bypass_of(const struct siprtx_meta *m, const struct siprtx_slot *slot,
				       const struct sip_msg *msg, __u32 asked, __u64 now)
{
	struct sip_span tag = {};

	if (asked == BYPASS_NONE || sip_tag(slot, msg->to, &tag) || tag.len)
		return BYPASS_NONE;
	if (asked == BYPASS_REFUSED)
		return sending(m, slot->outside, now) ? BYPASS_REFUSED : BYPASS_NONE;
	return asked == BYPASS_FAST ? BYPASS_FAST : BYPASS_NONE;
}

static __always_inline int drop_refused(void)
{
	count(CNT_refused);
	return XDP_DROP;
}

/* Was it dropped at capture, has no copy of it passed since, and was it not answered yet? */
static __always_inline int is_refused(const struct siprtx_slot *slot, __u64 word)
{
	if (slot->bypass != BYPASS_REFUSED || word & (WORD_REPLIED | WORD_YIELD))
		return 0;
	return word_state(word) == ST_CALLING ||
	       (word_state(word) == ST_TERMINATED && word_end(word) == END_GATEWAY_DOWN);
}

/*
 * Nobody is there to answer it: a copy of it passes. From here on it cannot be refused, for the gateway has it: that is
 * said in the word, so that a controller that comes to refuse it sees it by its swap. 0: the controller was there
 * first.
 */
static __always_inline int refused_passes(struct siprtx_slot *slot, __u64 word)
{
	return __sync_val_compare_and_swap(&slot->word, word, word | WORD_YIELD) == word;
}

#endif
