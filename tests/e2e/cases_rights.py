# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who may do what: the loader with its three capabilities, siprtxd as a plain user with CAP_NET_RAW, an operator of the group,
and what systemd is told. The plain user is nobody, the operator games: every Debian has both.
"""
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import BUILD, ROOT, Edge, run, tool, wait_until
from sip import Call

SHORT = "[profile short]\nresend_interval = 0.5,1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"
TIMES = [0, .5, 1.5]
LOADER = ("bpf", "net_admin", "perfmon")
USER, OPERATOR = pwd.getpwnam("nobody"), pwd.getpwnam("games")
# Locked memory is counted by user, and all edges have the same one.
SMALL = {"max_transactions": 128}


def capabilities(*names):
    """Root with these capabilities alone."""
    return ["setpriv", "--bounding-set", ",".join(["-all", *(f"+{n}" for n in names)])]


def as_user(*names, user=USER, groups=None):
    """Another user, as systemd starts one: with these as ambient capabilities."""
    wanted = ",".join(["-all", *(f"+{n}" for n in names)])
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", f"--groups={groups}" if groups else "--clear-groups",
            "--inh-caps", wanted, "--ambient-caps", wanted, "--bounding-set", wanted]


class Rights:
    """An edge whose programs lie where every user reaches them, with a journal folder of `owner`."""

    def __init__(self, edge, owner=None):
        self.edge = edge
        for name in ("siprtx", "siprtxd"):
            shutil.copy(f"{BUILD}/{name}", edge.directory)
        os.mkdir(f"{edge.directory}/log", 0o755)
        if owner:
            os.chown(f"{edge.directory}/log", owner.pw_uid, owner.pw_gid)
        edge.journal_path = f"{edge.directory}/log/exhausted.jsonl"
        edge.write_configuration()

    def command(self, name, *arguments):
        return [f"{self.edge.directory}/{name}", "-c", self.edge.configuration_path, *arguments]

    def run(self, prefix, name, *arguments):
        return self.edge.run(self.edge.edge_ns, *prefix, *self.command(name, *arguments), check=False, timeout=30)

    def launch(self, prefix, *arguments, **keywords):
        edge = self.edge
        with open(edge.log_path, "a") as log:
            edge.process = edge.popen(edge.edge_ns, *prefix, *self.command("siprtxd", *arguments), stdout=log, stderr=log, **keywords)

    def start(self, prefix, *arguments):
        self.launch(prefix, *arguments)
        active = wait_until(lambda: self.edge.process.poll() is not None or not self.edge.siprtx("status", check=False).returncode, 20, 0.1)
        expect(active and self.edge.process.poll() is None, f"siprtxd does not serve: {self.edge.log()[-1500:]}")

    def programs(self):
        """The interfaces with an XDP program."""
        links = json.loads(run("ip", "-n", self.edge.edge_ns, "-j", "link").stdout)
        return [link["ifname"] for link in links if "xdp" in link]


def serves(edge, softswitch, gateway):
    """A call nobody answers: copies by the schedule, then the record."""
    call = softswitch.send(Call())
    gateway.wait(call, len(TIMES), 4)
    expect_times(gateway.offsets(call), TIMES)
    expect_fields(only(edge.wait_journal(call, 3), "records"), sends=3, reason="no_response")


def identity(pid):
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    return {"uid": {int(i) for i in fields["Uid"].split()}, "gid": {int(i) for i in fields["Gid"].split()},
            "effective": int(fields["CapEff"], 16), "permitted": int(fields["CapPrm"], 16), "inheritable_now": int(fields["CapAmb"], 16),
            "no_new_privs": int(fields["NoNewPrivs"]), "seccomp": int(fields["Seccomp"]), "bounding": int(fields["CapBnd"], 16)}


def sentences(r, about=""):
    """The errors of a run; warnings are none."""
    lines = [line for line in r.stderr.splitlines() if "warning:" not in line]
    expect(r.returncode == 1 and len(lines) == 1, f"{about}: exit status {r.returncode}, wanted 1 and one sentence: {r.stderr}")
    return lines[0]


@case(seconds=8)
def rights_three_capabilities_load():
    """siprtx load with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON and no more; siprtxd with CAP_NET_RAW and no more serves a call on it."""
    with Edge(SHORT, start=False, **SMALL) as edge:
        rights = Rights(edge)
        for turn in ("first", "renewed in place"):
            r = rights.run(capabilities(*LOADER), "siprtx", "load")
            expect_equal(r.returncode, 0, f"{turn}: exit status of siprtx load, {r.stderr}")
        expect_equal(sorted(rights.programs()), ["in0", "out0"], "interfaces with a program")
        rights.start(capabilities("net_raw"))
        expect_equal(identity(edge.process.pid)["effective"], 1 << 13, "capabilities in effect")
        serves(edge, edge.softswitch(), edge.gateway())
        r = rights.run(capabilities("net_raw"), "siprtxd")
        expect("another siprtxd" in r.stderr, f"a second siprtxd: {r.stderr}")


@case(seconds=5)
def rights_each_capability_missing():
    """Without any one capability: one sentence that names it, exit status 1, nothing left half done."""
    with Edge(SHORT, start=False, **SMALL) as edge:
        rights = Rights(edge)
        os.chmod(f"{edge.directory}/log", 0o777)
        for missing in LOADER:
            left = [name for name in LOADER if name != missing]
            for program, arguments, more in (("siprtx", ("load",), []), ("siprtxd", (), ["net_raw"])):
                said = sentences(rights.run(capabilities(*left, *more), program, *arguments), f"{program} without {missing}")
                expect(f"CAP_{missing.upper()} is missing" in said, f"{program} without {missing} says: {said}")
                expect_equal((os.path.exists(edge.pin_path), rights.programs()), (False, []), f"pins and programs after {program} without {missing}")
        said = sentences(rights.run(as_user("net_raw"), "siprtxd"), "plain user")
        expect("siprtx-load" in said, f"a plain user with nothing loaded is told: {said}")
        edge.siprtx("load")
        said = sentences(rights.run(capabilities(*LOADER), "siprtxd"), "without net_raw")
        expect("CAP_NET_RAW is missing" in said, f"siprtxd without CAP_NET_RAW says: {said}")
        said = sentences(rights.run([], "siprtx", "load", "-o", "siprtx.user=no-such-user"), "no such user")
        expect("there is no user no-such-user" in said, f"with a user that is not there: {said}")


@case(seconds=20)
def rights_plain_user_serves():
    """Root loads for nobody; siprtxd as nobody with CAP_NET_RAW alone finds the next hop by itself, serves by the schedule, writes the record, survives a kill."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        edge.siprtx("load")
        folder, files = os.stat(edge.pin_path), {e.name: e.stat() for e in os.scandir(edge.pin_path)}
        expect_equal((folder.st_uid, folder.st_gid, folder.st_mode & 0o7777), (0, USER.pw_gid, 0o750), "owner, group and mode of the folder")
        lock = files.pop("lock")
        expect_equal((lock.st_uid, lock.st_mode & 0o7777), (USER.pw_uid, 0o700), "owner and mode of the lock")
        maps = {(s.st_uid, s.st_gid, s.st_mode & 0o7777) for name, s in files.items() if not name.startswith(("link_", "prog_"))}
        links = {(s.st_uid, s.st_mode & 0o7777) for name, s in files.items() if name.startswith(("link_", "prog_"))}
        expect_equal((maps, links), ({(USER.pw_uid, USER.pw_gid, 0o640)}, {(0, 0o600)}), "owners, groups and modes of maps, of links and programs")
        rights.start(as_user("net_raw"))
        softswitch, gateway = edge.softswitch(), edge.gateway()
        serves(edge, softswitch, gateway)
        for family in ("-4", "-6"):
            run("ip", "-n", edge.edge_ns, family, "neigh", "flush", "dev", "out0")
        serves(edge, softswitch, gateway)
        six, gateway6 = edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2")
        run("ip", "-n", edge.edge_ns, "-6", "neigh", "flush", "dev", "out0")
        call = six.send(Call(to="fd77:2::2", src="fd77:1::2"))
        expect_equal(len(gateway6.wait(call, 3, 4)), 3, "INVITEs of an IPv6 call whose next hop was unknown")
        wide = softswitch.send(Call())
        time.sleep(0.2)
        edge.kill()
        rights.start(as_user("net_raw"))
        expect_equal(len(edge.wait_journal(wide, 4)), 1, "records of the call during which siprtxd was killed")
        mine = identity(edge.process.pid)
        expect_fields(mine, uid={USER.pw_uid}, gid={USER.pw_gid}, effective=1 << 13, permitted=1 << 13, inheritable_now=0, seccomp=2, no_new_privs=1)
        journal = os.stat(edge.journal_path)
        expect_equal((journal.st_uid, journal.st_mode & 0o777), (USER.pw_uid, 0o640), "owner and mode of the journal")


