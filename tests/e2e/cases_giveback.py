# SPDX-License-Identifier: GPL-2.0-or-later
"""
Giving the work back: whatever keeps siprtx's copies from leaving, the softswitch's own reach the gateway; and no interval has
two once siprtx sends again. The softswitch marks its own copies with a traffic class; siprtx's have that of the first INVITE.
"""
import signal
import socket
import threading
import time

from case import case, expect, expect_equal, only, show
from edge import Edge, run, wait_until
from flows import profile
from frames import Capture
from sink import Sink
from sip import Call

MARK = 0x20
LAG = .05  # the softswitch's timer is a little behind ours
INTERVALS = [.5, 1, 1, 1, 1, 1]
SCHEDULE = [0, .5, 1.5, 2.5, 3.5, 4.5, 5.5]
PROFILE = profile(resend_interval="0.5,1,1,1,1,1", final_wait="0.5")
NEAR = .12
LOADED = .25  # what a copy of a softswitch written in Python may be late by


class Softswitch(threading.Thread):
    """Sends the calls at once, then each of its own copies LAG after ours is due; .start_time is on the wall clock."""

    def __init__(self, edge, calls):
        super().__init__(daemon=True)
        self.party, self.calls = edge.softswitch(), calls
        self.begun = threading.Event()
        self.start()
        self.begun.wait()

    def run(self):
        self.start_time = time.time()
        for call in self.calls:
            self.party.send(call)
        self.party.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, MARK)
        self.begun.set()
        for offset in SCHEDULE[1:]:
            self.until(offset + LAG)
            for call in self.calls:
                self.party.send(call)

    def until(self, offset):
        time.sleep(max(0, self.start_time + offset - time.time()))


def arrivals(call, *captures):
    """[(seconds after the first, is it the softswitch's own)] of the call's INVITEs."""
    frames = sorted((f for c in captures for f in c.of(call)), key=lambda f: f.time)
    expect(frames, "no INVITE of a call reached the gateway")
    expect(all(f.payload == call.message for f in frames), "an INVITE differs from the first")
    return [(f.time - frames[0].time, f.tos == MARK) for f in frames]


def who(got):
    return "[" + " ".join(f"{t:.3f}{' own' if own else ''}" for t, own in got) + "]"


def expect_no_double(got, since=0):
    """No two within 0.9 of the interval between them, from the last one before `since` on."""
    times = [t for t, _ in got]
    for before, after in zip(times, times[1:]):
        least = INTERVALS[0] if before < NEAR else 1
        expect(after < since or after - before >= .9 * least, f"two INVITEs {after - before:.3f} s apart: {who(got)}")


def expect_one_each(got, steps=SCHEDULE):
    """One INVITE for each of these steps, ours or the softswitch's own, and no other."""
    expect(len(got) == len(steps) and all(-.04 <= t - s <= LOADED for (t, _), s in zip(got, steps)), f"INVITEs at {who(got)}, wanted one at each of {show(steps)}")


def expect_taken_over(got, since):
    """From then on siprtx alone sends."""
    late = [(t, own) for t, own in got if t > since]
    expect(late and not any(own for _, own in late), f"INVITEs at {who(got)}, wanted none of the softswitch's own after {since}")


def expect_never_alone(got):
    """What one decision may cost: a second, and the wait for the softswitch's next copy."""
    gaps = [b - a for (a, _), (b, _) in zip(got, got[1:])]
    expect(max(gaps) <= 1 + 1 + LOADED and got[-1][0] > 5.4, f"nothing for {max(gaps):.3f} s: {who(got)}")


def expect_records(edge, calls, got, latest=6.2):
    """One record a call, that tells how many INVITEs reached the gateway, and an end in time."""
    for call in calls:
        record = only(edge.wait_journal(call, 4), "records")
        expect_equal(record["sends"], len(got[call]), f"sends in the record, INVITEs at {who(got[call])}")
        expect(5.9 <= record["duration_ms"] / 1000 <= latest + LOADED, f"ended after {record['duration_ms']} ms, wanted 6000, INVITEs at {who(got[call])}")


