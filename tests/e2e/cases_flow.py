# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules 16 to 19 as real message flows, SIPp at both ends."""
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import wait_until
from flows import Flow, profile
from sip import Call, respond


@case(seconds=7)
def rule_16_ack_arms_nothing():
    """ACK to a 200 with a new branch and with the INVITE's, to a 486, and one before any final: each passes once, none is captured or stops a timer."""
    addresses = [f"10.77.2.{n}" for n in (11, 12, 13, 14)]
    with Flow(gateways=[f"{a}/24" for a in addresses]) as flow:
        answers = [flow.gateway("answer.xml", a, pause=700, code=code, final=final) for a, code, final in zip(addresses, (180, 180, 100), (200, 200, 486))]
        answers.append(flow.gateway("stray-gateway.xml", addresses[3]))
        calls = {what: flow.softswitch(scenario, to, ack=ack) for what, scenario, to, ack in (
            ("new branch", "call.xml", addresses[0], 1), ("same branch", "call.xml", addresses[1], 0),
            ("ACK to 486", "call.xml", addresses[2], 0), ("stray ACK", "stray-ack.xml", addresses[3], 0))}
        for sipp in (*calls.values(), *answers):
            sipp.done(8)
        time.sleep(2)
        for what, call in calls.items():
            stray = what == "stray ACK"
            expect_times(flow.invites(call), [0, .5, 1.5] if stray else [0, .5], f"INVITEs, {what}")
            expect_equal(len(flow.seen(call, "ACK ")), 2 if stray else 1, f"ACKs at the gateway, {what}")
            expect_equal(flow.edge.journal(call), [], f"records, {what}")
        branches = {what: b"branch=z9hG4bK-" + f"{calls[what].call_id}.{n};".encode() for what, n in (("new branch", 1), ("same branch", 0), ("ACK to 486", 0))}
        for what, branch in branches.items():
            expect(branch in flow.seen(calls[what], "ACK ")[0].payload, f"the ACK of {what} has another branch: the test is wrong")
        counters = flow.edge.counters()
        expect_equal((counters["captured"], counters["other_method"], counters["final"]), (4, 5, 4), "counters captured, other_method, final")
        expect_equal(flow.edge.stats()["pending"], 0, "transactions calling at the end")


@case(seconds=5)
def rule_17_cancel_after_a_provisional():
    """CANCEL after 100 and after 180: 200, 487 and ACK pass, no further INVITE, counted as cancelled, no record."""
    with Flow(profile(timeout_trying=2, timeout_ringing=2), gateways=["10.77.2.3/24"]) as flow:
        gateways = [flow.gateway("provisional.xml", to, pause=450, code=code) for to, code in (("10.77.2.2", 100), ("10.77.2.3", 180))]
        calls = [flow.softswitch("cancel.xml", to, pause=400) for to in ("10.77.2.2", "10.77.2.3")]
        for sipp in calls + gateways:
            sipp.done(5)
        time.sleep(2.5)
        for call, code in zip(calls, (100, 180)):
            expect_times(flow.invites(call), [0, .3], f"INVITEs of the call cancelled after {code}")
            expect_equal(flow.codes(call), [code, 200, 487], "responses at the softswitch")
            expect_equal([e["event"] for e in flow.events(call)], ["new", "send", "response", "cancel"], "events")
        expect_equal((flow.edge.stats()["cancelled"], flow.edge.counters()["cancel"], flow.edge.journal()), (2, 2, []), "cancelled, counter cancel, records")


