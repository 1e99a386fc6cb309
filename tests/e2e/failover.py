# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kamailio with two gateways in a dispatcher set, from the files in examples/kamailio: the first one silent, the second one
in service, SIPp as caller.

    with Carriers(MODES["reply-503"], inside=True) as carriers:
        calls = carriers.calls(100, 10)
        carriers.expect_failover(calls)
        carriers.delays(calls)
"""
import collections
import functools
import json
import os
import re
import socket
import statistics
import threading
import time

from case import expect, expect_equal, only
from edge import BUILD, ROOT, Edge, in_namespace, wait_until
from kamailio import CALLER, Kamailio
from sip import Call, respond

EXAMPLE = os.path.join(ROOT, "examples", "kamailio")
FIRST, SECOND = "10.77.2.2", "10.77.2.3"  # of the dispatcher set
JSONRPC_PORT = 8090
PROVISIONAL_OR_200 = (b"SIP/2.0 180 ", b"SIP/2.0 200 ")

# fr_timer in ms; on_exhausted None: siprtx does not run
Mode = collections.namedtuple("Mode", "name says fr_timer on_exhausted on_down notify")
MODES = {m.name: m for m in (
    Mode("alone", "Kamailio alone, its defaults (fr_timer 30 s)", 30000, None, None, False),
    Mode("alone-2s", "Kamailio alone, fr_timer 2 s", 2000, None, None, False),
    Mode("record", "on_exhausted = record, dispatcher.set_state", 5000, "record", "pass", True),
    Mode("reply-408", "on_exhausted = reply-408", 5000, "reply-408", "pass", False),
    Mode("reply-503", "on_exhausted = reply-503", 5000, "reply-503", "pass", False),
    Mode("fast", "on_exhausted = reply-503, on_down = fast", 5000, "reply-503", "fast", False),
    Mode("down-503", "on_exhausted = reply-503, on_down = reply-503", 5000, "reply-503", "reply-503", False))}


def example(name):
    with open(os.path.join(EXAMPLE, name)) as f:
        return f.read()


def substituted(text):
    return text.replace("192.0.2.10", FIRST).replace("192.0.2.11", SECOND)


def configuration(mode, jsonrpc):
    """The shipped siprtx.conf without its [siprtx], for this mode."""
    text = substituted(example("siprtx.conf"))
    text = text[text.index("[profile "):]
    if "[notify " in text and not mode.notify:
        text = text[:text.index("[notify ")]
    text = text.replace("127.0.0.1:8090", jsonrpc)
    text = re.sub(r"(?m)^on_exhausted = \S+", f"on_exhausted = {mode.on_exhausted}", text)
    return re.sub(r"(?m)^on_down = \S+", f"on_down = {mode.on_down}", text)


class Shipped(Kamailio):
    """Kamailio with examples/kamailio/kamailio.cfg as it is; what stands at its top is given by -A."""

    def __init__(self, edge, fr_timer=None, inside=False):
        super().__init__(edge, FIRST, SECOND, inside=inside)
        self.path, self.fr_timer = os.path.join(EXAMPLE, "kamailio.cfg"), fr_timer
        self.list_path, self.jsonrpc = f"{edge.directory}/dispatcher.list", f"{self.address}:{JSONRPC_PORT}"
        with open(self.list_path, "w") as f:
            f.write(substituted(example("dispatcher.list")))

    def options(self):
        defines = {"LISTEN": f"udp:{self.address}:5060", "CARRIERS": f'"{self.list_path}"', "JSONRPC": f'"udp:{self.jsonrpc}"'}
        if self.fr_timer:
            defines["FR_TIMER"] = self.fr_timer
        return ["-m", "32", "-M", "4", *(word for name, value in defines.items() for word in ("-A", f"{name}={value}"))]


class Calls:
    """A row of calls of one SIPp."""

    def __init__(self, sipp, count):
        self.sipp, self.ids = sipp, [f"{sipp.prefix}-{n}" for n in range(1, count + 1)]


def address_of(frame):
    """Where it goes to."""
    return ".".join(map(str, frame.from_to[4:8]))


class Carriers:
    """An edge with Kamailio on it (`inside`: in a namespace of its own behind it), and both gateways; the first one is silent unless told."""

    def __init__(self, mode, inside, silent=True, on=None):
        self.mode, self.inside, self.silent, self.on = mode, inside, silent, on
        runs = mode.on_exhausted is not None
        options = {} if inside or not runs else {"mode": "host", "inside": None}
        jsonrpc = f"{CALLER if inside else '10.77.2.1'}:{JSONRPC_PORT}"
        self.edge = Edge(configuration(mode, jsonrpc) if runs else "", forward_only=not runs, gateways=[f"{SECOND}/24"], **options)
        self.numbers = 0

    def __enter__(self):
        self.edge.__enter__()
        try:
            if self.mode.notify:
                self.notify = self.edge.popen(self.edge.edge_ns, f"{BUILD}/siprtx-notify", "-c", self.edge.configuration_path)
            self.kamailio = Shipped(self.edge, self.mode.fr_timer, self.inside).__enter__()
            self.second = self.in_service(SECOND)
            if self.silent:
                self.first = self.edge.gateway(FIRST, on=self.on)
            else:
                self.in_service(FIRST)
        except BaseException:
            self.__exit__(RuntimeError)
            raise
        return self

    def __exit__(self, kind, *rest):
        if hasattr(self, "kamailio"):
            self.kamailio.__exit__()
        self.edge.__exit__(kind, *rest)

    def in_service(self, address):
        return self.kamailio.gateway("carrier.xml", address, options=("-m", "100000"))

    def revive(self):
        """The silent first gateway comes back; the time it listens again."""
        self.edge.drop(self.first)
        self.in_service(FIRST)
        return time.time()

    def calls(self, count=1, rate=10):
        """`count` calls, `rate` a second, each as long as it needs."""
        self.numbers += 1
        prefix = f"pdd-{os.getpid()}-{self.numbers}"
        sipp = self.kamailio.call("patient-call.xml", call_id=f"{prefix}-%u", options=("-m", str(count), "-r", str(rate), "-l", str(count)))
        sipp.prefix = prefix
        return Calls(sipp, count)

    def messages(self):
        """By Call-ID: what the gateways got and what the caller sent and got, (time, address, first word, message)."""
        def sip(frames):
            found = collections.defaultdict(list)
            for f in list(frames):
                if f.protocol == 17 and (m := re.search(rb"\nCall-ID: ([^\r]*)\r", f.payload)):
                    found[m.group(1).decode()].append(f)
            return found
        kamailio = self.kamailio
        return sip(kamailio.at_gateway.frames), sip(kamailio.at_caller.sent), sip(kamailio.at_caller.frames)

    def delays(self, calls):
        """Seconds from each call's INVITE to the first 180 or 200 that the caller saw, in the order of the calls."""
        _, sent, got = self.messages()

        def delay(call_id):
            begun = min((f.time for f in sent[call_id] if f.payload.startswith(b"INVITE ") and not self.from_kamailio(f)), default=None)
            heard = min((f.time for f in got[call_id] if f.payload.startswith(PROVISIONAL_OR_200) and b" INVITE\r\n" in f.payload), default=None)
            expect(begun and heard, f"call {call_id}: no 180 or 200 was seen")
            return heard - begun
        return [delay(c) for c in calls.ids]

    def from_kamailio(self, frame):
        return frame.l4[:2] == (5060).to_bytes(2, "big")

    def expect_failover(self, calls, timeout):
        """Every call was answered by the second gateway, and once it had the INVITE none went to the first."""
        calls.sipp.done(timeout)
        expect(wait_until(lambda: all(self.messages()[0][c] for c in calls.ids), 2), "a call that the caller saw through never reached a gateway")
        at_gateways = self.messages()[0]
        for call_id in calls.ids:
            invites = [(f.time, address_of(f)) for f in at_gateways[call_id] if f.payload.startswith(b"INVITE ")]
            there = [t for t, address in invites if address == SECOND]
            expect(there, f"call {call_id} never reached the second gateway")
            ghosts = [t - there[0] for t, address in invites if address == FIRST and t > there[0]]
            expect_equal(ghosts, [], f"INVITEs of {call_id} to the first gateway after the switch, s")

    def at_first(self, calls, what=b"INVITE "):
        """How many messages each call had at the first gateway."""
        at_gateways = self.messages()[0]
        return [sum(address_of(f) == FIRST and f.payload.startswith(what) for f in at_gateways[c]) for c in calls.ids]

    def probes(self):
        """The OPTIONS that the first gateway got while it was silent."""
        return [a for a in self.first.got if a.data.startswith(b"OPTIONS ")]

    def first_answer(self, calls):
        """When the first gateway first rang for one of these."""
        heard = [f.time for f in list(self.kamailio.at_gateway.sent) if f.protocol == 17 and f.payload.startswith(PROVISIONAL_OR_200)
                 and f.from_to[:4] == socket.inet_aton(FIRST) and any(f"Call-ID: {c}\r\n".encode() in f.payload for c in calls.ids)]
        expect(heard, "the first gateway answered none of the calls")
        return heard[0]

    def state(self):
        """Of the first gateway, as `siprtx show gateways` has it."""
        return only([g for g in self.edge.json("show", "gateways")["gateways"] if g["gateway"] == f"{FIRST}:5060"], "entries of the first gateway")["state"]

    def expect_evidence(self, calls):
        """One record of each call that the first gateway was silent to, with what siprtx answered; no ACK to that answer left the host."""
        expect_equal(sum(self.at_first(calls, b"ACK ")), 0, "ACKs at the first gateway")
        if not self.mode.on_exhausted:
            return
        reply = 0 if self.mode.on_exhausted == "record" else int(self.mode.on_exhausted[-3:])
        tried = {c: n for c, n in zip(calls.ids, self.at_first(calls)) if n}
        wait_until(lambda: len([r for r in self.edge.exhausted() if r["reason"] == "no_response"]) >= len(tried), 2)
        records = [r for r in self.edge.exhausted() if r["reason"] == "no_response"]
        expect_equal(sorted(r["call_id"] for r in records), sorted(tried), "calls with a record, and those that reached the first gateway")
        expect_equal({(r["gateway"], r["gateway_name"], r["reply"]) for r in records}, {(f"{FIRST}:5060", "carrier-a", reply)}, "gateway and reply of the records")
        if reply:
            expect_equal({r["call_id"]: r["sends"] for r in records}, tried, "sends by the records, and INVITEs at the first gateway")


