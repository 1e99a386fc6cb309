# SPDX-License-Identifier: GPL-2.0-or-later
"""The softswitch may give up on a silent gateway without a packet (rule 18): A is not called while B is tried."""
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from cases_absorb import own_copies
from edge import Edge
from sip import Call

TWO = {"gateways": ["10.77.2.3/24"]}


def given_up(edge, call):
    """What the events tell of this call after it was given up."""
    return [e for e in edge.json("events", "-n", "200")["events"] if e["call_id"] == call.call_id and e["event"] == "given_up"]


@case(seconds=14)
def rule_18_copies_that_stop_end_the_call_to_a():
    """Rule 18, abandoned: the copies of a B2BUA stop at 1.5 s; its next leg, to B, has a new Call-ID. Nothing to A after 1.5 + 2 x 1 + 0.5 s; no record."""
    with Edge(**TWO) as edge:
        softswitch, a, b = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        call = Call()
        start = time.monotonic()
        own_copies(softswitch, call, [0, .5, 1.5]).join()
        time.sleep(3.6 - (time.monotonic() - start))
        other = softswitch.send(Call(to="10.77.2.3"))
        time.sleep(0.8)
        event = only(given_up(edge, call), "events")
        expect_fields(event, reason="abandoned", code=None, gateway="10.77.2.2:5060")
        expect(3800 <= event["nominal_ms"] <= 4200, f"abandoned after {event['nominal_ms']} ms, wanted 4000")
        transaction = next(t for t in edge.json("show", "transactions")["transactions"] if t["call_id"] == call.call_id)
        expect_fields(transaction, state="calling", end="abandoned", taken=False)
        expect("abandoned" in edge.siprtx("show", "transactions").stdout, "siprtx show transactions does not say that it was abandoned")
        time.sleep(8)
        expect_times(a.offsets(call), [0, .5, 1.5, 3.5], "INVITEs at A")
        expect_times(b.offsets(other), [0, .5, 1.5, 3.5, 7.5], "INVITEs at B")
        expect_equal((edge.stats()["abandoned"], edge.journal(call)), (1, []), "counter abandoned, records")
        expect_equal(edge.json("status")["totals"]["given_up"], 1, "total of siprtx status")


@case(seconds=10)
def rule_18_23_invite_to_b_ends_the_call_to_a():
    """Rule 18, superseded: after 1 s and more the same call goes to B. Nothing to A after, though no copy was ever seen; no record."""
    with Edge("[profile short]\nresend_interval = 0.5,1,2\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n", start=False, **TWO) as edge:
        edge.start(arguments=["-v"])
        softswitch, a, b = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        call = softswitch.send(Call())
        fork = softswitch.send(leg(call))
        time.sleep(1.2)
        second = softswitch.send(leg(call))
        time.sleep(0.3)
        expect_fields(only([e for e in given_up(edge, call) if e["gateway"] == "10.77.2.2:5060"], "events"), reason="superseded")
        time.sleep(5)
        expect_times(a.offsets(call), [0, .5], "INVITEs at A")
        expect_times(b.offsets(fork), [0, .5, 1.5, 3.5], "INVITEs of a fork at B")
        expect_times(b.offsets(second), [0, .5, 1.5, 3.5], "INVITEs at B")
        expect_equal(edge.stats()["superseded"], 1, "counter superseded")
        expect_equal({r["gateway"] for r in edge.journal(call)}, {"10.77.2.3:5060"}, "gateways in the records")
        expect("superseded, after 2 sends" in edge.log(), f"siprtxd -v does not log it: {edge.log()[-500:]}")
        # its schedule is over: the key alone is remembered (rule 23)
        softswitch.send(call)
        time.sleep(0.8)
        expect_equal((len(a.of(call)), edge.counters()["remembered"]), (3, 1), "INVITEs at A after a copy that came too late, counter remembered")


def leg(call):
    """The INVITE of the same call to B: Call-ID and From tag, a branch of its own."""
    other = Call(to="10.77.2.3", call_id=call.call_id)
    other.from_tag = call.from_tag
    other.message = other.request("INVITE")
    return other


@case(seconds=14)
def rule_18_further_copy_takes_the_call_up_again():
    """Rule 18: given up by either sign; then a copy passes, the schedule goes on from it, and the next copy is absorbed."""
    with Edge(**TWO) as edge:
        softswitch, a = edge.softswitch(), edge.gateway()
        edge.gateway("10.77.2.3")
        abandoned, superseded = Call(), Call()
        threads = [own_copies(softswitch, abandoned, [0, .5, 5, 9.2]), own_copies(softswitch, superseded, [0, 3, 7.2])]
        time.sleep(1.2)
        softswitch.send(leg(superseded))
        for thread in threads:
            thread.join()
        time.sleep(1)
        # the copy that passes stands for the third retransmission, or for the second; then 4 s, or 2 and 4 s
        expect_times(a.offsets(abandoned), [0, .5, 1.5, 5, 9], "INVITEs of the abandoned call")
        expect_times(a.offsets(superseded), [0, .5, 3, 5, 9], "INVITEs of the superseded call")
        stats = edge.stats()
        expect_equal((stats["abandoned"], stats["superseded"], stats["taken_up_again"]), (1, 1, 2), "counters")


@case(seconds=6)
def signs_can_be_switched_off():
    """abandon = 0, supersede_after = 0: both calls go on by the list, to their records."""
    with Edge("[profile short]\nresend_interval = 0.5,1,1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n", **TWO) as edge:
        softswitch, a = edge.softswitch(), edge.gateway()
        edge.gateway("10.77.2.3")
        edge.siprtx("set", "abandon", "0")
        edge.siprtx("set", "supersede_after", "0")
        time.sleep(0.1)
        call, other = softswitch.send(Call()), Call()
        thread = own_copies(softswitch, other, [0, .4])
        time.sleep(1.2)
        softswitch.send(leg(call))
        thread.join()
        only([r for r in edge.wait_journal(call, 4) if r["gateway"] == "10.77.2.2:5060"], "records of the call that went to B too")
        only(edge.wait_journal(other, 4), "records of the call whose copies stopped")
        for c in (call, other):
            expect_times(a.offsets(c), [0, .5, 1.5, 2.5])
