# SPDX-License-Identifier: GPL-2.0-or-later
"""One source sends more new calls than siprtx can hold: the others are served all the same."""
import json
import re
import subprocess
import time

from case import case, expect, expect_equal, expect_times
from edge import Edge, tool, wait_until
from flows import profile
from sip import Call

SECONDS, RATE, CALLS = 8, 500, 12
SCHEDULE, LATE = [0, .5, 1.5, 3.5], 0.100  # the flood takes one of the CPUs for itself
GROWTH_KB = 4096


def anonymous_kb(edge):
    with open(f"/proc/{edge.process.pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1))


@case(seconds=15, alone=True)
def flood_from_one_source():
    """INVITEs as fast as they go out, from one softswitch, with rate_source = 500 set live: the other one's calls are sent again on schedule, slots stay free, memory flat."""
    short = profile(resend_interval="0.5,1,2", final_wait="0.5")
    with Edge(short, max_transactions=4096, gateways=("10.77.2.3/24",)) as edge:
        edge.run(edge.sw_ns, "ip", "address", "add", "10.77.1.3/24", "dev", "s0")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        edge.siprtx("set", "rate_source", str(RATE))
        expect(wait_until(lambda: edge.json("show", "tunables")["tunables"]["rate_source"]["in_force"] == RATE, 5), "rate_source is not in force")
        before = anonymous_kb(edge)
        flood = edge.popen(edge.edge_ns, tool("flood", "tests/peer/flood.c"), edge.sw_ns, "10.77.1.3", edge.gw_ns, "10.77.2.3", str(SECONDS), stdout=subprocess.PIPE)
        time.sleep(1)
        calls = []
        for _ in range(CALLS):
            calls.append(softswitch.send(Call()))
            time.sleep(0.2)
        used = []
        while flood.poll() is None:
            used.append(edge.json("status", check=False)["slots"]["used"])
            time.sleep(0.3)
        said = json.loads(flood.stdout.read())
        flood.stdout.close()
        arrived = json.loads(edge.run(edge.gw_ns, "ip", "-j", "-s", "link", "show", "g0").stdout)[0]["stats64"]["rx"]["packets"]
        after, counters, stats = anonymous_kb(edge), edge.counters(), edge.stats()
        expect(edge.process.poll() is None, f"siprtxd ended with {edge.process.returncode}: {edge.log()[-500:]}")
        worst = max(expect_times(gateway.offsets(call), SCHEDULE, f"call {i}", tolerance=LATE) for i, call in enumerate(calls))
        most = RATE * (said["seconds"] + 1) + CALLS
        expect(RATE * SECONDS * .8 <= counters["captured"] <= most, f"{counters['captured']} captured, wanted {most} at most; {said}")
        expect(counters["over_rate_source"] > counters["captured"], f"{counters['over_rate_source']} over the limit: the flood is none; {said}")
        counted = counters["captured"] + counters["over_rate_source"]
        expect(.99 * said["sent"] <= counted <= said["sent"] + CALLS, f"{counted} INVITEs counted; {said}")
        expect(arrived >= .99 * said["sent"], f"{arrived} frames reached the gateway; {said}")
        expect_equal([counters[name] for name in ("over_rate", "no_slot", "no_txn", "no_note", "word_lost")], [0] * 5, "over_rate, no_slot, no_txn, no_note, word_lost")
        unhelped = edge.json("status", check=False)["unhelped"]
        expect_equal(unhelped["over_rate_source"], counters["over_rate_source"], "over_rate_source among the unhelped of siprtx status")
        expect(max(used) < 4096, f"{max(used)} slots in use")
        expect(after - before <= GROWTH_KB, f"the controller grew by {after - before} kB, from {before}")
        return (f"{said['sent'] / said['seconds']:.0f} INVITEs/s, {counters['captured']} captured, {counters['over_rate_source']} over the limit; at most {max(used)} slots, "
                f"copies of the others at most {worst * 1e3:.0f} ms late, siprtxd {before} kB before, {after} kB after, {stats['sends']} sends")
