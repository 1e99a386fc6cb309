# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kamailio between callers and two gateways that it asks in turn, the first one dead or alive, each machine on a CPU of its own:

    CPU 0: Kamailio and what receives for it; siprtxd too where it runs on Kamailio's host
    CPU 1: callers, gateways, the bench, and the edge with its siprtxd where it is a machine of its own

    with Outage(MODES["down-503"], inside=True) as outage:
        outage.prepare()
        calls, settle = outage.run(rate=1000, count=2000)
        used, seconds = settle()  # a second later: Kamailio has forgotten the calls by then

Callers have a link of their own, c1 in the gateways' namespace to c0 in Kamailio's: on the loopback Kamailio would pay
for waking them.
"""
import collections
import ctypes
import glob
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from edge import SO_RCVBUFFORCE, run, tool, wait_until
from failover import FIRST, MODES, SECOND, Carriers, Mode, Shipped, kamailio_rpc
from figure import Incomplete
from sink import Sink

PATIENCE = 2000  # ms, Kamailio's fr_timer where it is the one to give up: as timeout_invite of examples/kamailio/siprtx.conf
ALONE = MODES["alone-2s"]
ABSORB = Mode("absorb", "on_exhausted = record, nobody told", PATIENCE, "record", "pass", False)
SOFTSWITCH, WORLD = 0, 1  # CPUs
CALLERS, ACCESS = "10.77.3.2", "10.77.3.1"
FORGET = 1000  # ms, tm's wt_timer and siprtx's `remember`: what a call costs at its very end falls into the measurement
BUFFER = 8 << 20  # bytes: the kernel's 208 KiB hold what comes in some 30 ms, and nobody here sends again what is lost
PIDFD_GETFD = 438
# Kamailio's own default, qm, looks through its free lists: a call costs twice as much, and how much depends on the calls before
ALLOCATOR = "tlsf"
TOLD = ("INVITE", "ACK", "BYE")

Call = collections.namedtuple("Call", "sent heard rang answered over tried refused")
CALL = struct.Struct("=QQBBBcI")


def napi_threads():
    """{pid: name} of the kernel's threads that receive for interfaces with `threaded` on."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as f:
                name = f.read().strip()
        except OSError:
            continue
        if name.startswith("napi/"):
            found[int(path.split("/")[2])] = name
    return found


_naming = threading.Lock()  # which threads are a device's shows only in their coming


def receive_in_threads(namespace, device, cpu):
    """
    From now on `device` receives in threads of its own on `cpu`, before anything else there, as a network card's softirq
    would; their pids. Without it the sender's system call pays for all that follows behind a veth.
    """
    with _naming:
        before = napi_threads()
        run("ip", "netns", "exec", namespace, "sh", "-c", f"echo 1 > /sys/class/net/{device}/threaded")
        pids = [pid for pid, name in napi_threads().items() if pid not in before and name.startswith(f"napi/{device}-")]
    if not pids:
        raise Incomplete(f"{device} has no NAPI threads: the kernel is too old for /sys/class/net/{device}/threaded on a veth")
    for pid in pids:
        os.sched_setaffinity(pid, {cpu})
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    return pids


def family(pid):
    """The process and all below it."""
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [pid, *(p for child in f.read().split() for p in family(int(child)))]


def cpu_us(pids):
    """CPU time of all threads of these, us, by the scheduler's own clock."""
    total = 0
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with open(path) as f:
                total += int(f.read().split()[0])
    return total / 1000