@case(seconds=11)
def budget_of_a_gateway_gives_back():
    """rate_gateway = 5 and twenty calls: five are sent again by siprtx, the others by the softswitch; no interval has two, and when the limit is lifted siprtx sends all."""
    with Edge(PROFILE) as edge, Capture(edge.gw_ns, "g0") as capture:
        edge.gateway()
        edge.siprtx("set", "rate_gateway", "5")
        time.sleep(.1)
        calls = [Call() for _ in range(20)]
        softswitch = Softswitch(edge, calls)
        softswitch.until(1.2)
        status = edge.siprtx("status")
        held = edge.json("status")["held"]
        gateways = edge.json("show", "gateways")["gateways"]
        softswitch.until(3)
        over = edge.stats()["over_budget"]
        edge.siprtx("set", "rate_gateway", "0")
        softswitch.join()
        time.sleep(.8)
        got = {call: arrivals(call, capture) for call in calls}
        for call in calls:
            expect_never_alone(got[call])
            expect_no_double(got[call])
            expect_taken_over(got[call], 3.5 + NEAR)
        first = [next(own for t, own in got[c] if t > .4) for c in calls]
        expect_equal(first.count(False), 5, "calls that siprtx sent again first, of twenty")
        ours = sorted(t for c in calls for t, own in got[c] if not own and t and t < 3)
        most = max(sum(t <= u < t + 1 for u in ours) for t in ours)
        expect(most <= 10, f"{most} copies of siprtx within a second, wanted 5 a second and a burst of 5")
        expect_records(edge, calls, got)
        counters, stats = edge.counters(), edge.stats()
        own, all_of_them = sum(own for c in calls for _, own in got[c]), sum(len(got[c]) - 1 for c in calls)
        expect_equal((counters["copy_passed"], counters["absorbed"]), (own, 6 * 20 - own), "copies passed, absorbed")
        expect_equal((stats["sends"], stats["copies_counted"]), (all_of_them - own, own), "stats sends, copies_counted")
        expect_equal(over, stats["over_budget"], "over_budget before and after the limit was lifted")
        expect_equal(held["given_back"], 15, "transactions given back, by siprtx status")
        expect("15 given back to the softswitch" in status.stdout, f"status says {status.stdout}")
        expect_equal(only(gateways, "gateways")["over_budget"], 15, "over_budget of the gateway")
        expect_equal(sum("over_budget rose" in line for line in edge.log().splitlines()), 1, "lines of the log")
        return f"{own} copies of the softswitch passed, {over} over the budget"


@case(seconds=11)
def stopped_loop_gives_back():
    """SIGSTOP for three seconds: a second later the softswitch's own copies pass; after SIGCONT siprtx goes on, no interval has two."""
    with Edge(PROFILE) as edge, Capture(edge.gw_ns, "g0") as capture:
        edge.gateway()
        calls = [Call() for _ in range(5)]
        softswitch = Softswitch(edge, calls)
        softswitch.until(.8)
        edge.process.send_signal(signal.SIGSTOP)
        softswitch.until(3.3)
        inactive = edge.siprtx("status", check=False).returncode
        softswitch.until(4)
        edge.process.send_signal(signal.SIGCONT)
        softswitch.join()
        time.sleep(.8)
        got = {call: arrivals(call, capture) for call in calls}
        for call in calls:
            # that at 1.5 was absorbed while the heartbeat was young: the second that a stall may cost
            expect_one_each(got[call], [0, .5, 2.5, 3.5, 4.5, 5.5])
            expect_equal([own for _, own in got[call]], [False, False, True, True, False, False], f"whose they are, {who(got[call])}")
            expect_no_double(got[call])
        expect_records(edge, calls, got)
        expect_equal(inactive, 3, "exit status of siprtx status while the loop stood still")
        expect("not all copies that were due got out" in edge.log(), f"the log says nothing: {edge.log()[-300:]}")


