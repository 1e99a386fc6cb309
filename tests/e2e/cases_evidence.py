# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence beside the schedule: ICMP (rule 46), the five stages (20), late responses (24), Retry-After (47)."""
import json
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from cases_response import SDP, SHORT, answer_second
from edge import BUILD, Edge, wait_until
from sip import Call, respond


def events_of(edge, call, kind):
    return [e for e in edge.json("events", "-n", "300")["events"] if e["call_id"] == call.call_id and e["event"] == kind]


def gateway_entry(edge, gateway):
    return only([g for g in edge.json("show", "gateways")["gateways"] if g["gateway"] == gateway], f"entries of {gateway}")


@case(seconds=6)
def rule_46_closed_port_is_evidence():
    """Nothing listens on the gateway's port, its kernel says so by ICMP (IPv4 and IPv6): the schedule goes on to its end; the record tells of it."""
    with Edge(SHORT.replace("10.77.2.0/24", "::/0") + "[gateway h]\naddress = 0.0.0.0/0\nprofile = short\n") as edge:
        softswitch, softswitch6 = edge.softswitch(), edge.softswitch("fd77:1::2")
        calls = [softswitch.send(Call()), softswitch6.send(Call(to="fd77:2::2", src="fd77:1::2"))]
        for call, gateway in zip(calls, ("10.77.2.2:5060", "[fd77:2::2]:5060")):
            record = only(edge.wait_journal(call, 4), f"records of the call to {gateway}")
            expect_fields(record, event="exhausted", reason="no_response", icmp="port_unreachable", stage="nothing", sends=4, gateway=gateway, last_code=0)
            expect(events_of(edge, call, "icmp"), "no event of it")
            expect_fields(events_of(edge, call, "icmp")[0], icmp="port_unreachable", gateway=gateway)
            # the counts are written a few times a second
            wait_until(lambda: gateway_entry(edge, gateway)["exhausted"], 2, 0.1)
            entry = gateway_entry(edge, gateway)
            expect(entry["icmp"] >= 1, f"gateway: {entry}")
            expect_fields(entry, exhausted=1, silent_in_a_row=1)
        expect(edge.counters()["icmp"] >= 2, f"counter icmp: {edge.counters()['icmp']}")
        expect("no_response, port_unreachable" in edge.siprtx("exhausted").stdout, "siprtx exhausted does not tell")
        expect("port_unreachable" in edge.siprtx("events").stdout, "siprtx events does not tell")


