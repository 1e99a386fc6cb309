# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls from the gateway: what the softswitch answers is sent again until ACK or PRACK, with `confirm` on."""
import threading
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, wait_until
from sip import Call, respond

SHORT = "[profile short]\nresend_interval = 0.3,0.3,0.3\nfinal_wait = 0.3\ntimeout_invite = 0.5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"
RELIABLE = "Require: 100rel\r\nRSeq: {}\r\n"


class Inbound:
    """The edge with `confirm` on, a softswitch that answers each INVITE once, with `responses` one after the other, and a gateway."""

    def __init__(self, edge, *responses, confirm="1"):
        self.edge, self.responses, self.answered = edge, responses, {}
        edge.siprtx("set", "confirm", confirm)
        self.gateway = edge.gateway()
        self.softswitch = edge.softswitch(on=self.answer)
        time.sleep(0.1)

    def answer(self, party, arrival):
        if not arrival.data.startswith(b"INVITE ") or arrival.data in self.answered:
            return
        self.answered[arrival.data] = [r(arrival.data) for r in self.responses]
        for message in self.answered[arrival.data]:
            party.socket.sendto(message, arrival.peer)

    def call(self):
        call = Call(to="10.77.1.2", src="10.77.2.2")
        call.response = lambda n=0: self.answered[call.message][n]
        self.gateway.send(call)
        expect(wait_until(lambda: call.message in self.answered, 2), "the INVITE did not reach the softswitch")
        return call

    def copies(self, call, n=0):
        """When response number n arrived at the gateway, after the first; byte for byte."""
        times = [a.time for a in self.gateway.of(call) if a.data == call.response(n)]
        return [t - times[0] for t in times]

    def wait(self, call, count, n=0, timeout=6):
        expect(wait_until(lambda: len(self.copies(call, n)) >= count, timeout, 0.005), f"{self.copies(call, n)}: not {count} responses")

    def ack(self, call, **keywords):
        self.gateway.send(call.request("ACK", to_tag="gateway", **keywords), "10.77.1.2")


def final(code, **keywords):
    return lambda request: respond(request, code, **keywords)


def reliable(number):
    return lambda request: respond(request, 183, headers=RELIABLE.format(number))


@case(seconds=8)
def confirm_200_until_its_ack():
    """The gateway ACKs after the second copy, with a branch of its own: no third; ACKs of others stop nothing. Seen in the views."""
    with Edge() as edge:
        parties = Inbound(edge, final(200, body="v=0\r\n"))
        call, other = parties.call(), parties.call()
        parties.wait(call, 2)
        row = next(t for t in edge.json("show", "transactions")["transactions"] if t["call_id"] == call.call_id)
        expect_fields(row, method="INVITE", last_code=200, kind="final", state="unconfirmed", gateway="10.77.2.2:5060", src="10.77.1.2:5060")
        expect("200 INVITE  unconfirmed" in edge.siprtx("show", "transactions").stdout, "siprtx show transactions does not show it")
        for wrong in ({"cseq": 2}, {"to_tag": "nobody"}):
            parties.gateway.send(call.request("ACK", branch="z9hG4bKwrong", **{"to_tag": "gateway", **wrong}), "10.77.1.2")
        parties.wait(call, 3)
        parties.ack(call, branch=f"{call.branch}ack")
        time.sleep(4)
        expect_times(parties.copies(call), [0, .5, 1.5])
        expect_times(parties.copies(other), [0, .5, 1.5, 3.5], "of the call without an ACK")
        expect_equal(len([a for a in parties.softswitch.got if a.data.startswith(b"ACK ")]), 3, "ACKs at the softswitch")
        counters, stats = edge.counters(), edge.stats()
        expect_equal((counters["response_captured"], counters["confirmed"], counters["confirm_unknown"]), (2, 1, 2), "counters")
        expect_equal((stats["confirmed"], stats["unconfirmed"], stats["completed"]), (1, 0, 0), "counters of the controller")
        events = [e for e in edge.json("events", "-n", "100")["events"] if e["call_id"] == call.call_id]
        expect_equal([(e["event"], e["code"], e["attempt"]) for e in events],
                     [("new", 200, 1), ("send", 200, 2), ("send", 200, 3), ("confirmed", 200, 3)], "events")
        expect_equal({e["kind"] for e in events}, {"final"}, "kinds in the events")


