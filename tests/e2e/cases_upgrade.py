# SPDX-License-Identifier: GPL-2.0-or-later
"""Another program, another configuration, another ABI under live traffic: no datagram is lost, calls in progress finish on schedule."""
import glob
import json
import os
import re
import signal
import subprocess
import time

import other_abi
from case import TOLERANCE, case, expect, expect_equal, expect_times, only
from cases_rights import LOADER, capabilities
from edge import Edge, tool, wait_until
from sip import Call, respond

STEADY = "10.77.2.9"


class Steady:
    """Traffic through the edge in four streams (tests/peer/steady.c); leaving it judges that each datagram arrived, once, as it was sent."""

    def __init__(self, edge, rate=500):
        self.rate = rate
        self.process = edge.popen(edge.sw_ns, tool("steady", "tests/peer/steady.c"), edge.sw_ns, "10.77.1.2", edge.gw_ns, STEADY, str(rate), stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the steady traffic did not begin")
        self.began = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            return
        seconds = time.monotonic() - self.began
        self.process.terminate()
        result = json.loads(self.process.communicate(timeout=20)[0])
        for name, stream in result.items():
            expect(stream["sent"] >= 0.5 * self.rate * seconds, f"{name}: the traffic was none: {stream}")
            expect_equal((stream["lost"], stream["doubled"], stream["changed"]), (0, 0, 0), f"{name}: datagrams lost, doubled, changed of {stream['sent']}")
        self.sent = sum(s["sent"] for s in result.values())


def profile(intervals, final="0.5"):
    return f"[profile p]\nresend_interval = {intervals}\nfinal_wait = {final}\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n"


def judge(edge, gateway, calls, offsets, tolerance=TOLERANCE):
    """Each call by its schedule, byte for byte, and recorded once."""
    for n, call in enumerate(calls):
        expect_times(gateway.offsets(call), offsets, f"call {n}", tolerance)
        expect(all(a.data == call.message for a in gateway.of(call)), f"call {n}: a copy differs")
        expect_equal(only(edge.exhausted(call), f"records of call {n}")["sends"], len(offsets), f"sends in the record of call {n}")


def ring(edge, softswitch, gateway):
    """A call that rings, and so is held until hang_up()."""
    call = softswitch.send(Call())
    gateway.wait(call, 1, 2)
    gateway.send(respond(call.message, 180), "10.77.1.2")
    expect(wait_until(lambda: edge.stats()["proceeding"] == 1, 2), "the ringing call is not held")
    return call


def hang_up(gateway, call):
    gateway.send(respond(call.message, 486), "10.77.1.2")


def background(edge, *arguments, build=None, prefix=()):
    return edge.popen(edge.edge_ns, *prefix, f"{build or edge.build}/siprtx", "-c", edge.configuration_path, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def programs(edge):
    """The ids of the programs attached, by interface."""
    shown = json.loads(edge.run(edge.edge_ns, "ip", "-j", "link", "show").stdout)
    return {i["ifname"]: i["xdp"]["prog"]["id"] for i in shown if "xdp" in i}


def nothing_left(edge):
    folders = [f for f in os.listdir("/sys/fs/bpf") if f.startswith(edge.name)]
    expect_equal((folders, programs(edge)), ([], {}), "folders of pins, programs")


@case(seconds=18)
def upgrade_in_place():
    """siprtxd restarted three times and other programs loaded between, under 2,000 datagrams a second: none lost; each call keeps its schedule and has one record."""
    with Edge(profile("4,4,4", "1"), gateways=[f"{STEADY}/24"]) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        loads = []
        with Steady(edge) as steady:
            began = time.monotonic()
            calls = [softswitch.send(Call()) for _ in range(25)]
            expect(wait_until(lambda: edge.stats()["taken"] == 25, 2), "the calls were not taken")
            for n in range(3):
                time.sleep(max(0, began + 4 * n + 0.1 - time.monotonic()))
                expect_equal(edge.stop(), 0, "exit status of siprtxd")
                edge.start()
                restarted = time.monotonic() - began - 4 * n
                while not loads or time.monotonic() < began + 4 * n + 3.5:
                    edge.settings["sip_ports"] = "5060" if len(loads) % 2 else "5060,5080"
                    edge.write_configuration()
                    loads.append((edge.siprtx("load", check=False), programs(edge)))
            wait_until(lambda: len(edge.exhausted()) == 25, began + 16 - time.monotonic(), 0.1)
        judge(edge, gateway, calls, [0, 4, 8, 12])
        for loaded, _ in loads:
            expect_equal(loaded.returncode, 0, f"exit status of siprtx load, {loaded.stderr}")
        kinds = [p for _, p in loads]
        expect(all(set(p) == {"in0", "out0"} for p in kinds), f"an interface without a program: {kinds}")
        expect_equal(len({p["in0"] for p in kinds}), len(kinds), "different programs")
        expect_equal(edge.counters()["captured"], 25, "counter captured")
        return f"{steady.sent} datagrams, {len(loads)} loads, the last restart took {restarted:.1f} s"


@case(seconds=20)
def another_abi_takes_over():
    """From ABI 1 to 2 and back, under 2,000 datagrams a second: none lost; what is held ends on schedule, new calls pass meanwhile, then the new ABI takes them."""
    build = other_abi.build()
    with Edge(profile("0.5,1,1", "0.5"), gateways=[f"{STEADY}/24"]) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        offsets, said = [0, .5, 1.5, 2.5], []
        with Steady(edge) as steady:
            for new, version in ((build, "2"), (edge.build, "1")):
                calls = [softswitch.send(Call()) for _ in range(10)]
                expect(wait_until(lambda: edge.stats()["pending"] == 10, 2), "the calls were not taken")
                ringing = ring(edge, softswitch, gateway)
                before, old = programs(edge), edge.process
                load = background(edge, "load", build=new)
                told = next((line for line in load.stderr if "waiting until" in line), "")
                time.sleep(0.1)
                passing = softswitch.send(Call())
                expect_equal((load.poll(), programs(edge)), (None, before), "exit status of the load while calls are held, programs")
                hang_up(gateway, ringing)
                told += load.communicate(timeout=15)[1]
                expect_equal(load.returncode, 0, f"exit status of the load, {told}")
                said.append(told)
                judge(edge, gateway, calls, offsets)
                expect_equal(len(gateway.of(passing)), 1, "INVITEs of a call that came meanwhile")
                after = programs(edge)
                expect(set(after) == set(before) and not set(after.values()) & set(before.values()), f"programs {before} before, {after} after")
                expect(not os.path.exists(f"{edge.pin_path}-former"), "the old maps are still pinned")
                expect_equal(old.wait(5), 0, "exit status of the old siprtxd")
                edge.build = new
                expect(f"maps of version {version}" in edge.siprtx("--version").stdout, "the other build is not the other version")
                edge.start()
                calls = [softswitch.send(Call()) for _ in range(5)]
                wait_until(lambda: all(edge.exhausted(c) for c in calls), 6)
                judge(edge, gateway, calls, offsets)
                expect_equal((edge.counters()["captured"], edge.stats()["no_response"]), (5, 5), "counters captured, no_response of the new maps")
        for told in said:
            expect(re.search(r"[1-9]\d* transactions now", told) and "holds nothing any more" in told and "taken over" in told, f"the load says {told}")
        seqs = [r["seq"] for r in edge.records()]
        expect_equal((seqs, len(edge.journal())), (list(range(1, len(seqs) + 1)), 30), "seq of the records, records of calls")
        edge.stop()
        edge.siprtx("unload")
        nothing_left(edge)
        return f"{steady.sent} datagrams"


@case(seconds=12)
def another_abi_without_a_controller():
    """No siprtxd is left of the old ABI: switched at once, the log says what was held, and the softswitch's own copies pass. The new siprtxd may do it itself."""
    build = other_abi.build()
    with Edge(profile("4,4"), gateways=[f"{STEADY}/24"]) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        former = edge.build
        for held, stop in ((1, edge.stop), (2, edge.kill)):  # the copy that passes is a call to the new maps
            with Steady(edge):
                call = softswitch.send(Call())
                expect(wait_until(lambda: edge.stats()["pending"] == held, 2), "the call was not taken")
                stop()
                if stop == edge.kill:
                    edge.siprtx("set", "capture", "0")  # it is the operator's, and stays
                edge.build = former if edge.build == build else build
                if stop == edge.stop:
                    loaded = edge.siprtx("load")
                    expect(f"{held} transactions it held are left" in loaded.stderr, f"the load says {loaded.stderr}")
                    edge.start()
                else:
                    edge.launch()
                    mark = f"{held} transactions it held are left"
                    expect(wait_until(lambda: "ready" in edge.log().partition(mark)[2], 20), f"siprtxd says {edge.log()}")
                softswitch.send(call)
                expect_equal(len(gateway.wait(call, 2, 1)), 2, "the softswitch's own copy at the gateway")
        expect_equal(edge.json("show", "tunables")["tunables"]["capture"]["value"], 0, "capture")
        edge.siprtx("set", "capture", "1")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 5), "status is not 0")
        edge.kill()
        edge.build = build
        edge.siprtx("unload")
        nothing_left(edge)