@case(seconds=42)
def rule_17_cancel_then_forty_seconds():
    """INVITE on the default list, CANCEL before any response and after a 180, 40 s: no further INVITE; what still comes passes; no record."""
    with Flow(gateways=["10.77.2.3/24"]) as flow:
        softswitch, gateway = flow.edge.softswitch(), flow.edge.gateway()
        early, late_ok = Call(), Call()
        for call in (early, late_ok):
            softswitch.send(call)
        ringing = flow.gateway("provisional.xml", "10.77.2.3", pause=700, code=180)
        call = flow.softswitch("cancel.xml", "10.77.2.3", pause=500)
        time.sleep(0.7)
        for c in (early, late_ok):
            softswitch.send(c.request("CANCEL", body=False), "10.77.2.2")
        gateway.send(respond(late_ok.message, 200), "10.77.1.2")
        for sipp in (call, ringing):
            sipp.done(5)
        time.sleep(39)
        for c, what in ((early, "before any response"), (late_ok, "before any response, a 200 later")):
            expect_times(gateway.offsets(c), [0, .5], f"INVITEs of the call cancelled {what}")
        expect_times(flow.invites(call), [0, .5], "INVITEs of the call cancelled after 180")
        expect_equal([a.data for a in softswitch.of(late_ok)], [respond(late_ok.message, 200)], "the 200 after the CANCEL at the softswitch")
        expect_equal((flow.edge.stats()["cancelled"], flow.edge.counters()["cancel"], flow.edge.journal()), (3, 3, []), "cancelled, counter cancel, records")


@case(seconds=14)
def rule_18_b2bua_tries_the_next_gateway():
    """Leg A is silent, SIPp's own copies stop after two; leg B, a call of its own, is answered. A hears nothing after it was abandoned, B only what it needs."""
    with Flow(gateways=["10.77.2.3/24"]) as flow:
        flow.edge.gateway()  # silent, and no ICMP either
        b = flow.gateway("answer.xml", "10.77.2.3", pause=700, code=180, final=200)
        leg_a = flow.softswitch("patient.xml", options=("-max_invite_retrans", "2"))
        wait_until(lambda: leg_a.process.poll() is not None, 8)
        leg_b = flow.softswitch("call.xml", "10.77.2.3", ack=1)
        for sipp in (leg_b, b):
            sipp.done(5)
        time.sleep(6)
        expect_times(flow.invites(leg_a), [0, .5, 1.5, 3.5], "INVITEs at A")
        expect_times(flow.invites(leg_b), [0, .5], "INVITEs at B")
        event = only(flow.events(leg_a, "given_up"), "events of leg A that say given up")
        expect_fields(event, reason="abandoned")
        expect(3990 <= event["nominal_ms"] <= 4100, f"abandoned after {event['nominal_ms']} ms, wanted 4000")
        expect_equal((flow.edge.counters()["absorbed"], flow.edge.stats()["abandoned"], flow.edge.journal()), (2, 1, []), "absorbed, abandoned, records")


@case(seconds=6)
def rule_19_any_provisional_stops():
    """100, 180, 182, 183, 199 and an unknown 155 at 0.7 s: no further INVITE though the next ones were due at 1.5 and 3.5 s; then a 200."""
    codes = {100: "10.77.2.11", 155: "10.77.2.12", 180: "10.77.2.13", 182: "10.77.2.14", 183: "10.77.2.15", 199: "10.77.2.16"}
    with Flow(gateways=[f"{a}/24" for a in codes.values()]) as flow:
        for code, address in codes.items():
            flow.gateway("provisional.xml", address, pause=700, code=code)
        calls = {code: flow.softswitch("call.xml", address, ack=1) for code, address in codes.items()}
        wait_until(lambda: all(flow.codes(call) for call in calls.values()), 5)
        time.sleep(3.2)
        for code, call in calls.items():
            expect_times(flow.invites(call), [0, .5], f"INVITEs of the call that got {code}")
            expect_equal(flow.codes(call), [code], f"responses at the softswitch, {code}")
        stages = {t["call_id"]: (t["state"], t["last_code"], t["stage"]) for t in flow.edge.json("show", "transactions")["transactions"]}
        names = {100: "trying", 180: "ringing"}
        expect_equal({code: stages.get(call.call_id) for code, call in calls.items()}, {code: ("proceeding", code, names.get(code, "progress")) for code in codes},
                     "state, last code and stage")
        expect_equal((flow.edge.stats()["proceeding"], flow.edge.stats()["pending"]), (6, 0), "proceeding, calling")