class Result(collections.namedtuple("Result", "mode usual delays at_first")):
    """Delays in s, those of all calls in their order."""

    first = property(lambda self: self.delays[0] - self.usual)
    hundredth = property(lambda self: self.delays[-1] - self.usual)

    def says(self):
        return f"added delay: first call {1000 * self.first:.1f} ms, number {len(self.delays)} {1000 * self.hundredth:.1f} ms"


_usual_lock = threading.Lock()


@functools.lru_cache
def usual(inside, count=20):
    """Median delay of calls that a working first gateway answers, Kamailio alone, s. Measured once."""
    with Carriers(MODES["alone"], inside, silent=False) as carriers:
        calls = carriers.calls(count)
        calls.sipp.done(30)
        return statistics.median(carriers.delays(calls))


def measure(mode, inside, count=100, rate=10):
    """`count` calls in this mode, `rate` a second, however long each takes; judged, and their delays."""
    with _usual_lock:
        base = usual(inside)
    with Carriers(mode, inside) as carriers:
        calls = carriers.calls(count, rate)
        carriers.expect_failover(calls, 30 + count / rate + mode.fr_timer / 1000)
        carriers.expect_evidence(calls)
        return Result(mode, base, carriers.delays(calls), carriers.at_first(calls))


def recover(mode, inside):
    """Seconds from when the first gateway, which was down, listens again until it answers a call; at the worst moment."""
    with Carriers(mode, inside) as carriers:
        before = carriers.calls(40)
        carriers.expect_failover(before, 60)
        expect(wait_until(lambda: carriers.state() == "down", 15, 0.1), f"the first gateway is {carriers.state()} after 40 calls, wanted down")
        # the worst moment: it has just missed a probe, and hears the next one a whole interval later
        probes = len(carriers.probes())
        expect(wait_until(lambda: len(carriers.probes()) > probes, 10), "no probe reached the first gateway within 10 s")
        back = carriers.revive()
        calls = carriers.calls(90)
        calls.sipp.done(60)
        expect_equal(carriers.state(), "up", "state of the first gateway")
        expect_equal(carriers.at_first(calls)[-1], 1, "INVITEs of the last call at the first gateway")
        return carriers.first_answer(calls) - back


