# SPDX-License-Identifier: GPL-2.0-or-later
"""Matching on the wire: forks, credentials, ACK, failures that are responses, frames of one's own that come back."""
import socket
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, in_namespace
from frames import Capture
from sip import Call, respond

SHORT = "[profile short]\nresend_interval = 0.3,0.3,0.3\nfinal_wait = 0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"


@case(seconds=4)
def rule_16_ack_arms_and_ends_nothing():
    """An ACK with the INVITE's branch before any response, one with a branch of its own: each passes once, the INVITE goes on."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 2, 2)
        other = Call()
        for ack in (call.request("ACK"), other.request("ACK")):
            softswitch.send(ack, "10.77.2.2")
        only(edge.wait_journal(call, 4), "records")
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
        expect_equal((len(gateway.of(call, "ACK")), len(gateway.of(other, "ACK"))), (1, 1), "ACKs at the gateway")
        counters = edge.counters()
        expect_equal((counters["other_method"], counters["captured"]), (2, 1), "counters other_method, captured")


@case(seconds=4)
def rule_25_forks_are_transactions_of_their_own():
    """The same Call-ID and CSeq with two branches: the answer to one leaves the other alone."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        first = softswitch.send(Call())
        second = Call(call_id=first.call_id)
        second.from_tag = first.from_tag
        second.message = second.request("INVITE")
        softswitch.send(second)
        gateway.wait(second, 2, 2)
        gateway.send(respond(second.message, 486), "10.77.1.2")
        record = only(edge.wait_journal(first, 4), "records of the call")
        expect_fields(record, branch=first.branch, sends=4)
        expect_times(gateway.offsets(first), [0, .3, .6, .9], "the fork nobody answered")
        expect_times(gateway.offsets(second), [0, .3], "the fork that was answered")


@case(seconds=5)
def rule_26_credentials_make_a_new_transaction():
    """401 or 407 ends the first INVITE; the second one, CSeq + 1 and another branch, is retransmitted by itself."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        for code in (401, 407):
            first = softswitch.send(Call())
            gateway.wait(first, 1, 1)
            gateway.send(respond(first.message, code), "10.77.1.2")
            softswitch.wait(first, 1, 1)
            softswitch.send(first.request("ACK", body=False), "10.77.2.2")
            second = Call(call_id=first.call_id, cseq=2, extra="Authorization: Digest username=\"a\"\r\n")
            second.from_tag = first.from_tag
            second.message = second.request("INVITE")
            softswitch.send(second)
            record = only(edge.wait_journal(second, 4), f"records after {code}")
            expect_fields(record, cseq=2, branch=second.branch, sends=4, in_dialog=False)
            expect_times(gateway.offsets(first), [0], f"INVITE that got {code}")
            expect_times(gateway.offsets(second), [0, .3, .6, .9], f"INVITE after {code}")


@case(seconds=5)
def rule_29_own_frames_that_come_back_are_no_copies():
    """All that leaves towards the gateway is seen again on the inside, as by a hub: no copy of the softswitch, and the list goes on."""
    with Edge() as edge, Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(), edge.gateway()

        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("s0", 0))
            return s
        hub = in_namespace(edge.sw_ns, make)
        call, back = softswitch.send(Call()), 0
        end = time.monotonic() + 4.2
        while time.monotonic() < end:
            for frame in capture.of(call)[back:]:
                time.sleep(0.02)  # later than the duplicate window
                hub.send(frame.data)
                back += 1
            time.sleep(0.02)
        hub.close()
        expect_times(gateway.offsets(call), [0, .5, 1.5, 3.5])
        counters, stats = edge.counters(), edge.stats()
        expect_equal((back, counters["own_copy"]), (4, 4), "frames that came back, counter own_copy")
        expect_equal((counters["absorbed"], counters["copy_passed"], counters["captured"]), (0, 0, 1), "counters absorbed, copy_passed, captured")
        expect_equal((stats["copies_counted"], stats["abandoned"]), (0, 0), "stats copies_counted, abandoned")


@case(seconds=4)
def rule_47_failures_of_the_gateway_are_responses():
    """408 and 503 from the gateway end the transaction as any final response does: no further INVITE, no record, the code in the events."""
    with Edge(SHORT) as edge:
        def on(party, arrival):
            if arrival.data.startswith(b"INVITE"):
                code = 503 if b"sip:503@" in arrival.data else 408
                party.socket.sendto(respond(arrival.data, code, headers="Retry-After: 5\r\n"), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        calls = {code: softswitch.send(Call(user=str(code))) for code in (408, 503)}
        time.sleep(2)
        events = edge.json("events", "-n", "200")["events"]
        for code, call in calls.items():
            expect_times(gateway.offsets(call), [0], f"{code}")
            expect_equal([e["code"] for e in events if e["call_id"] == call.call_id and e["event"] == "response"], [code], f"{code}: codes in the events")
            expect(b"Retry-After: 5\r\n" in only(softswitch.of(call), "responses").data, f"{code}: the response at the softswitch lacks Retry-After")
        expect_equal((edge.journal(), edge.stats()["completed"], edge.stats()["no_response"]), ([], 2, 0), "journal, stats completed, no_response")
