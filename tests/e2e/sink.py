# SPDX-License-Identifier: GPL-2.0-or-later
"""The C sink (tests/peer/sink.c) as a gateway, for more than Python can take."""
import array
import json
import signal
import subprocess

from edge import tool


class Sink:
    """Listens from the start; close() gives the counts, .arrivals is {branch hash: [seconds, ...]} then."""

    def __init__(self, edge, address="10.77.2.2", port=5060):
        self.path = f"{edge.directory}/sink-{address}-{port}"
        self.process = edge.popen(edge.gw_ns, tool("sink", "tests/peer/sink.c"), address, str(port), self.path, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the sink did not bind {address} port {port}")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.summary = json.loads(self.process.communicate(timeout=60)[0])
        notes = array.array("Q")
        with open(self.path, "rb") as f:
            notes.frombytes(f.read())
        self.times, self.arrivals = notes[0::2], {}
        for ns, branch in zip(notes[0::2], notes[1::2]):
            self.arrivals.setdefault(branch, []).append(ns / 1e9)
        return self.summary


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0


def lateness(arrivals, schedule):
    """Milliseconds after nominal of every retransmission, sorted; arrivals as Sink has them, schedule with the 0 in front."""
    return sorted((t - times[0] - nominal) * 1000 for times in arrivals.values() for t, nominal in zip(times[1:], schedule[1:]))
