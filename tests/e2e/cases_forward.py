# SPDX-License-Identifier: GPL-2.0-or-later
"""forward = xdp and xdp-all: what is redirected is what the kernel would have sent, and what is in doubt is left to it."""
import json
import subprocess
import time

from case import case, expect, expect_equal
from edge import Edge, wait_until
from frames import Capture
from sip import Call, respond

QUIET = "[profile rare]\nresend_interval = 30\n[gateway g]\naddress = 10.77.2.0/24\nprofile = rare\n[gateway g6]\naddress = fd77:2::/64\nprofile = rare\n"
FORWARD = ("redirected", "redirected_other", "not_redirected", "forward_in", "forward_out", "forward_route", "forward_shape", "forward_limit", "forward_source", "forward_turn")
ADDRESSES = (("10.77.1.2", "10.77.2.2"), ("fd77:1::2", "fd77:2::2"))


def forwarded(edge):
    """The counters of forwarding that are not 0; what went through the kernel in its turn is redirected in all but the way."""
    counters = edge.counters()
    return {name: counters[name] for name in FORWARD if counters[name]}


def redirected(edge, name="redirected"):
    counters = edge.counters()
    return counters[name] + counters["forward_turn"]


def dialog(call, caller, callee):
    """A whole call, both ways: what each side has sent, in order."""
    invite = call.message
    trying, ringing, answer = (respond(invite, code) for code in (100, 180, 200))
    ack, bye, options = (invite.replace(b"INVITE", method).replace(call.branch.encode(), call.branch.encode() + method) for method in (b"ACK", b"BYE", b"OPTIONS"))
    caller_sent, callee_sent = [invite, ack, options], [trying, ringing, answer]
    caller_sent.append(bye)
    callee_sent.append(respond(bye, 200))
    caller.send(invite, call.to)
    callee.wait(call, 1, 2)
    for message in (trying, ringing, answer):
        callee.send(message, call.src)
    caller.wait(call, 3, 2)
    for message in (ack, options, bye):
        caller.send(message, call.to)
    wait_until(lambda: any(a.data == bye for a in callee.got), 2)
    callee.send(callee_sent[-1], call.src)
    wait_until(lambda: any(a.data == callee_sent[-1] for a in caller.got), 2)
    return caller_sent, callee_sent


@case(seconds=8)
def forward_whole_calls():
    """Both ways, IPv4 and IPv6, senders with and without checksum offload: every message of a call is redirected, byte for byte, TTL - 1, checksums whole, MACs of the next hop."""
    with Edge(QUIET, forward="xdp") as edge, Capture(edge.gw_ns, "g0") as at_gateway, Capture(edge.sw_ns, "s0") as at_softswitch:
        edge.send_no_options()
        macs = {name: json.loads(edge.run(namespace, "ip", "-j", "link", "show", name).stdout)[0]["address"]
                for namespace, name in ((edge.edge_ns, "in0"), (edge.edge_ns, "out0"), (edge.sw_ns, "s0"), (edge.gw_ns, "g0"))}
        for setting in ("on", "off"):
            for namespace, name in ((edge.sw_ns, "s0"), (edge.gw_ns, "g0")):
                edge.run(namespace, "ethtool", "-K", name, "tx", setting)
            for near, far in ADDRESSES:
                caller, callee = edge.softswitch(near), edge.gateway(far)
                call = Call(to=far, src=near)
                up, back = dialog(call, caller, callee)
                expect_equal([a.data for a in callee.got], up, f"at the gateway, {far}, offload {setting}")
                expect_equal([a.data for a in caller.got], back, f"at the softswitch, {near}, offload {setting}")
                for capture, sent, to, source in ((at_gateway, up, "g0", "out0"), (at_softswitch, back, "s0", "in0")):
                    wait_until(lambda: sum(f.payload in sent for f in capture.frames) >= len(sent), 2)
                    frames = [f for f in capture.frames if f.payload in sent]
                    expect_equal(len(frames), len(sent), "frames")
                    expect_equal({(f.ttl, f.destination, f.source) for f in frames}, {(63, macs[to], macs[source])}, "TTL and MACs")
                    whole = [f for f in frames if not f.half_made]
                    expect(all(f.checksums_ok() for f in whole), "a wrong checksum")
                    expect(len(frames) - len(whole) <= 2, "more than the kernel's turns came with a half-made checksum")
                edge.drop(caller)
                edge.drop(callee)
        expect_equal(redirected(edge), 4 * 8, "redirected, or in the kernel's turn")
        expect(edge.counters()["forward_turn"] < 12, "the kernel had more than a turn a second")
        expect_equal(set(forwarded(edge)) - {"redirected", "forward_turn"}, set(), "counters of what is left to the kernel")


