# SPDX-License-Identifier: GPL-2.0-or-later
"""on_exhausted with capture at TC egress: the reply goes up into the host's own network stack, as if the gateway had sent it (rule 50)."""
import os
import pwd
import re
import stat
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from cases_host import HERE, HERE6, HOST, MASQUERADE, host
from cases_reply import CONFIGURATION, END, ack_of, header, judge_repeat, reply_to, responses
from cases_rights import Rights
from edge import Edge, run, wait_until
from frames import Capture
from kamailio import Kamailio
from sip import Call, respond

STRICT = ("net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.out0.rp_filter=1")
UNAVAILABLE = b"SIP/2.0 503 Service Unavailable\r\n"
CONNTRACK = "add table inet seen\nadd chain inet seen in { type filter hook input priority 0 ; }\nadd rule inet seen in ct state invalid drop\n"


def sysctl(edge, *settings):
    edge.run(edge.edge_ns, "sysctl", "-qw", *settings)


def ruleset(edge, rules):
    edge.run(edge.edge_ns, "nft", "-f", "-", input=rules)


def program(edge, name="prog_lift"):
    """The id of a program that is pinned."""
    return int(re.match(r"\d+", run("bpftool", "prog", "show", "pinned", f"{edge.pin_path}/{name}").stdout).group())


def expect_lifted(edge, number, **wanted):
    """So many replies went up, none failed."""
    stats = edge.stats()
    expect_equal((stats["lifted"], stats["replies_sent"], stats["not_lifted"], stats["not_replied"]), (number, number, 0, 0),
                 "lifted, replies_sent, not_lifted, not_replied")
    expect_fields(stats, **wanted)


