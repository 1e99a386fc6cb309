# SPDX-License-Identifier: GPL-2.0-or-later
"""A softswitch that routes as VOS3000 does: gateway after gateway, each by the list from its beginning, until none is left."""
import itertools
import json
import re
import subprocess
import threading
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, wait_until
from flows import profile
from sip import Call, respond

A, B = "10.77.2.2", "10.77.2.3"
BACKUP = {"gateways": [f"{B}/24"]}
# whole lists in a second and a half: 0, .2, .5, .9, and exhausted at 1.3
LIST, END = [0, .2, .5, .9], 1.3
SHORT = profile(resend_interval="0.2,0.3,0.4", final_wait="0.4")
VOS3000 = [.5, 1, 2, 4, 4, 4, 4, 4, 4, 4]  # SS_SIP_RESEND_INTERVAL as it ships


class Softswitch:
    """
    One leg a gateway, tried one after the other; each is a call of its own (a B2BUA's Call-ID), or with `same` one more
    branch of the first. It sends its own copies by `intervals`, and leaves a gateway at a failure response, when `gone` says
    so, or after `patience` seconds without a response. `ended`: (reason, gateway) of its own record of the call.
    """

    def __init__(self, edge, intervals, patience, same=False, gone=None):
        self.party = edge.softswitch(on=self.on)
        self.intervals, self.patience, self.same, self.gone = intervals, patience, same, gone
        self.legs, self.ended, self.codes, self.changed = [], None, {}, threading.Condition()

    def on(self, party, arrival):
        code, branch = int(arrival.data[8:11]), re.search(rb"branch=([^;]*)", arrival.data).group(1).decode()
        leg = next(leg for leg in self.legs if leg.branch == branch)
        tag = re.search(rb"\nTo:[^\r]*;tag=([^\r;]*)", arrival.data)
        if code >= 200:
            party.socket.sendto(leg.request("ACK", branch=None if code >= 300 else f"{branch}.ack", body=False, to_tag=tag.group(1).decode()), arrival.peer)
        with self.changed:
            self.codes.setdefault(branch, []).append(code)
            self.changed.notify_all()

    def call(self, *gateways):
        for gateway in gateways:
            first = self.legs[0] if self.legs else None
            leg = Call(gateway, call_id=first.call_id if first and self.same else None)
            leg.from_tag = first.from_tag if first and self.same else leg.from_tag
            leg.message = leg.request("INVITE")
            self.legs.append(leg)
            reason = self.tried(leg)
            self.ended = (reason, gateway)
            if reason == "answered":
                return
        self.ended = (f"no backup left: {self.ended[0]}", self.ended[1])

    def tried(self, leg):
        begun = time.monotonic()
        copies = itertools.accumulate(self.intervals)
        self.party.send(leg)
        due, answered = next(copies, None), False
        while True:
            with self.changed:
                self.changed.wait(0.005)
                codes = list(self.codes.get(leg.branch, []))
            if any(200 <= c < 300 for c in codes):
                return "answered"
            failure = next((c for c in codes if c >= 300), None)
            if failure:
                return str(failure)
            answered = bool(codes)
            age = time.monotonic() - begun
            if self.gone and self.gone(leg):
                return "exhausted"
            if not answered and age >= self.patience:
                return "timeout"
            if not answered and due is not None and age >= due:
                self.party.send(leg)
                due = next(copies, None)


def answering(after):
    """What a gateway does that rings `after` seconds late and answers half a second later."""
    def on(party, arrival):
        if not arrival.data.startswith(b"INVITE "):
            return

        def answer():
            for pause, code in ((after, 180), (0.5, 200)):
                time.sleep(pause)
                party.socket.sendto(respond(arrival.data, code), arrival.peer)
        if not getattr(party, "busy", False):
            party.busy = True
            threading.Thread(target=answer, daemon=True).start()
    return on


def expect_order(a, b, legs):
    """Nothing of the call goes to A once it is B's."""
    last, first = [x.time for x in a.of(legs[0], "INVITE")][-1], b.of(legs[1], "INVITE")[0].time
    expect(last < first, f"an INVITE reached A {last - first:.3f} s after the first one at B")


@case(seconds=6)
def vos3000_backup_gateway_answers():
    """A's list is used up, A is answered for with 408, B is called with a new Call-ID: B is served by the list from its beginning until it rings. One record, of A."""
    with Edge(SHORT + "on_exhausted = reply-408\n", **BACKUP) as edge:
        a, b = edge.gateway(A), edge.gateway(B, on=answering(0.6))
        softswitch = Softswitch(edge, [.5, 1, 2, 4], 10)
        softswitch.call(A, B)
        expect_equal(softswitch.ended, ("answered", B), "the softswitch's own record")
        time.sleep(0.8)
        expect_times(a.offsets(softswitch.legs[0]), LIST, "INVITEs at A")
        expect_times(b.offsets(softswitch.legs[1]), LIST[:3], "INVITEs at B")
        expect_order(a, b, softswitch.legs)
        expect(softswitch.legs[0].call_id != softswitch.legs[1].call_id, "both legs have one Call-ID: the test is wrong")
        expect_equal(a.of(softswitch.legs[0], "ACK"), [], "ACKs at A")
        record = only(edge.journal(), "records")
        expect_fields(record, call_id=softswitch.legs[0].call_id, gateway=f"{A}:5060", reason="no_response", sends=4, reply=408)


