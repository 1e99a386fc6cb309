# SPDX-License-Identifier: GPL-2.0-or-later
"""Forwarding: CPU time of a datagram through the edge, sender and delivery in it, by the kernel's stack and by forward = xdp-all."""
import contextlib
import json

from edge import Edge, tool
from figure import Incomplete, Row, ratios, spread

COUNT = 64000
KINDS = (("sip", "SIP, 400 bytes"), ("rtp", "RTP, 172 bytes"))
# who makes the UDP checksum: the device, so that a redirect has to (veth), or the sender, as behind any NIC
SUMS = (("half", "on", "checksum half-made"), ("whole", "off", "checksum whole"))
ROWS = tuple(Row(f"{what}, {sums}: {name}", f"{kind}.{state}.{key}", unit, *aim)
             for kind, what in KINDS for state, _, sums in SUMS
             for name, key, unit, *aim in (("kernel", "kernel_ns", "ns"), ("xdp-all", "xdp_ns", "ns"), ("kernel / xdp-all", "ratio", "x", "over 1", lambda v: v > 1)))


def blast(edge, kind):
    """ns a datagram; all must arrive, once, as they were sent."""
    r = json.loads(edge.run(edge.edge_ns, tool("blast", "tests/bench/blast.c"), edge.sw_ns, "10.77.1.2", edge.gw_ns, "10.77.2.2", kind, str(COUNT), timeout=60).stdout)
    if r["arrived"] != r["sent"] or r["wrong"]:
        raise Incomplete(f"{r['arrived']} of {r['sent']} datagrams arrived, {r['wrong']} of them twice or changed")
    return r["ns"] / r["sent"]


def measure(rounds=5, say=print):
    result = {}
    with contextlib.ExitStack() as stack:
        edges = {forward: stack.enter_context(Edge(forward=forward)) for forward in ("kernel", "xdp-all")}
        for state, offload, _ in SUMS:
            for edge in edges.values():
                edge.run(edge.sw_ns, "ethtool", "-K", "s0", "tx", offload)
            for kind, what in KINDS:
                ns = {forward: [] for forward in edges}
                for n in range(rounds + 1):  # the first one warms up
                    for forward, edge in edges.items():
                        before = edge.counters()
                        took = blast(edge, kind)
                        after = edge.counters()
                        by_xdp = sum(after[k] - before[k] for k in ("redirected", "redirected_other"))
                        turns = after["forward_turn"] - before["forward_turn"]
                        if by_xdp + turns != (COUNT if forward == "xdp-all" else 0) or turns > 5:
                            raise Incomplete(f"forward = {forward}: {by_xdp} of {COUNT} datagrams were redirected, {turns} in the kernel's turn")
                        if n:
                            ns[forward].append(took)
                result.setdefault(kind, {})[state] = {"kernel_ns": spread(ns["kernel"], 0), "xdp_ns": spread(ns["xdp-all"], 0), "ratio": ratios(ns["kernel"], ns["xdp-all"])}
                say(f"{what}, checksums {state}: {result[kind][state]['kernel_ns']['median']:.0f} ns by the kernel, {result[kind][state]['xdp_ns']['median']:.0f} by a redirect")
    return result