@case(seconds=15)
def another_abi_half_way():
    """Time over, Ctrl-C, SIGKILL in the middle: the old ABI is in force with its capture as before, at once or by the next load; an unload leaves nothing."""
    build = other_abi.build()
    with Edge(profile("3,3,3,3")) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        old = edge.build

        def capture():
            return edge.json("show", "tunables")["tunables"]["capture"]["value"]

        def in_force(what):
            expect(not os.path.exists(f"{edge.pin_path}-former"), f"{what}: pins are left aside")
            expect_equal(capture(), 1, f"{what}: capture")
            expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 5), f"{what}: status is not 0")

        def half_way(*arguments):
            load = background(edge, "load", *arguments, build=build)
            for line in load.stderr:
                if "waiting until" in line:
                    return load
            raise RuntimeError("the load did not come to wait")
        call = softswitch.send(Call())
        expect(wait_until(lambda: edge.stats()["pending"] == 1, 2), "the call was not taken")
        edge.build = build
        said = edge.siprtx("status", check=False)
        expect(said.returncode == 1 and "are of version 1, this siprtx is of version 2" in said.stderr, f"status of version 2 says {said.returncode} {said.stderr}")
        said = edge.siprtx("check", check=False)
        expect(said.returncode == 0 and "maps of version 1" in said.stdout and "transactions in them" in said.stdout, f"check of version 2 says {said.returncode} {said.stdout}")
        refused = edge.siprtxd()
        expect(refused.returncode == 1 and "siprtxd of version 1" in refused.stderr and str(edge.process.pid) in refused.stderr, f"siprtxd of version 2 says {refused.stderr}")
        edge.build = old
        before = programs(edge)
        ringing = ring(edge, softswitch, gateway)
        load = half_way("-t", "0.5")
        _, told = load.communicate(timeout=10)
        expect(load.returncode == 1 and re.search("still holds [12] transactions", told) and "(-t)" in told, f"time over: {load.returncode} {told}")
        in_force("time over")
        load = half_way()
        time.sleep(0.5)
        load.send_signal(signal.SIGINT)
        _, told = load.communicate(timeout=10)
        expect(load.returncode == 1 and "interrupted" in told, f"Ctrl-C: {load.returncode} {told}")
        in_force("Ctrl-C")
        load = half_way()
        time.sleep(0.5)
        refused = edge.siprtx("load", check=False)
        expect(refused.returncode == 1 and "another `siprtx load`" in refused.stderr, f"a second load says {refused.stderr}")
        refused = edge.siprtx("unload", check=False)
        expect(refused.returncode == 1 and "at work" in refused.stderr, f"unload says {refused.stderr}")
        edge.build = build
        said = edge.siprtx("status", check=False)
        expect(said.returncode == 3 and "still being taken over from" in said.stdout, f"status meanwhile says {said.returncode} {said.stdout}")
        edge.build = old
        refused = edge.siprtxd()
        expect(refused.returncode == 1 and "taking over" in refused.stderr, f"another siprtxd says {refused.stderr}")
        load.kill()
        load.wait()
        mended = edge.siprtx("load")
        expect("broken off" in mended.stderr, f"the load after a killed one says {mended.stderr}")
        in_force("killed")
        expect_equal(set(programs(edge)), set(before), "interfaces with programs")
        wait_until(lambda: edge.exhausted(call), 14)
        judge(edge, gateway, [call], [0, 3, 6, 9, 12])
        load = half_way()
        load.kill()
        load.wait()
        edge.stop()
        hang_up(gateway, ringing)
        expect(softswitch.wait(ringing, 2, 2), "the answer does not pass half way")
        edge.siprtx("unload")
        nothing_left(edge)


