# SPDX-License-Identifier: GPL-2.0-or-later
"""siprtx drain: nothing new is taken, what is held comes to its end; exit 0 only then."""
import json
import signal
import subprocess
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import BUILD, Edge, wait_until
from sip import Call, respond

SHORT = "[profile short]\nresend_interval = 0.5,0.5\nfinal_wait = 0.5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"
LONG = "[profile standard]\nresend_interval = 5\n"


def capture(edge):
    return edge.json("show", "tunables")["tunables"]["capture"]["value"]


def begin(edge, *arguments):
    """A drain on its way: capture is off in force."""
    p = edge.popen(edge.edge_ns, f"{BUILD}/siprtx", "-c", edge.configuration_path, "drain", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    expect(wait_until(lambda: edge.json("show", "tunables")["tunables"]["capture"]["in_force"] == 0, 5), "capture is not off")
    return p


def held(edge, calls):
    expect(wait_until(lambda: edge.json("status", check=False)["slots"]["used"] == calls, 3), f"{calls} calls are not held")


@case(seconds=6)
def drain_waits_for_what_is_held():
    """Held calls end by their schedule or their answer, a new INVITE passes uncaptured; then exit 0, and capture stays 0."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        silent, answered = softswitch.send(Call()), softswitch.send(Call())
        gateway.wait(answered, 1, 2)
        gateway.send(respond(answered.message, 180), "10.77.1.2")
        held(edge, 2)
        drain = begin(edge, "-j")
        new = softswitch.send(Call())
        only(edge.wait_journal(silent, 5), "records of the silent call")
        expect_equal(drain.poll(), None, "exit status while a call is proceeding")
        gateway.send(respond(answered.message, 200), "10.77.1.2")
        said, told = drain.communicate(timeout=5)
        expect_equal((drain.returncode, told), (0, ""), "exit status, stderr")
        report = json.loads(said)
        expect_fields(report, schema_version=1, drained=True, reason=None, capture=0)
        expect_equal((report["held"]["slots"], report["left"]["slots"]), (2, 0), "slots held, left")
        expect(report["waited_ms"] > 300, f"waited {report['waited_ms']} ms")
        expect_times(gateway.offsets(silent), [0, .5, 1], "the silent call")
        expect_equal(len(gateway.of(new)), 1, "INVITEs of the new call")
        expect_equal(edge.counters()["no_controller"], 1, "counter no_controller")
        expect_equal(capture(edge), 0, "capture")
        again = edge.siprtx("drain", "-t", "3")
        expect("none left of 0" in again.stdout and "capture stays 0" in again.stdout, f"a second drain says {again.stdout}")
        edge.stop()
        edge.siprtx("unload")


@case(seconds=8)
def drain_waits_for_a_reply():
    """A call that siprtx has answered itself holds two slots until it is forgotten: waited for."""
    with Edge("[profile short]\nresend_interval = 0.3\nfinal_wait = 0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\non_exhausted = reply-408\n") as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        edge.siprtx("set", "remember", "2000")
        call = softswitch.send(Call())
        expect(wait_until(lambda: any(a.data.startswith(b"SIP/2.0 408") for a in softswitch.of(call)), 3), "no 408")
        report = edge.json("drain")
        expect_equal((report["held"]["slots"], report["held"]["ended"], report["left"]["slots"]), (2, 2, 0), "slots held, of them of replies, left")
        expect(report["waited_ms"] > 1000, f"waited {report['waited_ms']} ms")
        expect_equal(edge.stats()["reply_slots"], 0, "reply_slots")


@case(seconds=5)
def drain_within_a_time():
    """-t: exit 1 with what is left, capture is as before, new calls are taken again; wrong use is exit 2."""
    with Edge(LONG) as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        softswitch.send(Call())
        held(edge, 1)
        begun = time.monotonic()
        drain = edge.siprtx("drain", "-t", "0.5", check=False)
        expect(.5 <= time.monotonic() - begun < 2, f"drain -t 0.5 took {time.monotonic() - begun:.2f} s")
        expect_equal((drain.returncode, drain.stdout), (1, ""), "exit status, stdout")
        expect("1 left of 1 (1 calling" in drain.stderr and "capture is 1" in drain.stderr, f"says {drain.stderr}")
        report = edge.json("drain", "-t", "0.1", check=False)
        expect_fields(report, drained=False, capture=1)
        expect_equal(report["left"], {"slots": 1, "calling": 1, "proceeding": 0, "ended": 0}, "left")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 2), "status is not 0 again")
        softswitch.send(Call())
        held(edge, 2)
        edge.siprtx("set", "capture", "0")
        expect_equal(edge.siprtx("drain", "-t", "0.1", check=False).returncode, 1, "exit status")
        expect_equal(capture(edge), 0, "capture, 0 before")
        for arguments in (["drain", "-t", "0"], ["drain", "-t", "soon"], ["drain", "-t"], ["drain", "now"], ["drain", "-f"], ["status", "-t", "1"]):
            wrong = edge.siprtx(*arguments, check=False)
            expect(wrong.returncode == 2 and wrong.stderr, f"siprtx {' '.join(arguments)}: exit status {wrong.returncode}, {wrong.stderr}")


@case(seconds=5)
def drain_interrupted():
    """Ctrl-C, SIGTERM: exit 1, capture is as before. Capture switched on meanwhile: exit 1, and it stays on. Unloaded: exit 1."""
    with Edge(LONG) as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        softswitch.send(Call())
        held(edge, 1)
        for number in (signal.SIGINT, signal.SIGTERM):
            drain = begin(edge)
            drain.send_signal(number)
            said, told = drain.communicate(timeout=3)
            expect_equal((drain.returncode, said), (1, ""), "exit status, stdout")
            expect("interrupted" in told and "1 left of 1" in told and "capture is 1" in told, f"says {told}")
            expect_equal(capture(edge), 1, "capture")
            expect(wait_until(lambda: edge.json("show", "tunables")["tunables"]["capture"]["in_force"], 3), "capture is not on again")
        drain = begin(edge)
        edge.siprtx("set", "capture", "1")
        _, told = drain.communicate(timeout=3)
        expect(drain.returncode == 1 and "switched on again" in told, f"exit status {drain.returncode}, says {told}")
        expect_equal(capture(edge), 1, "capture")
        drain = begin(edge)
        edge.stop()
        edge.siprtx("unload")
        _, told = drain.communicate(timeout=3)
        expect(drain.returncode == 1 and "unloaded" in told, f"exit status {drain.returncode}, says {told}")


@case(seconds=8)
def drain_without_a_controller():
    """Killed before: exit 1 at once, nothing changed. Killed meanwhile: exit 1 in seconds, capture is as before; one started anew goes on with it."""
    with Edge("[profile standard]\nresend_interval = 4\nfinal_wait = 0.5\n") as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        softswitch.send(Call())
        held(edge, 1)
        drain = begin(edge)
        edge.kill()
        _, told = drain.communicate(timeout=4)
        expect(drain.returncode == 1 and "the controller is not running any more" in told, f"exit status {drain.returncode}, says {told}")
        expect_equal(capture(edge), 1, "capture")
        edge.start()
        drain = begin(edge)
        edge.kill()
        edge.launch()
        said, told = drain.communicate(timeout=20)
        expect(drain.returncode == 0 and "none left of 1" in said, f"exit status {drain.returncode}, says {said}{told}")
        edge.siprtx("set", "capture", "1")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 5), "status is not 0")
        softswitch.send(Call())
        held(edge, 1)
        edge.kill()
        begun = time.monotonic()
        drain = edge.siprtx("drain", check=False)
        expect(time.monotonic() - begun < 1, f"drain took {time.monotonic() - begun:.2f} s")
        expect(drain.returncode == 1 and "start siprtxd" in drain.stderr and "slots in use: 1" in drain.stderr, f"exit status {drain.returncode}, says {drain.stderr}")
        expect_equal(capture(edge), 1, "capture")
