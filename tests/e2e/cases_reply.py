# SPDX-License-Identifier: GPL-2.0-or-later
"""on_exhausted = reply-408 | reply-503: siprtx answers the softswitch itself, and sees to the gateway (rule 50)."""
import json
import os
import re
import socket
import struct
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, in_namespace, run, wait_until
from frames import ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET, Capture, udp4
from sip import Call, respond

# 0, 0.3, 0.6: exhausted 0.9 s after the INVITE
CONFIGURATION = """[profile short]
resend_interval = 0.3,0.3
final_wait = 0.3
timeout_ringing = 0.6
[gateway g]
address = 10.77.2.0/24
profile = short
on_exhausted = reply-408
[gateway six]
address = fd77:2::/64
profile = short
on_exhausted = reply-503
"""
END = 0.9
SIPP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


def header(message, name):
    return [v.strip() for v in re.findall(rb"(?im)^" + name.encode() + rb"\s*:(.*?)\r$", message)]


def responses(party, call, status=b"SIP/2.0 408 "):
    return [a for a in party.of(call) if a.data.startswith(status)]


def ack_of(call, reply):
    """The ACK a client transaction sends for this failure (17.1.1.3)."""
    tag = re.search(rb"\nTo:.*;tag=(\w+)\r", reply).group(1).decode()
    return call.request("ACK", body=False, to_tag=tag)


def reply_to(softswitch, call, timeout=3):
    expect(wait_until(lambda: responses(softswitch, call), timeout), "no reply came")
    return responses(softswitch, call)[0]


