# SPDX-License-Identifier: GPL-2.0-or-later
"""What changes under a siprtxd at work: links, addresses, MTU, queues, other XDP programs."""
import glob
import os
import re
import time

from case import case, expect, expect_equal, expect_times, only
from edge import Edge, run, wait_until
from frames import Capture
from sip import Call, respond


def profile(intervals, final="0.5"):
    return f"[profile p]\nresend_interval = {intervals}\nfinal_wait = {final}\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n"


def ip(edge, *arguments, namespace=None):
    run("ip", "-n", namespace or edge.edge_ns, *arguments)


def active(edge, what):
    expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 10), f"{what}: status is not 0: {edge.siprtx('status', check=False).stdout}")


@case(seconds=8)
def mtu_in_mid_transaction():
    """The outside link's MTU falls below a held INVITE's size: no copy of it, counted, the softswitch's own passes; a smaller one goes on. Raised again: so does the first."""
    with Edge(profile("0.5,0.5,0.5,0.5,0.5,0.5")) as edge, Capture(edge.gw_ns, "g0") as capture:
        softswitch, gateway = edge.softswitch(dont_fragment=False), edge.gateway()
        big, small = softswitch.send(Call(size=1200)), softswitch.send(Call())
        gateway.wait(big, 2, 2)
        ip(edge, "link", "set", "out0", "mtu", "1000")
        time.sleep(0.65)
        expect_equal(edge.stats()["over_mtu"], 1, "stat over_mtu, one copy of the big call later")
        softswitch.send(big)
        time.sleep(0.2)
        expect_equal(edge.counters()["copy_passed"], 1, "counter copy_passed")
        ip(edge, "link", "set", "out0", "mtu", "1500")
        only(edge.wait_journal(big, 4), "records of the big call")
        offsets = gateway.offsets(big)
        expect_times(gateway.offsets(small), [0, .5, 1, 1.5, 2, 2.5, 3], "the small call")
        # its own copy, in fragments, stands for the next one; the schedule goes on from it
        copy = offsets[2]
        expect(1.1 < copy < 1.45, f"the softswitch's own copy at {copy:.3f}")
        expect_times(offsets, [0, .5, copy, copy + .5, copy + 1, copy + 1.5], "the big call")
        expect(all(a.data == big.message for a in gateway.of(big)), "a copy differs")
        expect_equal([len(f.payload) > 1000 for f in capture.of(big)].count(True), 5, "whole frames of the big call on the link")
        expect_equal(edge.stats()["over_mtu"], 1, "stat over_mtu")


@case(seconds=8)
def route_changes_in_mid_transaction():
    """Another next hop on the same link: the copies follow it. A route that leads nowhere: none is sent, counted; back again: on by the schedule. IPv4 and IPv6."""
    with Edge(profile("0.6,0.6,0.6,0.6,0.6") + "[gateway far]\naddress = 10.99.0.0/24\nprofile = p\n[gateway far6]\naddress = fd99::/64\nprofile = p\n") as edge, Capture(edge.gw_ns, "g0") as capture:
        new = "02:77:00:00:00:99"
        families = (("-4", "10.99.0.2", "10.77.2.2", "10.77.2.3", "10.77.1.2"), ("-6", "fd99::2", "fd77:2::2", "fd77:2::3", "fd77:1::2"))

        def route(*arguments):
            for family, far, via, other, _ in families:
                ip(edge, family, "route", "replace", far, *[{"VIA": via, "OTHER": other}.get(a, a) for a in arguments])
        for family, far, via, other, _ in families:
            ip(edge, "address", "add", far, "dev", "lo", namespace=edge.gw_ns)
            ip(edge, "neigh", "replace", other, "lladdr", new, "nud", "permanent", "dev", "out0")
        route("via", "VIA")
        calls = [edge.softswitch(source).send(Call(to=far, src=source)) for _, far, _, _, source in families]

        def copies(n):
            return wait_until(lambda: all(len(capture.of(c)) == n for c in calls), 2)
        expect(copies(2), "no first copy")
        route("via", "OTHER", "dev", "out0")
        expect(copies(3), "no copy by the other next hop")
        for family, far, *_ in families:
            ip(edge, family, "route", "replace", "unreachable", far)
        time.sleep(0.65)
        expect_equal(edge.stats()["rerouted"], 2, "stat rerouted")
        for family, far, *_ in families:
            ip(edge, family, "route", "delete", "unreachable", far)
        route("via", "VIA")
        for call in calls:
            only(edge.wait_journal(call, 4), "records")
            frames = capture.of(call)
            expect_times([f.time - frames[0].time for f in frames], [0, .6, 1.2, 2.4, 3], f"INVITEs to {call.to}")
            expect_equal([f.destination == new for f in frames], [False, False, True, False, False], f"INVITEs to {call.to} by the other next hop")