@case(seconds=6)
def forward_sipp_call():
    """SIPp calls SIPp through an edge that redirects: no retransmission, no failed call."""
    with Edge(QUIET, forward="xdp") as edge:
        edge.send_no_options()
        edge.popen(edge.gw_ns, "sipp", "-sn", "uas", "-i", "10.77.2.2", "-p", "5060", "-nostdin", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: ":5060" in edge.run(edge.gw_ns, "ss", "-Hlun").stdout, 3)
        r = edge.run(edge.sw_ns, "sipp", "-sn", "uac", "10.77.2.2:5060", "-i", "10.77.1.2", "-p", "5060", "-m", "50", "-r", "50", "-d", "10", "-nostdin", "-timeout", "20",
                     check=False, cwd=edge.directory, timeout=25)
        expect_equal(r.returncode, 0, "sipp's exit status")
        expect_equal(redirected(edge), 50 * 6, "INVITE, 180, 200, ACK, BYE, 200 redirected, or in the kernel's turn")


@case(seconds=7)
def forward_all_rtp():
    """xdp-all: a stream of UDP both ways and TCP arrive whole, in order and once; with forward = xdp they are left alone."""
    for forward in ("xdp", "xdp-all"):
        with Edge(QUIET, forward=forward) as edge:
            edge.send_no_options()
            for near, far in ADDRESSES:
                a, b = edge.softswitch(near, 30000), edge.gateway(far, 40000)
                for n in range(300):
                    packet = b"\x80\x08" + n.to_bytes(2, "big") + bytes(168 - 4)
                    a.send(packet, far, 40000)
                    b.send(packet, near, 30000)
                    time.sleep(0.001)
                wait_until(lambda: len(a.got) >= 300 and len(b.got) >= 300, 2)
                for party in (a, b):
                    numbers = [int.from_bytes(x.data[2:4], "big") for x in party.got]
                    expect_equal(sorted(numbers), list(range(300)), f"{forward}: packets at {party.address}")
            if forward == "xdp":
                expect_equal(forwarded(edge), {}, "counters of forwarding")
            else:
                expect_equal(redirected(edge, "redirected_other"), 1200, "redirected, or in the kernel's turn")
                counters = edge.counters()
                expect(counters["forward_turn"] < 20, f"{counters['forward_turn']} turns of the kernel")
            server = edge.popen(edge.gw_ns, "python3", "-c", "import socket\ns = socket.create_server(('10.77.2.2', 8080))\nc, _ = s.accept()\nn = 0\n"
                                "while d := c.recv(65536):\n    n += len(d)\nprint(n)", stdout=subprocess.PIPE, text=True)
            wait_until(lambda: ":8080" in edge.run(edge.gw_ns, "ss", "-Hltn").stdout, 3)
            edge.run(edge.sw_ns, "python3", "-c", "import socket\ns = socket.create_connection(('10.77.2.2', 8080), 3)\ns.sendall(bytes(3000000))\ns.close()", timeout=20)
            expect_equal(server.communicate(timeout=10)[0].strip(), "3000000", f"{forward}: bytes by TCP")


