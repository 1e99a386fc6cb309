/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture file played through the programs as the product loads them: requests into the inside one, responses into
 * the outside one, whatever their addresses (the namespace routes everything to the gateway's side). What is found are
 * the request transactions of it.
 *
 * A transaction is a key: sent-by, branch, CSeq number and method. ACK is none, it has no response (RFC 3261 17). ACK
 * and CANCEL have the branch and the CSeq number of their INVITE (9.1, 17.1.1.3) and are counted to it; a CANCEL whose
 * INVITE the file does not have stands alone. The keys of INVITEs are those the product's program put into its table;
 * the other methods' come from scan.bpf.c, made with the same secret.
 */
#ifndef TEST_PLAY_H
#define TEST_PLAY_H

#include <stdio.h>

#include "edge.h"
#include "slot_sum.h"

struct play_row {
	struct siprtx_key key;
	char method[12], call_id[40], branch[40]; /* cut where too long */
	char from[56], to[56];			  /* address and port */
	__u32 cseq;
	unsigned seen; /* times */
	unsigned code; /* of the first final response, else of the last 1xx; 0: none */
	bool cancelled;
	int64_t slot;	   /* the product's, -1: it does not hold such a transaction */
	__u64 word;	   /* of the slot, at the end */
	unsigned unhelped; /* an INVITE the product passed unhelped: the counter, else 0 */
};

struct play {
	struct play_row *rows;
	unsigned n, room;
	unsigned packets, left_out;
	uint64_t counted[CNT_COUNT];
	struct slot_sum sum;
};

/*
 * Plays the file. `ports`: as in the configuration, NULL: 5060 and what the SIP messages in it came or went to. Returns
 * 0, or -1 with a sentence in why. play_free() in either case.
 */
int play(const char *path, const char *ports, struct play *p, char *why, size_t size);
void play_free(struct play *p);

unsigned play_retransmitted(const struct play *p); /* INVITEs seen more than once */
/* A table, then "N request transactions, M retransmitted INVITEs". */
void play_print(FILE *to, const struct play *p);

#endif
