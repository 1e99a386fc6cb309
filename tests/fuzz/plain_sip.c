// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "plain_read.h"
#include "plain_sip.h"

#define MAX_LEADING 16

static enum sip_verdict status_line(struct cursor *c, struct plain_msg *m)
{
	if (!take_text(c, "SIP/2.0"))
		return SIP_BAD_VERSION;
	if (!take(c, ' '))
		return SIP_NOT_SIP;
	for (int i = 0; i < 3; i++) {
		int digit = peek(c, 0);

		if (digit < '0' || digit > '9')
			return SIP_MALFORMED;
		m->code = m->code * 10 + (unsigned int)(digit - '0');
		c->at++;
	}
	if (m->code < 100 || m->code > 699 || (peek(c, 0) != ' ' && line_end(c) == 0))
		return SIP_MALFORMED;
	while (peek(c, 0) >= 0 && peek(c, 0) != '\n')
		c->at++;
	return take(c, '\n') ? SIP_OK : SIP_MALFORMED;
}

static enum sip_verdict request_line(struct cursor *c, struct plain_msg *m)
{
	struct plain_span method = take_run(c, ""), uri;
	size_t eol;

	m->method = method_of(c->data + method.at, method.len);
	if (method.len == 0 || !take(c, ' '))
		return SIP_NOT_SIP;
	uri = take_run(c, "");
	if (uri.len == 0 || !take(c, ' ') || c->end - c->at < strlen("SIP/2.0\n"))
		return SIP_NOT_SIP;
	if (!take_text(c, "SIP/2.0"))
		return take_text(c, "SIP/") ? SIP_BAD_VERSION : SIP_NOT_SIP;
	eol = line_end(c);
	c->at += eol;
	return eol ? SIP_OK : SIP_NOT_SIP;
}

static bool is_stun(const uint8_t *data, size_t len)
{
	return len >= 20 && data[0] < 0x40 && memcmp(data + 4, "\x21\x12\xa4\x42", 4) == 0;
}

static enum sip_verdict start_line(struct cursor *c, struct plain_msg *m)
{
	for (int i = 0; i < MAX_LEADING; i++) {
		int byte = peek(c, 0);

		if (byte < 0 || !memchr("\r\n\t ", byte, 5)) /* the fifth is NUL */
			break;
		c->at++;
	}
	if (c->end - c->at < strlen("A b SIP/2.0\n"))
		return SIP_KEEPALIVE;
	m->start = c->at;
	return strncasecmp((const char *)c->data + c->at, "SIP/", 4) == 0 ? status_line(c, m) : request_line(c, m);
}

/* The header at the cursor, its name and all: PLAIN_HEADERS for one of no interest. */
static enum plain_header header_name(struct cursor *c, bool *colon)
{
	static const struct {
		const char *name;
		enum plain_header header;
	} names[] = {
		{"via", PLAIN_VIA},
		{"v", PLAIN_VIA},
		{"call-id", PLAIN_CALL_ID},
		{"i", PLAIN_CALL_ID},
		{"cseq", PLAIN_CSEQ},
		{"to", PLAIN_TO},
		{"t", PLAIN_TO},
		{"content-length", PLAIN_CONTENT_LENGTH},
		{"from", PLAIN_FROM},
		{"f", PLAIN_FROM},
		{"l", PLAIN_CONTENT_LENGTH},
		{"rseq", PLAIN_RSEQ},
		{"rack", PLAIN_RACK},
		{"retry-after", PLAIN_RETRY_AFTER},
	};
	struct plain_span name = take_run(c, ":");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strlen(names[i].name) != name.len ||
		    strncasecmp(names[i].name, (const char *)c->data + name.at, name.len) != 0)
			continue;
		for (int j = 0; j < MAX_RUN && is_wsp(peek(c, 0)); j++)
			c->at++;
		*colon = take(c, ':');
		return names[i].header;
	}
	return PLAIN_HEADERS;
}

/* From the cursor to the line end that is not folded, without that line end. */
static struct plain_span header_value(struct cursor c)
{
	struct plain_span value = {.at = c.at};

	while (peek(&c, 0) >= 0 && (line_end(&c) == 0 || is_wsp(peek(&c, line_end(&c)))))
		c.at += line_end(&c) ? line_end(&c) : 1;
	value.len = c.at - value.at;
	return value;
}

