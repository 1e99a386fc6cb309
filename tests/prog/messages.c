// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "messages.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcap_frames.h"

#define MAX_MESSAGE 3900 /* with its headers in struct frame */

const char own_invite[] = "INVITE sip:1001@[2001:db8::9]:5070 SIP/2.0\r\n"
			  "Via : SIP / 2.0 / UDP [2001:DB8::1:0aBc] : 5062 ;x=\"a;branch=z9hG4bKno\\\"\" ; rport\r\n"
			  " ; branch = z9hG4bKown.Aa-776 , SIP/2.0/UDP b:5061;branch=z9hG4bKlower\r\n"
			  "v: SIP/2.0/UDP c.example.com;branch=z9hG4bKlowest\r\n"
			  "f: \"A, B\" <sip:a@example.com>;tag=f-1\r\n"
			  "To\t:\r\n <sip:1001@example.com>\r\n"
			  "i: own-1@example.com\r\n"
			  "cSeQ: 0009\r\n\tINVITE\r\n"
			  "Subject: one\r\n two\r\n"
			  "l: 7\r\n\r\nv=0\r\n\r\n";

const char own_response[] =
	"SIP/2.0 183 In band, by and by\r\n"
	"Via: SIP/2.0/UDP [2001:db8::1:0abc]:5062;x=\"a;branch=z9hG4bKno\\\"\";rport=5062\r\n"
	"\t;received=2001:db8::1;branch=z9hG4bKown.Aa-776,SIP/2.0/UDP b:5061;branch=z9hG4bKlower\r\n"
	"From: \"A, B\" <sip:a@example.com>;tag=f-1\r\n"
	"t: <sip:1001@example.com>;tag=t\r\n"
	"Call-ID: own-1@example.com\r\n"
	"CSeq: 9 INVITE\r\n"
	"Content-Length : 5\r\n\r\nv=0\r\n";

const char own_prack[] = "PRACK sip:1001@[2001:db8::9] SIP/2.0\n"
			 "v:SIP/2.0/UDP [2001:db8::1:abc];branch=z9hG4bKown.prack\n"
			 "f:\"A, B\" <sip:a@example.com>;tag=f-1\n"
			 "t:<sip:1001@example.com>;tag=t\n"
			 "i:own-1@example.com\n"
			 "RAck: 77\n 9 INVITE\n"
			 "CSeq:10 PRACK\n\n";

const char *corpus_folder(void)
{
	const char *folder = getenv("SIPRTX_CORPUS");

	return folder ? folder : "../shared/corpus";
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static size_t read_file(const char *path, uint8_t *data, size_t max)
{
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		return 0;
	len = fread(data, 1, max, f);
	fclose(f);
	return len;
}

static unsigned folder_messages(const char *folder, message_fn *fn, void *ctx)
{
	static uint8_t data[MAX_MESSAGE];
	struct dirent **entries;
	int n = scandir(folder, &entries, visible, alphasort);
	char path[1024];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		fn(ctx, path, data, read_file(path, data, sizeof(data)));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return n < 0 ? 0 : n;
}

unsigned corpus_messages(message_fn *fn, void *ctx)
{
	static const char *const folders[] = {"rfc4475", "rfc5118"};
	char path[512];
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", corpus_folder(), folders[i]);
		n += folder_messages(path, fn, ctx);
	}
	return n;
}

unsigned kept_messages(message_fn *fn, void *ctx)
{
	return folder_messages("tests/fuzz/seeds", fn, ctx) + folder_messages("tests/fuzz/corpus", fn, ctx);
}

struct wanted {
	message_fn *fn;
	void *ctx;
	const char *path;
	unsigned n;
};

static void on_frame(void *ctx, const struct frame *f, const struct datagram *d)
{
	struct wanted *w = ctx;

	(void)f;
	if (!d->data || d->len > MAX_MESSAGE)
		return;
	w->fn(w->ctx, w->path, d->data, d->len);
	w->n++;
}

unsigned capture_messages(message_fn *fn, void *ctx)
{
	struct wanted w = {.fn = fn, .ctx = ctx};
	char folder[512], path[1024], why[256];
	struct dirent **entries;
	unsigned left_out;
	int n;

	snprintf(folder, sizeof(folder), "%s/captures", corpus_folder());
	n = scandir(folder, &entries, visible, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		w.path = path;
		if (pcap_frames(path, on_frame, &w, &left_out, why, sizeof(why)))
			fprintf(stderr, "%s\n", why);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return w.n;
}