def answer(invite, code):
    """The first gateway's response to the INVITE that arrived, for a dialog through Kamailio."""
    route = "".join(f"{line.decode()}\r\n" for line in re.findall(rb"Record-Route:[^\r]*", invite.data))
    return respond(invite.data, code, headers=f"{route}Contact: <sip:gateway@{FIRST}:5060>\r\n")


class Caller:
    """A caller with one call, who takes the first 200 and says ACK and BYE to each further one (RFC 3261 13.2.2.4)."""

    def __init__(self, carriers):
        self.tag = None
        self.party = carriers.edge.party(carriers.edge.sw_ns, CALLER, 5090, self.on)
        self.call = Call(to=carriers.kamailio.address, src=CALLER, sport=5090)
        self.party.send(self.call)

    def on(self, party, arrival):
        if not arrival.data.startswith(b"SIP/2.0 200 ") or b" INVITE\r\n" not in arrival.data:
            return
        tag = re.search(rb"\nTo:[^\r]*;tag=([^\r;]*)", arrival.data).group(1)
        self.tag = self.tag or tag
        party.socket.sendto(self.inside(arrival.data, "ACK", 1), arrival.peer)
        if tag != self.tag:
            party.socket.sendto(self.inside(arrival.data, "BYE", 2), arrival.peer)

    def inside(self, ok, method, cseq):
        """A request in the dialog that this 200 made (12.2.1.1)."""
        contact = re.search(rb"\nContact: <([^>]*)>", ok).group(1).decode()
        to = re.search(rb"\nTo:[^\r]*;tag=([^\r;]*)", ok).group(1).decode()
        branch = self.call.branch if method == "INVITE" else f"{self.call.branch}.{method}.{to}"
        request = self.call.request(method, branch=branch, cseq=cseq, body=False, to_tag=to)
        routes = "".join(f"Route: {r.decode()}\r\n" for r in reversed(re.findall(rb"\nRecord-Route: ([^\r]*)", ok)))
        head, rest = request.split(b"\r\n", 1)
        return f"{method} {contact} SIP/2.0\r\n{routes}".encode() + rest

    def answers(self, tag):
        """The 200s with this in them."""
        return [a for a in self.party.got if a.data.startswith(b"SIP/2.0 200 ") and b" INVITE\r\n" in a.data and tag in a.data]


def kamailio_rpc(edge, kamailio, text):
    """What Kamailio answers to this datagram."""
    def make():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(3)
        return s
    host, port = kamailio.jsonrpc.split(":")
    with in_namespace(kamailio.namespace, make) as s:
        s.sendto(text.encode(), (host, int(port)))
        return json.loads(s.recv(65535))
