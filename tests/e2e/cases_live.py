# SPDX-License-Identifier: GPL-2.0-or-later
"""sender = live-frames: copies as XDP frames of the kernel's own."""
import time

from case import case, expect, expect_equal, expect_times
from cases_path import SHORT, expect_same_frames, injected
from edge import Edge, run, wait_until
from frames import Capture
from sip import Call


def senders(edge):
    return {i["name"]: i["sender"] for i in edge.json("status", check=False)["interfaces"]}


@case(seconds=6)
def live_frames_equal_the_first_frame():
    """IPv4 with DF set and clear, IPv6, small and large, one after the other through the kernel's pages: byte for byte, in time."""
    with Edge(SHORT, sender="live-frames") as edge, Capture(edge.gw_ns, "g0") as capture:
        edge.run(edge.sw_ns, "ethtool", "-K", "s0", "tx", "off")
        fixed = edge.softswitch(port=5061, tos=0x60)
        may_fragment = edge.softswitch(port=5062, dont_fragment=False)
        six, gateway = edge.softswitch("fd77:1::2", 5063), edge.gateway()
        calls = [Call(sport=5061, size=1400), Call(sport=5062), Call(to="fd77:2::2", src="fd77:1::2", sport=5063), Call(sport=5061, size=1231)]
        for party, call in zip((fixed, may_fragment, six, fixed), calls):
            party.send(call)
        frames = [injected(edge, capture, call) for call in calls]
        for f, call in zip(frames, calls):
            expect_same_frames(f, call.message)
        expect_equal(len({f.id for f in frames[1]}), 4, "different IP IDs of four datagrams with DF clear")
        expect_times(gateway.offsets(calls[0]), [0, .3, .6, .9])
        expect_equal(senders(edge), {"in0": None, "out0": "live-frames"}, "sender in force")
        expect("live-frames" in edge.siprtx("status").stdout, "siprtx status does not name the sender")
        stats = edge.stats()
        expect_equal((stats["sends"], stats["in_flight"], stats["live_lost"]), (12, 0, 0), "sends, in flight, live_lost")


@case(seconds=5)
def live_frames_many_at_once():
    """Eight hundred calls in a burst, more than a batch holds: three copies of each, none lost, none twice; all slots free."""
    with Edge(SHORT, sender="live-frames") as edge:
        edge.send_no_options()
        softswitch, gateway = edge.softswitch(), edge.gateway()
        calls = [softswitch.send(Call()) for _ in range(800)]
        wait_until(lambda: len(gateway.got) >= 4 * len(calls), 4)
        time.sleep(0.2)
        expect_equal({len(gateway.of(c)) for c in calls}, {4}, "INVITEs of each call")
        expect_equal(edge.stats()["in_flight"], 0, "in flight")


@case(seconds=8)
def live_frames_link_mtu_neighbour():
    """The link goes down and comes back, its MTU shrinks below one call, the gateway moves to another MAC."""
    with Edge("[profile p]\nresend_interval = 0.5,0.8,0.5,0.5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n", sender="live-frames") as edge, \
            Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        big, small = softswitch.send(Call(size=1300)), softswitch.send(Call())
        gateway.wait(small, 2, 2)
        gateway.wait(big, 2, 2)
        new = "02:77:00:00:00:99"
        run("ip", "-n", edge.gw_ns, "link", "set", "g0", "address", new)
        run("ip", "-n", edge.edge_ns, "neigh", "replace", "10.77.2.2", "lladdr", new, "nud", "reachable", "dev", "out0")
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "mtu", "1000")
        gateway.wait(small, 5, 3)
        frames = injected(edge, capture, small, 5)
        expect_times(gateway.offsets(small), [0, .5, 1.3, 1.8, 2.3])
        expect_equal([f.destination == new for f in frames], [False, False, True, True, True], "copies to the new MAC")
        expect_equal((len(gateway.of(big)), edge.stats()["over_mtu"]), (2, 3), "INVITEs of the big call, over_mtu")
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "down")
        expect(wait_until(lambda: senders(edge)["out0"] is None, 2), "a sender is in force on a link that is down")
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "up")
        expect(wait_until(lambda: senders(edge)["out0"] == "live-frames", 3), "no sender on the link that is back")


@case(seconds=8)
def live_frames_not_to_be_had():
    """The veth's peer has no GRO: said at once, the softswitch's own copies pass; with GRO on again siprtx sends."""
    with Edge(SHORT, start=False, sender="live-frames") as edge:
        edge.run(edge.gw_ns, "ethtool", "-K", "g0", "gro", "off")
        edge.launch()
        expect(wait_until(lambda: "GRO" in edge.log(), 10), f"the log does not name the cause: {edge.log()}")
        expect_equal((edge.siprtx("status", check=False).returncode, senders(edge)["out0"]), (3, None), "status, sender")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        own = Call()
        for _ in range(3):
            softswitch.send(own)
            time.sleep(0.2)
        expect_equal(len(gateway.of(own)), 3, "the softswitch's own copies that passed")
        edge.run(edge.gw_ns, "ethtool", "-K", "g0", "gro", "on")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 4), "the offload is not active with GRO on again")
        call = softswitch.send(Call())
        gateway.wait(call, 4, 3)
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
