# SPDX-License-Identifier: GPL-2.0-or-later
"""OPTIONS of siprtx to gateways that are not up, and what becomes of their answers (rule 52)."""
import re
import time

from case import case, expect, expect_equal, expect_fields
from cases_health import A, END, ONE, PROFILE, changes, state, tune, wait_state
from cases_host import HERE, HOST, host
from edge import Edge, wait_until
from frames import Capture
from sip import Call, bracket, branch_of, respond

SIX = f"{PROFILE}[gateway six]\naddress = [fd77:2::2]:5060\nprofile = short\n"
# the interval, s; an OPTIONS comes 100 ms sooner, for a second answer to be there by then, and up to 15/128 of it by chance
EVERY = 0.8
TOLERANCE = 0.05
SIPRTX = rb"(?m)^CSeq: \d{7} OPTIONS\r$"


def header(message, name):
    return re.search(rb"(?im)^" + name.encode() + rb"\s*:\s*(.*?)\r$", message).group(1).decode()


def asked(party):
    """The OPTIONS that siprtx sent: its CSeq numbers have seven digits."""
    with party.changed:
        return [a for a in party.got if a.data.startswith(b"OPTIONS ") and re.search(SIPRTX, a.data)]


class Gateway:
    """Silent to INVITEs; answers OPTIONS with each of `codes`, which is empty at first."""

    def __init__(self, edge, address=A):
        self.codes, self.address = [], address
        self.party = edge.gateway(address, on=self.on)

    def on(self, party, arrival):
        for code in self.codes if arrival.data.startswith(b"OPTIONS ") else []:
            party.socket.sendto(respond(arrival.data, code), arrival.peer)

    def asked(self):
        return asked(self.party)

    def wait(self, count, timeout):
        expect(wait_until(lambda: len(self.asked()) >= count, timeout), f"{len(self.asked())} OPTIONS came in {timeout} s, wanted {count}")
        return self.asked()


def probed(edge, softswitch, gateway=A, **call):
    """Calls that nobody answers, so that the gateway is down and probed."""
    tune(edge, probe=int(EVERY * 1000))
    for _ in range(3):
        softswitch.send(Call(to=gateway, **call))
    wait_state(edge, "suspect", bracket(gateway))


def expect_interval(arrivals, what="OPTIONS"):
    gaps = [b.time - a.time for a, b in zip(arrivals, arrivals[1:])]
    expect(gaps and all(EVERY * 112 / 128 - 0.1 - TOLERANCE < g < EVERY + TOLERANCE for g in gaps), f"{what} with gaps of {gaps}, wanted {EVERY * 112 / 128:.2f} to {EVERY}")


def unasked(softswitch):
    """What reached the softswitch of the answers to siprtx's OPTIONS."""
    return [a.data for a in softswitch.got if re.search(SIPRTX, a.data)]