STAGES = {"timeout_invite": 1.1, "timeout_trying": 1.6, "timeout_progress": 2.2, "timeout_progress_sdp": 2.8, "timeout_ringing": 3.4}


def expect_timeout(flow, call, reason, code, sends, seconds, since=None):
    """The one record of the call: `seconds` after its first INVITE, or after the response `since` was here."""
    record = only(flow.edge.exhausted(call), f"records of {reason}, {code}")
    expect_fields(record, event="exhausted", reason=reason, last_code=code, sends=sends, in_dialog=False)
    wanted = 1000 * (seconds + (flow.after(call, since, softswitch=True) if since else 0))
    expect(-5 <= record["duration_ms"] - wanted <= 60, f"{reason} after {record['duration_ms']} ms, wanted {wanted:.0f}")
    return record["duration_ms"]


@case(seconds=8)
def rule_20_a_deadline_for_each_stage():
    """Nothing, 100, 183, 183 with SDP, 180, and 180 then 183, each with a time-out of its own: it ends by its own reason at its own time, and nothing is sent while it waits."""
    addresses = [f"10.77.2.{n}" for n in range(11, 17)]
    with Flow(profile(resend_interval="0.3,0.7,1,1", **STAGES), gateways=[f"{a}/24" for a in addresses]) as flow:
        flow.edge.gateway(addresses[0])
        for address, scenario, code in zip(addresses[1:], ("provisional.xml", "provisional.xml", "progress-sdp.xml", "provisional.xml", "ring-then-progress.xml"), (100, 183, 183, 180, 180)):
            flow.gateway(scenario, address, pause=450, code=code)
        calls = [flow.softswitch("call.xml", address, ack=1) for address in addresses]
        wait_until(lambda: len(flow.edge.exhausted()) == 6, 8)
        time.sleep(1.2)
        nothing, trying, progress, sdp, ringing, back = calls
        took = [expect_timeout(flow, nothing, "no_response", 0, 3, 1.1), expect_timeout(flow, trying, "trying_timeout", 100, 2, 1.6, "SIP/2.0 100"),
                expect_timeout(flow, progress, "progress_timeout", 183, 2, 2.2, "SIP/2.0 183"), expect_timeout(flow, sdp, "progress_timeout", 183, 2, 2.8, "SIP/2.0 183"),
                expect_timeout(flow, ringing, "ringing_timeout", 180, 2, 3.4, "SIP/2.0 180"), expect_timeout(flow, back, "ringing_timeout", 180, 2, 3.4, "SIP/2.0 180")]
        expect_times(flow.invites(nothing), [0, .3, 1], "INVITEs without an answer")
        for call in calls[1:]:
            expect_times(flow.invites(call), [0, .3], f"INVITEs, {flow.codes(call)}")
        expect_equal([flow.codes(c) for c in calls], [[], [100], [183], [183], [180], [180, 183]], "responses at the softswitch")
        return f"ended after {took} ms"


@case(seconds=22)
def rule_20_default_time_outs():
    """VOS3000's defaults: a 100 and a 183 without a body end after 20 s each; a 183 with SDP and a 180 are still waited for then."""
    addresses = [f"10.77.2.{n}" for n in (11, 12, 13, 14)]
    with Flow(gateways=[f"{a}/24" for a in addresses]) as flow:
        for address, scenario, code in zip(addresses, ("provisional.xml", "provisional.xml", "progress-sdp.xml", "provisional.xml"), (100, 183, 183, 180)):
            flow.gateway(scenario, address, pause=250, code=code)
        calls = [flow.softswitch("call.xml", address, ack=1) for address in addresses]
        wait_until(lambda: len(flow.edge.exhausted()) == 2, 24)
        took = [expect_timeout(flow, calls[0], "trying_timeout", 100, 1, 20, "SIP/2.0 100"), expect_timeout(flow, calls[1], "progress_timeout", 183, 1, 20, "SIP/2.0 183")]
        time.sleep(0.5)
        expect_equal([flow.invites(c) for c in calls], [[0]] * 4, "INVITEs at the gateways")
        expect_equal((len(flow.edge.exhausted()), flow.edge.stats()["proceeding"]), (2, 2), "records, calls still waited for")
        return f"ended after {took} ms"