@case(seconds=15)
def another_abi_fails_in_the_switch():
    """An interface refuses the new program after others have theirs: all have the old ones again, which serve on. A load killed there is gone on with, by its own version alone."""
    build = other_abi.build()
    with Edge(profile("1,1,1"), gateways=[f"{STEADY}/24"]) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        edge.run(edge.edge_ns, "ip", "link", "add", "in1", "type", "veth", "peer", "name", "s1")
        with Steady(edge):
            before = programs(edge)
            held, ringing = softswitch.send(Call()), ring(edge, softswitch, gateway)
            # with what systemd's unit has, no more
            load = background(edge, "load", "-o", "siprtx.inside=in0,in1", build=build, prefix=capabilities(*LOADER, "chown", "dac_override"))
            expect(any("waiting until" in line for line in load.stderr), "the load did not come to wait")
            edge.put_program("in1", only(glob.glob("/usr/lib/*/bpf/xsk_def_xdp_prog.o"), "programs of libxdp"))
            hang_up(gateway, ringing)
            _, told = load.communicate(timeout=15)
            expect(load.returncode == 1 and "another XDP program" in told and "in1" in told, f"the load says {load.returncode} {told}")
            after = programs(edge)
            expect_equal({k: after.get(k) for k in ("in0", "out0")}, before, "programs")
            expect(not os.path.exists(f"{edge.pin_path}-former"), "pins are left aside")
            judge(edge, gateway, [held], [0, 1, 2, 3], 0.2)  # the kernel verifies programs all the time
            expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 5), "status is not 0")
            edge.run(edge.edge_ns, "ip", "link", "delete", "in1")
            ringing = ring(edge, softswitch, gateway)
            load = background(edge, "load", build=build)
            expect(any("waiting until" in line for line in load.stderr), "the load did not come to wait")
            load.kill()
            load.wait()
            os.rename(f"{edge.pin_path}-former/link_out0", f"{edge.pin_path}/link_out0")  # where it would have been killed
            refused = edge.siprtx("load", check=False)
            expect(refused.returncode == 1 and "broken off half way" in refused.stderr, f"a load of the old version says {refused.stderr}")
            edge.stop()
            edge.build = build
            edge.siprtx("load")
            expect(not os.path.exists(f"{edge.pin_path}-former"), "pins are left aside")
            after = programs(edge)
            expect(set(after) == {"in0", "out0"} and not set(after.values()) & set(before.values()), f"programs {before} before, {after} after")
            edge.start()
            call = softswitch.send(Call())
            wait_until(lambda: edge.exhausted(call), 6)
            judge(edge, gateway, [call], [0, 1, 2, 3])
            hang_up(gateway, ringing)
            expect(softswitch.wait(ringing, 2, 2), "the answer to the call that was held does not pass")
