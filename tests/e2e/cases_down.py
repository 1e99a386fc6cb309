# SPDX-License-Identifier: GPL-2.0-or-later
"""What a gateway that is down means for a new INVITE: on_down = reply-503 | fast."""
import ipaddress
import json
import os
import re
import signal
import struct
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from cases_reply import SIPP, ack_of, header, responses
from edge import Edge, run, wait_until
from sip import Call, respond

ADMIN_DOWN = 2
ON_DOWN = {"fast": 1, "reply-503": 2}
BYPASS = {"fast": 1, "reply-503": 2}
# struct siprtx_gateway: profile, on_exhausted, on_down, admin; name, group; state ...; bypass at 176; 224 bytes in all
SIZE, STATE_AT, BYPASS_AT = 224, 80, 176
REFUSED = b"SIP/2.0 503 "


def configuration(on_down, on_exhausted="record", profile=""):
    return f"""[profile short]
resend_interval = 0.3,0.3,0.3,0.3
final_wait = 0.3
down_retry = 2
{profile}
[gateway a]
address = 10.77.2.2:5060
profile = short
on_exhausted = {on_exhausted}
on_down = {on_down}
group = pair
[gateway b]
address = 10.77.2.3:5060
profile = short
group = pair
"""


def raw(value):
    return [f"0x{b:02x}" for b in value]


def hold_down(edge, on_down, address="10.77.2.2", port=5060):
    """As an operator holds a gateway down: the controller reads it at its start, and keeps it."""
    key = b"\0" * 10 + b"\xff\xff" + ipaddress.ip_address(address).packed + struct.pack("<HH", port, 0)
    pin = ("bpftool", "map", "{}", "pinned", f"{edge.pin_path}/gateways", "key", *raw(key))

    def value():
        there = run(*(w.format("lookup") for w in pin), "-j", check=False)
        return bytes(int(b, 16) for b in json.loads(there.stdout)["value"]) if not there.returncode else bytes(SIZE)
    if edge.process:
        edge.stop()
    new = bytearray(value())
    expect_equal(len(new), SIZE, "bytes of a gateway in the map")
    new[8:16] = struct.pack("<II", ON_DOWN[on_down], ADMIN_DOWN)
    new[STATE_AT:STATE_AT + 4] = struct.pack("<I", 2)
    new[BYPASS_AT:BYPASS_AT + 4] = struct.pack("<I", BYPASS[on_down])
    run(*(w.format("update") for w in pin), "value", *raw(new))
    edge.start()
    expect(wait_until(lambda: value()[BYPASS_AT] == BYPASS[on_down], 2), "the gateway is not bypassed")


def refusal_of(softswitch, call, timeout=2):
    expect(wait_until(lambda: responses(softswitch, call, REFUSED), timeout, 0.005), "no 503 came")
    return responses(softswitch, call, REFUSED)[0]


@case(seconds=9)
def rule_51_refused_at_once():
    """503 with Retry-After within 50 ms; ACK and copies absorbed, the gateway sees nothing; a record, and after Timer I the slots are free."""
    with Edge(configuration("reply-503")) as edge:
        hold_down(edge, "reply-503")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        free = edge.stats()["slots_free"]
        call = Call()
        begun = time.time()
        softswitch.send(call)
        reply = refusal_of(softswitch, call)
        took = reply.time - begun
        expect(took <= 0.050, f"the 503 came after {took * 1000:.1f} ms")
        expect_equal(reply.peer, ("10.77.2.2", 5060), "where the reply came from")
        expect(reply.data.startswith(b"SIP/2.0 503 Service Unavailable\r\n"), f"status line of {reply.data!r}")
        expect_equal(header(reply.data, "Retry-After"), [b"5"], "Retry-After")
        expect_equal(header(reply.data, "Reason"), [b'Q.850;cause=38;text="Network out of order"'], "Reason")
        for name in ("From", "Call-ID", "CSeq"):
            expect_equal(header(reply.data, name), header(call.message, name), name)
        softswitch.send(call)
        expect(wait_until(lambda: len(responses(softswitch, call, REFUSED)) == 2, 0.4), "the copy was not answered")
        expect_equal(responses(softswitch, call, REFUSED)[1].data, reply.data, "the answer to the copy")
        softswitch.send(ack_of(call, reply.data), "10.77.2.2")
        softswitch.send(call)  # a stray copy after the ACK
        time.sleep(0.6)
        expect_equal(len(responses(softswitch, call, REFUSED)), 2, "replies, the ACK having come")
        expect_equal(gateway.got, [], "at the gateway")
        expect_fields(only(edge.wait_journal(call, 1), "records"), event="exhausted", reason="gateway_down", sends=0, reply=503, gateway_name="a")
        counters, stats = edge.counters(), edge.stats()
        expect_equal([counters[n] for n in ("refused", "captured", "repeat_answered", "reply_ack_absorbed")], [1, 0, 2, 1], "counters")
        expect_equal([stats[n] for n in ("refused", "replied", "replies_acked", "not_replied", "no_response", "sends")], [1, 1, 1, 0, 0, 0], "stats")
        events = [(e["event"], e["attempt"]) for e in edge.json("events")["events"] if e["call_id"] == call.call_id]
        expect_equal(events[:3], [("new", 0), ("exhausted", 0), ("replied", 0)], "events")
        expect_equal(stats["slots_free"], free - 1, "free slots while Timer I runs")
        expect(wait_until(lambda: edge.stats()["slots_free"] == free, 6), "the slot is not free after Timer I")
        return f"{took * 1000:.1f} ms"


