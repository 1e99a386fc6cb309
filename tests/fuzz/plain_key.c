// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "plain_sip.h"

/* NH of RFC 4418, 5.2.2, over pairs of words, those of a field beyond its length left out. */
static void nh(const uint8_t *bytes, size_t len, const uint32_t *key, uint64_t out[2])
{
	for (size_t i = 0; i < len; i += 8) {
		uint8_t pair[8] = {0};
		uint32_t word[2];

		memcpy(pair, bytes + i, len - i < 8 ? len - i : 8);
		memcpy(word, pair, sizeof(word));
		for (size_t pass = 0; pass < 2; pass++) {
			const uint32_t *k = key + i / 4 + 2 * pass;

			out[pass] += (uint64_t)(word[0] + k[0]) * (uint32_t)(word[1] + k[1]);
		}
	}
}

void plain_key(const uint8_t *data, const struct plain_msg *m, uint32_t method, const uint32_t *key, uint64_t out[2])
{
	uint32_t fixed[4] = {m->cseq, m->port, method, (uint32_t)(m->host.len << 16 | m->branch.len)};
	uint8_t *host = malloc(m->host.len);

	if (!host)
		abort();
	for (size_t i = 0; i < m->host.len; i++) {
		uint8_t byte = data[m->host.at + i];

		host[i] = byte < 0x80 ? (uint8_t)tolower(byte) : byte;
	}
	out[0] = out[1] = 0;
	nh(host, m->host.len, key, out);
	nh(data + m->branch.at, m->branch.len, key + SIP_MAX_HOST / 4, out);
	nh((const uint8_t *)fixed, sizeof(fixed), key + (SIP_MAX_HOST + SIP_MAX_BRANCH) / 4, out);
	free(host);
}

void plain_dialog_key(const uint8_t *data, const struct plain_dialog *d, const uint32_t *key, uint64_t out[2])
{
	uint32_t lengths = (uint32_t)(d->call_id.len << 16 | d->from_tag.len << 8 | d->to_tag.len);
	uint32_t fixed[4] = {d->cseq, d->rseq, lengths, 0x80000000u};
	const uint32_t *own = key + (SIP_MAX_HOST + SIP_MAX_BRANCH) / 4 + 6;

	out[0] = out[1] = 0;
	nh(data + d->call_id.at, d->call_id.len, own, out);
	nh(data + d->from_tag.at, d->from_tag.len, own + SIP_MAX_CALL_ID / 4, out);
	nh(data + d->to_tag.at, d->to_tag.len, own + (SIP_MAX_CALL_ID + SIP_MAX_TAG) / 4, out);
	nh((const uint8_t *)fixed, sizeof(fixed), key + (SIP_MAX_HOST + SIP_MAX_BRANCH) / 4, out);
}