@case(seconds=7)
def rule_50_host_reply_and_ack():
    """mode = host, strict reverse path filter, conntrack on: the 408 comes once, from the gateway's address, by the outside interface, checksums whole; its ACK goes no further."""
    with Edge(CONFIGURATION, **HOST) as edge, Capture(edge.edge_ns, "out0") as wire, Capture(edge.gw_ns, "g0") as far:
        sysctl(edge, *STRICT)
        ruleset(edge, CONNTRACK)
        softswitch, gateway = host(edge), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        reply = reply_to(softswitch, call)
        sent = gateway.of(call, "INVITE")[0].time
        expect(-0.002 <= reply.time - sent - END <= 0.030, f"the reply came after {reply.time - sent:.3f} s, wanted {END}")
        expect_equal(reply.peer, ("10.77.2.2", 5060), "where the reply came from")
        via, = header(call.message, "Via")
        to, = header(reply.data, "To")
        expect(re.fullmatch(re.escape(header(call.message, "To")[0]) + rb";tag=[0-9a-f]{8}", to), f"To: {to!r}")
        lines = [b"SIP/2.0 408 Request Timeout", b"Via: " + via.replace(b";rport", b";rport=5060") + b";received=10.77.2.1"]
        lines += [name + b": " + header(call.message, name.decode())[0] for name in (b"From",)] + [b"To: " + to]
        lines += [name + b": " + header(call.message, name.decode())[0] for name in (b"Call-ID", b"CSeq")]
        lines += [b'Reason: Q.850;cause=102;text="Recovery on timer expiry"', b"Content-Length: 0", b"", b""]
        expect_equal(reply.data, b"\r\n".join(lines), "the reply")
        softswitch.send(ack_of(call, reply.data), "10.77.2.2")
        time.sleep(2.5)
        expect_equal(len(responses(softswitch, call)), 1, "replies, the ACK having come")
        expect_equal(([a.data.split()[0] for a in gateway.of(call)], [f for f in far.of(call) if f.payload.startswith(b"SIP/2.0")]), ([b"INVITE"] * 3, []),
                     "at the gateway")
        frame = only([f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 408")], "frames with the reply")
        expect(frame.checksums_ok() and not frame.half_made, "checksums of the reply")
        expect_fields(only(edge.journal(call), "records"), reason="no_response", reply=408, sends=3)
        expect_lifted(edge, 1, replied=1, replies_acked=1, late_responses=0)
        counters = edge.counters()
        expect_equal((counters["reply_ack_absorbed"], counters["late_absorbed"], counters["response_late"], counters["own_copy"]), (1, 0, 0, 0), "counters")
        events = [e for e in edge.json("events")["events"] if e["event"] == "replied"]
        expect_fields(only(events, "events"), code=408, call_id=call.call_id)


@case(seconds=13)
def rule_50_host_reply_is_repeated():
    """mode = host: without an ACK the same bytes come after 0.5, 1, 2 and 4 s (Timer G) until the time to remember is over; then all slots are free."""
    with Edge(CONFIGURATION, **HOST) as edge:
        edge.siprtx("set", "remember", "9000")
        time.sleep(0.1)
        softswitch, gateway = host(edge), edge.gateway()
        free = edge.stats()["slots_free"]
        call = softswitch.send(Call(src=HERE))
        first = reply_to(softswitch, call)
        time.sleep(10)
        replies = responses(softswitch, call)
        expect_times([a.time - first.time for a in replies], [0, .5, 1.5, 3.5, 7.5], "replies")
        expect_equal({a.data for a in replies}, {first.data}, "different replies")
        expect_lifted(edge, 5, slots_free=free, reply_slots=0, in_flight=0)
        expect_equal(len(gateway.of(call)), 3, "datagrams at the gateway")


@case(seconds=10)
def rule_50_host_repeat_is_answered():
    """mode = host: the INVITE again gets the same reply at once and goes no further; after the ACK it is a stray copy."""
    with Edge(CONFIGURATION, **HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        judge_repeat(softswitch, gateway, Call(src=HERE))


@case(seconds=12)
def rule_50_host_dead_controller():
    """mode = host, kill -9 between two replies: a second later nothing is absorbed; a new controller goes on with the same bytes and loses no slot."""
    with Edge(CONFIGURATION, **HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        free = edge.stats()["slots_free"]
        call = softswitch.send(Call(src=HERE))
        first = reply_to(softswitch, call)
        edge.kill()
        time.sleep(1.2)
        ack, busy = ack_of(call, first.data), respond(call.message, 486)
        softswitch.send(ack, "10.77.2.2")
        softswitch.send(call)
        gateway.send(busy, HERE)
        time.sleep(0.3)
        expect_equal([a.data for a in gateway.of(call)][3:], [ack, call.message], "at the gateway")
        expect_equal(softswitch.of(call)[-1].data, busy, "last at the softswitch")
        before = len(responses(softswitch, call))
        edge.start()
        expect(wait_until(lambda: len(responses(softswitch, call)) > before, 3), "the new controller did not go on with the reply")
        expect_equal({a.data for a in responses(softswitch, call)}, {first.data}, "different replies")
        softswitch.send(ack, "10.77.2.2")
        time.sleep(0.5)
        expect_equal(len(gateway.of(call)), 5, "datagrams at the gateway")
        only(edge.journal(call), "records")
        edge.siprtx("set", "remember", "1000")
        reply_to(softswitch, softswitch.send(Call(src=HERE)))
        expect(wait_until(lambda: edge.stats()["slots_free"] == free - 1, 4), f"{edge.stats()['slots_free']} slots free of {free}, one held")


@case(seconds=8)
def rule_50_host_late_answers():
    """mode = host: a late 180 passes and is cancelled, the 487 that follows is absorbed and gets its ACK, as a late 486 does; a late 200 passes, and the ACK to it."""
    with Edge(CONFIGURATION, **HOST) as edge:
        ringing, busy, taken = (Call(src=HERE) for _ in range(3))

        def on(party, arrival):
            if arrival.data.startswith(b"CANCEL "):
                party.socket.sendto(respond(arrival.data, 200), arrival.peer)
                party.socket.sendto(respond(ringing.message, 487), arrival.peer)
        softswitch, gateway = host(edge), edge.gateway(on=on)
        for call in (ringing, busy, taken):
            softswitch.send(call)
        replies = {call: reply_to(softswitch, call) for call in (ringing, busy, taken)}
        for call in (ringing, busy):
            softswitch.send(ack_of(call, replies[call].data), "10.77.2.2")
        late = {ringing: respond(ringing.message, 180), busy: respond(busy.message, 486), taken: respond(taken.message, 200)}
        for message in late.values():
            gateway.send(message, HERE)
        time.sleep(0.1)
        ack = softswitch.send(taken.request("ACK", body=False, to_tag="gateway"), "10.77.2.2")
        time.sleep(1.5)
        for call in (ringing, taken):
            expect_equal([a.data for a in softswitch.of(call)], [replies[call].data, late[call]], "at the softswitch")
        expect_equal([a.data for a in softswitch.of(busy)], [replies[busy].data], "at the softswitch, of the late 486")
        expect_equal([a.data.split()[0] for a in gateway.of(ringing)], [b"INVITE"] * 3 + [b"CANCEL", b"ACK"], "at the gateway, of the late 180")
        expect_equal([a.data.split()[0] for a in gateway.of(busy)], [b"INVITE"] * 3 + [b"ACK"], "at the gateway, of the late 486")
        expect_equal([a.data for a in gateway.of(taken)][3:], [ack], "at the gateway, of the late 200")
        expect_equal(header(gateway.of(busy, "ACK")[0].data, "To"), header(late[busy], "To"), "To of siprtx's ACK")
        expect_lifted(edge, 3, late_cancels=1, late_acks=2)
        expect_equal([edge.counters()[c] for c in ("late_absorbed", "cancel_ok_absorbed", "own_copy")], [2, 1, 0], "late_absorbed, cancel_ok_absorbed, own_copy")


@case(seconds=7)
def rule_50_host_ipv6_and_sent_by():
    """mode = host: 503 over IPv6, to the sent-by port without rport (18.2.2), checksums whole."""
    with Edge(CONFIGURATION, **HOST) as edge, Capture(edge.edge_ns, "out0") as wire:
        call = Call("fd77:2::2", HERE6, sport=5070)
        softswitch, other = host(edge, HERE6), host(edge, HERE6, 5070)
        edge.gateway("fd77:2::2")
        call.message = call.message.replace(b";rport", b";x=1")
        softswitch.send(call)
        expect(wait_until(lambda: responses(other, call, UNAVAILABLE), 3), "no 503 at the sent-by port")
        reply = responses(other, call, UNAVAILABLE)[0]
        expect_equal((reply.peer, softswitch.of(call), header(reply.data, "Via")), (("fd77:2::2", 5060), [], header(call.message, "Via")), "source, replies elsewhere, Via")
        other.send(ack_of(call, reply.data).replace(b";rport", b";x=1"), "fd77:2::2")
        time.sleep(1)
        expect_equal(len(other.of(call)), 1, "replies, the ACK having come")
        expect(wait_until(lambda: [f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 503")], 1), "no frame captured")
        frame = [f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 503")][0]
        expect(frame.checksums_ok() and not frame.half_made, "checksums of the reply")


@case(seconds=8)
def rule_50_host_generic_mode():
    """mode = host, the outside is a bridge: its XDP is generic and sees the reply too, which it takes for siprtx's own; a late 486 of the gateway is absorbed as ever."""
    with Edge(CONFIGURATION, start=False, **{**HOST, "outside": "br0"}) as edge:
        for words in ("link add br0 type bridge", "link set out0 master br0", "addr flush dev out0", "link set br0 up",
                      "addr add 10.77.2.1/24 dev br0", "addr add fd77:2::1/64 dev br0 nodad"):
            edge.run(edge.edge_ns, "ip", *words.split())
        edge.meet_neighbours()
        edge.start()
        for here, there, status in ((HERE, "10.77.2.2", b"SIP/2.0 408 "), (HERE6, "fd77:2::2", UNAVAILABLE)):
            softswitch, gateway = host(edge, here), edge.gateway(there)
            call = softswitch.send(Call(there, here))
            expect(wait_until(lambda: responses(softswitch, call, status), 3), f"no reply came to {here}")
            softswitch.send(ack_of(call, responses(softswitch, call, status)[0].data), there)
            gateway.send(respond(call.message, 486), here)
            time.sleep(0.8)
            expect_equal(len(softswitch.of(call)), 1, f"responses at {here}")
            expect_equal([a.data.split()[0] for a in gateway.of(call)], [b"INVITE"] * 3 + [b"ACK"], f"at {there}")
        expect_lifted(edge, 2, late_acks=2)
        expect_equal([edge.counters()[c] for c in ("own_copy", "late_absorbed", "response_late")], [2, 2, 0], "own_copy, late_absorbed, response_late")


@case(seconds=7)
def rule_50_host_port_of_a_bridge():
    """mode = host, the outside interface is a port of the bridge that has the host's address: the reply comes in through the bridge."""
    with Edge(CONFIGURATION, start=False, **HOST) as edge:
        for words in ("link add br0 type bridge", "address flush dev out0", "link set out0 master br0", "address add 10.77.2.1/24 dev br0", "link set br0 up"):
            edge.run(edge.edge_ns, "ip", *words.split())
        edge.run(edge.edge_ns, "ping", "-c", "1", "-W", "3", "10.77.2.2")
        edge.start()
        softswitch, gateway = host(edge), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        softswitch.send(ack_of(call, reply_to(softswitch, call).data), "10.77.2.2")
        time.sleep(1)
        expect_equal((len(softswitch.of(call)), len(gateway.of(call))), (1, 3), "replies, datagrams at the gateway")
        expect_lifted(edge, 1, replies_acked=1)


@case(seconds=8)
def rule_50_masqueraded():
    """inline, capture = egress, the edge masquerades: the softswitch gets the reply at its own address and port, and its ACK and copies stay on the edge."""
    with Edge(CONFIGURATION, capture="egress") as edge, Capture(edge.sw_ns, "s0") as wire:
        sysctl(edge, *STRICT, "net.ipv4.conf.in0.rp_filter=1")
        ruleset(edge, MASQUERADE)
        softswitch, gateway = edge.softswitch(port=5080), edge.gateway()
        call = softswitch.send(Call(sport=5080))
        reply = reply_to(softswitch, call)
        expect_equal((reply.peer, {a.peer[0] for a in gateway.of(call)}), (("10.77.2.2", 5060), {"10.77.2.1"}), "source of the reply, of the INVITEs")
        port = gateway.of(call)[0].peer[1]
        via, = header(call.message, "Via")
        expect_equal(header(reply.data, "Via"), [via.replace(b";rport", b";rport=%d" % port) + b";received=10.77.2.1"], "Via, as the gateway would write it")
        softswitch.send(call)
        expect(wait_until(lambda: len(responses(softswitch, call)) == 2, 0.4), "the repeat was not answered")
        softswitch.send(ack_of(call, reply.data), "10.77.2.2")
        gateway.send(respond(call.message, 200), "10.77.2.1", port)
        time.sleep(1.2)
        expect_equal([a.data[8:11] for a in softswitch.of(call)], [b"408", b"408", b"200"], "at the softswitch")
        expect_equal([a.data.split()[0] for a in gateway.of(call)], [b"INVITE"] * 3, "at the gateway")
        frames = [f for f in wire.of(call) if f.payload.startswith(b"SIP/2.0 408")]
        expect(len(frames) == 2 and all(f.checksums_ok() for f in frames), "checksums of the replies")
        expect_lifted(edge, 2, replies_acked=1)


@case(seconds=7)
def rule_50_routed_at_egress():
    """inline, capture = egress, no NAT: the reply goes through the edge's FORWARD chain to the softswitch, IPv4 and IPv6."""
    with Edge(CONFIGURATION, capture="egress") as edge:
        for here, there, status in (("10.77.1.2", "10.77.2.2", b"SIP/2.0 408 "), ("fd77:1::2", "fd77:2::2", UNAVAILABLE)):
            softswitch, gateway = edge.softswitch(here), edge.gateway(there)
            call = softswitch.send(Call(there, here))
            expect(wait_until(lambda: responses(softswitch, call, status), 3), f"no reply came to {here}")
            reply = responses(softswitch, call, status)[0]
            expect_equal(reply.peer, (there, 5060), "where the reply came from")
            softswitch.send(ack_of(call, reply.data), there)
            time.sleep(0.8)
            expect_equal((len(softswitch.of(call)), len(gateway.of(call))), (1, 3), f"replies to {here}, datagrams at the gateway")
        expect_lifted(edge, 2, replies_acked=2)


@case(seconds=8)
def lift_as_its_user():
    """user = nobody: the program's pin is his alone, his siprtxd has CAP_NET_RAW and the filter, and answers."""
    nobody = pwd.getpwnam("nobody")
    with Edge(CONFIGURATION, start=False, user="nobody", **HOST) as edge:
        Rights(edge, nobody)
        edge.start()
        pin = os.stat(f"{edge.pin_path}/prog_lift")
        expect_equal((pin.st_uid, stat.S_IMODE(pin.st_mode) & 0o606), (nobody.pw_uid, 0o600), "owner and mode of prog_lift")
        softswitch, gateway = host(edge), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        softswitch.send(ack_of(call, reply_to(softswitch, call).data), "10.77.2.2")
        time.sleep(1)
        expect_equal((len(softswitch.of(call)), len(gateway.of(call))), (1, 3), "replies, datagrams at the gateway")
        expect_lifted(edge, 1, replies_acked=1)
        with open(f"/proc/{edge.process.pid}/status") as f:
            rights = dict(re.findall(r"(Uid|CapEff|Seccomp):\s+(\w+)", f.read()))
        expect_equal(rights, {"Uid": str(nobody.pw_uid), "CapEff": "0000000000002000", "Seccomp": "2"}, "user, capabilities, filter")


@case(seconds=9)
def lift_program_is_renewed_and_goes():
    """A load in place renews the program while replies are due, an unload removes it; capture at XDP has none."""
    with Edge(CONFIGURATION, **HOST) as edge:
        softswitch, before = host(edge), program(edge)
        edge.gateway()
        call = softswitch.send(Call(src=HERE))
        first = reply_to(softswitch, call)
        edge.siprtx("load")
        expect(program(edge) != before, "the program is the same")
        expect(wait_until(lambda: len(responses(softswitch, call)) >= 3, 3), "the replies do not go on")
        expect_times([a.time - first.time for a in responses(softswitch, call)][:3], [0, .5, 1.5], "replies", 0.1)
        edge.stop()
        edge.start()
        softswitch.send(ack_of(call, first.data), "10.77.2.2")
        other = softswitch.send(Call(src=HERE))
        reply_to(softswitch, other)
        edge.stop()
        edge.siprtx("unload")
        expect(not os.path.exists(edge.pin_path), "pins are left")
        edge.settings.update(mode="inline", inside="in0")
        edge.write_configuration()
        edge.start()
        expect(not os.path.exists(f"{edge.pin_path}/prog_lift"), "the program is pinned with capture at XDP")


@case(seconds=7)
def lift_fails_open():
    """The outside interface is down when a call is exhausted, and the program's pin is gone: recorded only, counted, and named by check and log."""
    with Edge(CONFIGURATION, **HOST) as edge:
        softswitch = host(edge)
        edge.gateway()
        call = softswitch.send(Call(src=HERE))
        time.sleep(0.5)
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "down")
        expect_fields(only(edge.wait_journal(call, 3), "records"), reason="no_response", reply=0)
        stats = edge.stats()
        expect_equal((stats["lifted"], stats["not_lifted"], stats["not_replied"], stats["reply_slots"]), (0, 1, 1, 0), "stats")
        expect("out0 is down" in edge.log(), "the log does not name the link")
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "up")
        edge.stop()
        os.unlink(f"{edge.pin_path}/prog_lift")
        expect("siprtx load" in edge.siprtx("check", check=False).stdout, "check does not name the missing program")
        edge.start()
        reply_to(softswitch, softswitch.send(Call(src=HERE)))


def kamailio_goes_on(edge, kamailio):
    """Gateway A is silent: siprtx's reply makes Kamailio's failure route call B at once, long before its own fr_timer; A hears no more of it."""
    a, b = edge.gateway(), kamailio.gateway("proxied-gateway.xml", "10.77.2.3", pause=100)
    call = kamailio.call()
    for sipp in (call, b):
        sipp.done(10)
    at_a, at_b = kamailio.seen(call, address="10.77.2.2"), kamailio.seen(call, address="10.77.2.3")
    expect_times([f.time - at_a[0].time for f in at_a], [0, .3, .6], "INVITEs at A")
    expect(END - 0.002 <= at_b[0].time - at_a[0].time <= END + 0.050, f"B was called after {at_b[0].time - at_a[0].time:.3f} s, wanted {END}")
    kamailio.expect_codes(call, [100, 180, 200])
    kamailio.expect_once(call, "ACK", "BYE")
    time.sleep(1)
    expect_equal({x.data.split(b" ")[0] for x in a.got}, {b"INVITE"}, "methods at A")
    expect_equal(len(a.got), 3, "datagrams at A")
    expect_fields(only(edge.exhausted(), "records"), call_id=call.call_id, gateway="10.77.2.2:5060", reply=408)
    expect_lifted(edge, 1, replies_acked=1)


@case(seconds=9)
def kamailio_on_the_host_is_answered():
    """mode = host: siprtx answers for the silent gateway, Kamailio's failure route fires at once and the second gateway takes the call."""
    with Edge(CONFIGURATION, gateways=["10.77.2.3/24"], **HOST) as edge, Kamailio(edge, "10.77.2.2", "10.77.2.3", fr_timer=8) as kamailio:
        kamailio_goes_on(edge, kamailio)


@case(seconds=9)
def kamailio_behind_nat_is_answered():
    """capture = egress, the edge masquerades, Kamailio inside: the same."""
    with Edge(CONFIGURATION, capture="egress", gateways=["10.77.2.3/24"]) as edge, \
            Kamailio(edge, "10.77.2.2", "10.77.2.3", fr_timer=8, inside=True) as kamailio:
        ruleset(edge, MASQUERADE)
        kamailio_goes_on(edge, kamailio)
