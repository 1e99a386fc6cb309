# SPDX-License-Identifier: GPL-2.0-or-later
"""The softswitch retransmits too: one datagram an interval on the wire, and never less than its own when siprtx is gone."""
import os
import threading
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only, show
from edge import Edge
from sip import Call, branch_of, respond

SIPP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


def own_copies(softswitch, call, offsets):
    """Sends the INVITE at these seconds from now, as a softswitch's own timer does; to be joined."""
    start = time.monotonic()

    def body():
        for offset in offsets:
            time.sleep(max(0, start + offset - time.monotonic()))
            softswitch.send(call)
    thread = threading.Thread(target=body)
    thread.start()
    return thread


@case(seconds=10)
def rule_32_one_datagram_an_interval():
    """The softswitch's copies, a little before, at and after ours, are absorbed; so are SIPp's own."""
    with Edge() as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        early, late = Call(), Call()
        threads = [own_copies(softswitch, early, [0, .45, 1.4, 3.4, 7.3]), own_copies(softswitch, late, [0, .5, 1.55, 3.6, 7.7])]
        sipp = edge.popen(edge.sw_ns, "sipp", "-sf", f"{SIPP}/patient.xml", "-i", "10.77.1.2", "-p", "5070", "-m", "1", "10.77.2.2:5060",
                          "-nostdin", stdout=-3, stderr=-3, env={**os.environ, "TERM": "dumb"})
        for thread in threads:
            thread.join()
        time.sleep(0.6)
        sipp.kill()
        for call, what in ((early, "early copies"), (late, "late copies")):
            expect_times(gateway.offsets(call), [0, .5, 1.5, 3.5, 7.5], what)
        other = [a for a in gateway.got if a.data.startswith(b"INVITE ") and branch_of(a.data) not in (early.branch, late.branch)]
        expect_times([a.time - other[0].time for a in other], [0, .5, 1.5, 3.5, 7.5], "with SIPp's own timers")
        expect(edge.counters()["absorbed"] >= 11, f"absorbed {edge.counters()['absorbed']}, wanted 11 or more")


@case(seconds=8)
def killed_controller_gives_the_work_back():
    """kill -9: every copy that the softswitch sends a second later or more arrives, and new calls pass."""
    with Edge() as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 2, 2)
        edge.kill()
        dead = time.time()
        thread = own_copies(softswitch, call, [.2, 1.1, 1.6, 2.5])
        thread.join()
        later = softswitch.send(Call())
        time.sleep(2)
        arrived = [a.time - dead for a in gateway.of(call) if a.time > dead + 1]
        expect_times(arrived, [1.1, 1.6, 2.5], "own copies after the kill")
        expect_equal(len(gateway.of(later)), 1, "INVITEs of a call after the kill")
        status = edge.siprtx("status", check=False)
        expect_equal(status.returncode, 3, "exit status of siprtx status with the controller dead")
        expect("offload inactive" in status.stdout, f"siprtx status says: {status.stdout.splitlines()[:1]}")


@case(seconds=5)
def sigterm_gives_the_work_back_at_once():
    """After SIGTERM the very next copy passes; what is pending is stated."""
    with Edge() as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 2, 2)
        expect_equal(edge.stop(), 0, "exit status of siprtxd")
        softswitch.send(call)
        time.sleep(0.1)
        softswitch.send(call)
        time.sleep(1)
        expect_equal(len(gateway.of(call)), 4, "INVITEs at the gateway, two of them after SIGTERM")
        expect("1 " in edge.log().splitlines()[-1], f"the last line of the log does not state the pending call: {edge.log().splitlines()[-1]}")


@case(seconds=6)
def passed_copy_counts_as_a_send():
    """absorb = 0: a copy of the softswitch passes, stands for ours, and the schedule goes on from it."""
    with Edge("[profile short]\nresend_interval = 0.5,1,1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n") as edge:
        edge.siprtx("set", "absorb", "0")
        edge.siprtx("set", "abandon", "0")  # one copy and no more is a sign of its own
        time.sleep(0.1)
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = Call()
        own_copies(softswitch, call, [0, .3]).join()
        record = only(edge.wait_journal(call, 5), "records")
        offsets = gateway.offsets(call)
        expect(len(offsets) == 4, f"sends at {show(offsets)}, wanted 4")
        expect_times([o - offsets[1] for o in offsets[1:]], [0, 1, 2], "sends after the copy")
        expect_fields(record, sends=4)
        expect_equal(edge.counters()["copy_passed"], 1, "counter copy_passed")


@case(seconds=4)
def rule_30_doubled_datagram_is_one():
    """The same INVITE twice within the duplicate window, as a SPAN port makes it: passed, no send (rule 30)."""
    with Edge() as edge:
        edge.siprtx("set", "dup_window", "100")  # the two sends may be some ms apart on a busy machine
        time.sleep(0.1)
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = Call()
        softswitch.send(call)
        softswitch.send(call)
        time.sleep(1)
        offsets = gateway.offsets(call)
        expect_times(offsets, [0, 0, .5])
        expect_equal((edge.counters()["dup"], edge.counters()["captured"]), (1, 1), "counters dup, captured")


@case(seconds=7)
def restart_goes_on_with_the_schedule():
    """kill -9 and a new controller in mid-transaction: the frames are still there and the schedule goes on; one record."""
    with Edge("[profile p]\nresend_interval = 0.5,1,2,0.5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n") as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, 3, 3)
        edge.kill()
        edge.start()
        record = only(edge.wait_journal(call, 6), "records")
        expect_times(gateway.offsets(call), [0, .5, 1.5, 3.5, 4])
        expect(all(a.data == call.message for a in gateway.of(call)), "a copy after the restart differs from the original")
        expect_fields(record, sends=5)
        expect_equal(edge.stats()["adopted"], 1, "transactions adopted")


@case(seconds=5)
def rule_32_copies_pass_once_answered():
    """After a provisional response the softswitch's own copy passes, so that the gateway repeats its answer (rule 32)."""
    with Edge() as edge:
        def on(party, arrival):
            party.socket.sendto(respond(arrival.data, 180), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        call = softswitch.send(Call())
        softswitch.wait(call, 1, 1)
        own_copies(softswitch, call, [.3, .8]).join()
        time.sleep(1)
        expect_times(gateway.offsets(call), [0, .3, .8])
        expect_equal(len(softswitch.of(call)), 3, "180s at the softswitch")
        expect_equal(edge.counters()["copy_answered"], 2, "counter copy_answered")


@case(seconds=6)
def answered_call_outlives_a_restart():
    """A transaction that waits for its final response keeps its deadline over kill -9 and a new controller."""
    with Edge("[profile p]\nresend_interval = 0.5,1\ntimeout_ringing = 3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = p\n") as edge:
        def on(party, arrival):
            party.socket.sendto(respond(arrival.data, 180), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        call = softswitch.send(Call())
        softswitch.wait(call, 1, 1)
        time.sleep(0.2)
        edge.kill()
        edge.start()
        expect_equal(edge.stats()["proceeding"], 1, "transactions with a provisional response after the restart")
        record = only(edge.wait_journal(call, 5), "records")
        expect_fields(record, reason="ringing_timeout", sends=1, last_code=180)
        expect(2960 <= record["duration_ms"] <= 3100, f"ended after {record['duration_ms']} ms, wanted 3000")
        expect_equal(len(gateway.of(call)), 1, "INVITEs at the gateway")
