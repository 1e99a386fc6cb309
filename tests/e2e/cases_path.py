# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames: what a copy looks like on the link, next hops that are unknown or move, and all that must pass untouched."""
import socket
import threading
import time

from case import case, expect, expect_equal, expect_times, only
from edge import Edge, in_namespace, run, wait_until
from frames import Capture, fragments, send_raw, udp4
from sip import Call, respond

SHORT = "[profile short]\nresend_interval = 0.3,0.3,0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n[gateway g6]\naddress = fd77:2::/64\nprofile = short\n"


def injected(edge, capture, call, count=4, timeout=3):
    wait_until(lambda: len(capture.of(call)) >= count, timeout)
    frames = capture.of(call)
    expect_equal(len(frames), count, "frames of the call")
    return frames


def expect_same_frames(frames, message):
    """The first frame went through the kernel's forwarding; the rest must equal it but for IP ID and checksums."""
    first = frames[0]
    expect_equal((first.ttl, first.payload), (63, message), "TTL and payload of the first")
    for n, f in enumerate(frames[1:], 2):
        expect_equal(f.comparable(), first.comparable(), f"frame {n} but for IP ID and checksums")
        expect(not f.half_made and f.checksums_ok(), f"frame {n}: wrong checksum")


@case(seconds=6)
def rule_49_copies_equal_the_first_frame():
    """MACs, TTL - 1, DSCP, every byte but IP ID and checksums; checksums whole; a fresh IP ID where DF is clear."""
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture:
        edge.run(edge.sw_ns, "ethtool", "-K", "s0", "tx", "off")
        fixed = edge.softswitch(port=5061, tos=0x60)
        may_fragment = edge.softswitch(port=5062, dont_fragment=False)
        six = edge.softswitch("fd77:1::2", 5063)
        calls = [Call(sport=5061), Call(sport=5062), Call(to="fd77:2::2", src="fd77:1::2", sport=5063), Call(sport=5061, size=1231)]
        for party, call in zip((fixed, may_fragment, six, fixed), calls):
            party.send(call)
        frames = [injected(edge, capture, call) for call in calls]
        for f, call in zip(frames, calls):
            expect_same_frames(f, call.message)
            expect(f[0].checksums_ok(), "the first frame has a wrong checksum: the test is wrong")
        expect_equal({f.tos for f in frames[0]}, {0x60}, "DSCP")
        expect_equal({f.fragment for f in frames[0]}, {0x4000}, "DF")
        expect_equal(len({f.id for f in frames[1]}), 4, "different IP IDs of four datagrams with DF clear")


@case(seconds=5)
def checksum_offload_on_and_off():
    """A real socket accepts the copies whether the sender left its checksum to the NIC or not; over IPv6 too."""
    with Edge(SHORT) as edge:
        for setting in ("on", "off"):
            edge.run(edge.sw_ns, "ethtool", "-K", "s0", "tx", setting)
            for source, to in (("10.77.1.2", "10.77.2.2"), ("fd77:1::2", "fd77:2::2")):
                softswitch, gateway = edge.softswitch(source), edge.gateway(to)
                call = softswitch.send(Call(to=to, src=source))
                got = gateway.wait(call, 4, 2)
                expect_times(gateway.offsets(call), [0, .3, .6, .9], f"offload {setting}, to {to}")
                expect(all(a.data == call.message for a in got), f"offload {setting}, to {to}: a copy differs")
                edge.drop(softswitch)
                edge.drop(gateway)


