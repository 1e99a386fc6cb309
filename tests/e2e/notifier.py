# SPDX-License-Identifier: GPL-2.0-or-later
"""siprtx-notify beside an Edge, and those who listen to it."""
import contextlib
import os
import random
import signal
import socket
import threading
import time

from edge import BUILD, wait_until
from sip import Call

SHORT = ("[profile short]\nresend_interval = 0.05\nfinal_wait = 0.05\n"
         "[gateway g]\naddress = 10.77.2.2\nprofile = short\n")


def socket_of(name):
    """Short, for a socket's path has 107 characters."""
    return f"/tmp/siprtx-n{os.getpid()}-{name}"


def stream(name):
    """The section; a socket that a former run left goes, for who waits for it waits for the new one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(socket_of(name))
    return f"[notify {name}]\nkind = stream\nto = unix:{socket_of(name)}\n"


class Notifier:
    """The program; started with it, .log() is what it said."""

    def __init__(self, edge, prefix=(), start=True):
        """`prefix`: a command that runs it, as setpriv does."""
        self.edge, self.path, self.prefix = edge, f"{edge.directory}/siprtx-notify.log", prefix
        if start:
            self.start()

    def start(self):
        with open(self.path, "a") as log:
            self.process = self.edge.popen(self.edge.edge_ns, *(self.prefix or [f"{BUILD}/siprtx-notify"]), "-c", self.edge.configuration_path, stdout=log, stderr=log)
        return self

    def log(self):
        with open(self.path, errors="backslashreplace") as f:
            return f.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(5)

    def sink(self, name):
        """Its place in `siprtx status`; None: it has none."""
        status = self.edge.json("status", check=False)
        return next((s for s in status.get("notify", {}).get("consumers", ()) if s["name"] == name), None)

    def wait_sink(self, name, condition, timeout=5):
        return wait_until(lambda: (s := self.sink(name)) and condition(s) and s, timeout, 0.1)


class Subscriber:
    """Reads a stream in a thread; .lines is what came whole. `again`: seconds after which it hangs up and comes back from the number after the last one; it comes back, too, after the notifier was away."""

    def __init__(self, path, request=None, again=None, seed=1):
        self.path, self.request, self.again = path, request, again
        self.lines, self.connections, self.ending = [], 0, False
        self.random = random.Random(seed)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def last(self):
        return next((seq_of(line) for line in reversed(self.lines) if seq_of(line)), 0)

    def _run(self):
        while not self.ending:
            try:
                self._once()
            except OSError:
                time.sleep(0.02)
            if self.again is None:
                return

    def _once(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path)
            self.connections += 1
            request = f"from {self.last() + 1}\n" if self.lines else self.request
            if request:
                s.sendall(request.encode())
            s.settimeout(0.1)
            end = time.monotonic() + self.again * self.random.uniform(0.5, 1) if self.again else None
            rest = b""
            while not self.ending and not (end and time.monotonic() > end):
                try:
                    data = s.recv(self.random.choice((100, 4096, 65536)))
                except socket.timeout:
                    continue
                if not data:
                    return
                *whole, rest = (rest + data).split(b"\n")
                self.lines += whole

    def wait(self, n, timeout):
        wait_until(lambda: len(self.lines) >= n, timeout)
        return self.lines

    def close(self):
        self.ending = True
        self.thread.join(5)
        return self.lines


def seq_of(line):
    """Of a journal's line (bytes); 0: it has none."""
    at = line.find(b'"seq":')
    return int(line[at + 6:].split(b",", 1)[0].rstrip(b"}")) if at >= 0 else 0


def journal_lines(edge):
    with open(edge.journal_path, "rb") as f:
        return f.read().splitlines()


def send_calls(softswitch, n, rate):
    """n calls that nobody answers, so many a second."""
    begin = time.monotonic()
    for i in range(n):
        softswitch.send(Call())
        ahead = begin + (i + 1) / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