@case(seconds=9)
def rule_52_from_suspect_to_up():
    """OPTIONS from the softswitch's own address and port, at once and then at the interval, each another one, whole and with the TTL of the INVITE; two answers in a row and the gateway is up; none of them reaches the softswitch."""
    with Edge(ONE) as edge, Capture(edge.gw_ns, "g0") as wire:
        softswitch, gateway = edge.softswitch(), Gateway(edge)
        free = edge.stats()["slots_free"]
        probed(edge, softswitch)
        suspect = time.time()
        first = gateway.wait(1, 0.5)[0]
        expect(first.time - suspect < 0.1, f"the first OPTIONS came {first.time - suspect:.3f} s after `suspect` was seen")
        arrivals = gateway.wait(4, 4 * EVERY)
        expect_interval(arrivals)
        wait_state(edge, "down")
        for name in ("Call-ID", "CSeq", "Via"):
            expect_equal(len({header(a.data, name) for a in arrivals}), len(arrivals), f"different {name}")
        expect_equal({a.peer for a in arrivals}, {("10.77.1.2", 5060)}, "where they come from")
        message = arrivals[0].data
        expect(message.startswith(f"OPTIONS sip:{A} SIP/2.0\r\n".encode()), f"start line of {message}")
        expect_equal((header(message, "To"), header(message, "Contact"), header(message, "Max-Forwards"), header(message, "Accept"), header(message, "Content-Length")),
                     (f"<sip:{A}>", "<sip:10.77.1.2>", "70", "application/sdp", "0"), "To, Contact, Max-Forwards, Accept, Content-Length")
        expect(re.fullmatch(r"SIP/2\.0/UDP 10\.77\.1\.2;rport;branch=z9hG4bK[0-9a-f]{16}", header(message, "Via")), f"Via of {message}")
        frames = [f for f in wire.frames if f.payload.startswith(b"OPTIONS ")]
        expect_equal(len({branch_of(f.payload) for f in frames}), len(frames), "branches of the frames")
        invite = next(f for f in wire.frames if f.payload.startswith(b"INVITE "))
        expect(all(f.checksums_ok() and not f.half_made and f.ttl == invite.ttl for f in frames), f"checksums and TTL, wanted {invite.ttl}")
        expect(wait_until(lambda: edge.stats()["slots_free"] == free - 1, 2), "slots free while it is probed")
        gateway.codes = [100, 404]
        answered = time.time()
        wait_state(edge, "up", timeout=2 * EVERY)
        seen = len(gateway.asked())
        quick = gateway.asked()[-2:]
        expect(quick[1].time - answered < 1.25 * EVERY + TOLERANCE, f"up {quick[1].time - answered:.3f} s after it answers again")
        expect(0.1 - 0.01 < quick[1].time - quick[0].time < 0.1 + TOLERANCE, f"{quick[1].time - quick[0].time:.3f} s between the answered ones, wanted 0.1")
        time.sleep(1.2 * EVERY)
        expect_equal(len(gateway.asked()), seen, "OPTIONS after it is up")
        expect_equal(unasked(softswitch), [], "answers at the softswitch")
        counters, stats = edge.counters(), edge.stats()
        expect_equal(counters["probe_absorbed"], 4, "counter probe_absorbed")
        expect_fields(stats, probes_sent=seen, probes_answered=2, slots_free=free)
        expect_fields(state(edge), state="up", state_why="probed", probes=seen, probe_answers=2)
        expect_equal([r["reason"] for r in changes(edge)], ["silent", "exhausted", "probed"], "reasons")


@case(seconds=7)
def rule_52_the_softswitch_pings_by_itself():
    """The softswitch's own OPTIONS to the same gateway, and their answers, pass byte for byte and are not sent again; those of siprtx go on beside them."""
    with Edge(ONE) as edge:
        softswitch, gateway = edge.softswitch(), Gateway(edge)
        probed(edge, softswitch)
        gateway.wait(1, 1)
        for _ in range(2):
            ping = softswitch.send(Call(method="OPTIONS"))
            arrived = gateway.party.wait(ping, 1, 1)
            expect_equal([a.data for a in arrived], [ping.message], "the softswitch's OPTIONS")
            answer = respond(ping.message, 200)
            gateway.party.send(answer, "10.77.1.2")
            expect_equal([a.data for a in softswitch.wait(ping, 1, 1)], [answer], "its answer")
        expect_interval(gateway.wait(3, 3 * EVERY))
        expect_equal([len(gateway.party.of(ping)), len(softswitch.of(ping))], [1, 1], "times each arrived")
        expect_equal(edge.counters()["other_method"], 2, "counter other_method")


@case(seconds=10)
def rule_52_killed_controller():
    """kill -9: an answer that comes while nobody is there is absorbed and counts; a new controller goes on in step, with one slot, until the gateway is up."""
    with Edge(ONE) as edge:
        softswitch, gateway = edge.softswitch(), Gateway(edge)
        free = edge.stats()["slots_free"]
        probed(edge, softswitch)
        wait_state(edge, "down")
        edge.siprtx("set", "probe", "3000")
        gateway.wait(len(gateway.asked()) + 1, 4)
        edge.kill()
        last = gateway.asked()[-1]
        gateway.party.socket.sendto(respond(last.data, 200), last.peer)
        edge.start()
        before = len(gateway.asked())
        expect(wait_until(lambda: edge.stats()["probes_answered"] == 1, 2), "the answer was not counted")
        expect_fields(state(edge), state="down")
        arrivals = gateway.wait(before + 1, 4)
        gap = arrivals[-1].time - last.time
        expect(gap < 3 + TOLERANCE, f"{gap:.3f} s between the OPTIONS before and after the crash")
        edge.kill()
        edge.start()
        expect(wait_until(lambda: edge.stats()["slots_free"] == free - 1, 2), f"slots free: {edge.stats()['slots_free']} of {free}, wanted one in use")
        gateway.codes = [200]
        wait_state(edge, "up", timeout=6)
        expect(wait_until(lambda: edge.stats()["slots_free"] == free, 2), f"slots free: {edge.stats()['slots_free']}, wanted {free}")
        expect_equal(unasked(softswitch), [], "answers at the softswitch")