@case(seconds=6)
def ipv6_call():
    """IPv6 from end to end: the schedule, the record; another call is answered."""
    with Edge(SHORT) as edge:
        def on(party, arrival):
            if b"answered@" in arrival.data and sum(a.data == arrival.data for a in party.got) == 2:
                party.socket.sendto(respond(arrival.data, 486), arrival.peer)
        softswitch, gateway = edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2", on=on)
        silent = softswitch.send(Call(to="fd77:2::2", src="fd77:1::2"))
        answered = softswitch.send(Call(to="fd77:2::2", src="fd77:1::2", user="answered"))
        record = only(edge.wait_journal(silent, 4), "records")
        expect_times(gateway.offsets(silent), [0, .3, .6, .9], "silent")
        expect_times(gateway.offsets(answered), [0, .3], "answered")
        expect_equal((record["gateway"], record["src"], record["gateway_name"]), ("[fd77:2::2]:5060", "[fd77:1::2]:5060", "g6"), "gateway, src, name in the record")
        expect_equal(len(softswitch.of(answered)), 1, "responses at the softswitch")
        expect_equal(edge.journal(answered), [], "records of the answered call")


@case(seconds=5)
def rule_39_ipv4_options():
    """An IPv4 header with options is captured and replayed whole."""
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture:
        call = Call()
        nop_and_router_alert = b"\x01\x01\x01\x01"
        send_raw(edge.sw_ns, udp4("10.77.1.2", "10.77.2.2", call.message, options=nop_and_router_alert, flags=0x4000), "10.77.2.2")
        frames = injected(edge, capture, call)
        expect_equal({f.header for f in frames}, {24}, "header lengths")
        expect_same_frames(frames, call.message)


@case(seconds=7)
def forward_by_redirect():
    """forward = xdp: the same timeline; the first frame leaves by redirect with a whole checksum and TTL - 1; the rest equal it."""
    with Edge(SHORT, forward="xdp") as edge, Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        for setting in ("on", "off"):
            edge.run(edge.sw_ns, "ethtool", "-K", "s0", "tx", setting)
            call = softswitch.send(Call())
            frames = injected(edge, capture, call)
            expect(frames[0].checksums_ok(), f"offload {setting}: the first frame has a wrong checksum")
            expect_same_frames(frames, call.message)
            gateway.wait(call, 4, 1)  # the capture is ahead of the socket
            expect_times(gateway.offsets(call), [0, .3, .6, .9], f"offload {setting}")
        six, gateway6 = edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2")
        call6 = six.send(Call(to="fd77:2::2", src="fd77:1::2"))
        expect_same_frames(injected(edge, capture, call6), call6.message)
        expect_equal(len(gateway6.wait(call6, 4, 1)), 4, "IPv6 INVITEs accepted by the gateway")
        counters = edge.counters()
        expect_equal((counters["redirected"], counters["captured"]), (3, 3), "counters redirected, captured")


@case(seconds=5)
def generic_mode_where_there_is_no_native():
    """The outside is a bridge, whose driver runs no XDP: generic mode does the work, and status and log say so."""
    with Edge(SHORT, start=False, outside="br0") as edge, Capture(edge.gw_ns, "g0") as capture:
        for command in ("link add br0 type bridge", "link set out0 master br0", "addr flush dev out0", "link set br0 up",
                        "addr add 10.77.2.1/24 dev br0", "addr add fd77:2::1/64 dev br0 nodad"):
            edge.run(edge.edge_ns, "ip", *command.split())
        edge.meet_neighbours()
        edge.start()
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        expect_same_frames(injected(edge, capture, call), call.message)
        gateway.wait(call, 4, 1)
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
        answered = softswitch.send(Call())
        gateway.wait(answered, 1, 2)
        gateway.send(respond(answered.message, 180), "10.77.1.2")
        time.sleep(1)
        expect_equal(len(gateway.of(answered)), 1, "INVITEs of the call answered at once")
        modes = {i["name"]: i["program"] for i in edge.json("status")["interfaces"]}
        expect_equal(modes, {"in0": "native", "br0": "generic"}, "modes")
        expect("generic" in edge.log(), "the log does not name generic mode")
        expect("br0 has no native XDP" in edge.siprtx("check").stdout, "check does not name generic mode")


