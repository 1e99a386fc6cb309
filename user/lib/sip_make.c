// SPDX-License-Identifier: GPL-2.0-or-later
#include "sip_make.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "made_frame.h"
#include "sip_write.h"

/* Of ITU-T Q.850 (RFC 3326): recovery on timer expiry. */
#define REASON "Q.850;cause=102;text=\"Recovery on timer expiry\""
/*
 * And of an INVITE that was refused: network out of order, which is likely to last, so that the same again is no use;
 * it is the cause that stands for a 503 (RFC 3398, 7.2.4.1).
 */
#define REASON_DOWN "Q.850;cause=38;text=\"Network out of order\""

#define SIP_PORT 5060 /* where none is named (19.1.2) */

static const uint8_t ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* Is the sent-by host the address itself? A name, or what cannot be read, is not. */
static bool host_is(const struct sip_whole *m, const uint8_t addr[16])
{
	const char *host = (const char *)m->slot + m->msg.host;
	uint8_t parsed[16];
	char text[64];
	size_t n = m->msg.host_len;

	if (n && *host == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n >= sizeof(text))
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	memcpy(parsed, ipv4_mapped, sizeof(ipv4_mapped));
	if (inet_pton(AF_INET, text, parsed + 12) != 1 && inet_pton(AF_INET6, text, parsed) != 1)
		return false;
	return !memcmp(parsed, addr, sizeof(parsed));
}

static const char *addr_text(const uint8_t addr[16], char *text, size_t size)
{
	bool ipv4 = !memcmp(addr, ipv4_mapped, sizeof(ipv4_mapped));

	return inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? addr + 12 : addr, text, size) ?: "";
}

/* The top Via as the server that took the request has to give it back (18.2.1, RFC 3581 4). */
static void write_top_via(struct sip_writer *w, const struct sip_whole *m, const struct sip_top_via *via)
{
	const struct siprtx_slot *s = m->slot;
	uint16_t at = via->element.at, end = at + via->element.len, all = via->value.at + via->value.len;
	char source[INET6_ADDRSTRLEN];

	if (via->rport_end) {
		write_span(w, s, (struct sip_span){at, via->rport_end - at});
		write_text(w, "=%u", s->sport);
		at = via->rport_end;
	}
	write_span(w, s, (struct sip_span){at, end - at});
	/* with rport always, else where sent-by says another address */
	if (!via->received && (via->rport_end || !host_is(m, s->saddr)))
		write_text(w, ";received=%s", addr_text(s->saddr, source, sizeof(source)));
	write_span(w, s, (struct sip_span){end, all - end});
}

static void write_name(struct sip_writer *w, const struct siprtx_slot *s, const struct sip_header *h)
{
	write_span(w, s, h->name);
	write_text(w, ": ");
}

static void write_header(struct sip_writer *w, const struct siprtx_slot *s, const struct sip_header *h)
{
	write_name(w, s, h);
	write_span(w, s, h->value);
	write_text(w, "\r\n");
}

/* False: the header is none that a response takes from its request (8.2.6.2), or the top Via. */
static bool is_echoed(const struct siprtx_slot *s, const struct sip_header *h)
{
	return header_is(s, h, "Via", 'v') || header_is(s, h, "From", 'f') || header_is(s, h, "Call-ID", 'i') ||
	       header_is(s, h, "CSeq", 0);
}

int make_reply(const struct siprtx_slot *invite, uint16_t code, uint32_t tag, const uint8_t own_mac[6],
	       struct siprtx_slot *out)
{
	struct sip_writer w = made_reply_begin(invite, out);
	struct sip_top_via via = {0};
	struct sip_header h;
	struct sip_whole m;
	bool first = true;
	int err = sip_read_whole(invite, &m);

	if (err)
		return err;
	if (m.detail.to_tag.len || m.msg.method != SIP_INVITE || m.msg.code)
		return -EBADMSG;
	if (own_mac && !invite->ingress)
		return -EOPNOTSUPP;
	write_text(&w, "SIP/2.0 %u %s\r\n", code, code == 503 ? "Service Unavailable" : "Request Timeout");
	for (uint16_t at = m.headers; header_next(invite, &at, m.end, &h);) {
		if (first && header_is(invite, &h, "Via", 'v')) {
			first = false;
			sip_read_top_via(invite, h.value, &via);
			write_name(&w, invite, &h);
			write_top_via(&w, &m, &via);
			write_text(&w, "\r\n");
		} else if (header_is(invite, &h, "To", 't')) {
			write_name(&w, invite, &h);
			write_span(&w, invite, h.value);
			write_text(&w, ";tag=%08x\r\n", tag);
		} else if (is_echoed(invite, &h)) {
			write_header(&w, invite, &h);
		}
	}
	if (invite->bypass == BYPASS_REFUSED)
		write_text(&w, "Retry-After: %u\r\nReason: " REASON_DOWN "\r\n", invite->retry_after);
	else
		write_text(&w, "Reason: " REASON "\r\n");
	write_text(&w, "Content-Length: 0\r\n\r\n");
	if (via.maddr)
		return -EOPNOTSUPP;
	return made_reply_end(&w, invite, via.rport_end ? invite->sport : m.msg.port, own_mac, out);
}

