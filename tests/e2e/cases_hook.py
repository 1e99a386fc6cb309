# SPDX-License-Identifier: GPL-2.0-or-later
"""siprtx-notify's JSON-RPC and exec consumers: Kamailio told of its gateways, programs that misbehave, softswitches that are away."""
import json
import os
import re
import signal
import socket
import threading
import time

from case import case, expect, expect_equal, expect_times
from edge import ROOT, Edge, in_namespace, run, tool, wait_until
from notifier import Notifier
from sip import Call

GATEWAY = "192.0.2.10"
SET_STATE = """gateway_down = {{"jsonrpc": "2.0", "method": "dispatcher.set_state",
	"params": ["i", 1, "sip:${{gateway}}"], "id": ${{seq}}}}
gateway_up = {{"jsonrpc": "2.0", "method": "dispatcher.set_state",
	"params": ["a", 1, "sip:${{gateway}}"], "id": ${{seq}}}}
"""


def jsonrpc(name, to, lines=SET_STATE, **keys):
    return f"[notify {name}]\nkind = jsonrpc\nto = {to}\n{lines.format()}" + "".join(f"{k} = {v}\n" for k, v in keys.items())


def hook(name, path, **keys):
    return f"[notify {name}]\nkind = exec\nrun = {path}\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())


class Notify(Notifier):
    """siprtx-notify beside an edge's controller, with `sections` added to its configuration. Records are put in by hand."""

    def __init__(self, edge, sections):
        super().__init__(edge, start=False)
        edge.configuration += sections
        edge.write_configuration()
        self.names = re.findall(r"(?m)^\[notify (\S+)\]", sections)

    def __enter__(self):
        self.start()
        if not wait_until(lambda: all((self.sink(n) or {}).get("alive") for n in self.names) or self.process.poll() is not None, 10) or self.process.poll() is not None:
            raise RuntimeError(f"siprtx-notify does not run: {self.log()[-1500:]}")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end()

    def record(self, *events, address=GATEWAY, name="carrier-a"):
        """Records of a gateway's states, in order: up, suspect, down; call: an exhausted one. The first one's number."""
        return int(run(tool("add_record", "tests/peer/add_record.c", "libbpf"), self.edge.pin_path, address, "5060", name, *events).stdout)

    def wait(self, name, timeout=5, **wanted):
        """Until `siprtx status` says this of the consumer."""
        if not self.wait_sink(name, lambda s: all(s[k] == v for k, v in wanted.items()), timeout):
            sink = self.sink(name)
            expect_equal({k: sink[k] for k in wanted}, wanted, f"notify {name} ({sink})")
        return self.sink(name)


