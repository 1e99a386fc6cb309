// SPDX-License-Identifier: GPL-2.0-or-later
#include "route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hash.h"
#include "netlink_ask.h"

/* News are not read for what they say: a queue that overflows is news too. */
#define NEWS_BYTES 8192

struct route_key {
	uint8_t saddr[16], daddr[16];
	uint32_t ingress;
	uint16_t sport, dport;
	uint8_t tos;
	uint8_t pad[7];
};

struct kept_route {
	struct route_key key;
	struct route route;
	uint32_t epoch;
	int err;
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void routes_open(struct routes *r, uint64_t now_ns)
{
	int bytes = NEWS_BYTES, rules6 = RTNLGRP_IPV6_RULE;

	*r = (struct routes){.changed_ns = now_ns, .epoch = 1, .kept = calloc(ROUTES_KEPT, sizeof(struct kept_route))};
	r->news = netlink_open(NETLINK_ROUTE, RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE, SOCK_NONBLOCK);
	r->ask = netlink_open(NETLINK_ROUTE, 0, SOCK_NONBLOCK);
	setsockopt(r->news, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(r->news, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &rules6, sizeof(rules6));
}

void routes_close(struct routes *r)
{
	if (r->news >= 0)
		close(r->news);
	if (r->ask >= 0)
		close(r->ask);
	free(r->kept);
	*r = (struct routes){.news = -1, .ask = -1};
}

bool routes_changed(struct routes *r, uint64_t now_ns)
{
	bool changed = false;
	char byte;

	while (recv(r->news, &byte, sizeof(byte), MSG_TRUNC) >= 0 || errno == ENOBUFS)
		changed = true;
	if (!changed)
		return false;
	r->changed_ns = now_ns;
	r->epoch++;
	return true;
}

static struct route_key route_key_of(const struct siprtx_slot *s)
{
	struct route_key key = {.ingress = s->ingress, .sport = s->sport, .dport = s->dport};

	memcpy(key.saddr, s->saddr, sizeof(key.saddr));
	memcpy(key.daddr, s->daddr, sizeof(key.daddr));
	if (!memcmp(s->daddr, mapped, sizeof(mapped)))
		key.tos = ((const struct iphdr *)((const char *)s + SLOT_L3))->tos;
	return key;
}

static void put_address(struct nlmsghdr *nlh, uint16_t type, const uint8_t addr[16], bool v4)
{
	mnl_attr_put(nlh, type, v4 ? 4 : 16, v4 ? addr + sizeof(mapped) : addr);
}

static struct nlmsghdr *question(char *buf, const struct route_key *key, uint32_t sequence)
{
	bool v4 = !memcmp(key->daddr, mapped, sizeof(mapped));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = sequence;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = v4 ? AF_INET : AF_INET6;
	rtm->rtm_src_len = rtm->rtm_dst_len = v4 ? 32 : 128;
	rtm->rtm_tos = key->tos & IPTOS_TOS_MASK;
	put_address(nlh, RTA_SRC, key->saddr, v4);
	put_address(nlh, RTA_DST, key->daddr, v4);
	mnl_attr_put_u32(nlh, RTA_IIF, key->ingress);
	mnl_attr_put_u8(nlh, RTA_IP_PROTO, IPPROTO_UDP);
	mnl_attr_put_u16(nlh, RTA_SPORT, htons(key->sport));
	mnl_attr_put_u16(nlh, RTA_DPORT, htons(key->dport));
	return nlh;
}

static void take_address(uint8_t to[16], const void *addr, unsigned length)
{
	if (length == 16) {
		memcpy(to, addr, 16);
	} else if (length == 4) {
		memcpy(to, mapped, sizeof(mapped));
		memcpy(to + sizeof(mapped), addr, 4);
	}
}

static void take_answer(const struct nlmsghdr *nlh, const struct route_key *key, struct route *out)
{
	const struct nlattr *attr;

	*out = (struct route){};
	memcpy(out->nexthop, key->daddr, sizeof(out->nexthop));
	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg))
	{
		const char *data = mnl_attr_get_payload(attr);
		unsigned length = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == RTA_OIF && length == 4)
			out->oif = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			take_address(out->nexthop, data, length);
		else if (mnl_attr_get_type(attr) == RTA_VIA && length > sizeof(struct rtvia))
			take_address(out->nexthop, data + sizeof(struct rtvia), length - sizeof(struct rtvia));
	}
}

/* The kernel has answered by the time it has taken the question. */
static int ask(struct routes *r, const struct route_key *key, struct route *out)
{
	char buf[1024];
	struct nlmsghdr *nlh = question(buf, key, ++r->sequence);
	ssize_t n;

	if (send(r->ask, nlh, nlh->nlmsg_len, 0) < 0)
		return -EAGAIN;
	while ((n = recv(r->ask, buf, sizeof(buf), 0)) >= (ssize_t)sizeof(*nlh)) {
		nlh = (struct nlmsghdr *)buf;
		if (nlh->nlmsg_seq != r->sequence || nlh->nlmsg_len > (uint32_t)n)
			continue;
		if (nlh->nlmsg_type == RTM_NEWROUTE) {
			take_answer(nlh, key, out);
			return out->oif ? 0 : -EAGAIN;
		}
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error ?: -EAGAIN;
	}
	return -EAGAIN;
}

int routes_find(struct routes *r, const struct siprtx_slot *frame, struct route *out)
{
	struct route_key key = route_key_of(frame);
	struct kept_route *k;

	if (r->ask < 0 || !r->kept)
		return -EAGAIN;
	k = &r->kept[hash_bytes(HASH_START, &key, sizeof(key)) & (ROUTES_KEPT - 1)];
	if (k->epoch != r->epoch || memcmp(&k->key, &key, sizeof(key))) {
		k->err = ask(r, &key, &k->route);
		k->key = key;
		k->epoch = r->epoch;
	}
	*out = k->route;
	/*
	 * The inside interface is gone, the source is one of this host's own since (NAT), or this kernel wants to be
	 * asked otherwise: that says nothing of the route.
	 */
	return k->err == -ENODEV || k->err == -EINVAL || k->err == -EXDEV || k->err == -EPERM ? -EAGAIN : k->err;
}
