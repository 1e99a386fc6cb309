# SPDX-License-Identifier: GPL-2.0-or-later
"""Many calls at once. Alone on the machine, so that what is late is late by siprtx's doing."""
import os
import time

from case import DEFAULT, case, expect, expect_equal, expect_times
from edge import Edge, wait_until
from sink import Sink, lateness, percentile
from sip import Call

CALLS, RATE = 10000, 1000
SIPP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


def expect_free(edge, before):
    """All slots are free again; each CPU may have taken the next one in advance."""
    def free():
        return edge.stats()["slots_free"]
    expect_equal(edge.json("status", check=False)["slots"]["used"], 0, "slots used at the end")
    # counted four times a second
    expect(wait_until(lambda: before - os.cpu_count() <= free() <= before, 2, 0.1), f"{free()} slots on the free list at the end, {before} before")


@case(seconds=35, alone=True)
def ten_thousand_calls():
    """10,000 calls at 1,000 a second to a silent gateway on the 15.5 s list: 70,000 datagrams, 7 a call, 10,000 records, all slots free."""
    with Edge("[gateway silent]\naddress = 10.77.2.2\nprofile = fast-failover\n", max_transactions=65536) as edge:
        edge.send_no_options()
        free = edge.stats()["slots_free"]
        sink = Sink(edge)
        sipp = edge.run(edge.sw_ns, "sipp", "-sf", f"{SIPP}/silent.xml", "-i", "10.77.1.2", "-p", "5060", "-m", str(CALLS), "-r", str(RATE), "-nr",
                        "-nostdin", "10.77.2.2:5060", check=False, env={**os.environ, "TERM": "dumb"}, cwd=edge.directory)
        expect_equal(sipp.returncode, 0, f"exit status of sipp, {sipp.stderr[-300:]}")
        wait_until(lambda: edge.stats()["no_response"] >= CALLS, 25, 0.5)
        time.sleep(0.6)
        stats, counters = edge.stats(), edge.counters()
        summary = sink.close()
        expect_equal(summary["lost"], 0, "datagrams the sink had no room for")
        expect_equal(counters["captured"], CALLS, "calls captured")
        expect_equal(len(sink.arrivals), CALLS, "calls at the gateway")
        odd = {len(t) for t in sink.arrivals.values()} - {7}
        expect(not odd and summary["datagrams"] == 7 * CALLS, f"{summary['datagrams']} datagrams, calls with {sorted(odd)} of them, wanted 7 each")
        schedule = DEFAULT[:7]
        late = lateness(sink.arrivals, schedule)
        expect(late[0] > -40, f"a copy came {-late[0]:.1f} ms before its time")
        records = edge.journal()
        expect_equal((len(records), len({r["call_id"] for r in records})), (CALLS, CALLS), "records and calls in them")
        expect({r["sends"] for r in records} == {7}, "a record says other than 7 sends")
        seqs = [r["seq"] for r in edge.records()]
        expect_equal(seqs, list(range(1, len(seqs) + 1)), "seq of the records")
        expect_equal((stats["pending"], stats["in_flight"]), (0, 0), "pending, in flight")
        expect_free(edge, free)
        p50, p99 = percentile(late, .5), percentile(late, .99)
        expect(p99 < 100, f"p99 of the lateness is {p99:.1f} ms")
        return f"lateness p50 {p50:.2f} p99 {p99:.2f} max {late[-1]:.2f} ms"


@case(seconds=12)
def full_house():
    """Sixteen slots, forty calls: every first INVITE passes, sixteen are served, the rest counted; later there is room again."""
    with Edge("[profile short]\nresend_interval = 0.5,1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n", max_transactions=16) as edge:
        edge.send_no_options()
        free = edge.stats()["slots_free"]
        softswitch, gateway = edge.softswitch(), edge.gateway()
        calls = [softswitch.send(Call()) for _ in range(40)]
        time.sleep(0.3)
        status = edge.siprtx("status", check=False).stdout
        served_now = edge.stats()["pending"]
        wait_until(lambda: len(edge.journal()) >= 16, 5)
        time.sleep(0.3)
        counts = [len(gateway.of(c)) for c in calls]
        served = edge.counters()["captured"]
        most = 16 + os.sysconf("SC_NPROCESSORS_CONF")  # one slot may be in each CPU's hand
        expect(16 <= served <= most, f"{served} calls captured with {free} slots")
        expect_equal(counts[:16], [3] * 16, "INVITEs of each of the first sixteen calls")
        expect_equal(sorted(counts[16:]), [1] * (40 - served) + [3] * (served - 16), "INVITEs of the other calls")
        expect_equal(served_now, served, "transactions held while full")
        for call in calls[:16]:
            expect_times(gateway.offsets(call), [0, .5, 1.5])
        expect_equal(edge.counters()["no_slot"], 40 - served, "counter no_slot")
        expect("raise max_transactions" in status, f"siprtx status does not say that it is full: {status}")
        expect_equal(edge.stats()["pending"], 0, "pending after the window")
        expect_free(edge, free)
        late = softswitch.send(Call())
        time.sleep(1.8)
        expect_times(gateway.offsets(late), [0, .5, 1.5], "a call when there is room again")
