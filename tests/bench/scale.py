# SPDX-License-Identifier: GPL-2.0-or-later
"""Scale: many pending calls at once on one core: memory, CPU, lateness, and how soon a killed daemon sends again."""
import json
import os
import re
import time

from edge import BUILD, Edge, run, wait_until
from figure import Incomplete, Row, spread
from silent import EDGE, Calls, Gateway, busy_ns, part_cpus, pinned, quiet

# Calls, the table they are in, and the one interval of their list, s: all of them are called in one, and after it their
# copies leave as evenly as they came.
SIZES = ((10_000, 16_384, 12), (100_000, 131_072, 12), (1_000_000, 1_048_576, 30))
LOOK = 6  # s of copies that are judged
RESTARTS = 3
NAMES = {10_000: "10 k", 100_000: "100 k", 1_000_000: "1 M"}


def rows(calls):
    of, largest = f"{NAMES[calls]} pending", calls == 1_000_000
    held = lambda key: f"calls_{calls}.{key}"  # noqa: E731
    return (Row(f"{of}: memory of a call", held("bytes_per_call"), "B", "<= 2,290 B", lambda v: v <= 2290),
            Row(f"{of}: copies a second", held("copies_per_second"), "/s"),
            Row(f"{of}: CPU", held("cpu_ms_per_second"), "ms/s"),
            Row(f"{of}: CPU of a copy", held("cpu_us_per_copy"), "us"),
            Row(f"{of}: lateness, p50", held("late_ms.p50"), "ms"),
            Row(f"{of}: lateness, p99", held("late_ms.p99"), "ms", "<= 5 ms" if largest else "<= 1 ms", lambda v: v <= (5 if largest else 1)),
            Row(f"{of}: killed, and sends again after", held("restart_s"), "s", "< 2 s", lambda v: v < 2))


ROWS = tuple(row for calls, _, _ in SIZES for row in rows(calls))


def pin_daemon(edge):
    for task in os.listdir(f"/proc/{edge.process.pid}/task"):
        os.sched_setaffinity(int(task), {EDGE})


def memory_per_call(edge, calls):
    """
    Bytes: what the daemon holds for itself, and of each map that has an entry for each transaction its share. The
    kernel's own book of an AF_XDP socket's frames is not in it.
    """
    with open(f"/proc/{edge.process.pid}/status") as f:
        own = int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1)) * 1024
    room = edge.settings["max_transactions"]
    pins = (run("bpftool", "-j", "map", "show", "pinned", f"{edge.pin_path}/{name}", check=False) for name in os.listdir(edge.pin_path))
    maps = [json.loads(pin.stdout) for pin in pins if not pin.returncode]  # programs and links are pinned there too
    return own / calls + sum(m["bytes_memlock"] for m in maps if m["max_entries"] >= room) / room


def restart_s(edge, calls):
    """Killed, started again: seconds until all that is due goes out and the heartbeat says so."""
    edge.kill()
    former = edge.log().count("siprtxd: ready")
    adopted = edge.stats()["adopted"]
    start = time.monotonic()
    with open(edge.log_path, "a") as log:
        edge.process = pinned(edge, edge.edge_ns, EDGE, f"{BUILD}/siprtxd", "-c", edge.configuration_path, stdout=log, stderr=log)
    if not wait_until(lambda: edge.log().count("siprtxd: ready") > former, 30, 0.005):
        raise Incomplete(f"siprtxd is not ready 30 s after it was killed: {edge.log()[-500:]}")
    took = time.monotonic() - start
    adopted = edge.stats()["adopted"] - adopted
    if adopted != calls:
        raise Incomplete(f"{adopted} of {calls} calls were taken up again")
    return took


def held(calls, room, interval, restarts):
    profile = f"[profile held]\nresend_interval = {interval},3600\nfinal_wait = 3600\n[gateway g]\naddress = 10.77.2.2\nprofile = held\n"
    with Edge(profile, max_transactions=room) as edge:
        edge.send_no_options()
        part_cpus(edge)
        pin_daemon(edge)
        quiet()
        a, _ = busy_ns(), time.sleep(2)
        b = busy_ns()
        idle = (b[1] - a[1]) / (b[0] - a[0])
        gateway = Gateway(edge)
        start = time.time_ns() + 200_000_000
        said = Calls(edge, calls / interval, calls, start).done()
        if said["sent"] != calls:
            raise Incomplete(f"{said['sent']} of {calls} calls were made")
        from_ns = start + int((interval + 1) * 1e9)
        time.sleep(max(0, (from_ns - time.time_ns()) / 1e9))
        pending = edge.stats()["pending"]
        if pending != calls:
            raise Incomplete(f"{pending} of {calls} calls are pending")
        memory = memory_per_call(edge, calls)
        a, sends, _ = busy_ns(), edge.stats()["sends"], time.sleep(LOOK)
        b, sends = busy_ns(), edge.stats()["sends"] - sends
        until = time.time_ns() - 50_000_000
        verdict = gateway.judge([interval * 1000], until, (from_ns, until))
        if verdict["missing"] or verdict["doubled"]:
            raise Incomplete(f"{verdict['missing']} copies are missing, {verdict['doubled']} came twice")
        share = (b[1] - a[1]) / (b[0] - a[0]) - idle
        again = [restart_s(edge, calls) for _ in range(restarts)]
    return {"bytes_per_call": round(memory), "copies_per_second": round(sends / LOOK), "cpu_ms_per_second": round(share * 1000, 1),
            "cpu_us_per_copy": round(share * (b[0] - a[0]) / 1000 / sends, 2),
            "late_ms": {name: round(verdict["late_us"][name] / 1000, 3) for name in ("min", "p50", "p99", "max")}, "restart_s": spread(again)}


def measure(rounds=5, say=print):
    result = {}
    for calls, room, interval in SIZES:
        r = result[f"calls_{calls}"] = held(calls, room, interval, min(rounds, RESTARTS))
        say(f"{NAMES[calls]} pending: {r}")
    return result
