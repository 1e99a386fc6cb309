# SPDX-License-Identifier: GPL-2.0-or-later
"""
Silent calls through an edge server that has one CPU to itself, and what the gateway heard of them.

    with Edge(...) as edge:
        part_cpus(edge)
        gateway = Gateway(edge)
        start = time.time_ns() + 200_000_000
        calls = Calls(edge, 1000, 5000, start)
        calls.done()
        verdict = gateway.judge([500, 1000], until=start + 6_000_000_000)

Who pays for what: CPU EDGE is the edge server, CPU WORLD the softswitch and the gateway's own process. A veth has no
wire of its own: a frame is received in softirq on whatever CPU sent it, down to the socket. So a copy costs EDGE its way
into the gateway's socket too, whoever sends it, siprtx, Kamailio, SIPp or the kernel that forwards; that is the same for
all of them and makes ratios smaller, not greater. What the softswitch sends would be received on WORLD; so the edge's
inside interface gets a NAPI thread (threaded NAPI) on EDGE, before anything else there.
"""
import json
import os
import re
import signal
import subprocess
import time

from edge import run, tool
from figure import Incomplete

EDGE, WORLD = 0, 1
MESSAGE = 1024  # bytes of SIP
SOFTSWITCH, GATEWAY = "10.77.1.2", "10.77.2.2"


def quiet():
    """Waits until nothing else wants CPU EDGE; Incomplete where that never comes."""
    for _ in range(40):
        before = busy_ns()
        time.sleep(0.4)
        after = busy_ns()
        if after[1] - before[1] < 0.15 * (after[0] - before[0]):
            return
    raise Incomplete(f"CPU {EDGE} is busy with something else")


def pinned(edge, namespace, cpu, *command, **keywords):
    """A process in a namespace of the edge, on this CPU alone, its children too."""
    return edge.popen(namespace, "taskset", "-c", str(cpu), *command, **keywords)


def named(start):
    """Ids of the processes whose names begin so."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as f:
                if f.read().startswith(start):
                    found.add(int(pid))
        except OSError:
            pass
    return found


def napi_threads(interface):
    """Ids of the kernel's threads that receive for interfaces of this name, in any namespace."""
    return named(f"napi/{interface}-")


def softirq_threads():
    return named(f"ksoftirqd/{EDGE}\n")


def run_ns(pids):
    """ns that all threads of these processes have run, by the scheduler's own clock; interrupts that hit them are in it."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def part_cpus(edge):
    """
    The edge server's inside interface receives on EDGE. Bench itself goes to WORLD.
    The kernel's threads that work for the edge server alone: process ids.
    """
    before = napi_threads("in0")
    edge.run(edge.sw_ns, "ethtool", "-K", "s0", "tso", "off")  # with it on, the far end receives no datagram by NAPI
    run("ip", "netns", "exec", edge.edge_ns, "sh", "-c", "echo 1 > /sys/class/net/in0/threaded")
    mine = napi_threads("in0") - before
    if not mine:
        raise RuntimeError(f"in0 in {edge.edge_ns} got no NAPI thread")
    for pid in mine:
        os.sched_setaffinity(pid, {EDGE})
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    threads = softirq_threads() | mine
    os.sched_setaffinity(0, {WORLD})
    return threads


def wake(cpu):
    """Ends what idle time the CPU is in, for the kernel adds it up only then: goes there for a moment, before all else."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    os.sched_setaffinity(0, {cpu})
    os.sched_setaffinity(0, {WORLD})
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def busy_ns(cpu=EDGE):
    """(clock, busy time) of a CPU since boot, ns: all that was not idle, interrupts and the kernel's threads in it."""
    wake(cpu)
    with open("/proc/timer_list") as f:
        text = f.read()
    now = int(re.search(r"now at (\d+)", text).group(1))
    own = re.search(rf"^cpu: {cpu}\n(.*?)(?:^cpu: |\Z)", text, re.S | re.M).group(1)

    def field(name):
        return int(re.search(rf"\.{name}\s*: (\d+)", own).group(1))
    return now, now - field("idle_sleeptime") - field("iowait_sleeptime")


class Calls:
    """Silent calls, evenly (tests/bench/calls.c), from `start` on (wall clock, ns)."""

    def __init__(self, edge, rate, count, start, to=GATEWAY, port=5060, size=MESSAGE):
        self.process = pinned(edge, edge.sw_ns, WORLD, tool("calls", "tests/bench/calls.c"), "-s", str(size), "-a", str(start), SOFTSWITCH, str(port), to, "5060",
                              str(rate), str(count), stdout=subprocess.PIPE, text=True)

    def done(self, timeout=120):
        said = self.process.communicate(timeout=timeout)[0]
        if self.process.returncode:
            raise Incomplete(f"the softswitch's calls ended with {self.process.returncode}")
        return json.loads(said)


class Gateway:
    """Hears everything and says nothing (tests/peer/sink.c)."""

    def __init__(self, edge, address=GATEWAY, port=5060):
        self.path, self.summary = f"{edge.directory}/heard-{address}-{port}", None
        self.process = pinned(edge, edge.gw_ns, WORLD, tool("sink", "tests/peer/sink.c"), address, str(port), self.path, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the gateway did not bind {address} port {port}")

    def judge(self, intervals_ms, until, *periods):
        """What judge.c says of the log; ends the gateway. periods: (from, to), wall clock, ns."""
        if not self.summary:
            self.process.send_signal(signal.SIGTERM)
            self.summary = json.loads(self.process.communicate(timeout=60)[0])
            if self.summary["lost"]:
                raise Incomplete(f"the gateway's own socket had no room for {self.summary['lost']} datagrams")
        return json.loads(run(tool("judge", "tests/bench/judge.c"), self.path, ",".join(map(str, intervals_ms)), str(until),
                              *(f"{a}-{b}" for a, b in periods)).stdout)