@case(seconds=4)
def zero_copy_where_the_driver_has_none():
    """zerocopy = yes on a veth, whose driver has no such mode: said in the log, and copy mode does the work."""
    with Edge(SHORT, zerocopy="yes") as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 4, 3)
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
        expect("no zero-copy mode" in edge.log(), "the log does not say that copy mode is used")


@case(seconds=6)
def neighbour_unknown_at_first():
    """No MAC known when the INVITE passes: the kernel asks, and the copies find what it learned."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        run("ip", "-n", edge.edge_ns, "neigh", "flush", "dev", "out0")
        call = softswitch.send(Call())
        gateway.wait(call, 4, 3)
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
        six, gateway6 = edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2")
        run("ip", "-n", edge.edge_ns, "-6", "neigh", "flush", "dev", "out0")
        call6 = six.send(Call(to="fd77:2::2", src="fd77:1::2"))
        gateway6.wait(call6, 4, 3)
        expect_times(gateway6.offsets(call6), [0, .3, .6, .9], "IPv6 sends")


@case(seconds=6)
def rule_49_gateway_moves_in_mid_transaction():
    """The next hop's MAC changes between two copies, as at a VRRP move: the later copies go to the new one."""
    with Edge("[profile p]\nresend_interval = 0.5,0.8,0.5,0.5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n") as edge, Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 2, 2)
        new = "02:77:00:00:00:99"
        run("ip", "-n", edge.gw_ns, "link", "set", "g0", "address", new)
        run("ip", "-n", edge.edge_ns, "neigh", "replace", "10.77.2.2", "lladdr", new, "nud", "reachable", "dev", "out0")
        gateway.wait(call, 5, 3)
        frames = injected(edge, capture, call, 5)
        expect_times(gateway.offsets(call), [0, .5, 1.3, 1.8, 2.3])
        expect_equal([f.destination == new for f in frames], [False, False, True, True, True], "copies to the new MAC")


@case(seconds=6)
def rule_10_11_14_16_33_35_36_38_45_everything_else_passes():
    """TCP, fragments, a 3 KB INVITE, keep-alives, STUN, HTTP, old SIP: byte for byte to the gateway, never again, and a counter with the reason."""
    odd = Call()
    datagrams = {
        "keepalive": [b"\r\n\r\n", b"\0\0\0\0", b"hello"],
        "stun": [b"\0\x01\0\0\x21\x12\xa4\x42" + bytes(12)],
        "not_sip": [b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", b"\x80\x08" + bytes(170)],
        "bad_version": [odd.message.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1)],
        "legacy": [odd.message.replace(b"branch=z9hG4bK", b"branch=old-")],
        "cseq_mismatch": [odd.message.replace(b"CSeq: 1 INVITE", b"CSeq: 1 OPTIONS")],
        "malformed": [odd.message.replace(b"Call-ID:", b"Call-Nr:"), odd.message.replace(b"CSeq: 1 ", b"CSeq: 4294967296 ")],
        "other_method": [Call().request("OPTIONS", body=False), Call().request("ACK", body=False), Call().request("REGISTER", body=False)],
    }
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        before = edge.counters()
        everything = [m for messages in datagrams.values() for m in messages]
        big = Call(size=3000)
        other_port = Call()
        for message in everything:
            softswitch.send(message, "10.77.2.2")
        softswitch.send(big)  # 3 KB leave the softswitch in fragments
        elsewhere = edge.gateway(port=5099)
        edge.softswitch(port=5066).send(other_port, port=5099)
        in_two = Call(user="in-two")
        for fragment in fragments(udp4("10.77.1.2", "10.77.2.2", in_two.message, ident=77), 200):
            send_raw(edge.sw_ns, fragment, "10.77.2.2")
        time.sleep(1.5)
        expect_equal([a.data for a in gateway.got], everything + [big.message, in_two.message], "what the gateway got")
        expect_equal([a.data for a in elsewhere.got], [other_port.message], "what port 5099 got")
        after = edge.counters()
        for name, messages in datagrams.items():
            expect_equal(after[name] - before[name], len(messages), f"counter {name}")
        expect(after["fragment"] - before["fragment"] >= 5, f"counter fragment rose by {after['fragment'] - before['fragment']}, wanted 5 or more")
        expect(after["other_port"] > before["other_port"], "counter other_port did not rise")
        expect_equal(after["captured"], 0, "counter captured")
        expect(capture.frames, "the capture saw nothing: the test is wrong")


