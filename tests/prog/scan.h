/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What scan.bpf.c leaves of a packet. */
#ifndef TEST_SCAN_H
#define TEST_SCAN_H

#include "abi.h"
#include "sip_dialog.h"
#include "sip_msg.h"

struct scan_result {
	__s32 reason;	/* SCAN_READ, or the counter that says why there is no message to read */
	__u32 verdict;	/* enum sip_verdict */
	__u32 beg, end; /* of the message in the buffer */
	struct sip_msg msg;
	/* with SIP_OK only */
	struct siprtx_key key;
	__u32 dialog_verdict;
	struct sip_dialog dialog;
	struct siprtx_key dialog_key; /* with dialog_verdict SIP_OK only */
};

#define SCAN_READ -1

/* The method a message's key is made with: the requests ACK and CANCEL have the key of the INVITE they go with. */
static inline __u32 scan_key_method(const struct sip_msg *m)
{
	return !m->code && (m->method == SIP_ACK || m->method == SIP_CANCEL) ? SIP_INVITE : m->method;
}

#endif