@case(seconds=7)
def rule_52_host():
    """mode = host: OPTIONS from this host's own address, whole; their answers do not reach its socket; the gateway is up."""
    with Edge(ONE, **HOST) as edge, Capture(edge.gw_ns, "g0") as wire:
        softswitch, gateway = host(edge), Gateway(edge)
        probed(edge, softswitch, src=HERE)
        arrivals = gateway.wait(3, 3 * EVERY)
        expect_interval(arrivals)
        expect_equal({a.peer for a in arrivals}, {(HERE, 5060)}, "where they come from")
        frames = [f for f in wire.frames if f.payload.startswith(b"OPTIONS ")]
        expect(frames and all(f.checksums_ok() and not f.half_made for f in frames), "checksums")
        gateway.codes = [200]
        wait_state(edge, "up", timeout=2 * EVERY)
        expect_equal(unasked(softswitch), [], "answers at the softswitch")
        expect_equal(edge.counters()["probe_absorbed"], 2, "counter probe_absorbed")


@case(seconds=7)
def rule_52_ipv6():
    """The same over IPv6."""
    with Edge(SIX) as edge, Capture(edge.gw_ns, "g0") as wire:
        softswitch, gateway = edge.softswitch("fd77:1::2"), Gateway(edge, "fd77:2::2")
        probed(edge, softswitch, "fd77:2::2", src="fd77:1::2")
        arrivals = gateway.wait(3, 3 * EVERY)
        expect_interval(arrivals)
        expect(arrivals[0].data.startswith(b"OPTIONS sip:[fd77:2::2] SIP/2.0\r\nVia: SIP/2.0/UDP [fd77:1::2];rport;"), f"begins {arrivals[0].data[:90]}")
        frames = [f for f in wire.frames if f.payload.startswith(b"OPTIONS ")]
        expect(frames and all(f.checksums_ok() and not f.half_made for f in frames), "checksums")
        gateway.codes = [200]
        wait_state(edge, "up", bracket("fd77:2::2"), timeout=2 * EVERY)
        expect_equal(unasked(softswitch), [], "answers at the softswitch")


@case(seconds=9)
def rule_46_51_what_is_no_answer():
    """A 100 alone, and port unreachable, leave it down and are missed; OPTIONS go on. Its slot is in use, and neither a transaction nor waited for by drain."""
    with Edge(ONE) as edge:
        softswitch, gateway = edge.softswitch(), Gateway(edge)
        probed(edge, softswitch)
        gateway.codes = [100]
        wait_state(edge, "down")
        gateway.wait(3, 3 * EVERY)
        edge.drop(gateway.party)
        icmp = edge.counters()["icmp"]
        expect(wait_until(lambda: edge.counters()["icmp"] >= icmp + 2, 3 * EVERY), "no ICMP quoted them")
        expect_fields(state(edge), state="down", probe_answers=0)
        gateway = Gateway(edge)
        expect_interval(gateway.wait(2, 3 * EVERY))
        expect(wait_until(lambda: edge.json("status")["held"]["calling"] == 0, END + 1), "calls are held")
        expect_equal(edge.json("show", "transactions")["transactions"], [], "show transactions")
        expect_fields(edge.json("status", check=False)["slots"], used=1)
        drained = edge.json("drain", check=False)
        expect_fields(drained, drained=True)
        expect_fields(state(edge), state="down")
        expect_equal(edge.stats()["probes_answered"], 0, "answered")


@case(seconds=8)
def rule_52_live():
    """probe 0: none is sent; another interval: at once."""
    with Edge(ONE) as edge:
        softswitch, gateway = edge.softswitch(), Gateway(edge)
        tune(edge, probe=3600000)
        for _ in range(3):
            softswitch.send(Call())
        wait_state(edge, "suspect")
        gateway.wait(1, 1)
        time.sleep(1)
        expect_equal(len(gateway.asked()), 1, "OPTIONS with an interval of an hour")
        edge.siprtx("set", "probe", str(int(EVERY * 1000)))
        expect_interval(gateway.wait(4, 4 * EVERY)[1:])