@case(seconds=4)
def rule_51_what_passes():
    """CANCEL, BYE and a re-INVITE to a gateway that is down pass, byte for byte; so does an INVITE to the other gateway."""
    with Edge(configuration("reply-503"), gateways=("10.77.2.3/24",)) as edge:
        hold_down(edge, "reply-503")
        softswitch, gateway, other = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        call, standing, elsewhere = Call(), Call(to_tag="gateway"), Call("10.77.2.3")
        softswitch.send(call)
        refusal_of(softswitch, call)
        sent = [standing.message, call.request("CANCEL", body=False), standing.request("BYE", branch="z9hG4bKbye", body=False)]
        for message in sent:
            softswitch.send(message, "10.77.2.2")
        softswitch.send(elsewhere)
        time.sleep(0.2)
        expect_equal([a.data for a in gateway.got], sent, "at the gateway")
        expect_equal([a.data for a in other.got], [elsewhere.message], "at the other gateway")
        expect_equal(edge.counters()["captured"], 2, "captured")
        time.sleep(1.5)
        expect_equal(len(gateway.of(standing, "INVITE")), 5, "the re-INVITE at the gateway")


@case(seconds=6)
def rule_51_fast():
    """on_down = fast: two retransmissions instead of four, exhausted then, and on_exhausted answers."""
    with Edge(configuration("fast", "reply-408")) as edge:
        hold_down(edge, "fast")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        expect(wait_until(lambda: responses(softswitch, call), 3), "no 408 came")
        expect_times(gateway.offsets(call), [0, .3, .6], "INVITEs")
        end = responses(softswitch, call)[0].time - gateway.of(call)[0].time
        expect(abs(end - 0.9) < 0.040, f"exhausted after {end:.3f} s, wanted 0.9")
        standing = softswitch.send(Call(to_tag="gateway"))
        time.sleep(2)
        expect_times(gateway.offsets(standing), [0, .3, .6, .9, 1.2], "re-INVITEs")
        expect_fields(edge.journal(call)[0], reason="no_response", sends=3, reply=408)
        stats = edge.stats()
        expect_equal((stats["shortened"], stats["refused"]), (1, 0), "shortened, refused")


@case(seconds=6)
def rule_51_fast_goes_on_after_a_crash():
    """The shorter list is that of the call: kill -9 in its middle, and the next controller ends it by the same."""
    with Edge(configuration("fast", profile="").replace("0.3,0.3,0.3,0.3", "1,1,1,1")) as edge:
        hold_down(edge, "fast")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 1, 1)
        edge.kill()
        edge.start()
        record = only(edge.wait_journal(call, 4), "records")
        expect_fields(record, reason="no_response", sends=3)
        expect_times(gateway.offsets(call), [0, 1, 2], "INVITEs")


@case(seconds=9)
def rule_51_killed_after_the_answer():
    """kill -9 right after the 503: the next controller says the same bytes, with Timer G and to a copy; one record."""
    with Edge(configuration("reply-503")) as edge:
        hold_down(edge, "reply-503")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        free = edge.stats()["slots_free"]
        call = softswitch.send(Call())
        first = refusal_of(softswitch, call)
        edge.kill()
        edge.siprtx("set", "probe", "60000")
        edge.start()
        expect(wait_until(lambda: len(responses(softswitch, call, REFUSED)) > 1, 3), "the new controller did not go on with the reply")
        softswitch.send(call)
        time.sleep(0.3)
        got = responses(softswitch, call, REFUSED)
        expect(len(got) > 2 and all(a.data == first.data for a in got), f"{len(got)} replies, or they differ")
        softswitch.send(ack_of(call, first.data), "10.77.2.2")
        expect(wait_until(lambda: edge.stats()["slots_free"] == free, 7), "the slots are not free after Timer I")
        expect_equal(gateway.got, [], "at the gateway")
        only(edge.journal(call), "records")
        other = softswitch.send(Call())
        expect_equal(header(refusal_of(softswitch, other).data, "Retry-After"), [b"60"], "Retry-After, probe being 60 s")


