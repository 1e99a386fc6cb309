// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* struct in6_pktinfo */
#include "resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define DISCARD_PORT 9
#define MS	     1000000ull

/* MACs nobody answers for must not flood the kernel with questions; of one next hop it keeps all until it has one. */
#define ASK_NS	     (1 * MS)
#define ASK_AGAIN_NS (100 * MS)

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void resolve_open(struct resolve *r)
{
	int one = 1;

	*r = (struct resolve){};
	r->ipv4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r->ipv6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* it is for the neighbour alone */
	if (r->ipv4 >= 0)
		setsockopt(r->ipv4, IPPROTO_IP, IP_TTL, &one, sizeof(one));
	if (r->ipv6 >= 0)
		setsockopt(r->ipv6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof(one));
}

void resolve_close(struct resolve *r)
{
	if (r->ipv4 >= 0)
		close(r->ipv4);
	if (r->ipv6 >= 0)
		close(r->ipv6);
	r->ipv4 = r->ipv6 = -1;
}

/* MSG_DONTROUTE: a next hop is on the link, whatever the routes say. */
static void send_on(int fd, const struct sockaddr *to, socklen_t to_size, int level, int type, const void *info,
		    size_t info_size)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = {};
	struct msghdr m = {
		.msg_name = (void *)to,
		.msg_namelen = to_size,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(info_size),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(info_size);
	memcpy(CMSG_DATA(c), info, info_size);
	/* refused: the link is going down or has no address, and the next question is not far */
	if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_DONTROUTE | MSG_NOSIGNAL) < 0)
		log_debug("the next hop cannot be looked for: %s", strerror(errno));
}

static void ask(const struct resolve *r, uint32_t ifindex, const uint8_t addr[16])
{
	if (!memcmp(addr, mapped, sizeof(mapped))) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};
		const struct in_pktinfo info = {.ipi_ifindex = ifindex};

		memcpy(&to.sin_addr, addr + sizeof(mapped), sizeof(to.sin_addr));
		send_on(r->ipv4, (struct sockaddr *)&to, sizeof(to), IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT)};
		const struct in6_pktinfo info = {.ipi6_ifindex = ifindex};

		memcpy(&to.sin6_addr, addr, sizeof(to.sin6_addr));
		to.sin6_scope_id = ifindex;
		send_on(r->ipv6, (struct sockaddr *)&to, sizeof(to), IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

void resolve_ask(struct resolve *r, uint32_t ifindex, const uint8_t addr[16], uint64_t now_ns)
{
	bool same = r->ifindex == ifindex && !memcmp(r->addr, addr, sizeof(r->addr));

	if (now_ns - r->ns < (same ? ASK_AGAIN_NS : ASK_NS))
		return;
	r->ns = now_ns;
	r->ifindex = ifindex;
	memcpy(r->addr, addr, sizeof(r->addr));
	ask(r, ifindex, addr);
}
