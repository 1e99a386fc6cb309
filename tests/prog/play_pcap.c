// SPDX-License-Identifier: GPL-2.0-or-later
/* play_pcap FILE [PORT,...]: the request transactions siprtx finds in a capture (play.h). Root. */
#include <unistd.h>

#include "play.h"

int main(int argc, char **argv)
{
	char why[512] = "";
	struct play p;
	int err;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: play_pcap FILE [PORT,...]\n");
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "play_pcap loads BPF programs into a network namespace: run it as root\n");
		return 1;
	}
	err = play(argv[1], argv[2], &p, why, sizeof(why));
	if (err)
		fprintf(stderr, "play_pcap: %s\n", why);
	else
		play_print(stdout, &p);
	play_free(&p);
	return err ? 1 : 0;
}
