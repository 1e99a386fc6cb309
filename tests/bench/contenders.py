# SPDX-License-Identifier: GPL-2.0-or-later
"""
Three that send a silent call again, each on the edge server, on its CPU alone: siprtx, Kamailio's tm, SIPp.

    with Kamailio(LIST) as peer:
        Calls(peer.edge, 1000, 5000, start, peer.to)

`intervals`: the list, ms. `to`: where the softswitch sends its INVITEs.
"""
import os
import re
import subprocess
import tempfile

from edge import BUILD, Edge, run, wait_until
from silent import EDGE, GATEWAY, part_cpus, pinned

HERE = os.path.dirname(os.path.abspath(__file__))

# The cheapest script there is: no 100, no Record-Route, no lookup, no log. It sends a 408 to the caller at the end.
KAMAILIO = """#!KAMAILIO
debug=-3
log_stderror=yes
children=2
auto_aliases=no
dns=no
rev_dns=no
disable_tcp=yes
shm_force_alloc=yes
listen=udp:{here}:5060
loadmodule "tm.so"
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unix:{control}")
modparam("tm", "auto_inv_100", 0)
modparam("tm", "fr_timer", {fr_timer})
modparam("tm", "fr_inv_timer", {fr_timer})
modparam("tm", "retr_timer1", {t1})
modparam("tm", "retr_timer2", {t2})

request_route {{
	t_relay_to_udp("{gateway}", "5060");
	exit;
}}
"""


def live_frames():
    """Whether this siprtx knows XDP live frames as its sender."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write("[siprtx]\nmode = host\noutside = lo\nsender = live-frames\n")
        f.flush()
        r = run(f"{BUILD}/siprtx", "-c", f.name, "check", check=False)
        return "no key sender" not in r.stdout + r.stderr


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return set(map(int, f.read().split()))


class Contender:
    """Leaving it takes the edge server away."""

    def __init__(self, edge, intervals, to=GATEWAY):
        self.edge, self.intervals, self.to = edge, intervals, to
        self.process, self.threads = None, set()

    def __enter__(self):
        self.edge.__enter__()
        try:
            self.threads = part_cpus(self.edge)
            self.start()
        except BaseException as e:
            self.__exit__(type(e), e, None)
            raise
        return self

    def __exit__(self, *what):
        self.edge.__exit__(*what)

    def start(self):
        """What runs on the edge server besides forwarding."""

    def processes(self):
        """Ids of what runs there for it, the kernel's threads too."""
        return self.threads | ({self.process.pid} | children(self.process.pid) if self.process else set())


class Siprtx(Contender):
    """Inline. `most`: max_transactions; `started`: whether at once; until start() the edge only forwards."""

    def __init__(self, intervals, most=65536, started=True, **options):
        profile = f"[profile peer]\nresend_interval = {','.join(str(i / 1000) for i in intervals)}\nfinal_wait = 0.5\n"
        super().__init__(Edge(profile + f"[gateway g]\naddress = {GATEWAY}\nprofile = peer\n", max_transactions=most, start=False, **options), intervals)
        self.most, self.started = most, started

    def start(self):
        if not self.started:
            self.started = True
            return
        self.edge.start()
        self.process = self.edge.process
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(task), {EDGE})
        self.edge.send_no_options()

    def own(self):
        """Bytes of the controller's own memory; the maps it shares with the kernel are not in it."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"RssAnon:\s*(\d+)", f.read()).group(1)) * 1024

    def maps(self):
        """Bytes of all its maps, as the kernel counts them."""
        found = 0
        for entry in os.listdir(self.edge.pin_path):
            m = re.search(r'"bytes_memlock":(\d+)', run("bpftool", "-j", "map", "show", "pinned", f"{self.edge.pin_path}/{entry}", check=False).stdout)
            found += int(m.group(1)) if m else 0
        return found

    def bytes_per_call(self, before, pending):
        """All maps for each call they have room for, and what the controller grew by since `before` for each pending."""
        return self.maps() / self.most + (self.own() - before) / pending


class Kamailio(Contender):
    def __init__(self, intervals, shm_mib=1024):
        super().__init__(Edge(forward_only=True), intervals, "10.77.2.1")
        self.shm_mib = shm_mib

    def start(self):
        edge = self.edge
        path, log, self.control = (f"{edge.directory}/{name}" for name in ("kamailio.cfg", "kamailio.log", "kamailio.sock"))
        with open(path, "w") as f:  # a call ends a quarter of a second after its last copy
            f.write(KAMAILIO.format(here=self.to, gateway=GATEWAY, control=self.control, t1=self.intervals[0], t2=self.intervals[-1], fr_timer=sum(self.intervals) + 250))
        with open(log, "w") as out:
            self.process = pinned(edge, edge.edge_ns, EDGE, "kamailio", "-DD", "-E", "-m", str(self.shm_mib), "-M", "16", "-f", path, "-Y", edge.directory,
                                  stdout=out, stderr=out, cwd=edge.directory)
        if not wait_until(lambda: self.process.poll() is not None or self.own(), 30, 0.2) or self.process.poll() is not None:
            with open(log) as f:
                raise RuntimeError(f"kamailio does not answer: {f.read()[-1500:]}")

    def __exit__(self, *what):
        if self.process:
            self.process.terminate()  # its children too; a kill would leave them
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        super().__exit__(*what)

    def bytes_per_call(self, before, pending):
        return (self.own() - before) / pending

    def own(self):
        """Bytes of shared memory in use, as it says itself; 0 while it does not answer."""
        said = self.edge.run(self.edge.edge_ns, "kamcmd", "-s", f"unix:{self.control}", "core.shmmem", check=False).stdout
        m = re.search(r"\bused: (\d+)", said)
        return int(m.group(1)) if m else 0


class Sipp(Contender):
    """Both softswitch and sender; its list is T1 doubled each time, whatever T2 (RFC 3261 17.1.1.2)."""

    def __init__(self, intervals):
        super().__init__(Edge(forward_only=True), intervals)

    def calls(self, rate, count):
        """Silent calls from now on; ends with the edge."""
        edge = self.edge
        return pinned(edge, edge.edge_ns, EDGE, "sipp", "-sf", f"{HERE}/silent-call.xml", "-i", "10.77.2.1", "-p", "5060", "-r", str(rate), "-m", str(count), "-l", str(count),
                      "-max_invite_retrans", str(len(self.intervals)), "-nostdin", f"{GATEWAY}:5060",
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"}, cwd=edge.directory)
