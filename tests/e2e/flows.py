# SPDX-License-Identifier: GPL-2.0-or-later
"""
Whole message flows: SIPp at both ends of an edge, and all that both links carried.

    with Flow("[gateway a]\\naddress = 10.77.2.2\\n") as flow:
        flow.gateway("answer.xml", pause=700, code=180, final=200)
        call = flow.softswitch("call.xml", ack=1)
        call.done(10)
        expect_times(flow.invites(call), [0, .5])
"""
import collections
import itertools
import os
import time

from case import expect, expect_equal, short
from edge import Edge, wait_until
from frames import Capture

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


class Sipp:
    """One SIPp with one scenario and one call; as a softswitch .call_id is its call's."""

    def __init__(self, edge, namespace, scenario, address, port, number, remote=None, pause=0, call_id=None, options=(), **keys):
        self.name = f"{scenario.removesuffix('.xml')} at {address}:{port}"
        self.call_id, self.address, self.port = call_id or f"flow-{os.getpid()}-{number}", address, port
        self.errors = f"{edge.directory}/sipp-{number}.errors"
        command = ["sipp", "-sf", f"{SCENARIOS}/{scenario}", "-i", address, "-p", str(port), "-m", "1", "-nostdin", "-trace_err", "-error_file", self.errors,
                   "-cid_str", self.call_id, "-d", str(pause), "-timer_resol", "1", *options]
        for key, value in keys.items():
            # SIPp wants to read a status code that is written out; in a keyword it takes the whole start line
            command += ["-key", key, f"SIP/2.0 {value} Whatever" if key in ("code", "final") else str(value)]
        self.process = edge.popen(namespace, *command, *([f"{remote}:5060"] if remote else []), stdout=-3, stderr=-3,
                                  env={**os.environ, "TERM": "dumb"}, cwd=edge.directory)
        if not remote and not wait_until(lambda: edge.run(namespace, "ss", "-Hlun", f"src {address}:{port}").stdout, 10):
            raise RuntimeError(f"sipp, {self.name}, does not listen: {self.said()}")

    def said(self):
        try:
            with open(self.errors) as f:
                return f.read()[-600:]
        except FileNotFoundError:
            return ""

    def done(self, timeout):
        """The scenario went through to its end."""
        expect(wait_until(lambda: self.process.poll() is not None, timeout), f"sipp, {self.name}: not through after {timeout} s; {self.said()}")
        expect_equal(self.process.returncode, 0, f"exit status of sipp, {self.name}; {self.said()}")

    def end(self):
        self.process.kill()
        self.process.wait()


class Flow:
    """An edge with SIPp on both sides. Leaving it judges that every message arrived byte for byte."""

    def __init__(self, configuration="", **options):
        self.edge, self.numbers = Edge(configuration, **options), itertools.count(1)

    def __enter__(self):
        self.edge.__enter__()
        self.at_softswitch, self.at_gateway = Capture(self.edge.sw_ns, "s0"), Capture(self.edge.gw_ns, "g0")
        return self

    def __exit__(self, kind, *rest):
        try:
            if kind is None:
                time.sleep(0.1)
                self.judge_content()
        except BaseException:
            kind = AssertionError
            raise
        finally:
            for capture in (self.at_softswitch, self.at_gateway):
                capture.__exit__()
            self.edge.__exit__(kind, *rest)

    def gateway(self, scenario, address="10.77.2.2", **keywords):
        return Sipp(self.edge, self.edge.gw_ns, scenario, address, 5060, next(self.numbers), **keywords)

    def softswitch(self, scenario, to="10.77.2.2", port=None, **keywords):
        number = next(self.numbers)
        return Sipp(self.edge, self.edge.sw_ns, scenario, "10.77.1.2", port or 5060 + number, number, remote=to, **keywords)

    def seen(self, call, what, softswitch=False, branch=None):
        """The frames of the call that reached the gateways (or the softswitch) and begin with `what`."""
        frames = (self.at_softswitch if softswitch else self.at_gateway).frames
        mark = f";branch={branch};" if branch else f"{call.address}:{call.port};branch="
        marks = [f"Call-ID: {call.call_id}\r\n".encode(), mark.encode()]
        return [f for f in frames if f.protocol == 17 and f.payload.startswith(what.encode()) and all(m in f.payload for m in marks)]

    def invites(self, call, branch=None):
        """When the INVITEs of the call reached a gateway, in seconds after the first."""
        times = [f.time for f in self.seen(call, "INVITE ", branch=branch)]
        return [t - times[0] for t in times]

    def codes(self, call, **keywords):
        """The status codes of the responses that reached the softswitch, in their order."""
        return [int(f.payload[8:11]) for f in self.seen(call, "SIP/2.0 ", softswitch=True, **keywords)]

    def after(self, call, what, softswitch=False):
        """Seconds from the call's first INVITE at the gateway to the first `what`."""
        return self.seen(call, what, softswitch)[0].time - self.seen(call, "INVITE ")[0].time

    def events(self, call, kind=None):
        return [e for e in self.edge.json("events", "-n", "500")["events"] if e["call_id"] == call.call_id and kind in (None, e["event"])]

    def wait_record(self, call, timeout):
        return self.edge.wait_journal(call, timeout)

    def judge_content(self):
        """All that one end sent reached the other byte for byte; only INVITEs may be fewer (absorbed) or more (copies), never none."""
        def sip(frames):
            return [f.payload for f in frames if f.protocol == 17 and f.payload]
        counter = collections.Counter
        sent, got = counter(sip(self.at_gateway.sent)), counter(sip(self.at_softswitch.frames))
        expect(sent == got, f"responses that did not reach the softswitch as they were sent: {short([*(sent - got)])}, that were never sent: {short([*(got - sent)])}")
        sent, got = counter(sip(self.at_softswitch.sent)), counter(sip(self.at_gateway.frames))
        expect(sent, "the softswitch sent nothing: the test is wrong")
        for message in sent | got:
            if message.startswith(b"INVITE "):
                expect(sent[message] and got[message], f"an INVITE was sent {sent[message]} times and reached the gateway {got[message]} times: {message[:200]}")
            else:
                expect_equal(got[message], sent[message], f"how often this reached the gateway: {message[:200]}")


def profile(name="short", address="10.77.2.0/24", **fields):
    """A profile and the gateways that have it, as lines of the configuration."""
    values = {"resend_interval": "0.3,0.3,0.3", "final_wait": "0.3", **fields}
    return f"[profile {name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()) + f"[gateway {name}]\naddress = {address}\nprofile = {name}\n"


