# SPDX-License-Identifier: GPL-2.0-or-later
"""A stateful firewall on the edge itself: siprtx's copies pass no conntrack, so one of the softswitch's does now and then."""
import random
import time

from case import case, expect, expect_equal, expect_fields, expect_times, show
from cases_absorb import own_copies
from cases_crash import least_gap
from edge import Edge, wait_until
from sip import Call, respond

LIST = "[profile p]\nresend_interval = 0.5,1,1,1,1,1,1\nfinal_wait = 1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n"
FIREWALL = """table inet edge {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname in0 accept
    }
}
"""


def firewall(edge, timeout_s):
    """What comes from the outside passes only as the answer to a flow conntrack knows."""
    edge.run(edge.edge_ns, "nft", "-f", "-", input=FIREWALL)
    edge.run(edge.edge_ns, "sysctl", "-qw", f"net.netfilter.nf_conntrack_udp_timeout={timeout_s}")


def answered_late(edge, copies):
    """A call whose softswitch sends copies of its own, a little after siprtx's; the 200 comes after 6.2 s."""
    softswitch, gateway = edge.softswitch(), edge.gateway()
    call = Call()
    own_copies(softswitch, call, [0, *copies]).join()
    first = gateway.of(call)[0].time
    time.sleep(max(0, first + 6.2 - time.time()))
    gateway.send(respond(call.message, 200), "10.77.1.2")
    gateway.wait(call, 8, .3)
    expect(all(a.data == call.message for a in gateway.of(call)), "an INVITE at the gateway differs from the softswitch's")
    return call, softswitch.wait(call, 1, .5), gateway.offsets(call)


@case(seconds=10)
def conntrack_is_refreshed():
    """One of the softswitch's copies in place of ours every 2 s: each interval has one INVITE, the late 200 comes through; status and check say so."""
    with Edge(LIST) as edge:
        firewall(edge, 4)
        call, answers, offsets = answered_late(edge, [.52, 1.52, 2.54, 3.55, 4.56, 5.57])
        expect_times(offsets, [0, .5, 1.5, 2.54, 3.54, 4.56, 5.56], "INVITEs at the gateway")
        expect_equal(len(answers), 1, "200s at the softswitch")
        expect_fields(edge.counters(), refreshed=2, absorbed=4, copy_passed=0)
        stats = edge.stats()
        expect_fields(stats, conntrack=1, refresh_ms=2000, refresh_missed=0, copies_counted=2, sends=4, completed=1)
        expect("every 2 s one of the softswitch's own copies" in edge.log(), f"the log says {edge.log()}")
        expect("conntrack on: every 2 s a copy of the softswitch passes in place of siprtx's, 2 so far" in edge.siprtx("status").stdout, edge.siprtx("status").stdout)
        expect_equal(edge.json("status")["conntrack"], {"on": True, "refresh_ms": 2000, "refreshed": 2, "missed": 0}, "conntrack of siprtx status")
        said = edge.siprtx("check").stdout
        expect("conntrack is on" in said and "every 2 s one of the softswitch's passes in place of siprtx's" in said, f"siprtx check says {said}")


@case(seconds=10)
def conntrack_forgets_without_refresh():
    """refresh 0: conntrack has forgotten the call when its 200 comes, and the firewall drops it; status, log and check say so. Without conntrack there is nothing to say."""
    with Edge(LIST) as edge:
        expect_equal(edge.json("status")["conntrack"]["on"], False, "conntrack before there is a firewall")
        expect("conntrack" not in edge.siprtx("check").stdout, "check speaks of conntrack")
        edge.siprtx("set", "refresh", "0")
        firewall(edge, 4)
        call, answers, offsets = answered_late(edge, [.52, 1.52, 2.54, 3.55, 4.56, 5.57])
        expect_times(offsets, [0, .5, 1.5, 2.5, 3.5, 4.5, 5.5], "INVITEs at the gateway")
        expect_equal(len(answers), 0, "200s at the softswitch")
        expect_fields(edge.counters(), refreshed=0, absorbed=6)
        expect(wait_until(lambda: "conntrack is on, and siprtx lets no copy pass" in edge.log(), 2), f"the log says {edge.log()}")
        edge.softswitch(port=5061).send(b"hello", "10.77.2.2", 9)  # a flow for conntrack to count
        said = edge.siprtx("check").stdout
        expect("refresh is 0. Run: siprtx set refresh 15000" in said, f"siprtx check says {said}")
        expect(wait_until(lambda: "it does not see siprtx's copies" in edge.siprtx("status").stdout, 3), edge.siprtx("status").stdout)


@case(seconds=11)
def conntrack_refresh_never_doubles():
    """Two hundred calls whose own copies come within some ms of siprtx's, before and after: one INVITE an interval all the same, and one in two is the softswitch's."""
    half = [.5] * 10
    with Edge(f"[profile p]\nresend_interval = {','.join(map(str, half))}\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n") as edge:
        firewall(edge, 2)
        softswitch, gateway = edge.softswitch(), edge.gateway()
        calls, start = [Call() for _ in range(200)], time.monotonic() + .1
        due = sorted(((start + .002 * i + .5 * n + (random.uniform(-.006, .006) if n else 0), call) for i, call in enumerate(calls) for n in range(11)), key=lambda d: d[0])
        for when, call in due:
            time.sleep(max(0, when - time.monotonic()))
            softswitch.send(call)
        time.sleep(1)
        wrong = [c for c in calls if len(gateway.of(c)) != 11 or least_gap(gateway.offsets(c), half) < .9]
        expect(not wrong, f"{len(wrong)} calls with INVITEs at {[show(gateway.offsets(c)) for c in wrong[:3]]}")
        counters, stats = edge.counters(), edge.stats()
        share = counters["refreshed"] / (200 * 10)
        expect(share > .2, f"{counters['refreshed']} of {200 * 10} copies passed in place of siprtx's, {stats['refresh_missed']} were waited for in vain")
        expect_equal((counters["refreshed"], stats["copies_counted"]), (stats["copies_counted"], 2000 - stats["sends"]), "copies that passed, and were counted")
        return f"{counters['refreshed']} passed, {stats['refresh_missed']} waited for in vain"