/* With `quote` up to the first line that is not whole, and nothing must be there. */
static enum sip_verdict header_section(struct cursor *c, struct plain_msg *m, bool quote)
{
	while (peek(c, 0) >= 0 && !(quote && !memchr(c->data + c->at, '\n', c->end - c->at))) {
		size_t eol = line_end(c);
		enum plain_header header;
		bool colon = false;

		if (eol) {
			m->body = c->at + eol;
			if (quote)
				return SIP_OK;
			for (int i = PLAIN_VIA; i <= PLAIN_TO; i++) {
				if (m->value[i].at == 0)
					return SIP_MALFORMED;
			}
			return SIP_OK;
		}
		if (++m->lines > SIP_MAX_LINES)
			return SIP_TOO_LONG;
		header = header_name(c, &colon);
		if (header >= PLAIN_RSEQ && header != PLAIN_HEADERS)
			m->unreadable[header] = m->unreadable[header] || !colon || m->value[header].at;
		else if (header != PLAIN_HEADERS && (!colon || (header != PLAIN_VIA && m->value[header].at)))
			return SIP_MALFORMED;
		if (header != PLAIN_HEADERS && colon && m->value[header].at == 0)
			m->value[header] = header_value(*c);
		while (peek(c, 0) >= 0 && peek(c, 0) != '\n')
			c->at++;
		take(c, '\n');
	}
	m->body = c->at;
	return quote ? SIP_OK : SIP_MALFORMED;
}

static enum sip_verdict content_length(const uint8_t *data, struct plain_msg *m)
{
	struct cursor c = inside(data, m->value[PLAIN_CONTENT_LENGTH]);

	m->content_length = ~0u;
	if (c.at == 0)
		return SIP_OK;
	take_lws(&c);
	if (!take_number(&c, INT32_MAX, &m->content_length))
		return SIP_MALFORMED;
	take_lws(&c);
	return peek(&c, 0) < 0 ? SIP_OK : SIP_MALFORMED;
}

static enum sip_verdict cseq(const uint8_t *data, struct plain_msg *m)
{
	struct cursor c = inside(data, m->value[PLAIN_CSEQ]);
	enum sip_method method;

	take_lws(&c);
	if (!take_cseq(&c, &m->cseq, &method))
		return SIP_MALFORMED;
	if (m->code)
		m->method = method;
	return m->method == method ? SIP_OK : SIP_CSEQ_MISMATCH;
}

static bool take_slash(struct cursor *c)
{
	take_lws(c);
	if (!take(c, '/'))
		return false;
	take_lws(c);
	return true;
}

static enum sip_verdict sent_by(struct cursor *c, struct plain_msg *m)
{
	uint32_t port;

	m->port = 5060;
	if (peek(c, 0) == '[') {
		m->host = take_run(c, "\",;]");
		m->host.len++;
		if (m->host.len > SIP_MAX_HOST)
			return SIP_TOO_LONG;
		if (!take(c, ']'))
			return SIP_MALFORMED;
	} else {
		m->host = take_run(c, "\",;:");
		if (m->host.len > SIP_MAX_HOST)
			return SIP_TOO_LONG;
	}
	if (m->host.len == 0)
		return SIP_MALFORMED;
	take_lws(c);
	if (take(c, ':')) {
		take_lws(c);
		if (!take_number(c, INT32_MAX, &port) || port == 0 || port > 65535)
			return SIP_MALFORMED;
		m->port = (uint16_t)port;
		take_lws(c);
	}
	return at_separator(c) ? SIP_OK : SIP_MALFORMED;
}

/* One piece of the parameters: [ SEMI [ "branch" EQUAL ] ] ( run / quoted-string ) SWS */
static enum sip_verdict via_piece(struct cursor *c, struct plain_msg *m)
{
	struct plain_span piece;
	bool branch = false;

	if (take(c, ';')) {
		take_lws(c);
		branch = take_name(c, "branch");
		if (branch && m->branch.at)
			return SIP_MALFORMED;
	}
	piece.at = c->at;
	if (peek(c, 0) == '"') {
		if (!take_quoted(c))
			return SIP_MALFORMED;
	} else {
		take_run(c, "\",;");
	}
	piece.len = c->at - piece.at;
	if (piece.len == 0)
		return SIP_MALFORMED;
	if (piece.len > SIP_MAX_BRANCH)
		return SIP_TOO_LONG;
	take_lws(c);
	if (!branch)
		return SIP_OK;
	m->branch = piece;
	return at_separator(c) ? SIP_OK : SIP_MALFORMED;
}