@case(seconds=11)
def loop_that_cannot_keep_up_gives_back():
    """A round sends one copy each 10 ms and 300 calls are due: within a second and the next copy the softswitch's own pass; with the limit lifted siprtx takes over."""
    with Edge(PROFILE) as edge, Capture(edge.gw_ns, "g0") as capture:
        edge.gateway()
        edge.siprtx("set", "tick_sends", "1")
        edge.siprtx("set", "tick", "10000")
        time.sleep(.1)
        said = edge.siprtx("check", check=False).stdout
        expect("tick_sends and tick let 100 copies a second out, and 1024 calls without an answer want 320" in said, f"siprtx check says {said}")
        calls = [Call() for _ in range(300)]
        softswitch = Softswitch(edge, calls)
        softswitch.until(1.4)
        slow = edge.stats()
        softswitch.until(2)
        edge.siprtx("set", "tick", "1000")
        edge.siprtx("set", "tick_sends", "2048")
        softswitch.join()
        time.sleep(1.9)
        got = {call: arrivals(call, capture) for call in calls}
        own = [any(own and abs(t - 1.55) < LOADED for t, own in got[call]) for call in calls]
        expect(own.count(True) >= 150, f"at 1.55 the softswitch's own copies of {own.count(True)} calls, wanted those of nearly all 300")
        for call in calls:
            expect_taken_over(got[call], 2)
            expect_no_double(got[call], 2)
            expect_never_alone(got[call])
        expect(20 <= slow["sends"] <= 110, f"{slow['sends']} copies in 0.9 s, wanted 100 a second at most")
        expect(slow["full_rounds"] > 50, f"{slow['full_rounds']} rounds left copies to the next")
        expect_records(edge, calls, got, 7.6)  # one sent a second late began its list anew there
        return f"{own.count(True)} of the softswitch's own copies at 1.55"


