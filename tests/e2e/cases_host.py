# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages taken at TC egress: the softswitch on siprtx's own machine (mode = host), and an edge with NAT of its own."""
import socket
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, in_namespace, run, wait_until
from sip import Call, respond

HOST = {"mode": "host", "inside": None}
HERE = "10.77.2.1"  # the softswitch: the edge itself
SHORT = "[profile short]\nresend_interval = 0.3,0.3,0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n[gateway g6]\naddress = fd77:2::/64\nprofile = short\n"


@case(seconds=4)
def host_silent_gateway():
    """mode = host: a silent gateway gets what this host sent, again by the list, byte for byte."""
    with Edge(SHORT, **HOST) as edge:
        softswitch, gateway = edge.party(edge.edge_ns, HERE), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        record = only(edge.wait_journal(call, 4), "records")
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
        expect(all(a.data == call.message for a in gateway.of(call)), "a copy differs from the original")
        expect_fields(record, sends=4, src=f"{HERE}:5060", reason="no_response")
        print(edge.siprtx("status").stdout)
        print(edge.run(edge.edge_ns, "tc", "filter", "show", "dev", "out0", "egress").stdout)