@case(seconds=12)
def inside_goes_and_comes():
    """The inside interface down and up, deleted and made anew in mid-transaction: what is held goes on by its schedule; then new calls are served again."""
    with Edge(profile("1,1,1,1,1,1")) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        held = softswitch.send(Call())
        gateway.wait(held, 1, 1)
        ip(edge, "link", "set", "in0", "down")
        time.sleep(0.5)
        ip(edge, "link", "set", "in0", "up")
        answered = Call()

        def served():
            softswitch.send(answered)
            return gateway.of(answered)
        expect(wait_until(served, 3, 0.1), "nothing passes with in0 up again")
        gateway.send(respond(answered.message, 486), "10.77.1.2")
        expect(softswitch.wait(answered, 1, 2), "the answer does not pass with in0 up again")
        ip(edge, "link", "delete", "in0")
        edge.drop(softswitch)
        run("ip", "link", "add", "s0", "netns", edge.sw_ns, "type", "veth", "peer", "name", "in0", "netns", edge.edge_ns)
        for namespace, interface, address in ((edge.edge_ns, "in0", "10.77.1.1/24"), (edge.sw_ns, "s0", "10.77.1.2/24")):
            run("nsenter", f"--net=/run/netns/{namespace}", "ethtool", "-K", interface, "gro", "on")
            ip(edge, "address", "add", address, "dev", interface, namespace=namespace)
            ip(edge, "link", "set", interface, "up", namespace=namespace)
        ip(edge, "route", "add", "default", "via", "10.77.1.1", namespace=edge.sw_ns)
        active(edge, "in0 made anew")
        softswitch = edge.softswitch()
        new = softswitch.send(Call())
        only(edge.wait_journal(held, 9), "records of the held call")
        expect_times(gateway.offsets(held), [0, 1, 2, 3, 4, 5, 6], "the held call")
        gateway.wait(new, 3, 4)
        expect_times(gateway.offsets(new)[:3], [0, 1, 2], "a call after in0 was made anew")
        expect("programs attached again" in edge.log(), f"the log does not say so: {edge.log()}")


@case(seconds=12)
def outside_goes_and_comes():
    """The outside interface down and up, deleted and made anew in mid-transaction: the copies due meanwhile are left out, the others leave on schedule, to the new interface too."""
    with Edge(profile("1,1,1,1,1,1,1,1")) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        held = softswitch.send(Call())
        gateway.wait(held, 1, 1)
        began = time.monotonic()
        time.sleep(0.5)
        ip(edge, "link", "set", "out0", "down")
        time.sleep(1)
        ip(edge, "link", "set", "out0", "up")
        time.sleep(max(0, began + 2.5 - time.monotonic()))
        before = [round(t) for t in gateway.offsets(held)]
        # a veth that was down may take a moment: the copy at 2 s is there if the socket was bound by then
        expect(before in ([0, 2], [0]), f"INVITEs at {before} s, wanted none while out0 was down")
        ip(edge, "link", "delete", "out0")
        edge.drop(gateway)
        run("ip", "link", "add", "g0", "netns", edge.gw_ns, "type", "veth", "peer", "name", "out0", "netns", edge.edge_ns)
        for namespace, interface, address in ((edge.edge_ns, "out0", "10.77.2.1/24"), (edge.gw_ns, "g0", "10.77.2.2/24")):
            run("nsenter", f"--net=/run/netns/{namespace}", "ethtool", "-K", interface, "gro", "on")
            ip(edge, "address", "add", address, "dev", interface, namespace=namespace)
            ip(edge, "link", "set", interface, "up", namespace=namespace)
        ip(edge, "route", "add", "default", "via", "10.77.2.1", namespace=edge.gw_ns)
        gateway = edge.gateway()
        active(edge, "out0 made anew")
        ready = time.monotonic() - began
        new = softswitch.send(Call())
        only(edge.wait_journal(held, 12), "records of the held call")
        start = time.time() - (time.monotonic() - began)
        got = [a.time - start for a in gateway.of(held)]
        wanted = [t for t in range(3, 9) if t > ready + 0.1]
        expect(wanted and len(got) >= len(wanted), f"INVITEs after out0 was made anew, {ready:.2f} s: at {got}")
        for g in got:
            expect(abs(g - round(g)) < 0.06, f"INVITEs after out0 was made anew at {got}: off the schedule")
        gateway.wait(new, 3, 4)
        expect_times(gateway.offsets(new)[:3], [0, 1, 2], "a call after out0 was made anew")