@case(seconds=14)
def rights_next_hop_is_asked_for():
    """Gateways that answer no ARP and no ND until the kernel has given them up: siprtxd, a plain user, makes it ask again, and the copies arrive."""
    slow = "[profile slow]\nresend_interval = 0.5,9\n[gateway g]\naddress = ::/0\nprofile = slow\n"
    with Edge(slow, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        edge.siprtx("load")
        rights.start(as_user("net_raw"))
        for command in ("addr add 10.77.2.77/32 dev lo", "-6 addr add fd77:2::77/128 dev lo"):
            run("ip", "-n", edge.gw_ns, *command.split())
        edge.run(edge.gw_ns, "sysctl", "-qw", "net.ipv4.conf.g0.arp_ignore=8")
        calls = [edge.softswitch().send(Call(to="10.77.2.77")), edge.softswitch("fd77:1::2").send(Call(to="fd77:2::77", src="fd77:1::2"))]
        gateways = [edge.gateway("10.77.2.77"), edge.gateway("fd77:2::77")]
        time.sleep(4)  # three questions, a second apart
        edge.run(edge.gw_ns, "sysctl", "-qw", "net.ipv4.conf.g0.arp_ignore=0")
        run("ip", "-n", edge.gw_ns, "-6", "addr", "add", "fd77:2::77/64", "dev", "g0", "nodad")
        for gateway, call in zip(gateways, calls):
            expect_equal(len(gateway.wait(call, 1, 4)), 1, f"INVITEs of the call to {gateway.address}")


@case(seconds=15)
def rights_root_becomes_the_user():
    """siprtxd as root with user = nobody loads, then is nobody with CAP_NET_RAW and an empty bounding set; SIGHUP opens the journal anew; once an interface was made anew it says once what root must do, and goes on after that."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        rights.start([])
        mine = identity(edge.process.pid)
        expect_fields(mine, uid={USER.pw_uid}, gid={USER.pw_gid}, effective=1 << 13, permitted=1 << 13, bounding=0, inheritable_now=0, seccomp=2, no_new_privs=1)
        threads = {identity(f"{edge.process.pid}/task/{t}")["effective"] for t in os.listdir(f"/proc/{edge.process.pid}/task")}
        expect_equal(threads, {1 << 13}, "capabilities of all threads")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        serves(edge, softswitch, gateway)
        os.rename(edge.journal_path, f"{edge.journal_path}.1")
        edge.process.send_signal(signal.SIGHUP)
        expect(wait_until(lambda: os.path.exists(edge.journal_path), 3), f"SIGHUP did not open the journal anew: {edge.log()[-500:]}")
        commands = ("link del out0", f"link add out0 type veth peer name g0 netns {edge.gw_ns}", "link set out0 up", "addr add 10.77.2.1/24 dev out0")
        for command in commands:
            run("ip", "-n", edge.edge_ns, *command.split())
        for command in ("link set g0 up", "addr add 10.77.2.2/24 dev g0", "route add default via 10.77.2.1"):
            run("ip", "-n", edge.gw_ns, *command.split(), check=False)
        expect(wait_until(lambda: "systemctl restart siprtx-load" in edge.log(), 5), f"no word of the missing right: {edge.log()[-500:]}")
        passed = softswitch.send(Call())
        gateway.wait(passed, 1, 2)
        expect_equal(len(gateway.of(passed)), 1, "INVITEs of a call while the programs are missing")
        time.sleep(2)
        expect_equal(edge.log().count("systemctl restart siprtx-load"), 1, "times it was said")
        edge.siprtx("load")
        expect(wait_until(lambda: not edge.siprtx("status", check=False).returncode, 5, 0.1), edge.siprtx("status", check=False).stdout)
        serves(edge, softswitch, gateway)
        expect_equal(edge.stop(), 0, "exit status after SIGTERM")


@case(seconds=10)
def rights_way_to_the_pins():
    """A BPF file system that root alone may enter, as systemd mounts it: one sentence says what to do; after that a plain user serves, with all of /sys read-only for him as in the unit."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        mount = f"{edge.directory}/bpf"
        os.mkdir(mount)
        run("mount", "-t", "bpf", "-o", "mode=0700", "bpf", mount)
        edge.mounts.append(mount)
        edge.pin_path = f"{mount}/siprtx"
        rights = Rights(edge, USER)
        said = sentences(rights.run([], "siprtxd"), "root with user = nobody")
        expect(f"user nobody may not enter {mount}. Run: chmod o+x {mount}" in said, f"root is told: {said}")
        edge.siprtx("load")
        said = sentences(rights.run(as_user("net_raw"), "siprtxd"), "nobody")
        expect(f"this user may not enter {mount}. Run: chmod o+x {mount}" in said, f"nobody is told: {said}")
        os.chmod(mount, 0o711)
        rights.start(["unshare", "-m", "sh", "-c", f'mount -o bind,remount,ro {mount} && exec "$@"', "sh", *as_user("net_raw")])
        serves(edge, edge.softswitch(), edge.gateway())


@case(seconds=12)
def rights_group_sees_and_cannot_change():
    """A member of the group reads status, transactions, counters, records and events, sees what root sees, and can set nothing; another user reads nothing."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        rights.start([])
        member, stranger = as_user(user=OPERATOR, groups=USER.pw_gid), as_user(user=OPERATOR)
        softswitch, gateway = edge.softswitch(), edge.gateway()
        follower = edge.popen(edge.edge_ns, *member, *rights.command("siprtx", "events", "-f"), stdout=subprocess.PIPE, text=True)
        serves(edge, softswitch, gateway)
        call = softswitch.send(Call())
        gateway.wait(call, 1, 2)
        for view, key in ((["status"], "slots"), (["show", "transactions"], "transactions"), (["show", "tunables"], "tunables"),
                          (["profile", "list"], "profiles"), (["exhausted"], "records"), (["events"], "events")):
            seen = rights.run(member, "siprtx", "-j", *view)
            expect_equal(seen.returncode, 0, f"exit status of siprtx {' '.join(view)}, {seen.stderr}")
            seen, wanted = json.loads(seen.stdout), edge.json(*view)
            expect(set(seen) == set(wanted) and key in wanted, f"siprtx {' '.join(view)} has {set(seen)}, root's {set(wanted)}")
            if key in ("tunables", "profiles", "records", "slots"):
                expect_equal(seen[key], wanted[key], f"what siprtx {' '.join(view)} shows the group of {key}")
            elif key == "transactions":
                expect_equal([t["call_id"] for t in seen[key]], [call.call_id], "transactions the group sees")
        watched = edge.run(edge.edge_ns, "timeout", "2.5", *member, *rights.command("siprtx", "-j", "-w", "0.2", "status"), check=False).stdout.splitlines()
        used = [json.loads(line)["slots"]["used"] for line in watched]
        expect((used[0], used[-1]) == (1, 0), f"slots used while the call ends, as the group sees them: {used}")
        for arguments in (("set", "capture", "0"), ("profile", "set", "standard", "send_retry", "3"), ("unload",)):
            said = sentences(rights.run(member, "siprtx", *arguments), " ".join(arguments))
            expect("root" in said or "siprtxd is at work" in said, f"siprtx {' '.join(arguments)} says: {said}")
        expect_equal(edge.json("show", "tunables")["tunables"]["capture"]["value"], 1, "tunable capture after all that")
        refused = rights.run(stranger, "siprtx", "status")
        expect(refused.returncode == 1 and "no right to read" in refused.stderr, f"a stranger's status: {refused}")
        time.sleep(0.2)
        follower.terminate()
        lines = follower.communicate(timeout=5)[0].splitlines()
        expect(sum("no_response" in line for line in lines) == 2 and sum("INVITE" in line for line in lines) >= 5, f"events the group followed: {lines}")


@case(seconds=12)
def rights_group_cannot_lock():
    """A member of the group who locks all he can open keeps no siprtxd from starting; a second siprtxd and unload are refused; after kill -9 the lock is free at once."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        edge.siprtx("load")
        member = as_user(user=OPERATOR, groups=USER.pw_gid)
        pins = [e.path for e in os.scandir(edge.pin_path)]
        held = [edge.popen(edge.edge_ns, *member, "flock", "-n", path, "sleep", "30", stderr=subprocess.PIPE, text=True) for path in [edge.pin_path, *pins]]
        expect(wait_until(lambda: held[0].poll() is None and held[1 + pins.index(f"{edge.pin_path}/lock")].poll() is not None, 3), "flock of a member")
        refused = held[1 + pins.index(f"{edge.pin_path}/lock")]
        expect("Permission denied" in refused.stderr.read(), "a member may open the lock")
        time.sleep(.3)
        expect_equal(held[0].poll(), None, "exit status of flock on the folder of the pins")
        rights.start(as_user("net_raw"))
        for prefix in (as_user("net_raw"), []):
            said = sentences(rights.run(prefix, "siprtxd"), "a second siprtxd")
            expect(f"another siprtxd (pid {edge.process.pid})" in said, f"a second siprtxd says {said}")
        said = sentences(rights.run([], "siprtx", "unload"), "unload")
        expect("a siprtxd is at work" in said, f"unload says {said}")
        said = sentences(rights.run(member, "siprtx", "unload"), "unload of a member")
        expect("Run as root" in said, f"unload says {said}")
        edge.kill()
        rights.start(as_user("net_raw"))
        serves(edge, edge.softswitch(), edge.gateway())
        edge.stop()
        edge.siprtx("unload")
        expect(not os.path.exists(edge.pin_path), "unload left pins")


@case(seconds=7)
def rights_journal_may_not_be_written():
    """A journal the daemon's user may not write: named by check; siprtxd serves on what is loaded, and makes up for it once he may."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge)
        said = sentences(rights.run([], "siprtxd"), "with nothing loaded")
        expect("exhausted.jsonl cannot be written: Permission denied" in said, f"with nothing loaded siprtxd says {said}")
        edge.siprtx("load")
        rights.launch(as_user("net_raw"))
        expect(wait_until(lambda: edge.json("status", check=False)["state"] == "degraded", 10), edge.log())
        expect("Permission denied" in edge.siprtx("status", check=False).stdout, edge.siprtx("status", check=False).stdout)
        expect("cannot be written: Permission denied" in edge.log() and "cannot be opened: Permission denied" in edge.log(), edge.log())
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        gateway.wait(call, len(TIMES), 4)
        expect_times(gateway.offsets(call), TIMES)
        expect(wait_until(lambda: edge.json("status", check=False)["journal"]["not_on_disk"] == 1, 2), "the record is not in the map")
        os.chown(os.path.dirname(edge.journal_path), USER.pw_uid, USER.pw_gid)
        only(edge.wait_journal(call, 3), "records")
        expect(wait_until(lambda: not edge.siprtx("status", check=False).returncode, 3, .1), edge.siprtx("status", check=False).stdout)


# What bpf(2) lets the caller open of each pin: for reading, for writing, for both. Then what he may do with the folder and the files.
TRIES = """
import ctypes, errno, json, os, sys
libc, result = ctypes.CDLL(None, use_errno=True), {"pins": {}, "files": {}}
folder, journal = sys.argv[1:]

def bpf_open(path, flags):
    name = ctypes.create_string_buffer(path.encode())
    attr = ctypes.create_string_buffer(ctypes.addressof(name).to_bytes(8, "little") + bytes(4) + flags.to_bytes(4, "little"), 128)
    fd = libc.syscall(321, 7, attr, 128)
    if fd >= 0:
        os.close(fd)
    return fd >= 0

def may(what, *arguments):
    try:
        fd = what(*arguments)
        return True
    except OSError as e:
        return False

for name in sorted(sys.stdin.read().split()):
    path = f"{folder}/{name}"
    result["pins"][name] = [bpf_open(path, flags) for flags in (8, 16, 0)]
    for what in (os.unlink, lambda p: os.chmod(p, 0o666), lambda p: os.chown(p, -1, os.getgid()), lambda p: os.rename(p, p + "x")):
        if may(what, path):
            result["files"][path] = str(what)
for what in (lambda p: os.mkdir(p + "/mine"), lambda p: os.chmod(p, 0o777), os.rmdir):
    if may(what, folder):
        result["files"][folder] = str(what)
for how in ("a", "r+"):
    if may(open, journal, how):
        result["files"][journal] = how
for what in (os.unlink, lambda p: os.rename(p, p + "x"), lambda p: os.chmod(p, 0o666), lambda p: os.truncate(p, 0)):
    if may(what, journal):
        result["files"][journal] = str(what)
result["reads"] = may(open, journal)
print(json.dumps(result))
"""


def tried(edge, prefix, names):
    r = edge.run(edge.edge_ns, *prefix, "python3", "-c", TRIES, edge.pin_path, edge.journal_path, input="\n".join(names), check=False)
    expect_equal(r.returncode, 0, f"exit status, {r.stderr}")
    return json.loads(r.stdout)


@case(seconds=10)
def rights_line_by_line():
    """Each pin and the journal: the group opens every map for reading and none for writing, no link, no program and no lock; it changes, moves and removes nothing; a stranger does not even read; root writes what is the operator's."""
    if os.uname().machine != "x86_64":
        return "not tried: the number of bpf(2) is x86's"
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        rights.start([])
        serves(edge, edge.softswitch(), edge.gateway())
        names = os.listdir(edge.pin_path)
        maps = [n for n in names if not n.startswith(("link_", "prog_")) and n != "lock"]
        expect(len(maps) >= 22 and {"tunables", "profiles", "gw_profile", "gateways", "exhausted", "counters", "meta"} <= set(maps), f"pins: {names}")
        member, stranger = as_user(user=OPERATOR, groups=USER.pw_gid), as_user(user=OPERATOR)
        nothing = [False, False, False]
        found = tried(edge, member, names)
        expect_equal(found["pins"], {n: [True, False, False] if n in maps else nothing for n in names}, "what the group may open")
        expect_equal((found["files"], found["reads"]), ({}, True), "what the group may change, and whether it reads the journal")
        found = tried(edge, stranger, names)
        expect_equal((found["pins"], found["files"], found["reads"]), ({n: nothing for n in names}, {}, False), "what a stranger may")
        edge.bpftool_update("tunables", (15).to_bytes(4, "little"), 9000)
        prefix = (96 + 32).to_bytes(4, "little") + bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
        edge.bpftool_update("gw_profile", prefix, 2)
        expect(wait_until(lambda: edge.json("show", "tunables")["tunables"]["refresh"]["in_force"] == 9000, 2), "tunable set by root is not in force")
        for key, pin in ((bytes(4), "tunables"), (prefix, "gw_profile"), (bytes(4), "profiles")):
            r = edge.run(edge.edge_ns, *member, "bpftool", "map", "update", "pinned", f"{edge.pin_path}/{pin}", "key", *map(str, key), "value", "0", "0", "0", "0", check=False)
            expect(r.returncode != 0, f"bpftool of a member wrote {pin}")
        expect_equal(edge.json("status")["state"], "active", "state")


@case(seconds=10)
def rights_root_serves_for_the_group():
    """siprtxd as root without user, where there is an account siprtx: its group reads the maps and the journal, that opened anew too."""
    with Edge(SHORT, start=False, **SMALL) as edge:
        rights, group = Rights(edge), 64999
        for name, line in (("passwd", f"siprtx:x:{group}:{group}::/:/bin/false\n"), ("group", f"siprtx:x:{group}:\n")):
            with open(f"/etc/{name}") as f, open(f"{edge.directory}/{name}", "w") as mine:
                mine.write("".join(there for there in f if not there.startswith("siprtx:")) + line)
        binds = " && ".join(f"mount --bind {edge.directory}/{name} /etc/{name}" for name in ("passwd", "group"))
        rights.start(["unshare", "-m", "sh", "-c", f'{binds} && exec "$@"', "sh"])
        serves(edge, edge.softswitch(), edge.gateway())

        def journal():
            s = os.stat(edge.journal_path)
            return s.st_uid, s.st_gid, s.st_mode & 0o777
        expect_equal(journal(), (0, group, 0o640), "owner, group and mode of the journal")
        s = os.stat(f"{edge.pin_path}/exhausted")
        expect_equal((s.st_uid, s.st_gid, s.st_mode & 0o777), (group, group, 0o640), "owner, group and mode of a map")
        os.rename(edge.journal_path, f"{edge.journal_path}.1")
        edge.process.send_signal(signal.SIGHUP)
        expect(wait_until(lambda: os.path.exists(edge.journal_path) and journal() == (0, group, 0o640), 3), f"SIGHUP: {edge.log()[-300:]}")
        member = as_user(user=OPERATOR, groups=group)
        seen = rights.run(member, "siprtx", "-j", "exhausted")
        expect_equal(len(json.loads(seen.stdout)["records"]), 1, "records a member sees")
        expect_equal(edge.run(edge.edge_ns, *member, "cat", f"{edge.journal_path}.1", check=False).returncode, 0, "exit status of cat")


def system_calls(name):
    """Those of a name in SystemCallFilter=, which may be a group."""
    if not name.startswith("@"):
        return {name}
    lines = run("systemd-analyze", "--no-pager", "syscall-filter", name).stdout.splitlines()[1:]
    return set().union(*(system_calls(line.strip()) for line in lines if line.strip() and not line.strip().startswith("#")))


def unit(name):
    """(setting, value) of each line."""
    with open(f"{ROOT}/systemd/{name}.service.in") as f:
        return [line.rstrip("\n").split("=", 1) for line in f if "=" in line and line[0] not in "#["]


def calls_of(name):
    """The system calls the unit leaves (systemd.exec(5): lines add, ~ takes away, @default is always in)."""
    left = system_calls("@default")
    for key, value in unit(name):
        if key == "SystemCallFilter":
            calls = set().union(*(system_calls(v) for v in value.lstrip("~").split()))
            left = left - calls if value.startswith("~") else left | calls
    return sorted(left)


@case(seconds=10)
def rights_system_calls_of_the_units():
    """With the system calls and capabilities that systemd's units leave, and no others, siprtx load loads and renews, and siprtxd serves."""
    if not shutil.which("systemd-analyze"):
        return "not tried: systemd-analyze is missing (package systemd)"
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights = Rights(edge, USER)
        shutil.copy(tool("only_calls", "tests/peer/only_calls.c", "libseccomp"), edge.directory)
        only_calls = {}
        for name in ("siprtx-load", "siprtxd"):
            with open(f"{edge.directory}/{name}.calls", "w") as f:
                f.writelines(f"{call}\n" for call in calls_of(name))
            only_calls[name] = [f"{edge.directory}/only_calls", f.name]
        bounds = [v.lower().removeprefix("cap_") for v in dict(unit("siprtx-load"))["CapabilityBoundingSet"].split()]
        for turn in ("first", "renewed in place"):
            r = rights.run([*capabilities(*bounds), *only_calls["siprtx-load"]], "siprtx", "load")
            expect_equal(r.returncode, 0, f"{turn}: exit status of siprtx load, {r.stderr}")
        rights.start([*as_user("net_raw"), *only_calls["siprtxd"]])
        serves(edge, edge.softswitch(), edge.gateway())
        expect("no seccomp filter" not in edge.log(), f"siprtxd has no filter of its own: {edge.log()}")
        expect_equal(edge.stop(), 0, "exit status after SIGTERM")


class Systemd:
    """NOTIFY_SOCKET as systemd gives it; .told has (seconds, message)."""

    def __init__(self, edge):
        self.path, self.told = f"{edge.directory}/notify", []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.setblocking(False)

    def read(self):
        while True:
            try:
                self.told.append((time.monotonic(), self.socket.recv(4096).decode()))
            except BlockingIOError:
                return self.told

    def has(self, message):
        return any(message in told for _, told in self.read())


@case(seconds=8)
def rights_systemd_is_told():
    """READY=1 once it serves, though a link is down; STATUS= with the interfaces; WATCHDOG=1 twice a period while the loop turns, none while it does not; STOPPING=1."""
    with Edge(SHORT, start=False, user="nobody", **SMALL) as edge:
        rights, systemd = Rights(edge, USER), Systemd(edge)
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "down")
        rights.launch([], env={**os.environ, "NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "400000"})
        expect(wait_until(lambda: systemd.has("READY=1"), 10), f"no READY=1: {systemd.told}, {edge.log()[-500:]}")
        expect(systemd.has("STATUS=not sending on out0"), f"STATUS= with a link down: {systemd.told}")
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "up")
        expect(wait_until(lambda: systemd.has("STATUS=Sending on out0"), 5), f"STATUS= with the link up: {systemd.told}")
        start, before = time.monotonic(), sum("WATCHDOG=1" in m for _, m in systemd.read())
        time.sleep(2)
        beats = sum("WATCHDOG=1" in m for _, m in systemd.read()) - before
        wanted = (time.monotonic() - start) / 0.2
        expect(wanted * .7 <= beats <= wanted + 2, f"{beats} signs of life, wanted {wanted:.0f}")
        edge.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        before = len(systemd.read())
        time.sleep(0.6)
        expect_equal(len(systemd.read()), before, "messages while it is stopped")
        edge.process.send_signal(signal.SIGCONT)
        expect(not systemd.has("STOPPING=1"), "STOPPING=1 too early")
        expect_equal(edge.stop(), 0, "exit status")
        expect(systemd.has("STOPPING=1"), f"no STOPPING=1: {systemd.told}")
        expect_equal(sum("READY=1" in m for _, m in systemd.read()), 1, "times READY=1 was told")