@case(seconds=8)
def rule_51_controller_stands_still():
    """SIGSTOP: for a second at most INVITEs are kept from the gateway, then they pass, and one of which a copy passed is not refused any more."""
    with Edge(configuration("reply-503").replace("0.3,0.3,0.3,0.3", "2,2,2,2")) as edge:
        hold_down(edge, "reply-503")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        edge.process.send_signal(signal.SIGSTOP)
        held, later, answered = Call(), Call(), Call()
        begun = time.time()
        for at, call in ((0, held), (.3, answered), (.5, held), (1.4, held), (1.5, later)):
            time.sleep(max(0, begun + at - time.time()))
            softswitch.send(call)
        time.sleep(0.2)
        expect_equal([a.data for a in gateway.got], [held.message, later.message], "at the gateway after the second")
        expect(gateway.got[0].time - begun > 1.3, "a copy passed too early")
        edge.process.send_signal(signal.SIGCONT)
        refusal_of(softswitch, answered, 1)
        time.sleep(3)
        expect_equal(responses(softswitch, held, REFUSED) + responses(softswitch, later, REFUSED), [], "503 to those that passed")
        expect_equal(len(gateway.of(answered)), 0, "at the gateway of the one that was answered")
        expect(len(gateway.of(held)) > 1 and len(gateway.of(later)) > 1, "siprtx did not go on with the calls that passed")
        expect_equal(edge.stats()["refused"], 1, "refused")


@case(seconds=5)
def rule_51_killed_before_the_answer():
    """An INVITE that was dropped and a controller killed before it answered: the next one does, or, too late, sends it on."""
    with Edge(configuration("reply-503").replace("0.3,0.3,0.3,0.3", "1,1,1,1")) as edge:
        hold_down(edge, "reply-503")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        edge.process.send_signal(signal.SIGSTOP)
        soon, begun = softswitch.send(Call()), time.time()
        time.sleep(0.1)
        edge.kill()
        edge.start()
        in_time = time.time() - begun < 1.9  # a busy machine may start the next one too late for an answer
        reply = wait_until(lambda: responses(softswitch, soon, REFUSED) or gateway.of(soon), 2)
        expect(reply, "neither answered nor sent on")
        expect(not in_time or not gateway.of(soon), "it was sent on")
        edge.process.send_signal(signal.SIGSTOP)
        late = softswitch.send(Call())
        time.sleep(0.1)
        edge.kill()
        time.sleep(2.2)
        edge.start()
        gateway.wait(late, 3, 4)
        expect_equal(responses(softswitch, late, REFUSED), [], "503 to the one that came too late")
        expect_times(gateway.offsets(late)[:3], [0, 1, 2], "INVITEs from then on")
        expect_fields(only(edge.wait_journal(late, 5), "records"), reason="no_response", sends=5)
        expect(not in_time or edge.stats()["not_replied"] == 1, "not replied")


@case(seconds=5)
def rule_51_no_way_back():
    """No reply can be made (maddr in the top Via): the INVITE is sent at once and goes on by its schedule, helped as ever."""
    with Edge(configuration("reply-503")) as edge:
        hold_down(edge, "reply-503")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = Call()
        call.message = call.message.replace(b";rport", b";maddr=10.77.1.9;rport")
        begun = time.time()
        softswitch.send(call)
        first = gateway.wait(call, 1, 1)
        expect(first and first[0].time - begun < 0.050, "the INVITE was not sent on at once")
        expect_equal(first[0].data, call.message, "the INVITE at the gateway")
        gateway.wait(call, 3, 2)
        gateway.send(respond(call.message, 200), "10.77.1.2")
        time.sleep(1)
        expect_times(gateway.offsets(call), [0, .3, .6], "INVITEs until the 200")
        expect(softswitch.of(call)[-1].data.startswith(b"SIP/2.0 200 "), "no 200 at the softswitch")
        stats = edge.stats()
        expect_equal([stats[n] for n in ("refused", "not_replied", "completed", "reply_slots")], [0, 1, 1, 0], "stats")
        expect_equal(edge.journal(call), [], "records")


