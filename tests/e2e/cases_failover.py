# SPDX-License-Identifier: GPL-2.0-or-later
"""Kamailio with two gateways, the first one silent, by examples/kamailio: in every mode the second one answers, and when."""
import json
import re
import time

from case import case, expect, expect_equal, expect_fields, only
from edge import Edge, wait_until
from failover import FIRST, MODES, SECOND, Caller, Carriers, Shipped, answer, example, kamailio_rpc, measure, recover
from sip import branch_of, respond

PROBE = 5.0  # tunable probe, s: the second answer is there by then too
OWN = 0.300  # tm looks at its timers sixteen times a second


def failover(mode, inside, first, last, tolerance=OWN, refused=False):
    """`first`, `last`: added delay of the first and of the hundredth call, s; `refused`: the hundredth never leaves towards the first gateway."""
    result = measure(MODES[mode], inside)
    expect(abs(result.first - first) <= tolerance, f"the first call took {result.first:.3f} s more than through a working gateway, wanted {first}")
    expect(result.hundredth <= last + (tolerance if last >= 1 else 0), f"the hundredth call took {1000 * result.hundredth:.0f} ms more, wanted {1000 * last:.0f} ms at most")
    expect(last < 1 or result.hundredth >= last - tolerance, f"the hundredth call took {result.hundredth:.3f} s more, wanted {last}")
    expect(not refused or result.at_first[-1] == 0, f"{result.at_first[-1]} INVITEs of the hundredth call at the first gateway")
    return result.says()


@case(seconds=50)
def failover_kamailio_alone():
    """Kamailio at its defaults, without siprtx: each call waits 30 s for the first gateway."""
    return failover("alone", True, 30, 30)


@case(seconds=20)
def failover_kamailio_alone_2s():
    """The same with fr_timer 2 s: each call waits 2 s, the hundredth as the first."""
    return failover("alone-2s", True, 2, 2)


@case(seconds=25)
def failover_record_and_set_state():
    """on_exhausted = record: the first call waits for fr_timer; gateway_down sets the destination inactive by dispatcher.set_state, and the hundredth goes to the second gateway at once."""
    return failover("record", True, 5, 0.050, refused=True)


@case(seconds=25)
def failover_record_and_set_state_on_the_host():
    """The same on Kamailio's own host."""
    return failover("record", False, 5, 0.050, refused=True)


@case(seconds=20)
def failover_reply_408():
    """on_exhausted = reply-408: each call goes on when siprtx has answered it, after timeout_invite; the ACKs stay with siprtx."""
    return failover("reply-408", True, 2, 2, tolerance=0.060)


@case(seconds=20)
def failover_reply_408_on_the_host():
    """The same on Kamailio's own host: the 408 comes up its own stack."""
    return failover("reply-408", False, 2, 2, tolerance=0.060)


@case(seconds=20)
def failover_reply_503():
    """on_exhausted = reply-503: as reply-408."""
    return failover("reply-503", True, 2, 2, tolerance=0.060)


@case(seconds=20)
def failover_reply_503_on_the_host():
    """The same on Kamailio's own host."""
    return failover("reply-503", False, 2, 2, tolerance=0.060)


@case(seconds=20)
def failover_down_fast():
    """on_down = fast: once the first gateway is down a call is exhausted after down_retry copies, 1 s here."""
    return failover("fast", True, 2, 1, tolerance=0.060)


@case(seconds=20)
def failover_down_fast_on_the_host():
    """The same on Kamailio's own host."""
    return failover("fast", False, 2, 1, tolerance=0.060)


@case(seconds=20)
def failover_down_503():
    """on_down = reply-503: once the first gateway is down a call is refused at once in its place, never sent there, and costs less than 50 ms."""
    return failover("down-503", True, 2, 0.050, tolerance=0.060, refused=True)


@case(seconds=20)
def failover_down_503_on_the_host():
    """The same on Kamailio's own host."""
    return failover("down-503", False, 2, 0.050, tolerance=0.060, refused=True)


def recovery(mode, inside):
    """The first gateway is down, then, just after a probe, it listens again: the next probe finds it, and calls are answered by it."""
    took, most = recover(MODES[mode], inside), PROBE + 0.3
    expect(took <= most, f"the first gateway was in use again {took:.3f} s after it came back, wanted {most:.3f} at most")
    return f"in use again after {took:.2f} s, probes each {PROBE:.0f} s"


@case(seconds=30)
def failover_recovery_down_503():
    """on_down = reply-503: the probes find the gateway alive again, and calls go there, within one probe interval."""
    return recovery("down-503", True)


@case(seconds=30)
def failover_recovery_down_503_on_the_host():
    """The same on Kamailio's own host: the answers to the probes are none of Kamailio's."""
    return recovery("down-503", False)


@case(seconds=35)
def failover_recovery_set_state():
    """on_exhausted = record: gateway_up sets the destination active again."""
    return recovery("record", True)


@case(seconds=25)
def failover_one_call_in_three_is_never_down():
    """A first gateway that answers one call in three: never down, whatever is exhausted in between; each call it leaves goes to the second."""
    answered = {}

    def on(party, arrival):
        if not arrival.data.startswith(b"INVITE "):
            if arrival.data.startswith((b"BYE ", b"CANCEL ")):
                party.socket.sendto(respond(arrival.data, 200), arrival.peer)
            return
        call_id = re.search(rb"\nCall-ID: ([^\r]*)", arrival.data).group(1)
        if answered.setdefault(call_id, len(answered) % 3 == 2):
            party.socket.sendto(answer(arrival, 200), arrival.peer)
    with Carriers(MODES["down-503"], True, on=on) as carriers:
        calls = carriers.calls(60)
        states = set()
        while calls.sipp.process.poll() is None:
            states.add(carriers.state())
            time.sleep(0.1)
        calls.sipp.done(60)
        expect_equal(len(answered), 60, "calls that reached the first gateway")
        expect("down" not in states, f"states of the first gateway: {states}")
        expect_equal([r for r in carriers.edge.journal() if r["event"] == "gateway_down"], [], "records that it was down")
        exhausted = carriers.edge.exhausted()
        expect_equal({r["reply"] for r in exhausted}, {503}, "replies")
        expect_equal(len(exhausted), 40, "exhausted calls")
        return f"states seen: {', '.join(sorted(states))}"