@case(seconds=6)
def confirm_that_never_comes():
    """The list and final_wait are used up, timeout_invite cuts nothing short: counted, logged, an event; no record, no count of the gateway."""
    with Edge(SHORT, start=False) as edge:
        edge.start(arguments=["-v"])
        parties = Inbound(edge, final(200))
        call = parties.call()
        expect(wait_until(lambda: edge.stats()["unconfirmed"], 4), "not counted as unconfirmed")
        time.sleep(1)
        expect_times(parties.copies(call), [0, .3, .6, .9])
        event = edge.json("events", "-n", "100")["events"][-1]
        expect_fields(event, event="exhausted", kind="final", reason="unconfirmed", call_id=call.call_id, attempt=4)
        expect(1195 <= event["nominal_ms"] <= 1280, f"given up after {event['nominal_ms']} ms, wanted 1200")
        expect("the 200 of the softswitch to 10.77.2.2:5060 got no ACK or PRACK, after 4 sends" in edge.log(), f"siprtxd -v does not log it: {edge.log()[-500:]}")
        expect_equal((edge.journal(), edge.json("exhausted")["records"]), ([], []), "records")
        for gateway in edge.json("show", "gateways")["gateways"]:
            expect_fields(gateway, invites=0, sends=0, answered=0, exhausted=0)
        # the key alone is remembered (rule 23)
        parties.softswitch.send(call.response(), "10.77.2.2")
        time.sleep(0.5)
        expect_equal((len(parties.copies(call)), edge.counters()["remembered"]), (5, 1), "responses after one that came too late, counter remembered")


@case(seconds=5)
def confirm_486_and_its_ack():
    """The ACK to a failure has the INVITE's branch (17.1.1.3); a failure without To tag passes and is not held."""
    with Edge() as edge:
        parties = Inbound(edge, final(486))
        call = parties.call()
        parties.wait(call, 2)
        parties.ack(call)
        parties.responses = (lambda request: respond(request, 503).replace(b";tag=gateway", b""),)
        untagged = parties.call()
        time.sleep(2)
        expect_times(parties.copies(call), [0, .5])
        expect_times(parties.copies(untagged), [0], "without a To tag")
        expect_equal((edge.counters()["response_untagged"], edge.stats()["confirmed"]), (1, 1), "counters")


@case(seconds=9)
def confirm_reliable_provisional():
    """183 with RSeq: a PRACK that names another stops nothing, its own does; a second 183 is let go when the 200 follows (RFC 3262, 3)."""
    with Edge() as edge:
        parties = Inbound(edge, reliable(7))
        call = parties.call()

        def prack(rack):
            message = call.request("PRACK", branch=f"z9hG4bKprack{rack}".replace(" ", "."), cseq=2, to_tag="gateway")
            parties.gateway.send(message.replace(b"Content-Length", f"RAck: {rack} INVITE\r\nContent-Length".encode()), "10.77.1.2")
        parties.wait(call, 2)
        prack("8 1")
        prack("7 2")
        parties.wait(call, 3)
        prack("7 1")
        second, ok = reliable(8)(call.message), final(200)(call.message)
        parties.answered[call.message] += [second, ok]
        parties.softswitch.send(second, "10.77.2.2")
        parties.wait(call, 2, 1)
        parties.softswitch.send(ok, "10.77.2.2")
        parties.wait(call, 2, 2)
        parties.ack(call, branch=f"{call.branch}ack")
        time.sleep(2.5)
        expect_times(parties.copies(call), [0, .5, 1.5], "of the first 183")
        expect_times(parties.copies(call, 1), [0, .5], "of the second 183")
        expect_times(parties.copies(call, 2), [0, .5], "of the 200")
        stats = edge.stats()
        expect_equal((stats["confirmed"], stats["let_go"], stats["unconfirmed"]), (2, 1, 0), "counters of the controller")
        expect_equal(edge.counters()["confirm_unknown"], 2, "counter confirm_unknown")