@case(seconds=14, alone=True)
def rule_51_a_thousand_at_once():
    """1,000 INVITEs at once are all refused, the gateway sees none, and 5 s after their ACKs every slot is free."""
    with Edge(configuration("reply-503"), max_transactions=4096) as edge:
        hold_down(edge, "reply-503")
        calls = [Call() for _ in range(1000)]
        by_branch = {c.branch.encode(): c for c in calls}
        took = {}

        def on(party, arrival):
            call = by_branch[re.search(rb"branch=([^;\r]+)", arrival.data).group(1)]
            took.setdefault(call, arrival.time - begun[call])
            party.socket.sendto(ack_of(call, arrival.data), ("10.77.2.2", 5060))
        softswitch, gateway = edge.softswitch(on=on), edge.gateway()
        free, begun = edge.stats()["slots_free"], {}
        for call in calls:
            begun[call] = time.time()
            softswitch.send(call)
        expect(wait_until(lambda: len(took) == 1000, 5), f"{len(took)} of 1000 were answered")
        expect_equal(gateway.got, [], "at the gateway")
        times = sorted(took.values())
        expect(times[500] < 0.300, f"half of them were answered after {times[500] * 1000:.1f} ms")
        wait_until(lambda: edge.stats()["replies_acked"] == 1000, 2)
        stats = edge.stats()
        expect_equal([stats[n] for n in ("refused", "replies_acked", "reply_slots")], [1000, 1000, 0], "stats")
        expect(wait_until(lambda: edge.stats()["slots_free"] == free - 1000, 1), "not one slot a call is held after the ACKs")
        expect(wait_until(lambda: edge.stats()["slots_free"] == free, 7), "slots are not free after Timer I")
        expect_equal(len(edge.journal()), 1000, "records")
        gateways = {g["gateway"]: g for g in edge.json("show", "gateways")["gateways"]}
        expect_equal(gateways["10.77.2.2:5060"]["exhausted"], 0, "exhausted calls of the gateway")
        return f"median {times[500] * 1000:.1f} ms, longest {times[-1] * 1000:.1f} ms"


@case(seconds=10)
def rule_51_sipp_sees_an_ordinary_503():
    """SIPp as softswitch, its own timers on: each call fails by a 503, which it acknowledges; nothing reaches the gateway."""
    with Edge(configuration("reply-503")) as edge:
        hold_down(edge, "reply-503")
        gateway = edge.gateway()
        with open(f"{SIPP}/replied.xml") as f:
            scenario = f.read().replace('response="408"', 'response="503"')
        path = f"{edge.directory}/refused.xml"
        with open(path, "w") as f:
            f.write(scenario)
        sipp = edge.run(edge.sw_ns, "sipp", "-sf", path, "-i", "10.77.1.2", "-p", "5070", "-m", "20", "-r", "50", "10.77.2.2:5060",
                        "-nostdin", env={**os.environ, "TERM": "dumb"}, check=False, timeout=30)
        expect_equal(sipp.returncode, 0, f"exit status of sipp, {sipp.stderr[-300:]}")
        expect_equal(gateway.got, [], "at the gateway")
        expect_equal([edge.stats()[n] for n in ("refused", "replies_acked")], [20, 20], "refused, acknowledged")


@case(seconds=4)
def rule_51_check_names_what_does_nothing():
    """check names an on_down that does nothing: no shorter list, alone in its group, gateways not judged; none of it where it does."""
    lines = ("[gateway alone]\naddress = 10.77.9.1\nprofile = short\non_down = reply-503\ngroup = lonely\n"
             "[profile long]\nresend_interval = 0.3,0.3\ndown_retry = 2\n"
             "[gateway none]\naddress = 10.77.9.2\nprofile = long\non_down = fast\n")
    with Edge(configuration("fast") + lines) as edge:
        edge.siprtx("set", "health", "0")
        time.sleep(0.1)

        def said():
            checked = edge.siprtx("check", check=False)
            return " ".join((checked.stdout + checked.stderr).split())
        text = said()
        expect("gateway alone: warning: it is the only one of group lonely, and so never bypassed: on_down does nothing" in text, text)
        expect("gateway none: warning: on_down = fast shortens nothing: down_retry of profile long is 2, and its list is 2 long" in text, text)
        expect(text.count("no gateway is found down while the tunable health is 0") == 3, text)
        expect("gateway a: warning: on_down = fast" not in text and "only one of group pair" not in text, text)
        edge.siprtx("set", "health", "1")
        time.sleep(0.1)
        expect("tunable health is 0" not in said(), said())
