# SPDX-License-Identifier: GPL-2.0-or-later
"""What stops the retransmissions, what must not, and how soon."""
import random
import threading
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only, show
from edge import Edge, wait_until
from sip import Call, respond

SHORT = "[profile short]\nresend_interval = 0.3,0.3,0.3\nfinal_wait = 0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"


def answer_second(replies):
    """A gateway that answers the second INVITE of a call with what replies[user](request) gives, a list of messages."""
    def on(party, arrival):
        user = arrival.data.split(b":", 1)[1].split(b"@")[0].decode()
        count = sum(a.data == arrival.data for a in party.got)
        if user in replies and count == 2:
            for message in replies[user](arrival.data):
                party.sent.setdefault(user, []).append(message)
                party.socket.sendto(message, arrival.peer)
    return on


def calls_answered(edge, replies, seconds):
    """Makes a call to each user of `replies`; the calls and both parties after `seconds`."""
    softswitch, gateway = edge.softswitch(), edge.gateway(on=answer_second(replies))
    gateway.sent = {}
    calls = {user: softswitch.send(Call(user=user)) for user in replies}
    time.sleep(seconds)
    return softswitch, gateway, calls


SDP = "v=0\r\no=- 1 1 IN IP4 10.77.2.2\r\ns=-\r\nc=IN IP4 10.77.2.2\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"


@case(seconds=8)
def rule_13_19_any_response_stops():
    """Each provisional, an unknown one too, and each final: no further copy; it reaches the softswitch byte for byte."""
    replies = {str(code): lambda m, code=code: [respond(m, code)] for code in (100, 180, 183, 199, 200, 302, 404, 486, 503, 603)}
    replies["sdp"] = lambda m: [respond(m, 183, body=SDP)]
    replies["trying-then-busy"] = lambda m: [respond(m, 100), respond(m, 486)]
    replies["rport"] = lambda m: [respond(m, 180, via=";received=192.0.2.9").replace(b";rport", b";rport=40000")]
    replies["retry-after"] = lambda m: [respond(m, 503, headers="Retry-After: 5\r\n")]
    with Edge() as edge:
        softswitch, gateway, calls = calls_answered(edge, replies, 4.2)
        for user, call in calls.items():
            expect_times(gateway.offsets(call), [0, .5], user)
            expect_equal([a.data for a in softswitch.of(call)], gateway.sent[user], f"{user} at the softswitch")
        expect_equal(edge.journal(), [], "journal")
        stats = edge.stats()
        expect_equal(stats["pending"], 0, "transactions calling at the end")
        expect_equal(stats["proceeding"], 6, "transactions with a provisional response at the end")


@case(seconds=6)
def rule_01_22_41_what_must_not_stop():
    """A response of another method or another branch, or cut short (18.3), leaves the timer alone."""
    replies = {
        "cancel-ok": lambda m: [respond(m, 200, method="CANCEL")],
        "prack-ok": lambda m: [respond(m, 200, method="PRACK")],
        "other-branch": lambda m: [respond(m, 200).replace(b";branch=z9hG4bK", b";branch=z9hG4bKx")],
        "truncated": lambda m: [respond(m, 200, body=SDP, content_length=len(SDP) + 40)],
    }
    with Edge(SHORT) as edge:
        softswitch, gateway, calls = calls_answered(edge, replies, 2.2)
        for user, call in calls.items():
            expect_times(gateway.offsets(call), [0, .3, .6, .9], user)
            expect_fields(only(edge.journal(call), f"records of {user}"), reason="no_response", sends=4)
        expect_equal(sorted(a.data for a in softswitch.got), sorted(m for sent in gateway.sent.values() for m in sent), "responses at the softswitch")
        counters = edge.counters()
        expect_equal((counters["response_other"], counters["short_body"], counters["response_unknown"]), (2, 1, 1), "counters")


@case(seconds=10)
def race_at_the_due_time():
    """A response within 2 ms of a due time: no copy reaches the gateway later than a tick after the softswitch had it."""
    with Edge() as edge:
        sent = {}

        def on(party, arrival):
            sent.setdefault(arrival.data, arrival)
        gateway, softswitch = edge.gateway(on=on), edge.softswitch()
        random.seed(1)
        calls = [Call() for _ in range(400)]

        def answer():
            for call in calls:
                wait_until(lambda: call.message in sent, 5, 0.001)
                first = sent[call.message]
                due = first.time + 0.5 + random.uniform(-0.002, 0.002)
                time.sleep(max(0, due - time.time() - 0.001))
                while time.time() < due:
                    pass
                gateway.socket.sendto(respond(call.message, 100), first.peer)
        thread = threading.Thread(target=answer)
        thread.start()
        for call in calls:
            softswitch.send(call)
            time.sleep(0.010)
        thread.join()
        time.sleep(1.5)
        before = after = 0
        for call in calls:
            response = only(softswitch.of(call), "responses").time
            copies = [a.time for a in gateway.of(call)][1:]
            expect(len(copies) <= 1, f"copies at {show(gateway.offsets(call))}")
            before += not copies
            if copies:
                late = copies[0] - response
                after += late > 0
                expect(late <= 0.0005 + 0.002, f"a copy came {late * 1000:.2f} ms after the response was delivered")
        expect(before and before < len(calls), f"no race: {before} of {len(calls)} calls were stopped before the copy")
        return f"{before} stopped in time, {len(calls) - before} after the copy, {after} copies under way"


