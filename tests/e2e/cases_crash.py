# SPDX-License-Identifier: GPL-2.0-or-later
"""The controller may die at any moment. A crowd of calls (tests/peer/crowd.c) while it is killed again and again."""
import array
import collections
import json
import os
import random
import subprocess
import threading
import time

from case import case, expect, expect_equal, short
from cases_load import expect_free
from edge import Edge, tool, wait_until

INVITE_SENT, INVITE_ARRIVED, ANSWER_SENT, ANSWER_ARRIVED, ACK_SENT, ACK_ARRIVED, OTHER = range(1, 8)
INTERVALS = [.25, .5, 1, 1]
PROFILE = "[profile short]\nresend_interval = 0.25,0.5,1,1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"

# An INVITE on its way, and the tick in which the answer is noticed.
UNDER_WAY = 0.040


class Crowd:
    """Runs the crowd; .events is {call: [(seconds, what), ...]} after finish()."""

    def __init__(self, edge, rate, seconds, seed, answered, tail):
        self.path = f"{edge.directory}/crowd"
        self.seconds = seconds
        self.process = edge.popen(edge.sw_ns, tool("crowd", "tests/peer/crowd.c"), edge.sw_ns, edge.gw_ns, *map(str, (rate, seconds, seed, answered, tail)), self.path,
                                  stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the crowd did not begin")

    def finish(self):
        summary = json.loads(self.process.communicate(timeout=self.seconds + 120)[0])
        expect(summary["complete"], "the crowd had no room for its notes")
        notes = array.array("Q")
        with open(self.path, "rb") as f:
            notes.frombytes(f.read())
        self.events = collections.defaultdict(list)
        for ns, rest in zip(notes[0::2], notes[1::2]):
            self.events[rest & 0xffffffff].append((ns / 1e9, rest >> 32))
        return summary["calls"]


def judge(crowd, records):
    """What of the crowd's calls went otherwise than it may, whoever was dead meanwhile; and a line of figures."""
    wrong, copies, least = [], 0, 9
    recorded = collections.Counter(r["call_id"] for r in records)
    for call, events in sorted(crowd.events.items()):
        at = collections.defaultdict(list)
        for when, what in events:
            at[what].append(when)
        arrived, answered = sorted(at[INVITE_ARRIVED]), at[ANSWER_ARRIVED]
        if not arrived or len(at[ACK_ARRIVED]) != len(at[ACK_SENT]) or len(answered) != len(at[ANSWER_SENT]) or at[OTHER]:
            wrong.append(f"call {call}: a datagram of its own did not arrive: {dict(at)}")
            continue
        copies += len(arrived) - 1
        if len(arrived) > 1 + len(INTERVALS):
            wrong.append(f"call {call}: {len(arrived)} INVITEs")
        for i, (a, b) in enumerate(zip(arrived, arrived[1:])):
            # where copies were left out, the gap is longer than its interval: never shorter
            share = (b - a) / INTERVALS[min(i, len(INTERVALS) - 1)]
            least = min(least, share)
            if share < 0.9:
                wrong.append(f"call {call}: INVITE {i + 2} came {b - a:.3f} s after the one before")
        if answered and arrived[-1] > answered[0] + UNDER_WAY:
            wrong.append(f"call {call}: an INVITE {arrived[-1] - answered[0]:.3f} s after its answer")
        if recorded[f"crowd-{call}"] != (0 if answered else 1):
            wrong.append(f"call {call}: {recorded[f'crowd-{call}']} records, answered: {bool(answered)}")
    return wrong, f"{len(crowd.events)} calls, {copies} retransmissions, least gap {least:.2f} of its interval, {sum(recorded.values())} records"


class Killer(threading.Thread):
    """Kills the controller every 50 to 500 ms and starts it again, until told to end."""

    def __init__(self, edge, seed):
        super().__init__()
        self.edge, self.random, self.ending, self.kills = edge, random.Random(seed), False, 0
        self.start()

    def run(self):
        while not self.ending:
            time.sleep(self.random.uniform(.05, .5))
            self.edge.kill()
            self.kills += 1
            self.edge.launch()

    def end(self):
        self.ending = True
        self.join()


def crash_test(seconds, rate=500, seed=None, **more):
    seed = seed if seed is not None else int(os.environ.get("SEED", random.randrange(1 << 30)))
    with Edge(PROFILE, max_transactions=16384, **more) as edge:
        free = edge.stats()["slots_free"]
        crowd = Crowd(edge, rate, seconds, seed, 50, 12)
        killer = Killer(edge, seed)
        time.sleep(seconds)
        killer.end()
        wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 15, 0.1)
        calls = crowd.finish()
        wait_until(lambda: edge.json("status", check=False)["slots"]["used"] == 0, 15, 0.5)
        records = edge.journal()
        wrong, figures = judge(crowd, records)
        figures = f"seed {seed}, {killer.kills} kills, {figures}"
        expect(not wrong, f"{figures}: {len(wrong)} wrong: {short(wrong, 600)}")
        expect_equal(len(crowd.events), calls, "calls")
        seqs = [r["seq"] for r in records]
        expect(sorted(seqs) == list(range(1, len(seqs) + 1)), "seq of the records is not 1, 2, 3 ...")
        expect_free(edge, free)
        return figures


@case(seconds=75, alone=True)
def controller_killed_again_and_again():
    """500 calls a second, half of them answered, for 40 s; the controller is killed every 50 to 500 ms: each copy in time or left out, each silent call recorded once."""
    return crash_test(40)
