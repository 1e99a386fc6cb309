// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the bare ways of sending a datagram do, each in a loop and nothing else; AF_XDP has its own tool, raw_afxdp.c.
 *
 *   raw_senders sendto|send|sendmmsg INTERFACE TEMPLATE-FILE FRAMES SENDS
 *   raw_senders live INTERFACE TEMPLATE-FILE FRAMES SENDS wire.bpf.o
 *
 * Prints "ready" when the frames are laid out, reads one line, sends SENDS frames in turn. Live frames: one of FRAMES 1
 * is in the kernel's pages already, as many as SENDS are copied out of a map.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "raw_frames.h"

#define BATCH 64

static uint8_t *memory; /* FRAME_SIZE a frame */
static unsigned frames, sends;
static size_t length; /* of a frame */

/* .bss of wire.bpf.c */
struct wire {
	uint32_t next, length, ifindex;
};

static uint8_t *payload(unsigned n)
{
	return memory + (size_t)(n % frames) * FRAME_SIZE + PAYLOAD;
}

static int make_memory(const struct raw_template *t)
{
	memory = mmap(NULL, (size_t)frames * FRAME_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	lay_out(memory, frames, t);
	return 0;
}

static int udp_socket(const struct raw_template *t, struct sockaddr_in *to)
{
	*to = (struct sockaddr_in){.sin_family = AF_INET};
	memcpy(&to->sin_addr, t->bytes + IP + 16, 4);
	memcpy(&to->sin_port, t->bytes + UDP + 2, 2);
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static int send_one_by_one(int fd, const struct sockaddr_in *to)
{
	for (unsigned i = 0; i < sends; i++)
		if (sendto(fd, payload(i), length - PAYLOAD, 0, (const struct sockaddr *)to, to ? sizeof(*to) : 0) < 0)
			return -errno;
	return 0;
}

static int send_many(int fd)
{
	static struct mmsghdr m[BATCH];
	static struct iovec iov[BATCH];

	for (unsigned i = 0; i < sends;) {
		unsigned n = sends - i < BATCH ? sends - i : BATCH;
		int sent;

		for (unsigned k = 0; k < n; k++) {
			iov[k] = (struct iovec){payload(i + k), length - PAYLOAD};
			m[k].msg_hdr = (struct msghdr){.msg_iov = &iov[k], .msg_iovlen = 1};
		}
		sent = sendmmsg(fd, m, n, 0);
		if (sent < 0)
			return -errno;
		i += sent;
	}
	return 0;
}

static int by_socket(const char *method, const struct raw_template *t)
{
	struct sockaddr_in to;
	int fd = udp_socket(t, &to), err = make_memory(t);

	if (fd < 0 || err)
		return err ?: -errno;
	if (strcmp(method, "sendto") && connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	get_ready();
	if (!strcmp(method, "sendmmsg"))
		return send_many(fd);
	return send_one_by_one(fd, strcmp(method, "sendto") ? NULL : &to);
}

/* All in one call, for each makes a page pool; and no more in a batch than a veth's NAPI takes in one turn. */
static int send_live(int prog, const struct raw_template *t, bool same)
{
	struct xdp_md ctx = {.data_end = same ? length : 64};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = t->bytes, .data_size_in = ctx.data_end, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .repeat = sends,
		    .batch_size = BATCH);

	return bpf_prog_test_run_opts(prog, &opts) ? -errno : 0;
}

static int by_live_frames(const char *ifname, const struct raw_template *t, const char *object)
{
	struct bpf_object *o = bpf_object__open_file(object, NULL);
	bool same = frames == 1;
	struct bpf_map *bss;
	struct wire *w;
	int err;

	if (!o)
		return -errno;
	bpf_map__set_max_entries(bpf_object__find_map_by_name(o, "frames"), frames);
	err = bpf_object__load(o);
	if (err)
		return err;
	memory = mmap(NULL, (size_t)frames * FRAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      bpf_object__find_map_fd_by_name(o, "frames"), 0);
	bss = bpf_object__find_map_by_name(o, ".bss");
	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED, bss ? bpf_map__fd(bss) : -1, 0);
	if (memory == MAP_FAILED || w == MAP_FAILED)
		return -errno;
	lay_out(memory, frames, t);
	*w = (struct wire){.length = length, .ifindex = if_nametoindex(ifname)};
	get_ready();
	return send_live(bpf_program__fd(bpf_object__find_program_by_name(o, same ? "live_same" : "live")), t, same);
}

int main(int argc, char **argv)
{
	static struct raw_template template;
	int err;

	if (argc < 6) {
		fprintf(stderr, "usage: raw_senders METHOD INTERFACE TEMPLATE-FILE FRAMES SENDS [wire.bpf.o]\n");
		return 2;
	}
	frames = strtoul(argv[4], NULL, 10);
	sends = strtoul(argv[5], NULL, 10);
	err = read_template(argv[3], &template);
	length = template.length;
	if (!err && argc > 6)
		err = by_live_frames(argv[2], &template, argv[6]);
	else if (!err)
		err = by_socket(argv[1], &template);
	if (err)
		fprintf(stderr, "raw_senders: %s on %s: %s\n", argv[1], argv[2], strerror(-err));
	return !!err;
}