@case(seconds=8)
def rule_50_reply_and_ack():
    """The 408 a UAS would make of the INVITE (8.2.6), from the gateway's address; its ACK is absorbed and ends the repeats."""
    with Edge(CONFIGURATION) as edge, Capture(edge.sw_ns, "s0") as wire:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        reply = reply_to(softswitch, call)
        sent = gateway.of(call, "INVITE")[0].time
        expect(-0.002 <= reply.time - sent - END <= 0.030, f"the reply came after {reply.time - sent:.3f} s, wanted {END}")
        expect_equal(reply.peer, ("10.77.2.2", 5060), "where the reply came from")
        expect(reply.data.startswith(b"SIP/2.0 408 Request Timeout\r\n"), f"status line of {reply.data!r}")
        via, = header(call.message, "Via")
        expect_equal(header(reply.data, "Via"), [via.replace(b";rport", b";rport=5060") + b";received=10.77.1.2"], "Via")
        for name in ("From", "Call-ID", "CSeq"):
            expect_equal(header(reply.data, name), header(call.message, name), name)
        to, = header(reply.data, "To")
        expect(re.fullmatch(re.escape(header(call.message, "To")[0]) + rb";tag=[0-9a-f]{8}", to), f"To: {to!r}")
        expect_equal(header(reply.data, "Reason"), [b'Q.850;cause=102;text="Recovery on timer expiry"'], "Reason")
        expect_equal((header(reply.data, "Content-Length"), header(reply.data, "Server")), ([b"0"], []), "Content-Length, Server")
        softswitch.send(ack_of(call, reply.data), "10.77.2.2")
        time.sleep(2.5)
        expect_equal(len(responses(softswitch, call)), 1, "replies, the ACK having come")
        expect_equal(gateway.of(call, "ACK"), [], "ACK at the gateway")
        expect_fields(only(edge.journal(call), "records"), reason="no_response", reply=408, sends=3)
        frame = only([f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 408")], "frames with the reply")
        expect(frame.checksums_ok() and not frame.half_made, "checksums of the reply")
        counters, stats = edge.counters(), edge.stats()
        expect_equal(counters["reply_ack_absorbed"], 1, "counter reply_ack_absorbed")
        expect_equal((stats["replied"], stats["replies_sent"], stats["replies_acked"], stats["not_replied"]), (1, 1, 1, 0), "stats")
        gateways = {g["gateway"]: g for g in edge.json("show", "gateways")["gateways"]}
        expect_equal(gateways["10.77.2.2:5060"]["on_exhausted"], "reply-408", "show gateways")
        events = [e for e in edge.json("events")["events"] if e["event"] == "replied"]
        expect_fields(only(events, "events"), code=408, call_id=call.call_id)


@case(seconds=9)
def rule_50_reply_is_repeated():
    """Without an ACK the same bytes go out after 0.5, 1, 2, 4 s (Timer G) until the time to remember is over; then all slots are free."""
    with Edge(CONFIGURATION) as edge:
        edge.siprtx("set", "remember", "5000")
        time.sleep(0.1)
        softswitch, gateway = edge.softswitch(), edge.gateway()
        free = edge.stats()["slots_free"]
        call = softswitch.send(Call())
        first = reply_to(softswitch, call)
        time.sleep(1)
        expect_equal(edge.stats()["slots_free"], free - 2, "free slots while the INVITE and the reply are held")
        time.sleep(5)
        replies = responses(softswitch, call)
        expect_times([a.time - first.time for a in replies], [0, .5, 1.5, 3.5], "replies")
        expect(all(a.data == first.data for a in replies), "the replies differ")
        stats = edge.stats()
        expect_equal((stats["slots_free"], stats["reply_slots"], stats["replies_sent"]), (free, 0, 4), "slots free, for replies, replies sent")
        expect_equal(len(gateway.of(call)), 3, "datagrams at the gateway")


def judge_repeat(softswitch, gateway, call):
    """The INVITE again gets the same reply at once, and none after the ACK; the gateway sees no more than the list."""
    softswitch.send(call)
    first = reply_to(softswitch, call)
    time.sleep(0.2)
    again = time.time()
    softswitch.send(call)
    expect(wait_until(lambda: len(responses(softswitch, call)) == 2, 0.25), "the repeat was not answered")
    second = responses(softswitch, call)[1]
    expect_equal(second.data, first.data, "reply to the repeat")
    expect(second.time - again <= 0.040, f"the repeat was answered after {(second.time - again) * 1000:.0f} ms")
    softswitch.send(ack_of(call, first.data), "10.77.2.2")
    time.sleep(0.2)
    before = len(responses(softswitch, call))
    softswitch.send(call)
    time.sleep(1)
    expect_equal(len(responses(softswitch, call)), before, "replies after the ACK")
    expect_equal(len(gateway.of(call)), 3, "datagrams at the gateway")


@case(seconds=7)
def rule_50_repeat_is_answered():
    """The INVITE again gets the same reply and does not reach the gateway; after the ACK it is dropped as a stray copy (17.2.1)."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        judge_repeat(softswitch, gateway, Call())
        expect_equal(edge.counters()["repeat_answered"], 2, "counter repeat_answered")


@case(seconds=8)
def rule_50_late_180_is_cancelled():
    """A late 180 passes and is answered with a CANCEL (9.1); its 200 and the 487 are absorbed, the 487 gets its ACK (17.1.1.3)."""
    with Edge(CONFIGURATION) as edge:
        def on(party, arrival):
            if arrival.data.startswith(b"CANCEL "):
                party.socket.sendto(respond(arrival.data, 200), arrival.peer)
                party.socket.sendto(respond(call.message, 487), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        call = Call(extra="Route: <sip:10.77.2.2;lr>\r\nRoute: <sip:second;lr>\r\n")
        softswitch.send(call)
        reply = reply_to(softswitch, call)
        softswitch.send(ack_of(call, reply.data), "10.77.2.2")
        ringing = respond(call.message, 180)
        gateway.send(ringing, "10.77.1.2")
        gateway.send(ringing, "10.77.1.2")
        time.sleep(2)
        expect_equal([a.data for a in softswitch.of(call)], [reply.data, ringing, ringing], "at the softswitch")
        cancel = only(gateway.of(call, "CANCEL"), "CANCELs")
        expect_equal(cancel.peer, ("10.77.1.2", 5060), "where the CANCEL came from")
        wanted = (call.message.split(b"\r\n")[0].replace(b"INVITE", b"CANCEL", 1), header(call.message, "Via"), header(call.message, "From"),
                  header(call.message, "To"), header(call.message, "Call-ID"), [b"1 CANCEL"], header(call.message, "Route"), [b"70"], [b"0"])
        names = ("Via", "From", "To", "Call-ID", "CSeq", "Route", "Max-Forwards", "Content-Length")
        expect_equal((cancel.data.split(b"\r\n")[0], *(header(cancel.data, n) for n in names)), wanted, "the CANCEL")
        ack = only(gateway.of(call, "ACK"), "ACKs")
        to = header(respond(call.message, 487), "To")
        wanted = (wanted[0].replace(b"CANCEL", b"ACK", 1), *wanted[1:3], to, wanted[4], [b"1 ACK"], *wanted[6:])
        expect_equal((ack.data.split(b"\r\n")[0], *(header(ack.data, n) for n in names)), wanted, "the ACK")
        counters, stats = edge.counters(), edge.stats()
        expect_equal((counters["cancel_ok_absorbed"], counters["late_absorbed"]), (1, 1), "counters")
        expect_equal((stats["late_cancels"], stats["late_acks"], stats["late_responses"], stats["reply_slots"]), (1, 1, 2, 0), "stats")


@case(seconds=7)
def rule_50_cancel_is_repeated():
    """A CANCEL nobody answers is sent again as often as the profile's list says, then no more."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        softswitch.send(ack_of(call, reply_to(softswitch, call).data), "10.77.2.2")
        gateway.send(respond(call.message, 100), "10.77.1.2")
        time.sleep(2)
        times = [a.time for a in gateway.of(call, "CANCEL")]
        expect_times([t - times[0] for t in times], [0, .3, .6], "CANCELs")
        expect_equal(edge.stats()["reply_slots"], 0, "slots held for messages of siprtx")


@case(seconds=7)
def rule_50_exhausted_while_ringing():
    """Exhausted after a 180: the reply and the CANCEL go out at once, for the gateway rings."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 1, 1)
        gateway.send(respond(call.message, 180), "10.77.1.2")
        reply = reply_to(softswitch, call)
        expect(wait_until(lambda: gateway.of(call, "CANCEL"), 0.2), "no CANCEL came")
        cancel = gateway.of(call, "CANCEL")[0]
        expect(abs(cancel.time - reply.time) < 0.040, f"the CANCEL came {cancel.time - reply.time:.3f} s after the reply")
        expect_fields(only(edge.wait_journal(call, 1), "records"), reason="ringing_timeout", reply=408, last_code=180)


@case(seconds=7)
def rule_50_late_failure_is_acked():
    """A late 486 without a CANCEL before: the softswitch is spared it, the gateway gets an ACK each time it sends it."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        softswitch.send(ack_of(call, reply_to(softswitch, call).data), "10.77.2.2")
        busy = respond(call.message, 486).replace(b";tag=gateway", b";tag=gw.2")
        for _ in range(2):
            gateway.send(busy, "10.77.1.2")
            time.sleep(0.3)
        acks = gateway.of(call, "ACK")
        expect_equal([header(a.data, "To") for a in acks], [header(busy, "To")] * 2, "To of the ACKs")
        expect_equal([a for a in softswitch.of(call) if a.data == busy], [], "486 at the softswitch")
        expect_equal((gateway.of(call, "CANCEL"), edge.counters()["late_absorbed"], edge.stats()["late_acks"]), ([], 2, 2), "CANCELs, absorbed, ACKs")


@case(seconds=7)
def rule_50_late_200_passes():
    """A late 200 passes byte for byte and is recorded; the reply is not repeated any more and the softswitch's ACK passes."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        reply = reply_to(softswitch, call)
        answer = respond(call.message, 200)
        gateway.send(answer, "10.77.1.2")
        time.sleep(0.1)
        ack = call.request("ACK", body=False, to_tag="gateway")  # with the INVITE's branch, as some send it
        softswitch.send(ack, "10.77.2.2")
        time.sleep(1.5)
        expect_equal([a.data for a in softswitch.of(call)], [reply.data, answer], "at the softswitch")
        expect_equal([a.data for a in gateway.of(call)][3:], [ack], "at the gateway after the INVITEs")
        late = [e for e in edge.json("events")["events"] if e["event"] == "late_response"]
        expect_fields(only(late, "late responses"), code=200, call_id=call.call_id)
        expect_equal(edge.stats()["late_responses"], 1, "late responses counted")


@case(seconds=7)
def rule_50_only_where_it_may():
    """A re-INVITE, a cancelled call and a top Via with maddr are not answered; the last is recorded, and counted as not answered."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        standing = softswitch.send(Call(to_tag="old"))
        cancelled, elsewhere = softswitch.send(Call()), Call()
        elsewhere.message = elsewhere.message.replace(b";rport", b";rport;maddr=10.77.1.9")
        softswitch.send(elsewhere)
        time.sleep(0.2)
        softswitch.send(cancelled.request("CANCEL", body=False), "10.77.2.2")
        time.sleep(2)
        expect_equal(softswitch.got, [], "at the softswitch")
        expect_fields(only(edge.journal(standing), "records"), in_dialog=True, reply=0)
        expect_fields(only(edge.journal(elsewhere), "records"), reply=0)
        expect_equal(edge.journal(cancelled), [], "records of the cancelled call")
        expect_equal((edge.stats()["replied"], edge.stats()["reply_slots"]), (0, 0), "answered, slots held")
        # as ever: the key is remembered, a late response passes
        gateway.send(respond(elsewhere.message, 486), "10.77.1.2")
        time.sleep(0.2)
        expect_equal(edge.counters()["response_late"], 1, "counter response_late")


@case(seconds=12)
def rule_50_dead_controller():
    """A killed controller: nothing is absorbed a second later. A new one goes on with the same reply and loses no slot."""
    with Edge(CONFIGURATION) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        free = edge.stats()["slots_free"]
        call = softswitch.send(Call())
        first = reply_to(softswitch, call)
        edge.kill()
        time.sleep(1.2)
        ack, busy = ack_of(call, first.data), respond(call.message, 486)
        softswitch.send(ack, "10.77.2.2")
        softswitch.send(call)
        gateway.send(busy, "10.77.1.2")
        time.sleep(0.3)
        expect_equal([a.data for a in gateway.of(call)][3:], [ack, call.message], "at the gateway")
        expect_equal(softswitch.of(call)[-1].data, busy, "last at the softswitch")
        before = len(responses(softswitch, call))
        edge.start()
        expect(wait_until(lambda: len(responses(softswitch, call)) > before, 3), "the new controller did not go on with the reply")
        expect(all(a.data == first.data for a in responses(softswitch, call)), "the replies differ")
        softswitch.send(ack, "10.77.2.2")
        time.sleep(0.5)
        expect_equal(len(gateway.of(call)), 5, "datagrams at the gateway")
        only(edge.journal(call), "records")
        edge.siprtx("set", "remember", "1000")
        other = softswitch.send(Call())
        reply_to(softswitch, other)
        expect(wait_until(lambda: edge.stats()["slots_free"] == free - 1, 4), f"{edge.stats()['slots_free']} slots free of {free}, one held")


@case(seconds=8)
def rule_50_ipv6_and_sent_by():
    """503 over IPv6; without rport the reply goes to the sent-by port, with received where sent-by names another host (18.2.1, 18.2.2)."""
    with Edge(CONFIGURATION) as edge, Capture(edge.sw_ns, "s0") as wire:
        call = Call("fd77:2::2", "fd77:1::2")
        softswitch, other = edge.softswitch("fd77:1::2"), edge.softswitch("fd77:1::2", 5070)
        edge.gateway("fd77:2::2")
        via = b"Via: SIP/2.0/UDP sw.example.com:5070;branch=" + call.branch.encode() + b";x=1"
        call.message = re.sub(rb"Via: [^\r]*", via + b", SIP/2.0/UDP behind;branch=z9hG4bKb\r\nv: SIP/2.0/UDP third", call.message, count=1)
        softswitch.send(call)
        expect(wait_until(lambda: responses(other, call, b"SIP/2.0 503 Service Unavailable\r\n"), 3), "no 503 at the sent-by port")
        reply = other.of(call)[0]
        expect_equal((reply.peer, softswitch.of(call)), (("fd77:2::2", 5060), []), "source of the reply, replies at the INVITE's port")
        expect_equal(header(reply.data, "Via") + header(reply.data, "v"),
                     [via[5:] + b";received=fd77:1::2, SIP/2.0/UDP behind;branch=z9hG4bKb", b"SIP/2.0/UDP third"], "Via")
        expect(wait_until(lambda: [f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 503")], 1), "no frame captured")
        frame = [f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 503")][0]
        expect(frame.checksums_ok() and not frame.half_made, "checksums of the reply")


@case(seconds=10)
def rule_50_sipp_takes_it_for_the_end():
    """SIPp as softswitch, its own timers on: it takes the 408 for its INVITE's and ends well; its ACKs do not reach the gateway."""
    with Edge(CONFIGURATION) as edge:
        edge.send_no_options()
        gateway = edge.gateway()
        sipp = edge.run(edge.sw_ns, "sipp", "-sf", f"{SIPP}/replied.xml", "-i", "10.77.1.2", "-p", "5070", "-m", "5", "-r", "20", "10.77.2.2:5060",
                        "-nostdin", env={**os.environ, "TERM": "dumb"}, check=False, timeout=30)
        expect_equal(sipp.returncode, 0, f"exit status of sipp, {sipp.stderr[-300:]}")
        expect_equal({a.data.split(b" ")[0] for a in gateway.got}, {b"INVITE"}, "methods at the gateway")
        expect_equal(len(gateway.got), 15, "datagrams at the gateway")
        expect_equal(edge.counters()["reply_ack_absorbed"], 5, "counter reply_ack_absorbed")


@case(seconds=3)
def rule_50_check_names_a_late_reply():
    """A reply that would come after the softswitch's Timer B is named by check, with what to set; a timely one is not."""
    late = "[gateway late]\naddress = 10.77.9.9\non_exhausted = reply-503\n"
    with Edge(CONFIGURATION + late, start=False) as edge:
        said = edge.siprtx("check", check=False).stdout + edge.siprtx("check", check=False).stderr
        expect(re.search(r"gateway late: warning: on_exhausted answers an INVITE 32 s after it was sent.*timeout_invite of profile standard", said, re.S), said)
        expect("gateway g:" not in said, said)


def mac(namespace, device):
    return bytes.fromhex(json.loads(run("ip", "-n", namespace, "-j", "link", "show", device).stdout)[0]["address"].replace(":", ""))


@case(seconds=6)
def rule_50_reply_into_a_vlan():
    """An INVITE that came with a tag: the reply has it too, and goes to the MAC that handed the INVITE over."""
    with Edge(CONFIGURATION) as edge:
        def packets():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            s.bind(("s0", 0))
            s.settimeout(3)
            return s
        wire, call, router = in_namespace(edge.sw_ns, packets), Call(src="10.77.3.2"), bytes.fromhex("020000000909")
        tagged = mac(edge.edge_ns, "in0") + router + b"\x81\x00\x60\x07\x08\x00" + udp4("10.77.3.2", "10.77.2.2", call.message)
        run("ip", "-n", edge.edge_ns, "route", "add", "10.77.3.0/24", "dev", "in0")
        with wire:
            wire.send(tagged)
            while True:
                data, ancillary, _, address = wire.recvmsg(65535, 256)
                if b"SIP/2.0 408" in data and address[2] != socket.PACKET_OUTGOING:
                    break
        # the kernel takes the tag out on its way to this socket
        tci, tpid = struct.unpack("=HH", ancillary[0][2][16:20])
        expect_equal((hex(tpid), hex(tci)), ("0x8100", "0x6007"), "tag of the reply")
        expect_equal((data[:6], data[6:12]), (router, mac(edge.edge_ns, "in0")), "MACs of the reply")


@case(seconds=9)
def rule_50_slots_run_out():
    """A reply needs a slot: calls there is none for are recorded only, as ever; no slot is lost."""
    with Edge(CONFIGURATION, max_transactions=16) as edge:
        edge.send_no_options()
        edge.siprtx("set", "remember", "2000")
        softswitch = edge.softswitch()
        edge.gateway()
        calls = [softswitch.send(Call()) for _ in range(12)]
        expect(wait_until(lambda: len(edge.journal()) == len(calls), 3), f"{len(edge.journal())} records, wanted {len(calls)}")
        time.sleep(0.2)
        answered = sorted(c.call_id for c in calls if responses(softswitch, c))
        expect_equal(sorted(r["call_id"] for r in edge.journal() if r["reply"] == 408), answered, "calls with a reply in the record")
        stats = edge.stats()
        expect_equal((stats["replied"], stats["not_replied"]), (len(answered), len(calls) - len(answered)), "answered, not answered")
        expect(answered and stats["not_replied"], f"{len(answered)} of {len(calls)} calls were answered")
        expect(wait_until(lambda: edge.stats()["slots_free"] == 16, 4), f"{edge.stats()['slots_free']} slots free at the end, wanted 16")
        again = softswitch.send(Call())
        reply_to(softswitch, again)


@case(seconds=9)
def reply_by_a_configuration_loaded_meanwhile():
    """`siprtx load` with another on_exhausted of a prefix while siprtxd runs and counts: the next siprtxd goes by it."""
    with Edge(CONFIGURATION.replace("reply-408", "record")) as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        first = softswitch.send(Call())
        edge.wait_journal(first, 4)
        edge.configuration = CONFIGURATION
        edge.write_configuration()
        edge.siprtx("load")
        second = softswitch.send(Call())
        edge.wait_journal(second, 4)
        time.sleep(0.5)  # its counts are in the map
        edge.stop()
        edge.start()
        third = softswitch.send(Call())
        reply_to(softswitch, third)
        expect_equal((responses(softswitch, first), responses(softswitch, second)), ([], []), "replies to the calls before")
        row = only([g for g in edge.json("show", "gateways")["gateways"] if g["gateway"] == "10.77.2.2:5060"], "gateways")
        expect_fields(row, name="g", on_exhausted="reply-408", invites=3)