@case(seconds=7)
def rule_21_repeated_progress_restarts_nothing():
    """A 183 each second: the time-out of 3.4 s counts from the first, and each of them passes."""
    with Flow(profile(timeout_progress=3.4)) as flow:
        flow.gateway("progress-repeated.xml", pause=450)
        call = flow.softswitch("call.xml", ack=1)
        flow.wait_record(call, 6)
        took = expect_timeout(flow, call, "progress_timeout", 183, 2, 3.4, "SIP/2.0 183")
        time.sleep(0.9)
        expect_times(flow.invites(call), [0, .3], "INVITEs")
        expect_equal(flow.codes(call), [183] * 5, "responses at the softswitch")
        counters = flow.edge.counters()
        # the 183 after the end is late
        expect_equal((counters["provisional"], counters["response_repeat"], counters["response_late"]), (1, 3, 1), "counters provisional, response_repeat, response_late")
        return f"ended after {took} ms"


@case(seconds=8)
def rule_22_other_transactions_never_complete_it():
    """100rel: 183, then the 200s to PRACK, UPDATE and INFO. The INVITE is still waited for: one call goes on to its 180 and 200, one to its progress_timeout."""
    with Flow(profile("patient", "10.77.2.2", timeout_progress_sdp=10) + profile("short", "10.77.2.3", timeout_progress_sdp=1.5), gateways=["10.77.2.3/24"]) as flow:
        gateways = [flow.gateway("prack-gateway.xml", to, pause=2500) for to in ("10.77.2.2", "10.77.2.3")]
        calls = [flow.softswitch("prack.xml", to) for to in ("10.77.2.2", "10.77.2.3")]
        wait_until(lambda: all(flow.codes(c) == [183, 200, 200, 200] for c in calls), 5)
        counters = flow.edge.counters()
        expect_equal((counters["response_other"], counters["other_method"], counters["final"]), (6, 6, 0), "counters response_other, other_method, final after the 200s")
        expect_equal((flow.edge.stats()["proceeding"], flow.edge.stats()["pending"]), (2, 0), "proceeding, calling after the 200s")
        for sipp in calls + gateways:
            sipp.done(6)
        for call in calls:
            expect_times(flow.invites(call), [0, .3, .6], "INVITEs")
            expect_equal(flow.codes(call), [183, 200, 200, 200, 180, 200], "responses at the softswitch")
        expect_equal(flow.edge.journal(calls[0]), [], "records of the call that was answered")
        expect_equal([e["code"] for e in flow.events(calls[0], "response")], [183, 180, 200], "responses of the events")
        expect_timeout(flow, calls[1], "progress_timeout", 183, 3, 1.5, "SIP/2.0 183")
        expect_equal([e["code"] for e in flow.events(calls[1], "late_response")], [180, 200], "late responses of the events")


