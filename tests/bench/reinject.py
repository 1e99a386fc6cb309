# SPDX-License-Identifier: GPL-2.0-or-later
"""
Re-injection: copies a second, against the bare ways of sending, on one veth, counted at the receiver.

Each way sends SENDS datagrams of 1 KiB of SIP from one CPU, while the receiver's socket is read on another one; the rate
is that between the first and the last arrival. hot: one frame again and again; cold: as many frames as siprtx has slots,
each once. siprtx holds as many calls, and each of its copies is another frame: it has no hot case.

siprtx sends at full speed: it is stopped (SIGSTOP) while all that it holds falls due, so that all of it is due when it
goes on; and it may send as many in a round as it likes, one round after the other (tick, tick_sends).
"""
import collections
import json
import os
import shutil
import signal
import subprocess
import time

from edge import BPFFS, BUILD, ROOT, Edge, run, tool, wait_until
from figure import Incomplete, Row, ratios, spread
from frames import udp4
from sink import Sink
from sip import Call

SENDS = 65536
MESSAGE = 1024  # bytes of SIP
INTERVAL = 2  # s: long enough to take in all calls
SENDER_CPU, SINK_CPU = 0, 1
WIRE = f"{BUILD}/bench/wire.bpf.o"
METHODS = ("afxdp", "sendto", "send", "sendmmsg", "live")
NAMES = {"afxdp": "AF_XDP, bare loop", "sendto": "sendto", "send": "send, connected", "sendmmsg": "sendmmsg, connected", "live": "XDP live frames"}
SENDERS = {"siprtx": "afxdp", "siprtx_live": "live-frames"}
PEERS = {"socket": "into a socket", "drop": "dropped at TC"}

ROWS = tuple(Row(f"{NAMES[method]}, {frames}, {words}", f"{peer}.{method}_{frames}", "pps")
             for peer, words in PEERS.items() for frames in ("hot", "cold") for method in METHODS) + tuple(
    Row(f"siprtx, sender = {word}, cold, {words}", f"{peer}.{name}_cold", "pps") for peer, words in PEERS.items() for name, word in SENDERS.items()) + tuple(
    Row(f"siprtx / AF_XDP bare loop, cold, {words}", f"{peer}.siprtx_of_afxdp", "", "at least 0.95", lambda v: v >= .95)
    for peer, words in PEERS.items()) + tuple(
    Row(f"siprtx with live frames / bare ones, cold, {words}", f"{peer}.siprtx_live_of_live", "") for peer, words in PEERS.items())


def pin(process, cpu):
    for task in os.listdir(f"/proc/{process.pid}/task"):
        os.sched_setaffinity(int(task), {cpu})


def rate(count, first_ns, last_ns):
    return (count - 1) * 1e9 / (last_ns - first_ns)