@case(seconds=5)
def rule_17_cancel_stops():
    """CANCEL ends it at once, also before any response; nothing is recorded (rule 17)."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        time.sleep(0.45)
        cancel = call.request("CANCEL", body=False)
        softswitch.send(cancel, "10.77.2.2")
        time.sleep(2)
        expect_times(gateway.offsets(call), [0, .3])
        expect_equal([a.data for a in gateway.of(call, "CANCEL")], [cancel], "CANCEL at the gateway")
        expect_equal(edge.journal(), [], "journal")
        expect_equal(edge.counters()["cancel"], 1, "counter cancel")
        expect_equal(edge.stats()["cancelled"], 1, "transactions cancelled")


@case(seconds=8)
def rule_20_21_stage_timeouts():
    """100, 183, 183 with a body and 180 each have a deadline of their own; a repeated 1xx does not restart it."""
    stages = """[profile stages]
resend_interval = 0.3,0.3,0.3
timeout_trying = 1
timeout_progress = 1.5
timeout_progress_sdp = 2
timeout_ringing = 2.5
[gateway g]
address = 10.77.2.0/24
profile = stages
"""
    codes = {"trying": (100, "", 1, "trying_timeout"), "progress": (183, "", 1.5, "progress_timeout"),
             "progress-sdp": (183, SDP, 2, "progress_timeout"), "ringing": (180, "", 2.5, "ringing_timeout")}
    with Edge(stages) as edge:
        replies = {user: lambda m, code=code, body=body: [respond(m, code, body=body)] for user, (code, body, _, _) in codes.items()}
        softswitch, gateway = edge.softswitch(), edge.gateway(on=answer_second(replies))
        gateway.sent = {}
        calls = {user: softswitch.send(Call(user=user)) for user in replies}
        for _ in range(4):
            time.sleep(0.6)
            for user, messages in list(gateway.sent.items()):
                gateway.socket.sendto(messages[0], ("10.77.1.2", 5060))
        time.sleep(1.2)
        for user, (code, _, seconds, reason) in codes.items():
            expect_times(gateway.offsets(calls[user]), [0, .3], user)
            record = only(edge.exhausted(calls[user]), f"records of {user}")
            expect_fields(record, event="exhausted", reason=reason, last_code=code, sends=2)
            wanted = 300 + seconds * 1000
            expect(-40 <= record["duration_ms"] - wanted <= 100, f"{user}: ended after {record['duration_ms']} ms, wanted {wanted}")


@case(seconds=6)
def rule_23_24_late_and_remembered():
    """After exhaustion a 200 passes untouched and is counted late; the softswitch's further copy passes and arms nothing (23, 24)."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        only(edge.wait_journal(call, 3), "records")
        answer = respond(call.message, 200)
        gateway.send(answer, "10.77.1.2")
        softswitch.wait(call, 1, 1)
        expect_equal([a.data for a in softswitch.of(call)], [answer], "late 200 at the softswitch")
        softswitch.send(call)
        time.sleep(1)
        expect_equal(len(gateway.of(call)), 5, "INVITEs at the gateway")
        counters = edge.counters()
        expect_equal((counters["response_late"], counters["remembered"], counters["captured"]), (1, 1, 1), "counters")
        expect_equal(edge.stats()["late_responses"], 1, "late responses")
        wait_until(lambda: len(edge.journal(call)) > 1, 2)
        expect_equal([r["event"] for r in edge.journal(call)], ["exhausted", "late_response"], "records after the late 200")


@case(seconds=5)
def rule_31_source_of_a_response():
    """A response from another address of the gateway counts; with match_source it passes and stops nothing (rule 31)."""
    with Edge(SHORT, gateways=["10.77.2.3/24"]) as edge:
        softswitch, gateway, other = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        for setting, wanted, counter in (("0", [0, .3], "final"), ("1", [0, .3, .6, .9], "wrong_source")):
            edge.siprtx("set", "match_source", setting)
            time.sleep(0.1)
            call = softswitch.send(Call())
            gateway.wait(call, 2, 1)
            answer = respond(call.message, 486)
            other.send(answer, "10.77.1.2")
            time.sleep(1)
            expect_times(gateway.offsets(call), wanted, f"match_source {setting}")
            expect_equal([a.data for a in softswitch.of(call)], [answer], f"match_source {setting}: at the softswitch")
            expect_equal(edge.counters()[counter], 1, f"counter {counter}")