@case(seconds=6)
def rule_23_46_closed_port_ends_with_icmp_ends():
    """With icmp_ends the first ICMP ends the call, reason unreachable; a further copy of the softswitch passes and arms nothing; an answered call is left alone."""
    with Edge(SHORT) as edge:
        softswitch = edge.softswitch()
        edge.siprtx("set", "icmp_ends", "1")
        time.sleep(0.1)
        call = softswitch.send(Call())
        record = only(edge.wait_journal(call, 1), "records")
        expect_fields(record, event="exhausted", reason="unreachable", icmp="port_unreachable", sends=1, stage="nothing")
        expect(record["duration_ms"] <= 100, f"ended after {record['duration_ms']} ms")
        expect_fields(only(events_of(edge, call, "exhausted"), "events"), reason="unreachable", stage="nothing")
        gateway = edge.gateway()
        softswitch.send(call)
        time.sleep(0.8)
        expect_equal([a.data for a in gateway.of(call)], [call.message], "INVITEs at the gateway that listens again")
        counters = edge.counters()
        expect_equal((counters["remembered"], counters["captured"]), (1, 1), "counters remembered, captured")
        expect_equal((edge.stats()["unreachable"], edge.json("status")["totals"]["exhausted"]), (1, 1), "counter unreachable, total exhausted")
        expect_equal(len(edge.journal(call)), 1, "records")
        # answered, then the port is closed: ICMP for what the softswitch still sends is evidence only
        edge.run(edge.gw_ns, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
        answered = softswitch.send(Call())
        gateway.wait(answered, 1, 1)
        gateway.send(respond(answered.message, 180), "10.77.1.2")
        softswitch.wait(answered, 1, 1)
        edge.drop(gateway)
        softswitch.send(answered)
        expect(wait_until(lambda: events_of(edge, answered, "icmp"), 3), "no event of ICMP to the answered call")
        transaction = only([t for t in edge.json("show", "transactions")["transactions"] if t["call_id"] == answered.call_id], "transactions")
        expect_fields(transaction, state="proceeding", stage="ringing")


STAGES = """[profile stages]
resend_interval = 0.3,0.3
final_wait = 0.3
timeout_trying = 1
timeout_progress = 1.5
timeout_progress_sdp = 2
timeout_ringing = 2.5
[gateway g]
address = 10.77.2.0/24
profile = stages
"""


@case(seconds=6)
def rule_20_five_stages_in_the_record():
    """Nothing, 100, 183, 183 with a body, 180: each ends at a deadline of its own, and record, event and counter name it."""
    stages = {"nothing": (0, "", .9, "no_response"), "trying": (100, "", 1.3, "trying_timeout"), "progress": (183, "", 1.8, "progress_timeout"),
              "progress_sdp": (183, SDP, 2.3, "progress_timeout"), "ringing": (180, "", 2.8, "ringing_timeout")}
    with Edge(STAGES) as edge:
        replies = {user: lambda m, code=code, body=body: [respond(m, code, body=body)] for user, (code, body, _, _) in stages.items() if code}
        softswitch, gateway = edge.softswitch(), edge.gateway(on=answer_second(replies))
        gateway.sent = {}
        calls = {user: softswitch.send(Call(user=user)) for user in stages}
        time.sleep(3.3)
        for user, (code, _, seconds, reason) in stages.items():
            record = only(edge.journal(calls[user]), f"records of {user}")
            expect_fields(record, event="exhausted", stage=user, reason=reason, last_code=code, icmp=None)
            expect(-5 <= record["duration_ms"] - seconds * 1000 <= 100, f"{user}: ended after {record['duration_ms']} ms, wanted {seconds} s")
            expect_fields(only(events_of(edge, calls[user], "exhausted"), f"events of {user}"), stage=user, reason=reason)
        stats = edge.stats()
        expect_equal([stats[k] for k in ("no_response", "trying_timeout", "progress_timeout", "progress_sdp_timeout", "ringing_timeout")], [1, 1, 2, 1, 1], "counters")
        expect("progress_timeout with SDP" in edge.siprtx("exhausted").stdout, "siprtx exhausted does not tell the two 183 apart")


@case(seconds=6)
def rule_24_late_responses_are_recorded():
    """After exhaustion a 180, a 200 and its repetitions, a 486: all pass untouched; the first 1xx and the first final are recorded with their delay."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        follower = edge.popen(edge.edge_ns, f"{BUILD}/siprtx", "-c", edge.configuration_path, "-j", "exhausted", "-f", stdout=open(f"{edge.directory}/follow", "w"))
        busy, call = softswitch.send(Call()), softswitch.send(Call())
        first = only(edge.wait_journal(call, 3), "records")
        expect_fields(first, event="exhausted", reason="no_response")
        late = [respond(call.message, 180), respond(call.message, 183), *[respond(call.message, 200)] * 5, respond(call.message, 180)]
        for message in late:
            gateway.send(message, "10.77.1.2")
            time.sleep(0.03)
        gateway.send(respond(busy.message, 486), "10.77.1.2")
        expect(wait_until(lambda: len(edge.journal()) >= 5, 2), f"journal: {edge.journal()}")
        time.sleep(0.2)
        expect_equal([a.data for a in softswitch.of(call)], late, "responses at the softswitch")
        records = edge.journal(call)
        expect_equal([(r["event"], r["last_code"]) for r in records], [("exhausted", 0), ("late_response", 180), ("late_response", 200)], "records")
        for record in records[1:]:
            expect_fields(record, of_seq=first["seq"], **{k: first[k] for k in ("call_id", "cseq", "branch", "from_tag", "gateway", "src", "ruri", "reason", "sends")})
            expect(0 <= record["delay_ms"] <= 1000, f"delay: {record}")
        expect(records[2]["delay_ms"] > records[1]["delay_ms"] >= 0, f"delays: {records}")
        expect("of_seq" not in first and "delay_ms" not in first, f"members of a late response in {first}")
        expect_equal([(r["event"], r["last_code"]) for r in edge.journal(busy)], [("exhausted", 0), ("late_response", 486)], "records of the busy one")
        expect_equal(edge.stats()["late_responses"], len(late) + 1, "counter late_responses")
        expect_equal(edge.json("exhausted")["records"], edge.journal(), "records in the map and in the journal")
        table = edge.siprtx("exhausted").stdout
        expect(f"late response to {first['seq']}" in table, f"siprtx exhausted does not say that it is late: {table}")
        follower.terminate()
        follower.wait()
        with open(f"{edge.directory}/follow") as f:
            expect_equal([json.loads(line) for line in f], edge.journal(), "siprtx exhausted -f -j and the journal")


@case(seconds=4)
def rule_47_retry_after_is_kept():
    """503 with Retry-After and 408 at 200 ms end the call as responses: no record, the code and the seconds with event and gateway; one as quick as can be too."""
    with Edge(SHORT + "[gateway p]\naddress = 10.77.2.2:5060\nprofile = short\n") as edge:
        softswitch = edge.softswitch()
        replies = {"quick": respond_with(503, "Retry-After: 7;duration=60\r\n")}

        def on(party, arrival):
            for user, make in replies.items():
                if f"sip:{user}@".encode() in arrival.data:
                    party.socket.sendto(make(arrival.data), arrival.peer)
        gateway = edge.gateway(on=on)
        expect_fields(gateway_entry(edge, "10.77.2.2:5060"), last_retry_after=None)
        quick = softswitch.send(Call(user="quick"))
        softswitch.wait(quick, 1, 1)
        expect(wait_until(lambda: events_of(edge, quick, "response"), 1), "no event of the quick response")
        expect_fields(only(events_of(edge, quick, "response"), "events"), code=503, retry_after=7)
        for code, headers, seconds in ((503, "Retry-After: 120 (maintenance)\r\n", 120), (408, "", None)):
            call = softswitch.send(Call())
            gateway.wait(call, 1, 1)
            time.sleep(0.2)
            answer = respond(call.message, code, headers=headers)
            gateway.send(answer, "10.77.1.2")
            time.sleep(1)
            expect_equal([a.data for a in softswitch.of(call)], [answer], f"{code} at the softswitch")
            expect_times(gateway.offsets(call), [0], f"INVITEs of the call that got {code}")
            expect_equal(edge.journal(call), [], f"records of the call that got {code}")
            event = only(events_of(edge, call, "response"), "events")
            expect_fields(event, code=code, retry_after=seconds)
            expect_equal("retry_after" in event, seconds is not None, f"{code}: retry_after is a member")
            entry = gateway_entry(edge, "10.77.2.2:5060")
            expect_fields(entry, last_code=code, last_retry_after=seconds, exhausted=0, silent_in_a_row=0)


def respond_with(code, headers):
    return lambda request: respond(request, code, headers=headers)