@case(seconds=6)
def rule_40_too_long_for_a_slot():
    """An INVITE over what a slot holds, on a link that takes it whole: passes once, counted."""
    with Edge(SHORT) as edge:
        for namespace, interface in ((edge.sw_ns, "s0"), (edge.edge_ns, "in0"), (edge.edge_ns, "out0"), (edge.gw_ns, "g0")):
            run("ip", "-n", namespace, "link", "set", interface, "mtu", "3400")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        big, fits = softswitch.send(Call(size=3000)), softswitch.send(Call(size=1750))
        time.sleep(1.2)
        expect_equal([a.data for a in gateway.of(big)], [big.message], "3,000 bytes at the gateway")
        expect_times(gateway.offsets(fits), [0, .3, .6, .9], "1,750 bytes")
        counters = edge.counters()
        expect_equal((counters["captured"], counters["too_long"]), (1, 1), "counters captured, too_long")


@case(seconds=4)
def rule_28_calls_from_the_gateway_arm_nothing():
    """An INVITE from the gateway passes to the softswitch; nothing is retransmitted either way (rule 28)."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = Call(to="10.77.1.2", src="10.77.2.2")
        gateway.send(call)
        softswitch.wait(call, 1, 1)
        answer = respond(call.message, 180)
        softswitch.send(answer, "10.77.2.2")
        time.sleep(1.2)
        expect_equal([a.data for a in softswitch.got], [call.message], "at the softswitch")
        expect_equal([a.data for a in gateway.got], [answer], "at the gateway")
        counters = edge.counters()
        expect_equal((counters["request_in"], counters["response_out"], counters["captured"]), (1, 1, 0), "counters request_in, response_out, captured")


@case(seconds=4)
def rule_37_tcp_passes():
    """SIP over TCP on the same port: a connection, an INVITE and its answer go through (rule 37)."""
    with Edge(SHORT) as edge:
        call = Call()
        listener = in_namespace(edge.gw_ns, lambda: socket.create_server(("10.77.2.2", 5060)))
        served = []

        def serve():
            connection, _ = listener.accept()
            with connection:
                served.append(connection.recv(65535))
                connection.sendall(respond(call.message, 200))
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with in_namespace(edge.sw_ns, lambda: socket.create_connection(("10.77.2.2", 5060), 3)) as connection:
            connection.sendall(call.message)
            answer = connection.recv(65535)
        thread.join(3)
        listener.close()
        expect_equal((served, answer), ([call.message], respond(call.message, 200)), "over TCP")
        counters = edge.counters()
        expect(counters["not_udp"] > 0 and counters["captured"] == 0, "counters not_udp, captured")


@case(seconds=6)
def nobody_answers_arp():
    """A gateway that is not there at all: nothing to send to, still a record, and nothing breaks for the others."""
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call(to="10.77.2.200"))
        answered = softswitch.send(Call())
        record = only(edge.wait_journal(call, 4), "records")
        expect_equal((record["reason"], record["gateway"]), ("no_response", "10.77.2.200:5060"), "reason, gateway in the record")
        expect_times(gateway.offsets(answered), [0, .3, .6, .9], "the other gateway's call")
        expect_equal(capture.of(call), [], "frames to a gateway without a MAC")
        expect(edge.stats()["no_neighbour"] >= 1, "stat no_neighbour did not rise")
        return f"the record says {record['sends']} sends"