def widen_socket(pid, port=5060):
    """A receive buffer of BUFFER for the UDP socket of this process, as net.core.rmem_max and Kamailio's `maxbuffer` would give it."""
    libc, process = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            continue
        copy = libc.syscall(PIDFD_GETFD, process, int(fd), 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        with socket.socket(fileno=copy) as s:
            if (s.family, s.type) == (socket.AF_INET, socket.SOCK_DGRAM) and s.getsockname()[1] == port:
                s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    os.close(process)


class RoundRobin(Shipped):
    """examples/kamailio/kamailio.cfg, but that both gateways are asked in turn, by two processes, and no line is logged for a failover."""

    def __init__(self, edge, fr_timer, inside):
        super().__init__(edge, fr_timer, inside)
        with open(self.path) as f:
            text = f.read()
        for old, new in (('ds_select_dst("1", "8")', 'ds_select_dst("1", "4")'), ("children=4", "children=2\nshm_force_alloc=yes"), ("debug=2", "debug=0"),
                         ('modparam("tm", "fr_inv_timer"', f'modparam("tm", "wt_timer", {FORGET})\nmodparam("tm", "fr_inv_timer"')):
            if old not in text:
                raise RuntimeError(f"{self.path} has no {old} any more")
            text = text.replace(old, new)
        self.path = f"{edge.directory}/kamailio.cfg"
        with open(self.path, "w") as f:
            f.write(text)

    def options(self):
        return ["-m", "192", "-x", ALLOCATOR, "-X", ALLOCATOR, *super().options()[2:]]


class Outage(Carriers):
    """An edge, Kamailio inside or on it, and its siprtxd if the mode has one; gateways and callers come with each run."""

    def __init__(self, mode, inside):
        super().__init__(mode, inside)
        self.runs = mode.on_exhausted is not None
        self.edge.settings["max_transactions"] = 32768

    def __enter__(self):
        self.edge.__enter__()
        try:
            if self.mode.notify:
                self.notify = self.edge.popen(self.edge.edge_ns, f"{self.edge.build}/siprtx-notify", "-c", self.edge.configuration_path)
            self.kamailio = RoundRobin(self.edge, self.mode.fr_timer, self.inside)
            self.link_callers()
            self.kamailio.start()
            self.pin()
        except BaseException:
            self.__exit__(RuntimeError)
            raise
        return self

    def __exit__(self, kind, *rest):
        if hasattr(self, "kamailio") and hasattr(self.kamailio, "process"):
            self.kamailio.stop()
        self.edge.__exit__(kind, *rest)

    def link_callers(self):
        mine, theirs = self.kamailio.namespace, self.edge.gw_ns
        run("ip", "link", "add", "c0", "netns", mine, "type", "veth", "peer", "name", "c1", "netns", theirs)
        for namespace, device, address in ((mine, "c0", ACCESS), (theirs, "c1", CALLERS)):
            self.edge.run(namespace, "ethtool", "-K", device, "gro", "on")
            run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", device)
            run("ip", "-n", namespace, "link", "set", device, "up")
        # callers reach Kamailio by their own link, gateways by theirs
        run("ip", "-n", theirs, "rule", "add", "from", CALLERS, "lookup", "100")
        run("ip", "-n", theirs, "route", "add", "default", "via", ACCESS, "dev", "c1", "table", "100")

    def pin(self):
        edge, mine, others = self.edge, [], []
        outside = {edge.edge_ns: ("in0", "out0"), edge.sw_ns: ("s0",)}
        for namespace, devices in outside.items():
            at = SOFTSWITCH if namespace == self.kamailio.namespace else WORLD
            for device in devices:
                (mine if at == SOFTSWITCH else others).extend(receive_in_threads(namespace, device, at))
        mine += receive_in_threads(self.kamailio.namespace, "c0", SOFTSWITCH)
        for device in ("g0", "c1"):
            receive_in_threads(edge.gw_ns, device, WORLD)
        widen_socket(self.kamailio.process.pid)
        processes = family(self.kamailio.process.pid)
        self.siprtxd = [edge.process.pid] if self.runs else []
        for pid in processes + self.siprtxd:
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), {WORLD if self.inside and pid in self.siprtxd else SOFTSWITCH})
        self.softswitch = mine + processes + (self.siprtxd if not self.inside else [])
        self.other = others + (self.siprtxd if self.inside else [])

    def prepare(self):
        """Fills caches and brings the dead gateway down where the mode does something about that. Returns once it is."""
        if self.runs:
            self.edge.siprtx("set", "remember", str(FORGET))
        judged = self.mode.on_down not in (None, "pass") or self.mode.notify
        if self.runs and not judged:
            self.edge.send_no_options()
        self.run(100, 100, strict=False)
        if judged and not wait_until(self.is_down, 20, 0.1):
            raise Incomplete(f"the dead gateway is not taken for down: {self.edge.siprtx('show', 'gateways').stdout}")

    def is_down(self):
        if not self.mode.notify:
            return self.state() == "down"
        dump = kamailio_rpc(self.edge, self.kamailio, json.dumps({"jsonrpc": "2.0", "method": "dispatcher.list", "id": 1}))
        return {d["DEST"]["FLAGS"] for d in dump["result"]["RECORDS"][0]["SET"]["TARGETS"]} == {"IP", "AX"}

    def used(self):
        """CPU time so far, us: of Kamailio's machine, of the edge where it is another one, and of siprtxd alone."""
        return [cpu_us(self.softswitch), cpu_us(self.other), cpu_us(self.siprtxd)]

    def answerer(self, address):
        p = self.edge.popen(self.edge.gw_ns, tool("answerer", "tests/bench/answerer.c"), address, "5060", stdout=subprocess.PIPE, text=True)
        if p.stdout.readline() != "ready\n":
            raise RuntimeError(f"the gateway {address} did not get ready")
        return p

    def run(self, rate, count, dead=True, strict=True):
        """
        `count` calls at `rate`, each answered and ended once: Incomplete otherwise. Gives the calls, and a function for
        what was used since they began (see used) and in how many seconds: to be asked FORGET later.
        """
        sink = Sink(self.edge) if dead else None
        alive = [self.answerer(a) for a in (SECOND, *(() if dead else (FIRST,)))]
        log = f"{self.edge.directory}/calls"
        callers = self.edge.popen(self.edge.gw_ns, tool("callers", "tests/bench/callers.c"), CALLERS, "5070", self.kamailio.address, str(rate), str(count),
                                  "8", log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if callers.stdout.readline() != "ready\n":
            raise RuntimeError("the callers did not get ready")
        begin, start = self.used(), time.monotonic()
        said = callers.communicate("go\n", timeout=count / rate + 30)[0]
        if said != "done\n":
            raise RuntimeError(f"the callers ended with {callers.wait()}")
        requests = collections.Counter()
        for p in alive:
            p.send_signal(signal.SIGTERM)
            requests.update(json.loads(p.communicate(timeout=10)[0]))
        with open(log, "rb") as f:
            calls = [Call(*fields) for fields in CALL.iter_unpack(f.read())]
        summary = sink.close() if dead else {"lost": 0}
        if strict:
            self.expect_all(calls, requests, count)
            if dead:
                self.expect_copies(sink, summary, sum(c.tried == b"1" for c in calls))

        def settle():
            return [b - a for a, b in zip(begin, self.used())], time.monotonic() - start
        return calls, settle

    def expect_all(self, calls, requests, count):
        odd = [c for c in calls if (c.rang, c.answered, c.over, c.refused) != (1, 1, 1, 0) or c.tried not in (b"0", b"1")]
        if odd or len(calls) != count or any(requests[m] != count for m in TOLD):
            kinds = collections.Counter(c[2:] for c in odd).most_common(4)
            raise Incomplete(f"{self.mode.name}: {len(odd)} of {len(calls)} calls were not answered and ended once: "
                             f"{kinds} (rang, answered, over, try, refused); the gateway saw {dict(requests)}")

    def expect_copies(self, sink, summary, switched):
        """What the dead gateway got: of each call that was tried there the INVITE and its copies, once; and siprtx's probes."""
        down = self.mode.notify or self.mode.on_down == "reply-503"
        copies = 2 if self.mode.on_down == "fast" else 3
        got = collections.Counter(map(len, sink.arrivals.values()))
        probes = got.pop(1, 0)
        wanted = {} if down or not switched else {copies: switched}
        if dict(got) != wanted or summary["lost"] or probes > 3:
            raise Incomplete(f"{self.mode.name}: the dead gateway got {dict(got)} (INVITEs a call: calls) and {probes} single datagrams, wanted {wanted}")


def delays(calls, tried):
    """Seconds from INVITE to the first 180 or 200 of those answered at this try, in ascending order (Session Request Delay, RFC 6076 4.3.1)."""
    return sorted((c.heard - c.sent) / 1e9 for c in calls if c.tried == tried)
