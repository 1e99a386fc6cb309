/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One datagram of the storm, made of the seed and its number alone: valid requests and responses of every method,
 * mutations of them, cut ones, random bytes, keep-alives, STUN. Both sides know which INVITEs there are, so that some
 * of the responses, and some CANCELs, are of a transaction that is held.
 */
#ifndef STORM_MESSAGE_H
#define STORM_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_ROOM 2048
#define MESSAGE_MOST 1460 /* more than one Ethernet frame would be fragments, and those are not SIP to siprtx */

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

struct dice {
	uint64_t state;
};

static inline uint64_t throw_dice(struct dice *d)
{
	return mix(d->state += 0x9e3779b97f4a7c15ull);
}

static inline uint32_t below(struct dice *d, uint32_t n)
{
	return (throw_dice(d) >> 32) * n >> 32;
}

static const char *const storm_methods[] = {"INVITE",  "INVITE",   "INVITE",  "ACK",	   "CANCEL", "BYE",
					    "OPTIONS", "REGISTER", "PRACK",   "SUBSCRIBE", "NOTIFY", "PUBLISH",
					    "INFO",    "REFER",	   "MESSAGE", "UPDATE"};
static const int storm_codes[] = {100, 100, 155, 180, 181, 183, 199, 200, 200, 202,
				  302, 401, 404, 407, 408, 486, 487, 503, 603, 699};

/*
 * Branch and CSeq number are long random numbers of the transaction: however a mutation cuts or turns one of them,
 * it is not another's, or siprtx would rightly take one INVITE for the other's copy.
 */
static inline size_t well_formed(uint64_t seed, uint64_t transaction, bool response, struct dice *d, char *out)
{
	static const char *const vias[] = {"Via: SIP/2.0/UDP ", "v: SIP/2.0/UDP ", "VIA : SIP / 2.0 / UDP\t",
					   "Via:\r\n SIP/2.0/UDP "};
	static const char *const ids[] = {"Call-ID", "i", "call-id", "CALL-ID "};
	const char *method = storm_methods[below(d, sizeof(storm_methods) / sizeof(*storm_methods))];
	uint32_t body = below(d, 4) ? 0 : below(d, 500), cseq;
	uint64_t id;
	int n = 0;

	/* responses and CANCELs are of a transaction of a little before; most responses are to an INVITE */
	if ((response || !strcmp(method, "CANCEL")) && transaction > 300)
		transaction -= below(d, 300);
	if (response && below(d, 4))
		method = "INVITE";
	id = mix(seed ^ mix(transaction));
	cseq = mix(id) & 0x7fffffff;
	if (response)
		n = sprintf(out, "SIP/2.0 %d %s\r\n", storm_codes[below(d, sizeof(storm_codes) / sizeof(*storm_codes))],
			    "Whatever");
	else
		n = sprintf(out, "%s sip:%" PRIu64 "@10.77.2.2:5060 SIP/2.0\r\n", method, id % 100000);
	n += sprintf(out + n, "%s10.77.1.2:5060;branch=z9hG4bK%016" PRIx64 "%s\r\n", vias[below(d, 4)], id,
		     response	   ? below(d, 2) ? ";received=10.77.1.2;rport=5060" : ""
		     : below(d, 2) ? ";rport"
				   : "");
	if (!below(d, 3))
		n += sprintf(out + n, "Via: SIP/2.0/UDP 192.0.2.%u;branch=z9hG4bKbelow%u\r\n", below(d, 256),
			     below(d, 1000));
	if (!response)
		n += sprintf(out + n, "Max-Forwards: 70\r\n");
	n += sprintf(out + n,
		     "From: \"Storm; branch=z9hG4bKno, \\\"x\\\"\" <sip:s@10.77.1.2>;tag=%08x\r\nTo: "
		     "<sip:g@10.77.2.2>%s\r\n",
		     (uint32_t)(id >> 8), below(d, 3) ? "" : ";tag=t");
	n += sprintf(out + n, "%s: %016" PRIx64 "@storm\r\nCSeq: %u %s\r\n", ids[below(d, 4)], mix(id + 1), cseq,
		     method);
	for (uint32_t i = below(d, 5); i; i--)
		n += sprintf(out + n, "X-Filler-%u: %0*" PRIx64 "\r\n", i, 1 + (int)below(d, 60), throw_dice(d));
	n += sprintf(out + n, "%s: %u\r\n\r\n", below(d, 2) ? "Content-Length" : "l", body);
	for (uint32_t i = 0; i < body; i++)
		out[n++] = 'a' + (i + body) % 26;
	return n;
}

/* A few bytes turned, taken out, doubled or put in; often ones that mean something to a parser. */
static inline size_t mutated(struct dice *d, char *out, size_t n)
{
	static const char signs[] = "\r\n:;,=\" \t\0/<>@zZ09";

	for (uint32_t i = 1 + below(d, 4); i && n > 2; i--) {
		uint32_t at = below(d, n), many = 1 + below(d, 12);

		switch (below(d, 5)) {
		case 0:
			out[at] ^= 1 << below(d, 8);
			break;
		case 1:
			out[at] = signs[below(d, sizeof(signs))];
			break;
		case 2:
			if (at + many < n) {
				memmove(out + at, out + at + many, n - at - many);
				n -= many;
			}
			break;
		case 3:
			if (at + many < n && n + many < MESSAGE_MOST) {
				memmove(out + at + many, out + at, n - at);
				n += many;
			}
			break;
		case 4:
			memset(out + at, throw_dice(d) & 0xff, at + many < n ? many : 1);
			break;
		}
	}
	return n;
}

static inline size_t random_bytes(struct dice *d, char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = throw_dice(d) >> 56;
	return n;
}

static inline size_t small_talk(struct dice *d, char *out)
{
	static const struct {
		const char *bytes;
		size_t n;
	} known[] = {{"\r\n\r\n", 4}, {"\r\n", 2}, {"\0\0\0\0", 4}, {"", 0}, {"hello", 5}};
	static const unsigned char stun[8] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	uint32_t which = below(d, 6);

	if (which < 5) {
		memcpy(out, known[which].bytes, known[which].n);
		return known[which].n;
	}
	memcpy(out, stun, sizeof(stun));
	return sizeof(stun) + random_bytes(d, out + sizeof(stun), 12);
}

/* Writes datagram number n into out[MESSAGE_ROOM]; its length. */
static inline size_t storm_message(uint64_t seed, uint64_t n, bool response, char *out)
{
	struct dice d = {mix(seed + 2 * n + response)};
	uint32_t kind = below(&d, 100);
	size_t length;

	if (kind < 4)
		return small_talk(&d, out);
	if (kind < 12)
		return random_bytes(&d, out, below(&d, MESSAGE_MOST));
	length = well_formed(seed, n, response, &d, out);
	if (kind < 20)
		return below(&d, length + 1);
	return kind < 60 ? mutated(&d, out, length) : length;
}

#endif