class Softswitch:
    """Reads requests as mi_datagram and jsonrpcs do: answers come from a socket of its own. `answer(request)` gives the response or None."""

    def __init__(self, edge, to, answer):
        self.got, self.answer, self.ending = [], answer, False
        if to.startswith("unix:"):
            if os.path.exists(to[5:]):
                os.unlink(to[5:])
            family, address = socket.AF_UNIX, to[5:]
        else:
            family, address = socket.AF_INET, (to.split(":")[1], int(to.split(":")[2]))

        def make():
            return socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        self.rx, self.tx = in_namespace(edge.edge_ns, make)
        self.rx.bind(address)
        self.rx.settimeout(.1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ending:
            try:
                data, peer = self.rx.recvfrom(65536)
            except socket.timeout:
                continue
            request = json.loads(data)
            self.got.append(request)
            response = self.answer(request)
            if response is not None and peer:
                self.tx.sendto(json.dumps({"jsonrpc": "2.0", **response, "id": request.get("id")}).encode(), peer)

    def close(self):
        self.ending = True
        self.thread.join()
        self.rx.close()
        self.tx.close()


def ok(_):
    return {"result": "OK"}


def states(softswitch):
    return [(r["params"][0], r["params"][2]) for r in softswitch.got]


def script(edge, name, body):
    path = f"{edge.directory}/{name}"
    with open(path, "w") as f:
        f.write(f"#!/bin/sh\nD={edge.directory}\n{body}\n")
    os.chmod(path, 0o755)
    return path


def content(edge, name):
    try:
        with open(f"{edge.directory}/{name}") as f:
            return f.read()
    except FileNotFoundError:
        return ""


@case(seconds=4)
def bad_template_is_refused():
    """Templates that are no JSON-RPC, whatever the record: siprtx check and siprtx-notify name the line, the fault and the remedy, and fail."""
    faults = {
        '{"jsonrpc": "2.0", "method": "x", "params": ["${gatewey}"]}': "did you mean ${gateway}?",
        '{"jsonrpc": "2.0", "method": "x", "params": ["${gateway"]': "without its }",
        '{"jsonrpc": "2.0", "method": "x", "params": [${gateway}': "no JSON",
        '{"method": "x"}': '"jsonrpc": "2.0"',
        '{"jsonrpc": "2.0", "method": "${call_id}"}': "comes from the wire",
        '{"jsonrpc": "2.0", "method": "x", "id": 1}': "is not ${seq}",
        '{"jsonrpc": "2.0", "method": "x", "params": ["\\${call_id}"]}': "half an escape",
    }
    with Edge(start=False) as edge:
        plain = edge.configuration
        for template, fault in faults.items():
            edge.configuration = plain + jsonrpc("k", "udp:127.0.0.1:8090", "").rstrip() + f"\ngateway_down = {template}\n"
            edge.write_configuration()
            checked = edge.siprtx("check", check=False)
            run_it = edge.run(edge.edge_ns, f"{edge.build}/siprtx-notify", "-c", edge.configuration_path, check=False, timeout=10)
            for what, result in (("siprtx check", checked), ("siprtx-notify", run_it)):
                said = result.stdout + result.stderr
                expect_equal(result.returncode, 1, f"exit status of {what} with {template}")
                expect(fault in said and "siprtx.conf:" in said, f"{what} says of {template}: {said}")


@case(seconds=15)
def programs_that_misbehave():
    """Hooks that hang, fail, are not there, talk without end, leave children: each named and counted, the others told in order, calls sent again on time."""
    with Edge("[profile short]\nresend_interval = 0.5,0.5,0.5,0.5,30\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n") as edge:
        good = script(edge, "good", 'echo "$SIPRTX_SEQ $SIPRTX_EVENT $SIPRTX_GATEWAY $SIPRTX_GATEWAY_NAME" >> $D/good.out; echo "$SIPRTX_CALL_ID" >> $D/calls')
        sections = (hook("good", good, at_once=1)
                    + hook("hangs", script(edge, "hangs", "trap '' TERM; sleep 1000 & echo $! >> $D/children; while :; do sleep 1; done"), timeout=.3)
                    + hook("fails", script(edge, "fails", "exit 3"))
                    + hook("missing", f"{edge.directory}/missing")
                    + hook("talks", script(edge, "talks", "head -c 5000000 /dev/zero | tr '\\0' x; echo"))
                    + hook("leaves", script(edge, "leaves", "sleep 1000 & echo $! >> $D/children")))
        with Notify(edge, sections) as notify:
            gateway, softswitch = edge.gateway(), edge.softswitch()
            call = softswitch.send(Call())
            first = notify.record("down", "up", "call", "down")
            notify.wait("good", sent=4)
            notify.wait("hangs", 15, failed=4, timeouts=4, sent=0)
            notify.wait("fails", failed=4, sent=0)
            expect(notify.sink("missing")["failed"] >= 4, f"missing: {notify.sink('missing')}")
            notify.wait("talks", sent=4)
            notify.wait("leaves", sent=4)
            for name, sentence in (("hangs", "not done after 300 ms"), ("fails", "ended with status 3"), ("missing", "No such file or directory")):
                expect(sentence in notify.sink(name)["error"], f"{name}: {notify.sink(name)['error']}")
            expect_equal(content(edge, "good.out").splitlines(), [f"{first + i} {e} {GATEWAY}:5060 carrier-a" for i, e in
                         enumerate(("gateway_down", "gateway_up", "exhausted", "gateway_down"))], "what the good one was told")
            expect_equal(content(edge, "calls").splitlines()[2], f'call-{first + 2}"\\$(id)', "the call-id, as it is")
            gateway.wait(call, 5, 4)
            expect_times(gateway.offsets(call), [0, .5, 1, 1.5, 2])
            expect_equal(edge.siprtx("status", check=False).returncode, 0, "exit status of siprtx status")
            expect(len(notify.log()) < 100000, f"the log has {len(notify.log())} bytes")
            # nothing is left of any, but for those in their three tenths of a second
            expect(wait_until(lambda: not any(alive(int(pid)) for pid in content(edge, "children").split()), 5), "children of hooks live on")
            expect("consumer" not in edge.log().lower(), "siprtxd has words for it")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@case(seconds=15)
def too_many_for_a_program():
    """More records than a slow hook gets done: it is told at its rate, the loop serves the others, the oldest are given up and counted."""
    with Edge() as edge:
        slow = script(edge, "slow", "echo $SIPRTX_SEQ >> $D/slow.out; sleep .1")
        quick = script(edge, "quick", "echo $SIPRTX_SEQ >> $D/quick.out")
        sections = hook("slow", slow, at_once=1, rate=5, queue=20, on="exhausted") + hook("quick", quick, rate=0, at_once=16)
        with Notify(edge, sections) as notify:
            gateway, softswitch = edge.gateway(), edge.softswitch()
            call = softswitch.send(Call())
            first = notify.record(*["call"] * 200)
            notify.wait("quick", 15, sent=200)
            # sixteen programs at a time are no reason to send a call late
            gateway.wait(call, 3, 5)
            expect_times(gateway.offsets(call)[:3], [0, .5, 1.5])
            notify.wait("slow", 15, lag=0)
            wait_until(lambda: notify.sink("slow")["sent"] + notify.sink("slow")["dropped"] == 200, 5)
            place = notify.sink("slow")
            expect_equal(place["sent"] + place["dropped"], 200, f"told and given up ({place})")
            expect(20 <= place["sent"] <= 60, f"told {place['sent']}")
            told = [int(line) for line in content(edge, "slow.out").split()]
            expect_equal(told, sorted(told), "the order")
            expect_equal(told[-1], first + 199, "the last one told")
            expect_equal(sorted(map(int, content(edge, "quick.out").split())), list(range(first, first + 200)), "what the quick one was told")


@case(seconds=8)
def program_at_the_end_of_siprtx_notify():
    """siprtx-notify ends while hooks run: they get SIGTERM, and within a second or so both are gone."""
    with Edge() as edge:
        sections = hook("kind", script(edge, "kind", "trap 'echo term > $D/term; exit 0' TERM; echo $$ > $D/kind.pid; while :; do sleep .1; done"))
        sections += hook("deaf", script(edge, "deaf", "trap '' TERM; echo $$ > $D/deaf.pid; while :; do sleep .1; done"))
        with Notify(edge, sections) as notify:
            notify.record("down")
            expect(wait_until(lambda: content(edge, "kind.pid") and content(edge, "deaf.pid"), 5), "the programs do not begin")
            begun = time.monotonic()
            notify.process.terminate()
            notify.process.wait(10)
            took = time.monotonic() - begun
            expect(took < 3, f"siprtx-notify needs {took:.1f} s to end")
            expect_equal(content(edge, "term"), "term\n", "what the kind one did")
            expect(not alive(int(content(edge, "kind.pid"))) and not alive(int(content(edge, "deaf.pid"))), "a program lives on")


@case(seconds=14)
def softswitch_away_gets_the_last_state():
    """Nobody at the UDP and the Unix socket: named once, the cursor waits, siprtx-notify may even restart; who comes gets all in order. Then one that says nothing."""
    with Edge() as edge:
        at = {"udp": "udp:127.0.0.1:8090", "unix": f"unix:{edge.directory}/rpc.sock"}
        sections = "".join(jsonrpc(name, to, timeout=.2) for name, to in at.items())
        wanted = [("i", f"sip:{GATEWAY}:5060"), ("a", f"sip:{GATEWAY}:5060"), ("i", f"sip:{GATEWAY}:5060")]
        with Notify(edge, sections) as notify:
            notify.record("down", "suspect", "up")
            for name in at:
                place = notify.wait(name, failed=1, lag=3)
                expect(place["error"].startswith("nobody takes it: ") and f"tried each second, {at[name][:5]}" in place["error"], f"{name}: {place['error']}")
        with notify:
            notify.record("down")
            for name in at:
                notify.wait(name, sent=0, lag=4)
            peers = {name: Softswitch(edge, to, ok) for name, to in at.items()}
            for name, peer in peers.items():
                place = notify.wait(name, sent=3, lag=0, timeouts=0, error=None)
                expect(place["failed"] <= 2, f"{name}: {place}")
                expect_equal(states(peer), wanted, f"what {name} was told")
                peer.close()
            # one that reads, but has no answer for a while: asked four times, and told again once it answers
            deaf = {name: Softswitch(edge, to, lambda r: None) for name, to in at.items()}
            second = notify.record("up")
            for name, peer in deaf.items():
                place = notify.wait(name, timeouts=1, lag=0)
                expect("no answer in 200 ms (sends: 4)" in place["error"], f"{name}: {place['error']}")
                expect_equal([r["id"] for r in peer.got], [second] * 4, f"ids that {name} got")
                peer.answer = ok
            notify.record("down", address="192.0.2.11")
            for name, peer in deaf.items():
                notify.wait(name, sent=5)
                expect_equal(states(peer)[4:], [("i", "sip:192.0.2.11:5060"), ("a", f"sip:{GATEWAY}:5060")], f"what {name} was told then")
                peer.close()


@case(seconds=8)
def state_outlives_the_queue():
    """More records than `queue` while nobody is there: the oldest are given up and counted, but how each gateway is at last is told."""
    with Edge() as edge:
        to = f"unix:{edge.directory}/rpc.sock"
        event = 'exhausted = {{"jsonrpc": "2.0", "method": "raise_event", "params": ["E", 1, "${{call_id}}"], "id": ${{seq}}}}\n'
        with Notify(edge, jsonrpc("k", to, SET_STATE + event, queue=10)) as notify:
            notify.record("down", "up")
            notify.record("down", address="192.0.2.11")
            first = notify.record(*["call"] * 50)
            notify.record("up", "down")
            notify.wait("k", dropped=42)
            row = next(line for line in edge.siprtx("status").stdout.splitlines() if line.startswith("k  "))
            expect("nobody takes it: No such file or directory" in row, f"siprtx status: {row}")
            peer = Softswitch(edge, to, ok)
            notify.wait("k", lag=0, error=None, timeouts=0)
            told = states(peer)
            of_gateway = [s for s in told if s[0] != "E"]
            expect_equal({uri: state for state, uri in of_gateway}, {f"sip:{GATEWAY}:5060": "i", "sip:192.0.2.11:5060": "i"}, f"last states, of {told}")
            expect_equal([r["id"] for r in peer.got if r["method"] == "raise_event"], list(range(first + 42, first + 50)), "calls told")
            peer.close()


@case(seconds=3)
def shipped_hook():
    """examples/notify-hook: one line for a gateway that goes or comes, nothing for other events and for names that are none."""
    with Edge(start=False) as edge:
        script(edge, "logger", 'echo "$*" >> $D/logged')

        def hook_with(**variables):
            record = {"EVENT": "gateway_down", "GATEWAY": f"{GATEWAY}:5060", "GATEWAY_NAME": "carrier-a", "REASON": "exhausted", **variables}
            run(f"{ROOT}/examples/notify-hook", env={"PATH": f"{edge.directory}:/usr/bin:/bin", **{f"SIPRTX_{k}": v for k, v in record.items()}})
        hook_with()
        hook_with(EVENT="gateway_up", REASON="probed")
        for wrong in ({"EVENT": "gateway_suspect"}, {"EVENT": "exhausted"}, {"GATEWAY_NAME": ""}, {"GATEWAY_NAME": "$(id)"}, {"GATEWAY_NAME": "a;b"}):
            hook_with(**wrong)
        expect_equal(content(edge, "logged").splitlines(), [f"-t siprtx -- gateway carrier-a ({GATEWAY}:5060) is down: exhausted",
                                                            f"-t siprtx -- gateway carrier-a ({GATEWAY}:5060) is up: probed"], "what it logged")


@case(seconds=5)
def softswitch_refuses():
    """An error is an answer: named with its text, counted, not repeated; the next one is told."""
    with Edge() as edge:
        to = f"unix:{edge.directory}/rpc.sock"
        peer = Softswitch(edge, to, lambda r: {"error": {"code": 404, "message": "No such\x1b[31m gateway"}} if r["params"][0] == "i" else ok(r))
        with Notify(edge, jsonrpc("k", to)) as notify:
            first = notify.record("down")
            expect_equal(notify.wait("k", failed=1, lag=0)["error"], "refused: No such?[31m gateway (404)", "error")
            time.sleep(1.2)
            notify.record("up")
            notify.wait("k", sent=1, failed=1, error=None)
            expect_equal([r["id"] for r in peer.got], [first, first + 1], "ids")
        peer.close()


@case(seconds=5)
def opensips_management_interface():
    """OpenSIPS's mi_datagram: drouting:gw_status with named parameters, raise_event with the record as its JSON string, as its documentation has them."""
    templates = """exhausted = {"jsonrpc": "2.0", "method": "raise_event",
	"params": {"event": "E_SIPRTX", "params": "${record}"}, "id": "${seq}"}
gateway_down = {"jsonrpc": "2.0", "method": "drouting:gw_status",
	"params": {"gw_id": "${gateway_name}", "status": 0}, "id": "${seq}"}
gateway_up = {"jsonrpc": "2.0", "method": "drouting:gw_status",
	"params": {"gw_id": "${gateway_name}", "status": 1}, "id": "${seq}"}
"""
    status, events = {"carrier-a": 1}, []

    def answer(request):
        if request["method"] == "drouting:gw_status" and set(request["params"]) == {"gw_id", "status"}:
            status[request["params"]["gw_id"]] = request["params"]["status"]
        elif request["method"] == "raise_event" and request["params"]["event"] == "E_SIPRTX":
            events.append(json.loads(request["params"]["params"]))
        else:
            return {"error": {"code": -32601, "message": "Method not found"}}
        return ok(request)
    with Edge() as edge:
        peer = Softswitch(edge, "udp:127.0.0.1:8080", answer)
        with Notify(edge, jsonrpc("opensips", "udp:127.0.0.1:8080", templates.replace("{", "{{").replace("}", "}}"))) as notify:
            first = notify.record("down", "call")
            notify.wait("opensips", sent=2, failed=0)
            expect_equal(status, {"carrier-a": 0}, "status of the gateway")
            expect_equal([(e["seq"], e["call_id"], e["gateway"]) for e in events], [(first + 1, f'call-{first + 1}"\\$(id)', f"{GATEWAY}:5060")], "events")
            notify.record("up")
            notify.wait("opensips", sent=3, failed=0)
            expect_equal(status, {"carrier-a": 1}, "status of the gateway")
        peer.close()


KAMAILIO = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
auto_aliases=no
dns=no
rev_dns=no
disable_tcp=yes
listen=udp:127.0.0.1:5062
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "jsonrpcs.so"
loadmodule "dispatcher.so"
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{socket}")
modparam("dispatcher", "list_file", "{directory}/dispatcher.list")
request_route {{
	exit;
}}
"""


class Dispatcher:
    """A Kamailio that has two gateways in its dispatcher's set 1 and is told of them by jsonrpcs' datagrams."""

    def __init__(self, edge, to):
        self.edge, self.to = edge, to
        with open(f"{edge.directory}/dispatcher.list", "w") as f:
            f.write(f"1 sip:{GATEWAY}:5060\n1 sip:192.0.2.11:5060\n")
        with open(f"{edge.directory}/kamailio.cfg", "w") as f:
            f.write(KAMAILIO.format(socket=to.removeprefix("unix:"), directory=edge.directory))

    def __enter__(self):
        with open(f"{self.edge.directory}/kamailio.log", "a") as log:
            self.process = self.edge.popen(self.edge.edge_ns, "kamailio", "-DD", "-E", "-m", "16", "-M", "4", "-f", f"{self.edge.directory}/kamailio.cfg",
                                           "-Y", self.edge.directory, stdout=log, stderr=log, cwd=self.edge.directory)
        if not wait_until(lambda: self.flags() or self.process.poll() is not None, 20, .1) or self.process.poll() is not None:
            raise RuntimeError(f"kamailio does not answer: {content(self.edge, 'kamailio.log')[-1500:]}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def kill(self):
        """All of it at once, so that its socket's file stays."""
        children = run("pgrep", "-P", str(self.process.pid), check=False).stdout.split()
        for pid in (self.process.pid, *map(int, children)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def flags(self):
        """{gateway: flags} of dispatcher.list; empty: no answer."""
        unix = self.to.startswith("unix:")
        s = in_namespace(self.edge.edge_ns, lambda: socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_DGRAM))
        try:
            s.settimeout(.5)
            s.bind("" if unix else ("127.0.0.1", 0))
            s.sendto(b'{"jsonrpc":"2.0","method":"dispatcher.list","id":1}', self.to[5:] if unix else ("127.0.0.1", int(self.to.split(":")[2])))
            return dict(re.findall(r'"URI":\s*"sip:([^"]*)",\s*"FLAGS":\s*"(\w+)"', s.recv(65536).decode()))
        except OSError:
            return {}
        finally:
            s.close()

    def expect(self, flags, timeout=4):
        wanted = {f"{GATEWAY}:5060": flags, "192.0.2.11:5060": "AX"}
        if not wait_until(lambda: self.flags() == wanted, timeout, .05):
            expect_equal(self.flags(), wanted, "what dispatcher.list says")


def kamailio_follows(edge, to):
    with Notify(edge, jsonrpc("kamailio", to, timeout=1)) as notify:
        with Dispatcher(edge, to) as kamailio:
            kamailio.expect("AX")
            begun = time.monotonic()
            notify.record("down")
            kamailio.expect("IX")
            took = time.monotonic() - begun
            notify.record("up")
            kamailio.expect("AX")
            notify.record("down", "up", "down", "up")
            notify.wait("kamailio", sent=6, failed=0)
            kamailio.expect("AX")
            notify.record("down", address="192.0.2.99")
            expect("refused: State Update Failed (500)" == notify.wait("kamailio", failed=1, sent=6)["error"], f"kamailio: {notify.sink('kamailio')}")
            kamailio.kill()
        notify.record("down", "up", "down")
        expect("nobody takes it" in notify.wait("kamailio", failed=2)["error"], f"kamailio: {notify.sink('kamailio')}")
        if to.startswith("unix:") and os.path.exists(to[5:]):
            os.unlink(to[5:])
        with Dispatcher(edge, to) as kamailio:
            # as its list says at first, and at most a second later as it is
            kamailio.expect("IX")
            notify.wait("kamailio", sent=9, failed=2, timeouts=0, error=None)
            return f"told within {took * 1000:.0f} ms"


@case(seconds=15)
def kamailio_dispatcher_by_udp():
    """Kamailio's dispatcher by jsonrpcs, UDP: a gateway that is down is out at once, and back when it is up; a restarted Kamailio is told where things are."""
    with Edge() as edge:
        return kamailio_follows(edge, "udp:127.0.0.1:8090")


@case(seconds=15)
def kamailio_dispatcher_by_unix_socket():
    """The same by a Unix socket."""
    with Edge() as edge:
        return kamailio_follows(edge, f"unix:{edge.directory}/rpc.sock")
