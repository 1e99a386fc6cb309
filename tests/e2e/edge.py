# SPDX-License-Identifier: GPL-2.0-or-later
"""
An edge server in three network namespaces (scripts/netns), with the controller under test on it.

    with Edge("[gateway a]\\naddress = 10.77.2.2\\n") as edge:
        gateway, softswitch = edge.gateway(), edge.softswitch()
        call = Call()
        softswitch.send(call)
        gateway.wait(call, 2)

Several may run at once, in threads and in processes: every name carries the process's id. Whatever a process made is
gone when it ends; what a killed one left behind goes at the next start.
"""
import atexit
import ctypes
import glob
import itertools
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
NETNS = os.path.join(ROOT, "scripts", "netns")
BPFFS = "/sys/fs/bpf"
PREFIX = "siprtx-t"
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL("libc.so.6", use_errno=True)
_number = itertools.count(1)
_live = set()
_live_lock = threading.Lock()


def run(*command, check=True, **keywords):
    r = subprocess.run(command, text=True, capture_output=True, **keywords)
    if check and r.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {r.returncode}: {r.stderr.strip() or r.stdout.strip()}")
    return r


def wait_until(condition, timeout, every=0.02):
    """True as soon as condition() is; False after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return result


def in_namespace(name, function):
    """What function() gives, run inside the network namespace; a socket made there stays there."""
    result = {}

    def body():
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if _libc.setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {name}")
            result["value"] = function()
        except BaseException as e:  # noqa: B902 - raised again in the caller
            result["error"] = e
        finally:
            os.close(fd)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def tool(name, source, *packages):
    """The path of a C test peer, built when it is older than its source or a header beside it."""
    path, source = os.path.join(BUILD, "peer", name), os.path.join(ROOT, source)
    with _live_lock:
        newest = max(map(os.path.getmtime, [source, *glob.glob(os.path.join(os.path.dirname(source), "*.h"))]))
        if not os.path.exists(path) or os.path.getmtime(path) < newest:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            flags = run("pkg-config", "--cflags", "--libs", *packages).stdout.split() if packages else []
            run("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", f"{path}.{os.getpid()}", source, *flags)
            os.replace(f"{path}.{os.getpid()}", path)
    return path


class Arrival:
    """One datagram: .time (the kernel's, wall clock seconds), .data, .peer."""

    __slots__ = ("time", "data", "peer")

    def __init__(self, when, data, peer):
        self.time, self.data, self.peer = when, data, peer


class Party:
    """A UDP socket inside a namespace. All that reaches it is kept, with the kernel's time; `on(party, arrival)` may answer."""

    def __init__(self, namespace, address, port=5060, on=None, dont_fragment=True, tos=0):
        self.on, self.got, self.address, self.port = on, [], address, port
        self.changed = threading.Condition()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def make():
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            if family == socket.AF_INET:
                s.setsockopt(socket.IPPROTO_IP, 10, 1 if dont_fragment else 0)  # IP_MTU_DISCOVER: WANT or DONT
                s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            s.bind((address, port))
            s.setblocking(False)
            return s
        self.socket = in_namespace(namespace, make)

    def receive(self):
        try:
            data, ancillary, _, peer = self.socket.recvmsg(65535, 256)
        except BlockingIOError:
            return
        when = time.time()
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                when = int.from_bytes(value[:8], sys.byteorder) + int.from_bytes(value[8:16], sys.byteorder) / 1e9
        arrival = Arrival(when, data, peer[:2])
        with self.changed:
            self.got.append(arrival)
            self.changed.notify_all()
        if self.on:
            self.on(self, arrival)

    def send(self, what, to=None, port=5060):
        """A Call's INVITE to where it goes, or bytes to an address."""
        data = what if isinstance(what, bytes) else what.message
        self.socket.sendto(data, (to or what.to, port))
        return what

    def of(self, call, method=None):
        """The datagrams of this call (its branch; all methods unless told)."""
        branch = f"branch={call.branch};".encode()
        with self.changed:
            return [a for a in self.got if branch in a.data and (not method or a.data.startswith(method.encode() + b" "))]

    def wait(self, call, count, timeout):
        """Waits until `count` datagrams of the call are there, and gives them."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.of(call)) >= count, timeout)
        return self.of(call)

    def offsets(self, call):
        """When the INVITEs of the call arrived, in seconds after the first."""
        times = [a.time for a in self.of(call, "INVITE")]
        return [t - times[0] for t in times]


class Edge:
    """`configuration` is added to [siprtx]'s own lines; `options` are lines of [siprtx] itself, instead of the usual; None leaves one out."""

    def __init__(self, configuration="", start=True, gateways=(), forward_only=False, **options):
        self.name = f"{PREFIX}{os.getpid()}-{next(_number)}"
        self.edge_ns, self.sw_ns, self.gw_ns = (f"{self.name}-{part}" for part in ("edge", "sw", "gw"))
        self.pin_path = f"{BPFFS}/{self.name}"
        self.wants_start, self.extra_addresses = start and not forward_only, gateways
        # small maps, for a dozen at once; the load tests ask for the default size
        self.settings = {"mode": "inline", "inside": "in0", "outside": "out0", "max_transactions": 1024, **options}
        self.configuration = configuration
        self.process, self.parties, self.children, self.mounts = None, [], [], []
        self.former_signals = []
        self.build = BUILD
        self.selector, self.reader, self.ending = selectors.DefaultSelector(), None, False

    def __enter__(self):
        with _live_lock:
            _live.add(self)
        try:
            self.directory = tempfile.mkdtemp(prefix=f"{self.name}-")
            os.chmod(self.directory, 0o755)
            self.journal_path = f"{self.directory}/exhausted.jsonl"
            self.configuration_path = f"{self.directory}/siprtx.conf"
            self.log_path = f"{self.directory}/siprtxd.log"
            self.write_configuration()
            run(NETNS, "up", self.name, *self.extra_addresses)
            self.meet_neighbours()
            if self.wants_start:
                self.start()
        except BaseException as e:
            self.close(keep=isinstance(e, Exception))
            raise
        return self

    def __exit__(self, kind, *_):
        self.close(keep=kind is not None and issubclass(kind, Exception))

    def write_configuration(self, text=None):
        lines = {**self.settings, "pin_path": self.pin_path, "journal": self.journal_path}
        with open(self.configuration_path, "w") as f:
            f.write(text if text is not None else
                    "[siprtx]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items() if v is not None) + self.configuration)

    def meet_neighbours(self):
        """Lets the edge learn both neighbours' MACs, as any edge in service has."""
        for near, far in (("10.77.1.2", "10.77.2.2"), ("fd77:1::2", "fd77:2::2")):
            answer = self.party(self.gw_ns, far, 9)
            probe = self.party(self.sw_ns, near, 9)
            if not wait_until(lambda: probe.socket.sendto(b"hello", (far, 9)) and answer.got, 5, 0.05):
                raise RuntimeError(f"{near} does not reach {far} through the edge")
            answer.socket.sendto(b"hello", (near, 9))
            for p in (answer, probe):
                self.drop(p)

    # ---- the controller and its tools

    def start(self, wait=30, arguments=()):
        """Starts the controller and waits until `siprtx status` says that the offload is active."""
        self.launch(arguments)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"siprtxd ended with {self.process.returncode}: {self.log()[-1500:]}")
            return self.siprtx("status", check=False).returncode == 0
        if not wait_until(ready, wait, 0.2):
            raise RuntimeError(f"siprtx status is not 0 after {wait} s: {self.siprtx('status', check=False).stdout}{self.log()[-1500:]}")

    def launch(self, arguments=()):
        with open(self.log_path, "a") as log:
            self.process = self.popen(self.edge_ns, f"{self.build}/siprtxd", "-c", self.configuration_path, *arguments, stdout=log, stderr=log)
        return self.process

    def popen(self, namespace, *command, **keywords):
        """A process inside a namespace; ended with the edge at the latest."""
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", *command], **{"stdin": subprocess.DEVNULL, **keywords})
        self.children.append(p)
        return p

    def run(self, namespace, *command, check=True, **keywords):
        return run("nsenter", f"--net=/run/netns/{namespace}", *command, check=check, **keywords)

    def siprtxd(self, *arguments):
        """Runs the controller to its end, for what it says."""
        return self.run(self.edge_ns, f"{self.build}/siprtxd", "-c", self.configuration_path, *arguments, check=False, timeout=20)

    def siprtx(self, *arguments, check=True):
        return self.run(self.edge_ns, f"{self.build}/siprtx", "-c", self.configuration_path, *arguments, check=check, timeout=30)

    def json(self, *arguments, check=True):
        return json.loads(self.siprtx("-j", *arguments, check=check).stdout)

    def counters(self):
        """What the XDP programs counted, by name (include/counters.def)."""
        return self.json("show", "counters")["data_path"]["total"]

    def stats(self):
        """What the controller counted, by name (include/stats.def)."""
        return self.json("show", "counters")["controller"]["total"]

    def bpftool_update(self, name, key, value):
        """`bpftool map update` as an operator types it; key bytes, value a u32."""
        run("bpftool", "map", "update", "pinned", f"{self.pin_path}/{name}", "key", *map(str, key),
            "value", *map(str, value.to_bytes(4, "little")))

    def put_program(self, interface, source):
        """Somebody else's XDP program on an interface of the edge, as `ip link set ... xdp` has it there."""
        pin = f"{self.pin_path}-other"
        run("bpftool", "prog", "load", source, pin, "type", "xdp")
        try:
            self.run(self.edge_ns, "bpftool", "net", "attach", "xdp", "pinned", pin, "dev", interface)
        finally:
            os.unlink(pin)

    def send_no_options(self):
        """For cases that count all datagrams or slots: gateways are judged by the calls alone, none is probed. Returns when it is in force."""
        self.siprtx("set", "probe", "0")
        time.sleep(0.05)

    def retune(self, profile, field, value):
        self.bpftool_update("profiles", (profile * 32 + field).to_bytes(4, "little"), value)

    def log(self):
        with open(self.log_path, errors="backslashreplace") as f:
            return f.read()

    def records(self):
        """All in the journal, of calls and of gateways."""
        try:
            with open(self.journal_path) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def journal(self, call=None):
        """The records of calls in the journal, or of one call."""
        return [r for r in self.records() if not r.get("event", "").startswith("gateway_") and (not call or r["call_id"] == call.call_id)]

    def exhausted(self, call=None):
        """Those of an end, without the late responses."""
        return [r for r in self.journal(call) if r["event"] == "exhausted"]

    def wait_journal(self, call, timeout):
        wait_until(lambda: self.journal(call), timeout)
        return self.journal(call)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=10):
        """Ends the controller in order; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"siprtxd did not end within {timeout} s of SIGTERM") from None

    # ---- the peers

    def softswitch(self, address="10.77.1.2", port=5060, on=None, **keywords):
        return self.party(self.sw_ns, address, port, on, **keywords)

    def gateway(self, address="10.77.2.2", port=5060, on=None):
        return self.party(self.gw_ns, address, port, on)

    def party(self, namespace, address, port=5060, on=None, **keywords):
        p = Party(namespace, address, port, on, **keywords)
        self.parties.append(p)
        self.selector.register(p.socket, selectors.EVENT_READ, p)
        if not self.reader:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()
        return p

    def drop(self, party):
        self.selector.unregister(party.socket)
        party.socket.close()
        self.parties.remove(party)

    def _read(self):
        while not self.ending:
            for key, _ in self.selector.select(0.2):
                try:
                    key.data.receive()
                except (OSError, ValueError):
                    if key.data.socket.fileno() >= 0 and not self.ending:
                        raise

    # ---- the end

    def close(self, keep=False):
        """Takes everything away. `keep` leaves the directory with configuration, log and journal, and says where."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a second Ctrl-C must not leave half of it behind
                former = signal.signal(number, signal.SIG_IGN)
                if former is not signal.SIG_IGN:
                    self.former_signals.append((number, former))
        try:
            self._close(keep)
        finally:
            for number, former in self.former_signals:
                signal.signal(number, former)

    def _close(self, keep):
        with _live_lock:
            if self not in _live:
                return
            _live.remove(self)
        self.ending = True
        for p in self.children:
            if p.poll() is None:
                p.terminate() if p is self.process else p.kill()
        for p in self.children:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if self.reader and self.reader is not threading.current_thread():
            self.reader.join()
        for p in self.parties:
            p.socket.close()
        self.selector.close()
        for path in self.mounts:
            run("umount", path, check=False)
        remove(self.name)
        if keep:
            print(f"     kept: {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def remove(name):
    """The pins go first: a pinned link keeps its program on an interface, and that in memory."""
    for folder in (name, f"{name}-former", f"{name}-wire"):  # -wire: the bench's own programs
        shutil.rmtree(f"{BPFFS}/{folder}", ignore_errors=True)
    run(NETNS, "down", name, check=False)


def sweep():
    """Removes what test runs left whose process is gone."""
    for folder in ("/run/netns", BPFFS):
        for entry in os.listdir(folder) if os.path.isdir(folder) else ():
            m = re.match(rf"({PREFIX}(\d+)-\d+)(-|$)", entry)
            if m and not os.path.exists(f"/proc/{m.group(2)}"):
                remove(m.group(1))
    for entry in os.listdir(tempfile.gettempdir()):
        m = re.match(rf"{PREFIX}(\d+)-\d+-", entry)
        if m and not os.path.exists(f"/proc/{m.group(1)}"):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), entry), ignore_errors=True)


def close_all():
    with _live_lock:
        edges = list(_live)
    for edge in edges:
        edge.close()


def prepare():
    """Once a process: rights, bpffs, leftovers, and the promise to clean up."""
    if os.geteuid():
        sys.exit("root is needed: network namespaces and XDP")
    if not os.path.ismount(BPFFS):
        run("mount", "-t", "bpf", "bpf", BPFFS)
    sweep()
    atexit.register(close_all)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