def second_way(edge):
    """Another link between edge and gateway, that the kernel routes by while the first one is down."""
    run("ip", "link", "add", "g1", "netns", edge.gw_ns, "type", "veth", "peer", "name", "out1", "netns", edge.edge_ns)
    edge.run(edge.gw_ns, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.g0.rp_filter=0", "net.ipv4.conf.g1.rp_filter=0")
    for namespace, device, address in ((edge.gw_ns, "g1", "10.77.3.2/24"), (edge.edge_ns, "out1", "10.77.3.1/24")):
        run("ip", "-n", namespace, "address", "add", address, "dev", device)
        run("ip", "-n", namespace, "link", "set", device, "up")
    run("ip", "-n", edge.edge_ns, "route", "add", "10.77.2.0/24", "via", "10.77.3.2", "dev", "out1", "metric", "500")
    edge.run(edge.edge_ns, "ping", "-c", "1", "-W", "2", "10.77.3.2")


@case(seconds=12)
def link_down_gives_back():
    """The outside link goes down and the route goes another way: the very next copy of the softswitch passes; when it is up again siprtx takes over, no interval has two."""
    with Edge(PROFILE) as edge:
        second_way(edge)
        edge.gateway()
        with Capture(edge.gw_ns, "g0") as first, Capture(edge.gw_ns, "g1") as second:
            calls = [Call() for _ in range(5)]
            softswitch = Softswitch(edge, calls)
            softswitch.until(.8)
            edge.run(edge.edge_ns, "ip", "link", "set", "out0", "down")
            softswitch.until(2)
            held = edge.json("status", check=False)["held"]
            softswitch.until(2.8)
            edge.run(edge.edge_ns, "ip", "link", "set", "out0", "up")
            softswitch.join()
            time.sleep(.8)
            got = {call: arrivals(call, first, second) for call in calls}
            elsewhere = [len(second.of(call)) for call in calls]
        for call in calls:
            expect_one_each(got[call])
            expect_equal([own for _, own in got[call]][:4], [False, False, True, True], f"whose the first four are, {who(got[call])}")
            expect_no_double(got[call])
            expect_taken_over(got[call], 4)
        expect_equal(elsewhere, [2] * 5, "copies that went the other way")
        expect_equal(held["given_back"], 5, "transactions given back, by siprtx status")
        expect_records(edge, calls, got)


def tc(edge, words):
    run("tc", "-n", edge.edge_ns, *words.split())


def two_queues(edge):
    """All of out0 goes by the fast one of two queues; what gets into the other stays there for ever, and its descriptor with the kernel."""
    tc(edge, "qdisc add dev out0 root handle 1: htb default 20")
    tc(edge, "class add dev out0 parent 1: classid 1:10 htb rate 1gbit")
    tc(edge, "class add dev out0 parent 1: classid 1:20 htb rate 8bit burst 1 cburst 1")
    tc(edge, "filter add dev out0 parent 1: protocol arp prio 1 u32 match u32 0 0 flowid 1:10")
    tc(edge, "filter add dev out0 parent 1: protocol ip prio 2 u32 match ip protocol 1 0xff flowid 1:20")
    tc(edge, f"filter add dev out0 parent 1: protocol ip prio 3 u32 match ip tos {MARK:#x} 0xff flowid 1:10")
    tc(edge, "filter add dev out0 parent 1: protocol all prio 9 u32 match u32 0 0 flowid 1:10")
    edge.run(edge.edge_ns, "ping", "-c", "1", "-W", "1", "-s", "1400", "10.77.2.2")  # the one that a full bucket lets go


def stop_queue(edge):
    """From now on only the softswitch's own copies go by the fast one."""
    tc(edge, "filter del dev out0 parent 1: prio 9")


@case(seconds=14)
def stuck_kernel_gives_back():
    """The queue below the outside interface, a bridge, takes frames and lets none go: the socket's memory is used up, and the softswitch's own copies pass; when the queue is gone siprtx takes over."""
    with Edge(PROFILE, start=False, outside="br0") as edge, Capture(edge.gw_ns, "g0") as capture:
        for command in ("link add br0 type bridge", "link set out0 master br0", "addr flush dev out0", "link set br0 up", "addr add 10.77.2.1/24 dev br0",
                        "addr add fd77:2::1/64 dev br0 nodad"):
            edge.run(edge.edge_ns, "ip", *command.split())
        edge.meet_neighbours()
        edge.start()
        edge.gateway()
        two_queues(edge)
        calls = [Call() for _ in range(300)]
        softswitch = Softswitch(edge, calls)
        softswitch.until(.2)
        stop_queue(edge)
        softswitch.until(1.4)
        early = edge.stats()
        softswitch.until(2)
        health = edge.siprtx("status", check=False).stdout.splitlines()[0]
        softswitch.until(3)
        tc(edge, "qdisc del dev out0 root")
        softswitch.join()
        time.sleep(.9)
        got = {call: arrivals(call, capture) for call in calls}
        for call in calls:
            expect_one_each(got[call], [0, 1.5, 2.5, 3.5, 4.5, 5.5])
            expect_equal([own for _, own in got[call]][:3], [False, True, True], f"whose they are, {who(got[call])}")
            expect_no_double(got[call])
            expect_taken_over(got[call], 3.7)
        expect(early["ring_full"] > 50 and early["in_flight"] > 100, f"{early['ring_full']} found no room, {early['in_flight']} with the kernel")
        expect("do not get out" in health and "the kernel has sent nothing for a second" in edge.log() and "br0 is bound now" in edge.log(), f"status says {health}, the log {edge.log()[-900:]}")


WINDOW = .010


def densest(times):
    """The most arrivals within any WINDOW."""
    most = first = 0
    times = sorted(times)
    for last, t in enumerate(times):
        while t - times[first] > WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most


class Thousand:
    """A thousand calls in one burst to a silent gateway; .copies(n) are the arrivals of the n-th INVITE of each."""

    def __init__(self, edge, softswitch, address):
        self.edge, self.sink, self.address = edge, Sink(edge, address), address
        calls = [Call(to=address) for _ in range(1000)]
        for call in calls:
            softswitch.send(call)

    def judge(self, schedule, latest):
        summary = self.sink.close()
        arrivals = [sorted(times) for times in self.sink.arrivals.values()]
        expect_equal((len(arrivals), summary["lost"]), (1000, 0), f"calls at {self.address}, datagrams the sink had no room for")
        for times in arrivals:
            offsets = [t - times[0] for t in times]
            wrong = len(offsets) != len(schedule) or any(not -.04 <= o - s <= latest for o, s in zip(offsets, schedule))
            expect(not wrong, f"INVITEs at {show(offsets)}, wanted {show(schedule)}, {latest * 1000:.0f} ms late at most")
        return [densest(times[n] for times in arrivals) for n in range(len(schedule))]

    def records(self):
        return [r["call_id"] for r in self.edge.exhausted() if r["gateway"] == f"{self.address}:5060"]


@case(seconds=12, alone=True)
def thousand_calls_leave_spread():
    """A thousand calls in one burst to each of three silent gateways: spread, spread by tick_sends = 8, and all overdue after a pause; the full list each, one record each."""
    addresses = ["10.77.2.2", "10.77.2.3", "10.77.2.4"]
    # 10 ms touch eleven ticks of 1 ms; a round that is late makes up for those before it, but sends no more than tick_sends
    spread, capped = 40 * 16, 8 * 12
    with Edge(profile(resend_interval="0.5,0.7", final_wait="0.3"), max_transactions=4096, gateways=[f"{a}/24" for a in addresses[1:]]) as edge:
        edge.send_no_options()
        softswitch = edge.softswitch()

        def wave(address, latest, during=None):
            before = edge.stats()["no_response"]
            thousand = Thousand(edge, softswitch, address)
            start = time.monotonic()
            if during:
                during()
            time.sleep(max(0, start + 1.6 - time.monotonic()))
            expect(wait_until(lambda: edge.stats()["no_response"] == before + 1000, 5), f"{edge.stats()['no_response'] - before} calls exhausted")
            most = thousand.judge([0, .5, 1.2], latest)
            expect(wait_until(lambda: len(thousand.records()) >= 1000, 5), f"{len(thousand.records())} records")
            expect_equal((len(thousand.records()), len(set(thousand.records()))), (1000, 1000), "records, calls in them")
            return most

        def pause():
            time.sleep(.3)
            edge.process.send_signal(signal.SIGSTOP)
            time.sleep(.35)
            edge.process.send_signal(signal.SIGCONT)
        plain = wave(addresses[0], LOADED)
        expect(max(plain[1:]) <= spread, f"{plain[1:]} copies within 10 ms, wanted {spread} at most")
        late_us = edge.stats()["late_us_max"]
        expect(late_us <= 100000, f"{late_us / 1000:.1f} ms late as shipped")
        edge.siprtx("set", "tick_sends", "8")
        time.sleep(.1)
        slow = wave(addresses[1], .125 + LOADED)
        expect(max(slow[1:]) <= capped, f"{slow[1:]} copies within 10 ms with tick_sends = 8, wanted {capped} at most")
        edge.siprtx("set", "tick_sends", "2048")
        time.sleep(.1)
        paused = wave(addresses[2], .15 + LOADED, pause)
        expect(max(paused[1:]) <= spread, f"{paused[1:]} copies within 10 ms after a pause, wanted {spread} at most")
        records = edge.exhausted()
        expect({r["sends"] for r in records} == {3}, "a record says other than 3 sends")
        expect(5000 <= max(r["timer_late_us_max"] for r in records), "no record tells of the lateness")
        expect(edge.stats()["full_rounds"] > 100, f"{edge.stats()['full_rounds']} rounds left copies to the next")
        return f"within 10 ms {plain[1:]}, with tick_sends = 8 {slow[1:]}, after a pause {paused[1:]}; {late_us / 1000:.1f} ms late at most as shipped"