@case(seconds=8)
def addresses_change():
    """The edge's addresses on both sides and the softswitch's own change in mid-transaction: what is held goes on as captured; calls from the new address are served."""
    with Edge(profile("0.5,1,1,1")) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        held = softswitch.send(Call())
        gateway.wait(held, 2, 2)
        for interface, old, new in (("out0", "10.77.2.1/24", "10.77.2.77/24"), ("in0", "10.77.1.1/24", "10.77.1.77/24")):
            ip(edge, "address", "delete", old, "dev", interface)
            ip(edge, "address", "add", new, "dev", interface)
        for namespace, via in ((edge.gw_ns, "10.77.2.77"), (edge.sw_ns, "10.77.1.77")):
            ip(edge, "route", "replace", "default", "via", via, namespace=namespace)
        ip(edge, "address", "add", "10.77.1.3/24", "dev", "s0", namespace=edge.sw_ns)
        moved = edge.softswitch("10.77.1.3")
        new = moved.send(Call(src="10.77.1.3"))
        answered = moved.send(Call(src="10.77.1.3"))
        gateway.wait(answered, 1, 2)
        gateway.send(respond(answered.message, 486), "10.77.1.3")
        for call in (held, new):
            only(edge.wait_journal(call, 6), "records")
            expect_times(gateway.offsets(call), [0, .5, 1.5, 2.5, 3.5])
        expect_equal((len(gateway.of(answered)), len(moved.of(answered))), (1, 1), "INVITEs, responses of the answered call")


@case(seconds=8)
def queues_change():
    """ethtool -L on both sides in mid-transaction, up and down: nothing is missed, what is held and what is new goes on by its schedule."""
    with Edge(profile("0.5,1,1,1"), start=False) as edge:
        def channels(n):
            ends = [(edge.sw_ns, "s0"), (edge.gw_ns, "g0"), (edge.edge_ns, "in0"), (edge.edge_ns, "out0")]
            for namespace, interface in ends + ends:  # a veth refuses fewer RX queues than its peer has TX queues
                run("nsenter", f"--net=/run/netns/{namespace}", "ethtool", "-L", interface, "rx", str(n), "tx", str(n), check=False)
            shown = edge.run(edge.edge_ns, "ethtool", "-l", "out0").stdout
            return [int(n) for n in re.findall(r"[RT]X:\s+(\d+)", shown)]
        for here, there, near, far in ((edge.sw_ns, edge.edge_ns, "s0", "in0"), (edge.gw_ns, edge.edge_ns, "g0", "out0")):
            ip(edge, "link", "delete", far)
            run("ip", "link", "add", near, "numrxqueues", "4", "numtxqueues", "4", "netns", here, "type", "veth", "peer", "name", far,
                "numrxqueues", "4", "numtxqueues", "4", "netns", there)
        for namespace, interface, address in ((edge.edge_ns, "in0", "10.77.1.1"), (edge.sw_ns, "s0", "10.77.1.2"), (edge.edge_ns, "out0", "10.77.2.1"), (edge.gw_ns, "g0", "10.77.2.2")):
            run("nsenter", f"--net=/run/netns/{namespace}", "ethtool", "-K", interface, "gro", "on")
            ip(edge, "address", "add", f"{address}/24", "dev", interface, namespace=namespace)
            ip(edge, "link", "set", interface, "up", namespace=namespace)
        for namespace, via in ((edge.sw_ns, "10.77.1.1"), (edge.gw_ns, "10.77.2.1")):
            ip(edge, "route", "add", "default", "via", via, namespace=namespace)
        expect_equal(channels(4), [4, 4, 4, 4], "queues")
        edge.start()
        softswitch, gateway = edge.softswitch(), edge.gateway()
        held = softswitch.send(Call())
        gateway.wait(held, 2, 2)
        expect_equal(channels(1), [4, 4, 1, 1], "queues, most and now")
        new = softswitch.send(Call())
        gateway.wait(held, 3, 2)
        expect_equal(channels(3), [4, 4, 3, 3], "queues, most and now")
        for call in (held, new):
            only(edge.wait_journal(call, 6), "records")
            expect_times(gateway.offsets(call), [0, .5, 1.5, 2.5, 3.5])
        active(edge, "queues changed")


@case(seconds=6)
def another_program_is_there():
    """Somebody's XDP program, or libxdp's dispatcher, is on the interface: check and load name it and what to do, nothing is left half done; taken off, siprtx loads."""
    with Edge(start=False) as edge:
        def refused(words):
            for said in (edge.siprtx("load", check=False), edge.siprtx("check", check=False), edge.siprtxd()):
                text = said.stdout + said.stderr
                expect(said.returncode == 1 and all(w in text for w in words), f"wanted {words}, says {said.returncode} {text}")
            expect(not os.path.exists(edge.pin_path), "something was loaded")
        # as libxdp loads it, with no program in it; whether it can put some in depends on the kernel
        edge.put_program("out0", only(glob.glob("/usr/lib/*/bpf/xdp-dispatcher.o"), "dispatchers of libxdp"))
        refused(["dispatcher", "xdp-loader unload out0 --all", "out0"])
        edge.run(edge.edge_ns, "ip", "link", "set", "out0", "xdp", "off")
        edge.put_program("out0", only(glob.glob("/usr/lib/*/bpf/xsk_def_xdp_prog.o"), "programs of libxdp"))
        refused(["another XDP program", "ip link set out0 xdp off"])
        edge.run(edge.edge_ns, "ip", "link", "set", "out0", "xdp", "off")
        edge.siprtx("load")