static enum sip_verdict top_via(const uint8_t *data, struct plain_msg *m)
{
	struct cursor c = inside(data, m->value[PLAIN_VIA]);
	enum sip_verdict verdict;

	take_lws(&c);
	if (!take_text(&c, "SIP") || !take_slash(&c) || !take_text(&c, "2.0") || !take_slash(&c) ||
	    !take_text(&c, "UDP") || !take_lws(&c))
		return SIP_MALFORMED;
	verdict = sent_by(&c, m);
	for (int pieces = 0; verdict == SIP_OK && peek(&c, 0) >= 0 && peek(&c, 0) != ','; pieces++) {
		verdict = via_piece(&c, m);
		if (verdict == SIP_OK && pieces >= SIP_MAX_PIECES)
			verdict = SIP_TOO_LONG;
	}
	if (verdict != SIP_OK)
		return verdict;
	m->via_end = c.at;
	if (m->branch.len <= 7 || strncasecmp((const char *)data + m->branch.at, "z9hG4bK", 7) != 0)
		return SIP_LEGACY;
	return SIP_OK;
}

/* Retry-After = delta-seconds [ comment ] *( SEMI retry-param ) */
static void retry_after(const uint8_t *data, struct plain_msg *m)
{
	struct cursor c = inside(data, m->value[PLAIN_RETRY_AFTER]);
	uint32_t seconds;

	m->retry_after = ~0u;
	take_lws(&c);
	if (c.at == 0 || m->unreadable[PLAIN_RETRY_AFTER] || !take_number(&c, INT32_MAX, &seconds))
		return;
	take_lws(&c);
	if (peek(&c, 0) < 0 || peek(&c, 0) == ';' || peek(&c, 0) == '(')
		m->retry_after = seconds;
}

/* What ends the value is there, and the byte behind it that says it is not folded. */
static bool is_whole(const uint8_t *data, size_t len, struct plain_span value)
{
	struct cursor c = {.data = data, .at = value.at + value.len, .end = len};

	return line_end(&c) > 0 && peek(&c, line_end(&c)) >= 0;
}

static enum sip_verdict read_quote(const uint8_t *data, size_t len, struct plain_msg *m)
{
	struct cursor c = {.data = data, .end = len};
	const struct plain_span *via = &m->value[PLAIN_VIA], *number = &m->value[PLAIN_CSEQ];
	enum sip_verdict verdict;

	m->content_length = m->retry_after = ~0u;
	if (is_stun(data, len))
		return SIP_STUN;
	verdict = start_line(&c, m);
	if (verdict == SIP_OK)
		verdict = header_section(&c, m, true);
	if (verdict == SIP_OK && (via->at == 0 || number->at == 0))
		verdict = SIP_MALFORMED;
	if (verdict == SIP_OK)
		verdict = top_via(data, m);
	if (verdict == SIP_OK)
		verdict = cseq(data, m);
	if (verdict != SIP_OK)
		return verdict;
	/* of a Via list the first element is enough */
	if (m->via_end == via->at + via->len && !is_whole(data, len, *via))
		return SIP_MALFORMED;
	return is_whole(data, len, *number) ? SIP_OK : SIP_MALFORMED;
}

static enum sip_verdict read_message(const uint8_t *data, size_t len, struct plain_msg *m)
{
	struct cursor c = {.data = data, .end = len};
	enum sip_verdict verdict;

	if (is_stun(data, len))
		return SIP_STUN;
	verdict = start_line(&c, m);
	if (verdict == SIP_OK)
		verdict = header_section(&c, m, false);
	if (verdict == SIP_OK)
		verdict = content_length(data, m);
	if (verdict == SIP_OK)
		verdict = top_via(data, m);
	if (verdict == SIP_OK)
		verdict = cseq(data, m);
	retry_after(data, m);
	return verdict;
}

void plain_quote(const uint8_t *data, size_t len, struct plain_msg *out)
{
	memset(out, 0, sizeof(*out));
	out->verdict = read_quote(data, len, out);
}

void plain_sip(const uint8_t *data, size_t len, struct plain_msg *out)
{
	memset(out, 0, sizeof(*out));
	out->verdict = read_message(data, len, out);
}
