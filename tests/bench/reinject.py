# SPDX-License-Identifier: GPL-2.0-or-later
"""Re-injection: how fast copies leave, against a bare AF_XDP loop, counted at the receiver."""
import json
import os
import pathlib
import signal
import statistics
import threading
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from edge import Edge, run, tool, wait_until  # noqa: E402
from frames import udp4  # noqa: E402
from sink import Sink, lateness, percentile  # noqa: E402
from sip import Call  # noqa: E402

ROWS = ()
FRAMES = 60000  # of 65,536 slots: distinct frames, each sent once, none of them in a cache
MESSAGE = 1024  # bytes of SIP
LOAD_RATE = 10000
FAST_FAILOVER = [0, .5, 1.5, 3.5, 7.5, 11.5, 15.5]


def rate(times):
    """Datagrams a second between the first and the last arrival (ns)."""
    return (len(times) - 1) * 1e9 / (max(times) - min(times)) if len(times) > 1 else 0


def close_complete(sink, wanted):
    summary = sink.close()
    if summary["datagrams"] != wanted or summary["lost"]:
        raise RuntimeError(f"{summary['datagrams']} datagrams at the sink, {summary['lost']} lost there, wanted {wanted}")


def raw_afxdp():
    """Datagrams a second of a bare AF_XDP loop over FRAMES distinct frames, from the outside interface to the sink."""
    with Edge(forward_only=True) as edge:
        to, source = (json.loads(run("ip", "-j", "-n", ns, "link", "show", "dev", dev).stdout)[0]["address"]
                      for ns, dev in ((edge.gw_ns, "g0"), (edge.edge_ns, "out0")))
        message = Call(branch="z9hG4bKraw00000000", size=MESSAGE).message
        template = f"{edge.directory}/frame"
        with open(template, "wb") as f:
            f.write(bytes.fromhex((to + source).replace(":", "")) + b"\x08\0" + udp4("10.77.1.2", "10.77.2.2", message, ttl=63, flags=0x4000))
        sink = Sink(edge)
        sender = edge.popen(edge.edge_ns, tool("raw_afxdp", "tests/bench/raw_afxdp.c", "libxdp", "libbpf"), "out0", template, str(FRAMES),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if sender.stdout.readline() != "ready\n":
            raise RuntimeError("raw_afxdp did not get ready")
        sender.communicate("go\n", timeout=60)
        time.sleep(0.5)
        close_complete(sink, FRAMES)
        return rate(sink.times)


def load(softswitch, count, per_second):
    """Sends `count` INVITEs evenly, as fast as one Python thread may."""
    mark = b"branch=z9hG4bKload00000000"
    template = Call(branch=mark[7:].decode(), call_id="load00000000@softswitch.test", size=MESSAGE).message
    start = time.monotonic()
    for n in range(count):
        while time.monotonic() < start + n / per_second:
            time.sleep(0.0005)
        softswitch.socket.sendto(template.replace(b"load00000000", b"load%08x" % n), ("10.77.2.2", 5060))


def reinject():
    """Datagrams a second of siprtxd when FRAMES transactions are due at once: it was stopped while they fell due."""
    interval = FRAMES / LOAD_RATE + 4
    with Edge(f"[profile burst]\nresend_interval = {interval}\nfinal_wait = 60\n[gateway g]\naddress = 10.77.2.2\nprofile = burst\n", max_transactions=65536) as edge:
        sink, softswitch = Sink(edge), edge.softswitch()
        load(softswitch, FRAMES, LOAD_RATE)
        last = time.monotonic()
        wait_until(lambda: edge.stats()["pending"] >= FRAMES, 2, 0.1)
        edge.process.send_signal(signal.SIGSTOP)
        time.sleep(max(0, last + interval + 0.2 - time.monotonic()))
        resumed = time.time_ns()
        edge.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        close_complete(sink, 2 * FRAMES)
        return rate([t for t in sink.times if t >= resumed])


def cpu_seconds(process):
    """CPU time of all threads, of the scheduler's own clock: finer than the ticks of utime and stime."""
    total = 0
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def silent_calls(seconds=22, per_second=1000):
    """
    1,000 silent calls a second on fast-failover: lateness at the sink, CPU time a retransmission while as many calls
    end as begin (new calls, records and journal in it), idle time taken off.
    A veth hands a frame over inside the sender's system call: the gateway's receive path is in that CPU time.
    """
    with Edge("[gateway g]\naddress = 10.77.2.2\nprofile = fast-failover\n", max_transactions=65536) as edge:
        sink = Sink(edge)
        time.sleep(1)
        before, start = cpu_seconds(edge.process), time.monotonic()
        time.sleep(3)
        idle = (cpu_seconds(edge.process) - before) / (time.monotonic() - start)
        softswitch = edge.softswitch()
        calling = threading.Thread(target=load, args=(softswitch, seconds * per_second, per_second))
        calling.start()
        time.sleep(FAST_FAILOVER[-1] + 1)  # from here on as many calls end as begin
        before, start, sends = cpu_seconds(edge.process), time.monotonic(), edge.stats()["sends"]
        time.sleep(seconds - FAST_FAILOVER[-1] - 2)
        used = cpu_seconds(edge.process) - before - idle * (time.monotonic() - start)
        sends = edge.stats()["sends"] - sends
        calling.join()
        time.sleep(FAST_FAILOVER[-1] + 1.5)
        close_complete(sink, seconds * per_second * len(FAST_FAILOVER))
        late = lateness(sink.arrivals, FAST_FAILOVER)
        return {"lateness_ms": {"p50": round(percentile(late, .5), 3), "p99": round(percentile(late, .99), 3), "max": round(late[-1], 3)},
                "cpu_us_per_retransmission": round(used * 1e6 / sends, 2), "idle_cpu_percent": round(idle * 100, 2)}


def measure(rounds=5, say=print):
    raw, ours = [], []
    for n in range(rounds):
        raw.append(raw_afxdp())
        ours.append(reinject())
        say(f"  round {n + 1}: raw AF_XDP {raw[-1]:,.0f}, siprtx {ours[-1]:,.0f} datagrams/s")
    return {"raw_afxdp_pps": round(statistics.median(raw)), "reinject_pps": round(statistics.median(ours)),
            "reinject_of_raw": round(statistics.median(ours) / statistics.median(raw), 3), **silent_calls()}