def switched(carriers):
    """A call that the first gateway was silent to and the second answered; its caller, and the INVITE as the first gateway got it."""
    caller = Caller(carriers)
    expect(wait_until(lambda: caller.answers(b";tag=gw-"), 10), "the second gateway did not answer")
    time.sleep(0.2)
    return caller, [a for a in carriers.first.got if a.data.startswith(b"INVITE ")][0]


def late_180(inside):
    """The first gateway rings when the call is through with the second one."""
    def on(party, arrival):
        if arrival.data.startswith(b"CANCEL "):
            party.socket.sendto(respond(arrival.data, 200), arrival.peer)
            party.socket.sendto(answer(invite, 487), arrival.peer)
    with Carriers(MODES["reply-503"], inside) as carriers:
        carriers.first.on = on
        caller, invite = switched(carriers)
        heard, before = len(caller.party.got), len(carriers.first.got)
        carriers.first.send(answer(invite, 180), *invite.peer)
        expect(wait_until(lambda: len(carriers.first.got) >= before + 2, 2), "no CANCEL and ACK reached the first gateway")
        time.sleep(1)
        got = [a.data.split(b" ")[0] for a in carriers.first.got[before:]]
        expect_equal(got, [b"CANCEL", b"ACK"], "what the first gateway got after its 180")
        expect_equal({branch_of(a.data) for a in carriers.first.got[before:]}, {branch_of(invite.data)}, "branch of CANCEL and ACK")
        expect_equal([a.data for a in caller.party.got[heard:]], [], "what the caller got after it")
        expect_equal(carriers.edge.stats()["late_cancels"], 1, "late_cancels")


@case(seconds=9)
def rule_50_kamailio_late_180():
    """The silent gateway rings after the switch: it is cancelled, its 487 gets an ACK, and the call with the second one notices nothing."""
    late_180(True)


@case(seconds=9)
def rule_50_kamailio_late_180_on_the_host():
    """The same on Kamailio's own host."""
    late_180(False)


def late_200(inside):
    """The first gateway answers when the call is through with the second one."""
    def on(party, arrival):
        if arrival.data.startswith(b"BYE "):
            party.socket.sendto(respond(arrival.data, 200), arrival.peer)
    with Carriers(MODES["reply-503"], inside, on=on) as carriers:
        caller, invite = switched(carriers)
        before = len(carriers.first.got)
        carriers.first.send(answer(invite, 200), *invite.peer)
        expect(wait_until(lambda: len(carriers.first.got) >= before + 2, 2), "no ACK and BYE reached the first gateway")
        time.sleep(0.5)
        expect_equal(len(caller.answers(b";tag=gateway")), 1, "200s of the first gateway at the caller")
        # two of Kamailio's processes: either may be first
        expect_equal(sorted(a.data.split(b" ")[0] for a in carriers.first.got[before:]), [b"ACK", b"BYE"], "what the first gateway got after its 200")
        expect(wait_until(lambda: [r for r in carriers.edge.journal() if r["event"] == "late_response"], 2), "no record of the late response")
        expect_fields(only([r for r in carriers.edge.journal() if r["event"] == "late_response"], "late responses"), last_code=200, reply=503, gateway=f"{FIRST}:5060")


@case(seconds=9)
def rule_50_kamailio_late_200():
    """The silent gateway answers after the switch: its 200 passes, Kamailio hands it on (RFC 3261 16.7), the caller's ACK and BYE reach it."""
    late_200(True)


@case(seconds=9)
def rule_50_kamailio_late_200_on_the_host():
    """The same on Kamailio's own host."""
    late_200(False)


def told(edge, kamailio, template, seq):
    """What Kamailio answers to a template of the shipped siprtx.conf, filled for the first gateway, by its datagram socket."""
    text = re.search(rf"(?m)^{template} = (.*)$", example("siprtx.conf")).group(1)
    text = text.replace("${gateway}", f"{FIRST}:5060").replace("${seq}", str(seq))
    return kamailio_rpc(edge, kamailio, text)


@case(seconds=4)
def failover_kamailio_takes_the_templates():
    """The templates of the shipped siprtx.conf, sent by hand: the destination becomes inactive and probing, and active again."""
    with Edge(forward_only=True, gateways=[f"{SECOND}/24"]) as edge, Shipped(edge) as kamailio:
        for template, flags in (("gateway_down", "IP"), ("gateway_up", "AX")):
            expect_fields(told(edge, kamailio, template, 7), jsonrpc="2.0", id=7)
            dump = kamailio_rpc(edge, kamailio, json.dumps({"jsonrpc": "2.0", "method": "dispatcher.list", "id": 1}))
            expect_equal({d["DEST"]["URI"]: d["DEST"]["FLAGS"] for d in dump["result"]["RECORDS"][0]["SET"]["TARGETS"]},
                         {f"sip:{FIRST}:5060": flags, f"sip:{SECOND}:5060": "AX"}, f"flags after {template}")