@case(seconds=5)
def confirm_off_sends_nothing():
    """confirm = 0, as it ships: the response goes once, the softswitch's copies pass, the old counters count. Switched off with one held: let go."""
    with Edge() as edge:
        parties = Inbound(edge, final(200), confirm="0")
        call = parties.call()
        time.sleep(0.7)
        parties.softswitch.send(call.response(), "10.77.2.2")
        parties.ack(call, branch=f"{call.branch}ack")
        time.sleep(0.7)
        expect_equal([a.data for a in parties.gateway.of(call)], 2 * [call.response()], "responses at the gateway")
        counters = edge.counters()
        expect_equal((counters["response_out"], counters["request_in"], counters["response_captured"], counters["confirm_unknown"]), (2, 2, 0, 0), "counters")
        edge.siprtx("set", "confirm", "1")
        time.sleep(0.1)
        held = parties.call()
        parties.wait(held, 2)
        edge.siprtx("set", "confirm", "0")
        time.sleep(1.5)
        expect_times(parties.copies(held), [0, .5])
        expect_equal((edge.stats()["let_go"], edge.stats()["pending"]), (1, 0), "let go, held")


@case(seconds=9)
def confirm_own_copies_of_responses():
    """The softswitch's own timer is absorbed (rule 32); when it stops, so does siprtx (rule 18); its answer to a repeated INVITE passes."""
    with Edge() as edge:
        parties = Inbound(edge, final(200))
        call, asked = parties.call(), parties.call()

        def own_copies():
            start = time.monotonic()
            for offset in (.45, 1.4):
                time.sleep(max(0, start + offset - time.monotonic()))
                parties.softswitch.send(call.response(), "10.77.2.2")
        thread = threading.Thread(target=own_copies)
        thread.start()
        parties.wait(asked, 2)
        time.sleep(0.3)
        parties.gateway.send(asked)
        time.sleep(0.05)
        parties.softswitch.send(asked.response(), "10.77.2.2")
        thread.join()
        time.sleep(6)
        # copies at 0.45 and 1.4 s: given up at 1.4 + 2 x 0.95 + 0.5 = 3.8 s
        expect_times(parties.copies(call), [0, .5, 1.5, 3.5])
        # the one that was asked for stands for the second retransmission, and tells nothing of the softswitch's timer
        times = parties.copies(asked)
        expect(len(times) == 5 and .8 < times[2] < 1.2, f"of the call with a repeated INVITE: {times}")
        expect_times(times, [0, .5, times[2], times[2] + 2, times[2] + 6], "of the call with a repeated INVITE")
        counters = edge.counters()
        expect_equal((counters["absorbed"], counters["response_asked"]), (2, 1), "counters")
        expect_equal(edge.stats()["abandoned"], 1, "abandoned")


@case(seconds=9)
def confirm_outlives_a_restart():
    """kill -9 and a new controller: the schedule of the response goes on, the ACK ends it."""
    with Edge() as edge:
        parties = Inbound(edge, final(200))
        call = parties.call()
        parties.wait(call, 3)
        edge.kill()
        edge.start()
        parties.wait(call, 4)
        parties.ack(call, branch=f"{call.branch}ack")
        time.sleep(1)
        expect_times(parties.copies(call), [0, .5, 1.5, 3.5])
        expect_equal((edge.stats()["adopted"], edge.stats()["confirmed"]), (1, 1), "taken up, confirmed")