@case(seconds=14)
def forward_follows_the_kernel():
    """A neighbour that goes, a route that changes, a blackhole, a link down and up, rp_filter, a peer without GRO: each at once as the kernel has it, and counted."""
    with Edge(QUIET, gateways=["10.77.2.9/24"], forward="xdp-all") as edge:
        edge.send_no_options()
        a, b = edge.softswitch(port=30000), edge.gateway(port=40000)

        def passes(n=5):
            before, seen = edge.counters(), len(b.got)
            for _ in range(n):
                a.send(b"\x80" * 100, "10.77.2.2", 40000)
            arrived = wait_until(lambda: len(b.got) >= seen + n, 0.5)
            after = edge.counters()
            # neighbours ask each other meanwhile
            return bool(arrived), {k: after[k] - before[k] for k in FORWARD if after[k] != before[k] and k not in ("forward_turn", "forward_in", "forward_shape")}

        def ip(*command):
            edge.run(edge.edge_ns, "ip", *command)

        def expect_redirected(what):
            time.sleep(0.5)  # siprtxd looks at changed links every 250 ms
            arrived, counted = passes()
            expect(arrived and set(counted) == {"redirected_other"}, f"{what}: {arrived}, {counted}")

        def expect_left(what, reason, arrives=True):
            time.sleep(0.5)
            arrived, counted = passes()
            expect(arrived == arrives and set(counted) == {reason}, f"{what}: {arrived}, {counted}")
        expect_redirected("at first")
        ip("neigh", "flush", "dev", "out0")
        arrived, counted = passes()
        expect(arrived and counted.get("not_redirected", 0) >= 1, f"no neighbour: {arrived}, {counted}")
        expect_redirected("neighbour found")
        ip("route", "add", "blackhole", "10.77.2.2/32")
        expect_left("blackhole", "forward_route", False)
        ip("route", "del", "blackhole", "10.77.2.2/32")
        ip("route", "add", "10.77.2.2/32", "via", "10.77.2.9")
        passes()  # that one's MAC is asked for
        expect_redirected("another next hop")
        ip("route", "del", "10.77.2.2/32")
        edge.run(edge.edge_ns, "sysctl", "-qw", "net.ipv4.conf.in0.rp_filter=1")
        ip("link", "set", "out0", "mtu", "1400")  # a change of a link: the setting is looked at
        expect_redirected("rp_filter, the way back is the way it came")
        ip("route", "add", "10.77.1.2/32", "via", "10.77.2.9")
        expect_left("rp_filter, the way back is another", "forward_source", False)
        ip("route", "del", "10.77.1.2/32")
        edge.run(edge.gw_ns, "ethtool", "-K", "g0", "gro", "off")
        expect_left("a peer without GRO", "forward_out")
        expect("has neither GRO nor an XDP program" in edge.siprtx("check", check=False).stdout, "check does not name the peer without GRO")
        edge.run(edge.gw_ns, "ethtool", "-K", "g0", "gro", "on")
        expect_redirected("GRO again")
        ip("link", "set", "out0", "down")
        arrived, counted = passes()
        expect(not arrived and "redirected_other" not in counted, f"link down: {arrived}, {counted}")
        ip("link", "set", "out0", "up")
        passes()
        expect_redirected("link up again")
        a.send(b"to the edge itself", "10.77.1.1", 40000)
        time.sleep(0.1)
        expect("forward_route" in forwarded(edge), "what is for the edge itself is not counted so")
        edge.kill()
        time.sleep(2.2)
        arrived, counted = passes()
        expect(arrived and counted == {}, f"controller killed: {arrived}, {counted}")


@case(seconds=8)
def forward_sees_a_neighbour_die():
    """A gateway that is gone: one packet a second through the kernel makes it ask, and give the neighbour up, though all else is redirected."""
    with Edge(QUIET, forward="xdp-all") as edge:
        edge.send_no_options()
        a = edge.softswitch(port=30000)
        for knob in ("gc_stale_time=1", "base_reachable_time_ms=500", "delay_first_probe_time=1", "retrans_time_ms=200"):
            edge.run(edge.edge_ns, "sysctl", "-qw", f"net.ipv4.neigh.out0.{knob}")
        edge.run(edge.edge_ns, "ip", "neigh", "flush", "dev", "out0")
        a.send(b"\x80" * 100, "10.77.2.2", 40000)
        time.sleep(0.2)
        edge.run(edge.gw_ns, "ip", "link", "set", "g0", "arp", "off")
        before = edge.counters()["not_redirected"]

        def given_up():
            a.send(b"\x80" * 100, "10.77.2.2", 40000)
            return edge.counters()["not_redirected"] > before
        expect(wait_until(given_up, 7, 0.1), f"the neighbour is used on: {forwarded(edge)}")


@case(seconds=5)
def forward_check():
    """check names what a redirect would leave out: netfilter of any hook, marks, IPsec; and says nothing of it with forward = kernel."""
    with Edge(QUIET, start=False, forward="xdp-all") as edge:
        def said(*options):
            return edge.siprtx(*options, "check", check=False).stdout
        expect("forward:" not in said(), f"nothing to say: {said()}")
        for name, command in (("netfilter of this host has rules (nftables chain pre of table m)", ["nft", "add table ip m; add chain ip m pre { type filter hook prerouting priority -150; }; add rule ip m pre counter"]),
                              ("routes by marks", ["ip", "rule", "add", "fwmark", "7", "lookup", "100"]),
                              ("IPsec policies", ["ip", "xfrm", "policy", "add", "src", "10.77.1.0/24", "dst", "10.77.2.0/24", "dir", "out", "tmpl", "src", "10.77.2.1", "dst", "10.77.2.2", "proto", "esp", "mode", "tunnel"]),
                              ("belongs to br0", ["sh", "-c", "ip link add br0 type bridge && ip link set in0 master br0"])):
            expect(name not in said(), f"{name}, before there is any")
            edge.run(edge.edge_ns, *command)
            expect(name in said(), f"{name} is not named: {said()}")
        expect("netfilter of this host" not in said("-o", "siprtx.forward=kernel") and "forward:" not in said("-o", "siprtx.forward=kernel"), "named with forward = kernel")