/* CANCEL and ACK: the INVITE's Request-URI, top Via alone, From, Call-ID, CSeq number and Route; To as given or its. */
static int make_request(const struct siprtx_slot *invite, const char *method, const char *to, struct siprtx_slot *out)
{
	struct sip_writer w = made_request_begin(invite, out);
	struct sip_top_via via;
	struct sip_header h;
	struct sip_whole m;
	bool first = true;
	int err = sip_read_whole(invite, &m);

	if (err)
		return err;
	write_text(&w, "%s ", method);
	write_span(&w, invite, m.detail.ruri);
	write_text(&w, " SIP/2.0\r\n");
	for (uint16_t at = m.headers; header_next(invite, &at, m.end, &h);) {
		if (first && header_is(invite, &h, "Via", 'v')) {
			first = false;
			sip_read_top_via(invite, h.value, &via);
			h.value = via.element;
			write_header(&w, invite, &h);
			write_text(&w, "Max-Forwards: 70\r\n");
		} else if (header_is(invite, &h, "Route", 0) || header_is(invite, &h, "From", 'f') ||
			   header_is(invite, &h, "Call-ID", 'i')) {
			write_header(&w, invite, &h);
		} else if (header_is(invite, &h, "To", 't')) {
			write_name(&w, invite, &h);
			if (to)
				write_bytes(&w, to, strlen(to));
			else
				write_span(&w, invite, h.value);
			write_text(&w, "\r\n");
		}
	}
	write_text(&w, "CSeq: %u %s\r\nContent-Length: 0\r\n\r\n", m.msg.cseq, method);
	return made_request_end(&w, invite, out);
}

int make_cancel(const struct siprtx_slot *invite, struct siprtx_slot *out)
{
	return make_request(invite, "CANCEL", NULL, out);
}

int make_ack(const struct siprtx_slot *invite, const char *to, struct siprtx_slot *out)
{
	return make_request(invite, "ACK", to, out);
}

int make_to_value(const struct siprtx_slot *response, char *to, size_t size)
{
	struct sip_writer w = {to, size - 1, false};
	struct sip_header h;
	struct sip_whole m;
	int err = sip_read_whole(response, &m);

	if (err)
		return err;
	for (uint16_t at = m.headers; header_next(response, &at, m.end, &h);)
		if (header_is(response, &h, "To", 't'))
			write_span(&w, response, h.value);
	*w.at = '\0';
	/* a NUL inside would cut it short */
	return w.full ? -EMSGSIZE : strlen(to) == (size_t)(w.at - to) ? 0 : -EBADMSG;
}

/* host[:port] as a Via and a URI have it. */
struct endpoint {
	char s[SIP_MAX_HOST + sizeof("[]:65535")];
};

static struct endpoint endpoint_text(const char *host, unsigned len, uint16_t port)
{
	bool bare_ipv6 = *host != '[' && memchr(host, ':', len);
	struct endpoint e;
	int n = snprintf(e.s, sizeof(e.s), "%s%.*s%s", bare_ipv6 ? "[" : "", (int)len, host, bare_ipv6 ? "]" : "");

	if (port != SIP_PORT)
		snprintf(e.s + n, sizeof(e.s) - n, ":%u", port);
	return e;
}

static struct endpoint endpoint_of(const uint8_t addr[16], uint16_t port)
{
	char text[INET6_ADDRSTRLEN];
	const char *host = addr_text(addr, text, sizeof(text));

	return endpoint_text(host, strlen(host), port);
}

int make_options(const struct siprtx_slot *request, const struct sip_fresh *fresh, struct siprtx_slot *out)
{
	struct sip_writer w = made_request_begin(request, out);
	struct endpoint to, from;
	struct sip_whole m;
	int err = sip_read_whole(request, &m);

	if (err || m.msg.code)
		return -EBADMSG;
	to = endpoint_of(request->daddr, request->dport);
	if (host_is(&m, request->saddr))
		from = endpoint_text((const char *)request + m.msg.host, m.msg.host_len, m.msg.port);
	else
		from = endpoint_of(request->saddr, request->sport);
	write_text(&w, "OPTIONS sip:%s SIP/2.0\r\n", to.s);
	write_text(&w, "Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK%016" PRIx64 "\r\n", from.s, fresh->branch);
	write_text(&w, "Max-Forwards: 70\r\n");
	write_text(&w, "From: <sip:%s>;tag=%08x\r\n", from.s, fresh->from_tag);
	write_text(&w, "To: <sip:%s>\r\n", to.s);
	write_text(&w, "Call-ID: %016" PRIx64 "\r\n", fresh->call_id);
	write_text(&w, "CSeq: %u OPTIONS\r\n", fresh->cseq);
	write_text(&w, "Contact: <sip:%s>\r\n", from.s);
	write_text(&w, "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n");
	return made_request_end(&w, request, out);
}
