# SPDX-License-Identifier: GPL-2.0-or-later
"""A million SIP-like datagrams through an edge in service. Alone on the machine, for the rate's sake."""
import json
import re
import time

from case import case, expect, expect_equal
from cases_load import expect_free
from edge import Edge, tool, wait_until
from flows import profile

COUNT, WARM, SECONDS = 1000000, 500000, 60
GROWTH_KB = 2048  # its queues grow with the busiest second; 40 bytes left behind by each of 56,000 INVITEs would show


def memory_kb(edge):
    with open(f"/proc/{edge.process.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))


def storm(edge, seed, count):
    """Sends it; every datagram must arrive, and as it was sent."""
    r = edge.run(edge.edge_ns, tool("storm", "tests/peer/storm.c"), edge.sw_ns, "10.77.1.2", edge.gw_ns, "10.77.2.2", str(seed), str(count), str(SECONDS), timeout=SECONDS + 30)
    result = json.loads(r.stdout)
    for way in ("requests", "responses"):
        w = result[way]
        said = f"{way}, seed {seed}: {w}"
        expect(w["sent"] == count // 2, f"not all were sent in {SECONDS} s; {said}")
        expect((w["lost"], w["changed"], w["doubled"]) == (0, 0, 0), f"lost, changed or doubled; {said}")
    expect_equal(result["responses"]["copies"], 0, "responses that came again")
    return result


def settled(edge):
    return wait_until(lambda: not edge.stats()["pending"] + edge.stats()["proceeding"] + edge.stats()["in_flight"], 10, 0.2)


@case(seconds=60, alone=True)
def million_datagrams():
    """Valid, mutated, cut and random, requests one way and responses the other: all arrive byte for byte; memory flat, every slot free, nothing absorbed."""
    short = profile("storm", resend_interval="0.5", final_wait="0.2", timeout_trying=1, timeout_progress=1, timeout_progress_sdp=1, timeout_ringing=1)
    with Edge(short, max_transactions=65536) as edge:
        edge.siprtx("set", "remember", "1000")
        edge.send_no_options()
        free = edge.stats()["slots_free"]
        storm(edge, 1, WARM)
        expect(settled(edge), f"transactions held 10 s after the warm-up: {edge.stats()}")
        before, counted = memory_kb(edge), edge.counters()
        seed = time.time_ns() & 0xffffffff
        result = storm(edge, seed, COUNT)
        expect(settled(edge), f"transactions held 10 s after the storm: {edge.stats()}")
        after, counters, stats = memory_kb(edge), edge.counters(), edge.stats()
        expect(edge.process.poll() is None, f"siprtxd ended with {edge.process.returncode}: {edge.log()[-500:]}")
        expect_equal(edge.siprtx("status", check=False).returncode, 0, "exit status of siprtx status after the storm")
        expect_free(edge, free)
        expect(after - before <= GROWTH_KB, f"the controller grew by {after - before} kB, from {before}")
        rose = {name: counters[name] - counted[name] for name in counters}
        for name in ("absorbed", "copy_passed", "word_lost", "no_txn", "no_note", "not_outside", "no_route", "fragment"):
            expect_equal(rose[name], 0, f"counter {name}")
        # the storm must have been one: each of these reasons was met
        for name in ("keepalive", "stun", "not_sip", "malformed", "legacy", "cseq_mismatch", "captured", "other_method", "cancel", "provisional", "final",
                     "response_repeat", "response_unknown", "response_other", "short_body"):
            expect(rose[name] > 0, f"counter {name} did not rise: the storm is none")
        ended = sum(stats[name] for name in ("no_response", "trying_timeout", "progress_timeout", "ringing_timeout"))
        expect(wait_until(lambda: edge.json("status")["journal"]["not_on_disk"] == 0, 10), "records are not on disk 10 s after the storm")
        records = edge.journal()  # each line is JSON, whatever was in the message
        seqs = [r["seq"] for r in edge.records()]
        expect(seqs == list(range(1, len(seqs) + 1)), "seq of the records is not 1, 2, 3 ...")
        # a response of the storm may come to a call that has just ended: that is a record of its own
        expect_equal((len(edge.exhausted()), stats["records_lost"]), (ended, 0), "records of an end, records lost")
        requests = result["requests"]
        expect(requests["copies"] > 100, f"siprtx sent {requests['copies']} copies: the storm is none")
        return (f"seed {seed}: {COUNT / result['seconds']:.0f} datagrams/s, {rose['captured']} captured, {requests['copies']} copies, {rose['no_slot']} without a slot, "
                f"{requests['stalls'] + result['responses']['stalls']} stalls; siprtxd {before} kB before, {after} kB after, {len(records)} records in all")