@case(seconds=5)
def rule_23_copy_after_a_final():
    """The softswitch's copy is under way when the 486 comes: it passes, is answered again, and arms nothing."""
    with Flow(profile(resend_interval="0.3,0.3,0.3,0.3")) as flow:
        flow.gateway("answer.xml", pause=700, code=180, final=486)
        call = flow.softswitch("copy-after-final.xml")
        call.done(6)
        time.sleep(0.8)
        offsets = flow.invites(call)
        final = flow.after(call, "SIP/2.0 486", softswitch=True)
        expect_equal(len(offsets), 4, "INVITEs at the gateway")
        expect_times(offsets[:3], [0, .3, .6], "INVITEs before the answer")
        expect(0 <= offsets[3] - final <= 0.05, f"the copy came {1000 * (offsets[3] - final):.1f} ms after the 486")
        counters = flow.edge.counters()
        expect_equal((counters["captured"], counters["remembered"] + counters["copy_answered"], counters["absorbed"]), (1, 1, 0), "captured, passed, absorbed")
        expect_equal((flow.edge.stats()["pending"], flow.edge.stats()["proceeding"], flow.edge.journal()), (0, 0, []), "calling, proceeding, records")
        return f"the copy came {1000 * (offsets[3] - final):.2f} ms after the 486; counter {'remembered' if counters['remembered'] else 'copy_answered'}"


@case(seconds=24)
def rule_23_copy_after_fast_failover():
    """fast-failover ends at 16 s, the softswitch's own list goes on: its copy at 19.5 s passes and arms nothing; those before were absorbed."""
    with Flow("[gateway a]\naddress = 10.77.2.2\nprofile = fast-failover\n") as flow:
        flow.edge.gateway()
        call = flow.softswitch("vos3000.xml")
        call.done(24)
        time.sleep(2.5)
        expect_times(flow.invites(call), [0, .5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5], "INVITEs", tolerance=0.06)
        record = only(flow.edge.journal(call), "records")
        expect_fields(record, reason="no_response", sends=7)
        expect(15990 <= record["duration_ms"] <= 16060, f"ended after {record['duration_ms']} ms, wanted 16000")
        counters = flow.edge.counters()
        expect_equal((counters["captured"], counters["absorbed"], counters["remembered"]), (1, 6, 1), "captured, absorbed, remembered")
        expect_equal(flow.edge.stats()["pending"], 0, "transactions calling at the end")


@case(seconds=5, alone=True)
def rule_24_answer_just_after_the_end():
    """A 200 30 ms after exhaustion: the call is set up, the record stays, and an event tells of the late response and when it came."""
    with Flow(profile()) as flow:
        gateway = flow.gateway("final.xml", pause=1230)
        call = flow.softswitch("call.xml", ack=1)
        for sipp in (call, gateway):
            sipp.done(5)
        expect_times(flow.invites(call), [0, .3, .6, .9], "INVITEs")
        record = only(flow.edge.exhausted(call), "records of the end")
        expect_fields(record, reason="no_response", last_code=0, sends=4)
        wait_until(lambda: len(flow.edge.journal(call)) > 1, 2)  # lines reach the disk in groups
        late = only([r for r in flow.edge.journal(call) if r["event"] == "late_response"], "records of the 200")
        expect_fields(late, last_code=200, of_seq=record["seq"], sends=4)
        expect(0 < late["delay_ms"] < 100, f"the record says that it came {late['delay_ms']} ms after the end")
        counters = flow.edge.counters()
        expect_equal((counters["response_late"], counters["final"], flow.edge.stats()["late_responses"]), (1, 0, 1), "response_late, final, late_responses")
        end, late = only(flow.events(call, "exhausted"), "events of the end"), only(flow.events(call, "late_response"), "events of the 200")
        expect_fields(late, code=200, attempt=4)
        delay = late["nominal_ms"] - end["nominal_ms"]
        on_the_wire = 1000 * (flow.after(call, "SIP/2.0 200", softswitch=True)) - end["nominal_ms"]
        expect(0 < delay < 100 and abs(delay - on_the_wire) < 40, f"the events say that it came {delay} ms after the end, the wire {on_the_wire:.1f} ms")
        return f"{delay} ms after the end by the events, {on_the_wire:.1f} ms on the wire"


