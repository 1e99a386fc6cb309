# SPDX-License-Identifier: GPL-2.0-or-later
"""Kamailio as the softswitch on siprtx's own host, its tm module's retransmission on."""
import time

from case import case, expect, expect_equal, expect_times
from edge import Edge
from kamailio import Kamailio

OWN = [0, .5, 1.5, 3.5]  # what tm sends by itself (RFC 3261 17.1.1.2)
# tm looks at its timers sixteen times a second
TM_TOLERANCE = 0.130


@case(seconds=8)
def kamailio_alone_sends_by_t1():
    """Without siprtx: Kamailio itself sends at 0, T1, 3 T1, 7 T1, gives up after fr_timer, and completes an answered call. What the other cases have to tell apart."""
    with Edge(forward_only=True, gateways=["10.77.2.3/24"]) as edge:
        edge.gateway()  # silent, and no ICMP either
        with Kamailio(edge, "10.77.2.2") as kamailio:
            call = kamailio.call("refused-call.xml")
            call.done(10)
            expect_times(kamailio.offsets(call), OWN, "INVITEs of a silent call", TM_TOLERANCE)
            expect_equal(kamailio.codes(call), [100, 408], "responses at the caller")
            expect_equal(len({f.payload for f in kamailio.seen(call)}), 1, "different INVITEs")
        with Kamailio(edge, "10.77.2.3") as kamailio:
            gateway, call = kamailio.gateway("proxied-gateway.xml", "10.77.2.3", pause=1200), kamailio.call()
            for sipp in (call, gateway):
                sipp.done(10)
            expect_times(kamailio.offsets(call), OWN[:2], "INVITEs of an answered call", TM_TOLERANCE)
            expect_equal(kamailio.codes(call), [100, 180, 200], "responses at the caller")
