# SPDX-License-Identifier: GPL-2.0-or-later
"""What the controller says unasked: slots running out, answers from elsewhere."""
import time

from case import case, expect, expect_equal
from edge import Edge, wait_until
from sip import Call, respond


def told(edge, words):
    return sum(words in line for line in edge.log().splitlines())


@case(seconds=8)
def slots_alarm_at_80_and_95():
    """Twenty slots: one line at 80 % and one at 95 %, once more only after use fell five below; status warns and is 0 all the same."""
    with Edge("[profile standard]\nresend_interval = 30\n", max_transactions=20) as edge:
        edge.send_no_options()  # silent for 2 s, it would be probed out of a slot
        softswitch, gateway = edge.softswitch(), edge.gateway()
        calls = []

        def hold(n):
            while len(calls) < n:
                calls.append(softswitch.send(Call()))
            while len(calls) > n:
                gateway.send(respond(calls.pop().message, 486), "10.77.1.2")
            expect(wait_until(lambda: edge.stats()["slots_free"] == 20 - n, 4), f"{edge.stats()['slots_free']} slots free, wanted {20 - n}")
            time.sleep(.3)  # the controller looks four times a second
            return told(edge, "80 % or more"), told(edge, "95 % or more")
        expect_equal(hold(15), (0, 0), "lines at 15 of 20")
        expect_equal(edge.json("status")["warnings"], [], "warnings of status")
        expect("warning" not in edge.siprtx("status").stdout, "status warns at 15 of 20")
        expect_equal(hold(17), (1, 0), "lines at 17")
        status = edge.siprtx("status")
        expect("warning: 17 of 20 slots are in use" in status.stdout and "raise max_transactions" in status.stdout, f"status: {status.stdout}")
        expect(status.stdout.startswith("offload active\n"), f"status: {status.stdout}")
        expect_equal([(w["cause"], w["level"]) for w in edge.json("status")["warnings"]], [("17 of 20 slots are in use, 80 % or more", "warning")], "warnings of status")
        expect_equal(hold(15), (1, 0), "lines at 15 again")
        expect_equal(hold(16), (1, 0), "lines at 16")
        expect_equal(hold(19), (1, 1), "lines at 19")
        expect("95 % or more" in edge.siprtx("status").stdout, "status does not name the mark")
        expect_equal(hold(18), (1, 1), "lines at 18")
        expect_equal(hold(19), (1, 1), "lines at 19 again")
        expect_equal(hold(14), (1, 1), "lines at 14")
        expect_equal(hold(16), (2, 1), "lines at 16 after 14")
        line = next(line for line in edge.log().splitlines() if "80 % or more" in line)
        expect("17 of 20 slots are in use" in line and "raise max_transactions" in line, f"the log says {line}")


@case(seconds=6)
def wrong_source_is_told():
    """match_source: responses from elsewhere are a line of the log at once, with whence, and not each a line."""
    with Edge(gateways=["10.77.2.3/24"]) as edge:
        softswitch, gateway, other = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        call = softswitch.send(Call())
        gateway.wait(call, 1, 2)
        edge.siprtx("set", "match_source", "1")
        time.sleep(.1)
        other.send(respond(call.message, 180), "10.77.1.2")
        expect(wait_until(lambda: told(edge, "match_source"), 2), f"the log says nothing: {edge.log()}")
        for _ in range(20):
            other.send(respond(call.message, 180), "10.77.1.2")
            time.sleep(.05)
        expect_equal(edge.counters()["wrong_source"], 21, "counter wrong_source")
        expect_equal(told(edge, "match_source"), 1, "lines of the log within ten seconds")
        expect("wrong_source rose by 1 (the last one from 10.77.2.3:5060): " in edge.log(), f"the log says {edge.log()}")
