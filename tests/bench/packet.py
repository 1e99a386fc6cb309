# SPDX-License-Identifier: GPL-2.0-or-later
"""
Per packet: what it costs in the programs, ns net of an empty one, by BPF_PROG_TEST_RUN on one CPU.

Cold: 60,000 calls one after the other, whose slots and table entries are in no cache. Hot: 512 calls, whose slots are
used again and again, as where calls end; captured, matched and absorbed in bursts of 512 with other work between, so
that the CPU has not learned the branches by heart as it does in the long runs. A step is what a program that ends behind it costs more than one that ends
before it (tests/bench/steps.h).
"""
import json
import subprocess

from edge import BUILD
from figure import Row, spread

STEPS = {
    "capture": ("INVITE", {"headers": "IP and UDP", "copy": "copy", "scan": "scan", "hash": "key", "lookup": "lookup",
                           "route": "route, frame", "profile": "gateway", "rest": "slot, table, note"}),
    "match": ("response", {"headers": "IP and UDP", "copy": "copy", "scan": "scan", "hash": "key", "lookup": "lookup",
                           "rest": "slot, swap, note"}),
}


def both(what, key, aim=0):
    aimed = (f"at most {aim}", lambda v: v <= aim) if aim else ()
    return Row(f"{what}, cold", f"{key}_ns", "ns", *aimed), Row(f"{what}, hot", f"{key}_hot_ns", "ns", *aimed)


ROWS = (
    Row("tax on a packet that is not SIP", "non_sip_tax_ns", "ns", "at most 8", lambda v: v <= 8),
    Row("the same at TC egress", "non_sip_tax_egress_ns", "ns"),
    Row("SIP request not captured (BYE), hot", "rules.bye_ns", "ns"),
    *both("INVITE captured", "invite_capture", 350),
    *both("INVITE captured at TC egress", "invite_capture_egress"),
    *both("response matched", "response_match", 250),
    *both("copy absorbed", "absorbed_copy"),
    *(Row(f"{message}: {what}, {state}", f"steps.{way}_{step}_{state}_ns", "ns")
      for way, (message, names) in STEPS.items() for state in ("hot", "cold") for step, what in names.items()),
    Row("a slot taken from the free list, cold", "steps.slot_cold_ns", "ns"),
    Row("a note to the controller", "steps.note_ns", "ns"),
    Row("BYE, methods on", "rules.bye_methods_ns", "ns"),
    Row("200 to an INVITE, confirm off", "rules.final_ns", "ns"),
    Row("200 to an INVITE, confirm on", "rules.final_confirm_ns", "ns"),
    Row("ACK from the gateway, confirm off", "rules.ack_ns", "ns"),
    Row("ACK from the gateway, confirm on", "rules.ack_confirm_ns", "ns"),
    Row("ICMP unreachable with a quote", "rules.icmp_unreachable_ns", "ns"),
    Row("any other ICMP", "rules.icmp_other_ns", "ns"),
)


def measure(rounds, say):
    done = subprocess.run([f"{BUILD}/bench/prog_bench", str(rounds)], check=True, text=True, stdout=subprocess.PIPE)
    result = {}
    for key, values in json.loads(done.stdout).items():
        group, _, name = key.rpartition(".")
        (result.setdefault(group, {}) if group else result)[name] = spread(values)
    return result