@case(seconds=8)
def rule_25_forks_are_transactions_of_their_own():
    """Two branches of one call, the same Call-ID and CSeq, to two gateways: B answers and is left alone; A goes on by the list to its record."""
    with Flow(profile(resend_interval="0.5,1,1,1"), gateways=["10.77.2.3/24"]) as flow:
        flow.edge.siprtx("set", "supersede_after", "0")  # however long the two SIPps take to start, it is a fork
        time.sleep(0.1)
        flow.edge.gateway()
        b = flow.gateway("answer.xml", "10.77.2.3", pause=700, code=180, final=200)
        legs = [flow.softswitch("fork.xml", to, call_id="fork-of-one", leg=leg) for to, leg in (("10.77.2.2", "a"), ("10.77.2.3", "b"))]
        for sipp in (legs[1], b):
            sipp.done(6)
        record = only(flow.edge.wait_journal(None, 6), "records")
        expect_fields(record, reason="no_response", gateway="10.77.2.2:5060", call_id="fork-of-one", branch="z9hG4bK-fork-of-one.a", sends=5)
        expect_times(flow.invites(legs[0], branch="z9hG4bK-fork-of-one.a"), [0, .5, 1.5, 2.5, 3.5], "INVITEs of the branch that is not answered")
        expect_times(flow.invites(legs[1], branch="z9hG4bK-fork-of-one.b"), [0, .5], "INVITEs of the branch that is answered")
        expect_equal(flow.edge.counters()["captured"], 2, "counter captured")


@case(seconds=8)
def rule_26_challenged_invite():
    """401, then 407: each INVITE that follows has CSeq + 1 and a new branch, and a schedule of its own; the former one is done."""
    with Flow() as flow:
        gateway = flow.gateway("auth-gateway.xml")
        call = flow.softswitch("auth.xml")
        for sipp in (call, gateway):
            sipp.done(10)
        time.sleep(2)
        for n, wanted in ((1, [0, .5]), (2, [0, .5]), (3, [0, .5, 1.5])):
            expect_times(flow.invites(call, branch=f"z9hG4bK-{call.call_id}.{n}"), wanted, f"INVITEs with CSeq {n}")
        expect_equal(flow.codes(call), [401, 407, 200], "responses at the softswitch")
        counters = flow.edge.counters()
        expect_equal((counters["captured"], counters["final"], flow.edge.journal()), (3, 3, []), "captured, final, records")
        starts = [e["attempt"] for e in flow.events(call, "new")]
        expect_equal(len(starts), 3, "transactions in the events")


@case(seconds=9)
def rule_27_reinvite():
    """A re-INVITE without an answer is retransmitted and recorded with in_dialog; the gateway is no less trusted for it. A first INVITE counts against it."""
    with Flow(profile()) as flow:
        flow.gateway("mute-gateway.xml", pause=8000)
        call = flow.softswitch("reinvite.xml", pause=8000)
        record = only(flow.wait_record(call, 6), "records")
        expect_fields(record, reason="no_response", in_dialog=True, cseq=2, sends=4)
        expect_times(flow.invites(call, branch=f"z9hG4bK-{call.call_id}.re"), [0, .3, .6, .9], "re-INVITEs")
        expect_equal(len(flow.invites(call)), 7, "INVITEs in all: three of the first, four of the second")

        def gateway():
            g = only([g for g in flow.edge.json("show", "gateways")["gateways"] if g["gateway"] == "10.77.2.2:5060"], "gateways")
            return g["silent_in_a_row"], g["exhausted"]
        expect(wait_until(lambda: gateway()[1] == 1, 3), f"silent in a row, exhausted: {gateway()}")
        expect_equal(gateway(), (0, 1), "silent in a row, exhausted after the re-INVITE")
        first = flow.softswitch("silent.xml", options=("-nr",))
        expect_fields(only(flow.wait_record(first, 4), "records of a first INVITE"), in_dialog=False)
        expect(wait_until(lambda: gateway() == (1, 2), 3), f"silent in a row, exhausted after a first INVITE: {gateway()}, wanted (1, 2)")