class SocketPeer:
    """A bound socket that is read: every datagram is there, each of the frames as often as the others."""

    def __init__(self, edge):
        self.sink = Sink(edge)
        pin(self.sink.process, SINK_CPU)

    def rate(self, what, frames, sends, since_ns=0):
        """Of what arrived from `since_ns` on; `sends` of each frame, those before it included."""
        summary, seen = self.sink.close(), collections.Counter(map(len, self.sink.arrivals.values()))
        if summary["lost"] or seen != {sends // frames: frames}:
            raise Incomplete(f"{what}: {summary['datagrams']} datagrams at the sink, {summary['lost']} lost there; "
                             f"frames by arrivals of each: {dict(seen)}, wanted {frames} of {sends // frames}")
        times = [t for t in self.sink.times if t >= since_ns]
        return rate(len(times), min(times), max(times))


class DroppingPeer:
    """A TC filter on the gateway's side that counts and drops what is for port 5060."""

    def __init__(self, edge):
        self.edge, self.pins = edge, f"{BPFFS}/{edge.name}-wire"
        run("bpftool", "prog", "loadall", WIRE, self.pins, "pinmaps", self.pins)
        edge.run(edge.gw_ns, "tc", "qdisc", "replace", "dev", "g0", "clsact")
        edge.run(edge.gw_ns, "tc", "filter", "add", "dev", "g0", "ingress", "pref", "1", "bpf", "direct-action", "pinned", f"{self.pins}/drop")

    def rate(self, what, frames, sends, since_ns=0):
        values = json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{self.pins}/dropped").stdout)[0]["formatted"]["values"]
        self.close()
        values = [v["value"] for v in values if v["value"]["datagrams"]]
        count = sum(v["datagrams"] for v in values)
        if count != sends:
            raise Incomplete(f"{what}: {count} datagrams at the peer that drops, wanted {sends}")
        return rate(count, min(v["first_ns"] for v in values), max(v["last_ns"] for v in values))

    def close(self):
        self.edge.run(self.edge.gw_ns, "tc", "qdisc", "del", "dev", "g0", "clsact", check=False)
        shutil.rmtree(self.pins, ignore_errors=True)


def mac(edge, namespace, interface):
    return bytes.fromhex(json.loads(run("ip", "-j", "-n", namespace, "link", "show", "dev", interface).stdout)[0]["address"].replace(":", ""))


def template(edge):
    """The frame that all send: an INVITE of 1 KiB from the edge to the gateway, its numbers to be filled in."""
    message = Call(branch="z9hG4bKraw00000000", call_id="raw00000000@softswitch.test", size=MESSAGE).message
    path = f"{edge.directory}/frame"
    with open(path, "wb") as f:
        f.write(mac(edge, edge.gw_ns, "g0") + mac(edge, edge.edge_ns, "out0") + b"\x08\0" + udp4("10.77.2.1", "10.77.2.2", message, ttl=63, flags=0x4000))
    return path


def raw(edge, namespace, method, interface, frames):
    """Runs one of the bare senders, SENDS datagrams of so many frames, to its end."""
    afxdp = method == "afxdp"
    program = [tool("raw_afxdp", "tests/bench/raw_afxdp.c", "libxdp", "libbpf")] if afxdp else [tool("raw_senders", "tests/bench/raw_senders.c", "libbpf"), method]
    sender = edge.popen(namespace, *program, interface, template(edge), str(frames), str(SENDS), *([WIRE] if method == "live" else []),
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if sender.stdout.readline() != "ready\n":
        raise RuntimeError(f"{program[0]} {method} did not get ready")
    pin(sender, SENDER_CPU)
    sender.communicate("go\n", timeout=60)
    if sender.returncode:
        raise RuntimeError(f"{program[0]} {method} ended with {sender.returncode}")


def measure_raw(edge, method, peer, frames):
    receiver = PEERS_MADE[peer](edge)
    raw(edge, edge.edge_ns, method, "out0", frames)
    time.sleep(0.1)
    return receiver.rate(f"{method}, {frames} frames, {peer}", frames, SENDS)


PEERS_MADE = {"socket": SocketPeer, "drop": DroppingPeer}


class Stopped:
    """siprtxd stands still inside, from before `until` (monotonic) to after it."""

    def __init__(self, edge, until):
        self.edge, self.until = edge, until

    def __enter__(self):
        if time.monotonic() > self.until - INTERVAL / 4:
            raise Incomplete("the machine is too slow: the first copies were due before siprtxd could be stopped")
        self.edge.process.send_signal(signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        time.sleep(max(0, self.until + 0.1 - time.monotonic()))
        self.resumed_ns = time.time_ns()
        self.edge.process.send_signal(signal.SIGCONT)


def await_sends(edge, sends):
    """Asks nobody at first: that would be work on the CPUs that are measured."""
    time.sleep(0.6)
    if not wait_until(lambda: edge.stats()["sends"] >= sends, 10, 0.5):
        raise Incomplete(f"siprtx has sent {edge.stats()['sends']} copies, wanted {sends}: {edge.stats()}")


def measure_siprtx(edge, sender):
    """Copies a second into each of the peers, of SENDS calls."""
    edge.settings["sender"] = sender
    edge.write_configuration()
    edge.start()
    pin(edge.process, SENDER_CPU)
    for tunable, value in (("probe", 0), ("tick", 50), ("tick_sends", 0)):
        edge.siprtx("set", tunable, str(value))
    socket = SocketPeer(edge)
    raw(edge, edge.sw_ns, "sendmmsg", "s0", SENDS)
    taken = time.monotonic()
    if not wait_until(lambda: edge.stats()["pending"] >= SENDS, INTERVAL / 4, 0.05):
        raise Incomplete(f"siprtx holds {edge.stats()['pending']} calls, wanted {SENDS}: {edge.counters()}")
    with Stopped(edge, taken + INTERVAL) as stopped:
        pass
    sent = time.monotonic()
    await_sends(edge, SENDS)
    with Stopped(edge, sent + INTERVAL + 0.5):
        result = {"socket": socket.rate("siprtx, socket", SENDS, 2 * SENDS, stopped.resumed_ns)}
        drop = DroppingPeer(edge)
    await_sends(edge, 2 * SENDS)
    result["drop"] = drop.rate("siprtx, drop", SENDS, SENDS)
    edge.stop()
    edge.siprtx("unload")
    return result


def measure(rounds=5, say=print):
    if len(os.sched_getaffinity(0)) < 2:
        raise Incomplete("there is one CPU: sender and receiver need one each")
    os.sched_setaffinity(0, {SINK_CPU})  # and all that is not pinned elsewhere
    run("make", "-s", "-C", ROOT, f"B={BUILD}", WIRE)
    rates = {peer: collections.defaultdict(list) for peer in PEERS}
    configuration = (f"[profile burst]\nresend_interval = {','.join([str(INTERVAL)] * 2)}\nfinal_wait = 60\n"
                     "[gateway g]\naddress = 10.77.2.2\nprofile = burst\n")
    with Edge(configuration, start=False, max_transactions=SENDS) as edge:
        for n in range(rounds):
            for peer in PEERS:
                for method in METHODS:
                    for frames, word in ((1, "hot"), (SENDS, "cold")):
                        rates[peer][f"{method}_{word}"].append(measure_raw(edge, method, peer, frames))
            for name, sender in SENDERS.items():
                for peer, value in measure_siprtx(edge, sender).items():
                    rates[peer][f"{name}_cold"].append(value)
            say(f"round {n + 1}: " + "; ".join(f"{peer}: AF_XDP {rates[peer]['afxdp_cold'][-1]:,.0f}, " + ", ".join(
                f"{name} {rates[peer][name + '_cold'][-1]:,.0f}" for name in SENDERS) for peer in PEERS))
    result = {peer: {key: spread(values, 0) for key, values in of.items()} for peer, of in rates.items()}
    for peer, of in rates.items():
        for ours, theirs in (("siprtx", "afxdp"), ("siprtx_live", "live")):
            result[peer][f"{ours}_of_{theirs}"] = ratios(of[f"{ours}_cold"], of[f"{theirs}_cold"], 3)
    return result
