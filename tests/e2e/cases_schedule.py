# SPDX-License-Identifier: GPL-2.0-or-later
"""The schedules on the wire, and the record of a call that nobody answered."""
import time

from case import DEFAULT, case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, wait_until
from sip import Call

# profile, more lines of an own profile, when the INVITEs leave, when it is exhausted
SCHEDULES = (
    ("standard", None, DEFAULT, 32),
    ("unstable", None, [0, .5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5, 39.5, 47.5, 55.5], 56),
    ("fast-failover", None, DEFAULT[:7], 16),
    ("high-reliability", None, [0, 1, 3, 7, 11, 15, 19, 23, 27, 31, 35], 35.5),
    ("aggressive", None, [0, .5, 1, 2, 3, 5, 7, 11, 15, 19, 23], 23.5),
    ("rfc3261", None, [0, .5, 1.5, 3.5, 7.5, 15.5, 31.5], 32),
    ("vos3000", None, DEFAULT[:5], 10),
    ("own", "resend_interval = 0.2,0.3,0.25\nfinal_wait = 1.25", [0, .2, .5, .75], 2),
    ("retry-two", "resend_interval = 0.5,1,2,4\nsend_retry = 2", [0, .5, 1.5], 2),
    ("cut-short", "timeout_invite = 3", [0, .5, 1.5], 3),
    ("cut-late", "resend_interval = 0.5,1\ntimeout_invite = 30", [0, .5, 1.5], 2),
)

RECORD_KEYS = ["schema_version", "seq", "node", "boot_id", "ts", "event", "reason", "gateway", "gateway_name", "profile", "method", "call_id",
               "cseq", "branch", "from_tag", "ruri", "from_uri", "to_uri", "in_dialog", "src", "sends", "first_send", "last_send",
               "duration_ms", "last_code", "timer_late_us_max"]


@case(seconds=60)
def schedules_on_the_wire():
    """Every built-in profile, an own one, send_retry and timeout_invite: times, bytes, record."""
    configuration, addresses = "", []
    for i, (profile, own, _, _) in enumerate(SCHEDULES):
        if own:
            configuration += f"[profile {profile}]\n{own}\n"
        configuration += f"[gateway to-{profile}]\naddress = 10.77.2.{10 + i}\nprofile = {profile}\n"
        addresses.append(f"10.77.2.{10 + i}/24")
    with Edge(configuration, gateways=addresses) as edge:
        softswitch = edge.softswitch()
        gateways = [edge.gateway(a[:-3]) for a in addresses]
        calls = [softswitch.send(Call(to=g.address)) for g in gateways]
        time.sleep(max(end for _, _, _, end in SCHEDULES) + 1.2)
        worst, last_seq = 0, 0
        for call, gateway, (profile, _, times, end) in zip(calls, gateways, SCHEDULES):
            worst = max(worst, expect_times(gateway.offsets(call), times, profile))
            for a in gateway.of(call):
                expect_equal(a.data, call.message, f"{profile}: message")
                expect_equal(a.peer, ("10.77.1.2", 5060), f"{profile}: source")
            record = only(edge.journal(call), f"records of {profile}")
            expect_equal(list(record)[:len(RECORD_KEYS)], RECORD_KEYS, "keys of the record")
            expect_fields(record, schema_version=1, event="exhausted", reason="no_response", gateway=f"{gateway.address}:5060",
                          gateway_name=f"to-{profile}", profile=profile, method="INVITE", cseq=1, branch=call.branch,
                          from_tag=call.from_tag, ruri=f"sip:{call.user}@{gateway.address}:5060", from_uri="sip:caller@10.77.1.2",
                          to_uri=f"sip:{call.user}@{gateway.address}", in_dialog=False, src="10.77.1.2:5060", sends=len(times), last_code=0)
            expect(0 <= record["duration_ms"] - end * 1000 <= 100, f"{profile}: exhausted after {record['duration_ms']} ms, wanted {end * 1000}")
            last_seq = max(last_seq, record["seq"])
        expect_equal(last_seq, len(SCHEDULES), "highest seq")
        return f"worst lateness {worst * 1000:.1f} ms"


@case(seconds=4)
def first_copy_needs_no_controller():
    """Before siprtxd was ever started the edge forwards as any router: the harness itself is sound."""
    with Edge(forward_only=True) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        softswitch6, gateway6 = edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2")
        call6 = softswitch6.send(Call(to="fd77:2::2", src="fd77:1::2"))
        time.sleep(1)
        expect_equal(only(gateway.of(call), "INVITEs").data, call.message, "message")
        expect_equal(only(gateway6.of(call6), "INVITEs").data, call6.message, "IPv6 message")


@case(seconds=5)
def rule_27_reinvite_is_marked():
    """A To tag makes it a re-INVITE: retransmitted, and marked in_dialog in the record."""
    with Edge("[profile short]\nresend_interval = 0.3,0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n") as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call(to_tag="standing", cseq=7))
        record = only(edge.wait_journal(call, 4), "records")
        expect_times(gateway.offsets(call), [0, .3, .6])
        expect_fields(record, in_dialog=True, cseq=7, profile="short", gateway_name="g")
        at = wait_until(lambda: [g for g in edge.json("show", "gateways")["gateways"] if g["exhausted"]], 2)
        expect_equal(only(at, "gateways")["silent_in_a_row"], 0, "exhausted in a row, rule 27: a call that stands is no route's failure")
