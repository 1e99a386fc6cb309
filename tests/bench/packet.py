# SPDX-License-Identifier: GPL-2.0-or-later
"""Per packet: what it costs in the programs, ns net of an empty one, by BPF_PROG_TEST_RUN on one CPU."""
import json
import subprocess

from edge import BUILD
from figure import Row

ROWS = (
    Row("tax on a packet that is not SIP", "non_sip_tax_ns", "ns", "at most 8", lambda v: v <= 8),
    Row("the same at TC egress", "non_sip_tax_egress_ns", "ns"),
    Row("INVITE captured", "invite_capture_ns", "ns", "at most 350", lambda v: v <= 350),
    Row("INVITE captured at TC egress", "invite_capture_egress_ns", "ns"),
    Row("response matched", "response_match_ns", "ns", "at most 250", lambda v: v <= 250),
    Row("BYE, methods off", "rules.bye_ns", "ns"),
    Row("BYE, methods on", "rules.bye_methods_ns", "ns"),
    Row("200 to an INVITE, confirm off", "rules.final_ns", "ns"),
    Row("200 to an INVITE, confirm on", "rules.final_confirm_ns", "ns"),
    Row("ACK from the gateway, confirm off", "rules.ack_ns", "ns"),
    Row("ACK from the gateway, confirm on", "rules.ack_confirm_ns", "ns"),
    Row("ICMP unreachable with a quote", "rules.icmp_unreachable_ns", "ns"),
    Row("any other ICMP", "rules.icmp_other_ns", "ns"),
)


def measure(rounds, say):
    return json.loads(subprocess.run([f"{BUILD}/bench/prog_bench"], check=True, text=True, stdout=subprocess.PIPE).stdout)