def no_backup_left(edge, softswitch, reply, last):
    a, b = edge.gateway(A), edge.gateway(B)
    softswitch.call(A, B)
    expect_equal(softswitch.ended, (f"no backup left: {last}", B), "the softswitch's own record")
    time.sleep(0.5)
    for party, leg, name in ((a, softswitch.legs[0], "A"), (b, softswitch.legs[1], "B")):
        expect_times(party.offsets(leg), LIST, f"INVITEs at {name}")
    expect_order(a, b, softswitch.legs)
    wait_until(lambda: len(edge.journal()) == 2, 2)
    records = edge.journal()
    expect_equal([(r["gateway"], r["branch"], r["reason"], r["sends"], r["reply"], r["last_code"]) for r in records],
                 [(f"{g}:5060", leg.branch, "no_response", 4, reply, 0) for g, leg in zip((A, B), softswitch.legs)], "records")
    for r in records:
        expect(abs(r["duration_ms"] - 1000 * END) <= 40, f"{r['gateway']} was exhausted after {r['duration_ms']} ms, wanted {1000 * END:.0f}")
    switched = b.of(softswitch.legs[1], "INVITE")[0].time - a.of(softswitch.legs[0], "INVITE")[0].time
    return f"B called {1000 * (switched - END):.0f} ms after A was exhausted"


@case(seconds=8)
def vos3000_no_backup_left():
    """A and B are silent, on_exhausted = reply-503: each has its whole list from the beginning, and a record with its reason; the call fails by the 503 for B."""
    with Edge(SHORT + "on_exhausted = reply-503\n", **BACKUP) as edge:
        return no_backup_left(edge, Softswitch(edge, [.5, 1, 2, 4], 10), 503, "503")


@case(seconds=8)
def vos3000_no_backup_left_one_call_id():
    """The same where B is another branch of A's call, not a call of its own."""
    with Edge(SHORT + "on_exhausted = reply-503\n", **BACKUP) as edge:
        return no_backup_left(edge, Softswitch(edge, [.5, 1, 2, 4], 10, same=True), 503, "503")


@case(seconds=8)
def vos3000_routes_by_the_records():
    """on_exhausted = record: routing follows `siprtx exhausted -f -j`, and goes to B when A's record is there."""
    with Edge(SHORT, **BACKUP) as edge:
        follow = edge.popen(edge.edge_ns, f"{edge.build}/siprtx", "-c", edge.configuration_path, "-j", "exhausted", "-f", stdout=subprocess.PIPE, text=True)
        gone = {}

        def read():
            for line in follow.stdout:
                record = json.loads(line)
                gone[record["branch"]] = record["reason"]
        threading.Thread(target=read, daemon=True).start()
        return no_backup_left(edge, Softswitch(edge, [.5, 1, 2, 4], 10, gone=lambda leg: leg.branch in gone), 0, "exhausted")


@case(seconds=26)
def vos3000_its_own_times():
    """Its list and its 10 s, profile vos3000: each gateway hears 0, 0.5, 1.5, 3.5, 7.5 s, both times from the beginning; A and B are answered for just before the softswitch would give up."""
    text = "[profile vos3000]\ntimeout_invite = 9.9\n" + "".join(f"[gateway {n}]\naddress = {a}\nprofile = vos3000\non_exhausted = reply-503\n" for n, a in (("a", A), ("b", B)))
    with Edge(text, **BACKUP) as edge:
        a, b = edge.gateway(A), edge.gateway(B)
        softswitch = Softswitch(edge, VOS3000, 10)
        softswitch.call(A, B)
        expect_equal(softswitch.ended, ("no backup left: 503", B), "the softswitch's own record")
        for party, leg, name in ((a, softswitch.legs[0], "A"), (b, softswitch.legs[1], "B")):
            expect_times(party.offsets(leg), [0, .5, 1.5, 3.5, 7.5], f"INVITEs at {name}")
        wait_until(lambda: len(edge.journal()) == 2, 2)
        expect_equal([(r["gateway_name"], r["reason"], r["sends"], r["reply"]) for r in edge.journal()], [(n, "no_response", 5, 503) for n in "ab"], "records")
        expect_equal(edge.stats()["abandoned"], 0, "abandoned")
