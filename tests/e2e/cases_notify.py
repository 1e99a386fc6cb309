# SPDX-License-Identifier: GPL-2.0-or-later
"""siprtx-notify: the stream socket, CDR files, cursors, and what `siprtx status` says of them."""
import glob
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import threading
import time

from case import case, expect, expect_equal, short
from cases_rights import USER, Rights, as_user, identity
from edge import BUILD, Edge, run, tool, wait_until
from notifier import SHORT, Notifier, Subscriber, journal_lines, send_calls, seq_of, socket_of, stream
from sip import Call


def expect_same_lines(got, wanted, what):
    """Every line once, in order, byte for byte."""
    if got == wanted:
        return
    at = next((i for i, (g, w) in enumerate(zip(got, wanted)) if g != w), min(len(got), len(wanted)))
    seqs = [seq_of(line) for line in got]
    twice, missing = len(seqs) - len(set(seqs)), len({seq_of(line) for line in wanted} - set(seqs))
    expect(False, f"{what}: {len(got)} lines, the journal has {len(wanted)}; {twice} twice, {missing} missing; number {at} is "
                  f"{short(got[at:at + 1])}, wanted {short(wanted[at:at + 1])}")


def of_calls(lines):
    return [line for line in lines if b'"event":"gateway_' not in line]


def settled(edge, n):
    """Waits until the records of n calls are on disk, and those of their gateway with them; all the lines."""
    wait_until(lambda: len(of_calls(journal_lines(edge))) >= n if os.path.exists(edge.journal_path) else False, 20, 0.1)
    time.sleep(0.3)
    return journal_lines(edge)


def down_at_once(edge):
    """The third exhausted call makes the gateway suspect and down: two records among those of the calls, and none later by itself."""
    edge.siprtx("set", "state_hold", "0")
    edge.siprtx("set", "probe", "0")
    time.sleep(0.05)


@case(seconds=8)
def notify_stream_replays():
    """A subscriber gets the journal's lines: from a number, from the end, from before the oldest with a gap told; a wrong request is refused."""
    path = socket_of("replay")
    with Edge(SHORT + stream("replay")) as edge:
        down_at_once(edge)
        softswitch = edge.softswitch()
        edge.gateway()
        send_calls(softswitch, 20, 200)
        lines = settled(edge, 20)
        expect_equal([json.loads(line)["event"] for line in lines if line not in of_calls(lines)], ["gateway_suspect", "gateway_down"], "records of the gateway")
        notifier = Notifier(edge)
        expect(wait_until(lambda: os.path.exists(path), 5), f"no socket: {notifier.log()}")
        expect_equal(stat.S_IMODE(os.stat(path).st_mode), 0o660, "mode of the socket")
        from_7, end = Subscriber(path, "from 7\n"), Subscriber(path, "from end\n")
        silent, early = Subscriber(path), Subscriber(path, "from 0\n")
        ahead, wrong = Subscriber(path, "from 1000\n"), Subscriber(path, "give me all\n")
        old = len(lines)
        expect_same_lines(from_7.wait(old - 6, 3)[:], lines[6:], "from 7")
        expect_same_lines(early.wait(old, 3)[:], lines, "from 0")
        expect_equal([json.loads(line)["event"] for line in wrong.wait(1, 3)], ["error"], "answers to a wrong request")
        time.sleep(0.3)
        send_calls(softswitch, 5, 200)
        lines = settled(edge, 25)
        for who, wanted in ((from_7, lines[6:]), (end, lines[old:]), (silent, lines[old:]), (ahead, lines[old:]), (early, lines)):
            expect_same_lines(who.wait(len(wanted), 3), wanted, who.request or "no request")
        sink = notifier.sink("replay")
        expect_equal((sink["kind"], sink["subscribers"], sink["error"]), ("stream", 5, None), "kind, subscribers and error in status")
        for s in (from_7, end, silent, ahead, early):
            s.close()
        expect(notifier.wait_sink("replay", lambda s: s["subscribers"] == 0), "subscribers that hung up are still counted")
        expect_equal(notifier.end(), 0, "exit status")
        expect(not os.path.exists(path), "the socket was left")


@case(seconds=6)
def notify_stream_half_closed():
    """`printf 'from 1' | nc -N -U`: who has shut down his side gets his lines all the same."""
    path = socket_of("half")
    with Edge(SHORT + stream("half")) as edge:
        down_at_once(edge)
        softswitch = edge.softswitch()
        edge.gateway()
        send_calls(softswitch, 3, 100)
        settled(edge, 3)
        Notifier(edge)
        wait_until(lambda: os.path.exists(path), 5)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"from 1")
            s.shutdown(socket.SHUT_WR)
            s.settimeout(3)
            send_calls(softswitch, 1, 100)
            lines, got = settled(edge, 4), b""
            while got.count(b"\n") < len(lines):
                got += s.recv(65536)
        expect_same_lines(got.splitlines(), lines, "half closed")


@case(seconds=6)
def notify_tells_of_a_gap():
    """Numbers that neither map nor journal have are told as a gap, and what comes after them as ever."""
    path = socket_of("gap")
    with Edge(SHORT + stream("gap"), start=False) as edge:
        with open(edge.journal_path, "w") as f:
            f.write('{"schema_version":1,"seq":41,"event":"exhausted","call_id":"before"}\n')
        edge.start()
        softswitch = edge.softswitch()
        edge.gateway()
        send_calls(softswitch, 2, 100)
        settled(edge, 3)
        run("bpftool", "map", "delete", "pinned", f"{edge.pin_path}/exhausted", "key", *map(str, (42).to_bytes(8, "little")))
        kept = [line for line in journal_lines(edge) if seq_of(line) != 42]
        with open(f"{edge.directory}/other", "wb") as f:
            f.write(b"".join(line + b"\n" for line in kept))
        os.rename(f"{edge.directory}/other", edge.journal_path)
        Notifier(edge)
        wait_until(lambda: os.path.exists(path), 5)
        got = [json.loads(line) for line in Subscriber(path, "from 7\n").wait(4, 3)]
        expect_equal([(e["event"], e.get("seq"), e.get("from"), e.get("to")) for e in got],
                     [("gap", None, 7, 40), ("exhausted", 41, None, None), ("gap", None, 42, 42), ("exhausted", 43, None, None)], "told")


CALLS, RATE = 10000, 650


def storm(edge, name, trouble=None, subscribers=2):
    """10,000 exhausted calls; each subscriber hangs up about every second. Judges that all is told once."""
    path = socket_of(name)
    softswitch = edge.softswitch()
    edge.gateway()
    wait_until(lambda: os.path.exists(path), 5)
    who = [Subscriber(path, "from 1\n", again=1, seed=i) for i in range(subscribers)]
    sender = threading.Thread(target=send_calls, args=(softswitch, CALLS, RATE))
    sender.start()
    while sender.is_alive():
        time.sleep(1)
        if trouble:
            trouble()
    sender.join()
    wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 10, 0.2)
    wait_until(lambda: edge.json("status", check=False)["held"]["calling"] == 0, 10, 0.2)
    wait_until(lambda: edge.json("status", check=False)["journal"]["not_on_disk"] == 0, 10, 0.2)
    lines = journal_lines(edge)
    for s in who:
        s.wait(len(lines), 10)
    time.sleep(0.3)
    for s in who:
        expect_same_lines(s.close(), lines, f"after {s.connections} connections")
    return f"{len(lines)} records, {' and '.join(str(s.connections) for s in who)} connections"


@case(seconds=30)
def notify_stream_10000_calls():
    """10,000 exhausted calls, subscribers that hang up and come back every second: every number once, as in the journal."""
    with Edge(SHORT + stream("calls"), max_transactions=16384) as edge:
        Notifier(edge)
        said = storm(edge, "calls")
        expect_equal(len(edge.exhausted()), CALLS, f"records of calls among {said}")
        return said


@case(seconds=35)
def notify_stream_siprtxd_killed():
    """The same while siprtxd is killed again and again."""
    with Edge(SHORT + stream("killed"), max_transactions=16384) as edge:
        Notifier(edge)

        def trouble():
            edge.kill()
            edge.launch()
        return storm(edge, "killed", trouble)


@case(seconds=35)
def notify_stream_notifier_killed():
    """The same while siprtx-notify is killed again and again."""
    with Edge(SHORT + stream("again"), max_transactions=16384) as edge:
        notifier = Notifier(edge)

        def trouble():
            notifier.kill()
            notifier.start()
        return storm(edge, "again", trouble)


def memory_kb(process):
    with open(f"/proc/{process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


@case(seconds=15)
def notify_reader_that_never_reads():
    """Subscribers that never read cost no memory and keep nobody waiting; when they read at last, nothing is missing."""
    path = socket_of("idle")
    with Edge(SHORT + stream("idle"), max_transactions=16384) as edge:
        notifier = Notifier(edge)
        down_at_once(edge)
        softswitch = edge.softswitch()
        edge.gateway()
        wait_until(lambda: os.path.exists(path), 5)
        lazy = []
        for _ in range(20):
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.sendall(b"from 1\n")
            lazy.append(s)
        busy = Subscriber(path, "from 1\n")
        send_calls(softswitch, 100, 500)
        busy.wait(100, 5)
        before = memory_kb(notifier.process)
        send_calls(softswitch, 3000, 600)
        lines = settled(edge, 3100)
        expect_same_lines(busy.wait(len(lines), 5), lines, "one who reads")
        grown = memory_kb(notifier.process) - before
        expect(grown < 1500, f"20 readers that never read cost {grown} KB")
        lag = notifier.sink("idle")["lag"]
        expect(lag > 1000, f"status says that the slowest lags {lag} behind")
        lazy[0].settimeout(5)
        got = b""
        while got.count(b"\n") < len(lines):
            got += lazy[0].recv(1 << 16)
        expect_same_lines(got.splitlines(), lines, "one who read at last")
        for s in lazy:
            s.close()
        return f"{grown} KB"


@case(seconds=15)
def notify_outlives_unload():
    """Maps that are unloaded and loaded again, siprtx-notify running or away: it goes on where it was, by the file beside the journal."""
    path = socket_of("unload")
    with Edge(SHORT + stream("unload")) as edge:
        folder = f"{edge.directory}/cdr"
        os.mkdir(folder)
        edge.write_configuration()
        edge.configuration += f"[notify c]\nkind = cdr\nto = {folder}\n"
        edge.write_configuration()
        notifier = Notifier(edge)
        down_at_once(edge)
        softswitch = edge.softswitch()
        edge.gateway()
        wait_until(lambda: os.path.exists(path), 5)
        reader = Subscriber(path, "from 1\n")
        send_calls(softswitch, 5, 100)
        reader.wait(len(settled(edge, 5)), 3)
        edge.stop()
        edge.siprtx("unload")
        expect(wait_until(lambda: "unloaded" in notifier.log(), 3), f"siprtx-notify does not say that the maps are gone: {notifier.log()}")
        edge.start()
        down_at_once(edge)
        send_calls(softswitch, 5, 100)
        lines = settled(edge, 10)
        expect_equal(len(lines), 14, "records, the gateway suspect and down before the unload and after it")
        expect_same_lines(reader.wait(14, 5), lines, "across an unload")
        # the map has those of the last five alone
        expect_same_lines(Subscriber(path, "from 1\n").wait(14, 5), lines, "from before the unload")
        notifier.wait_sink("c", lambda s: s["sent"] >= 10)
        expect_equal(notifier.end(), 0, "exit status")
        send_calls(softswitch, 2, 100)
        settled(edge, 12)
        edge.stop()
        edge.siprtx("unload")
        edge.start()
        send_calls(softswitch, 1, 100)
        settled(edge, 13)
        notifier.start()
        expect(wait_until(lambda: len(cdr_lines(folder)) >= 13, 5), f"{len(cdr_lines(folder))} CDR lines, wanted 13; {notifier.log()}")
        calls = [seq_of(line) for line in of_calls(journal_lines(edge))]
        expect_equal((cdr_numbers(folder), len(calls)), (calls, 13), "numbers in the CDR files, calls")
        with open(f"{edge.directory}/notify.state") as f:
            expect("c " in f.read(), "notify.state does not name the consumer")


def cdr_lines(folder):
    lines = []
    for path in sorted(glob.glob(f"{folder}/*.txt")):
        with open(path) as f:
            lines += f.read().splitlines()
    return lines


def cdr_numbers(folder):
    return [int(line.split("|")[17]) for line in cdr_lines(folder)]


def fill_up(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)


@case(seconds=15)
def notify_cdr_files():
    """A line a call with the columns of the manual, by the hour; none lost or doubled by a kill -9, nor by a full disk, which status names."""
    with Edge(SHORT) as edge:
        folder = f"{edge.directory}/cdr"
        os.mkdir(folder)
        run("mount", "-t", "tmpfs", "-o", "size=64k", "none", folder)
        edge.mounts.append(folder)
        edge.configuration += f"[notify c]\nkind = cdr\nto = {folder}\n"
        edge.write_configuration()
        notifier = Notifier(edge)
        expect(notifier.wait_sink("c", lambda s: s["alive"]), f"no consumer in status: {notifier.log()}")
        softswitch = edge.softswitch()
        edge.gateway()
        call = softswitch.send(Call(user="4930|1"))
        expect(wait_until(lambda: cdr_lines(folder), 3), f"no CDR line: {notifier.log()}")
        record, line = edge.wait_journal(call, 3)[0], cdr_lines(folder)[0]
        column = line.split("|")
        expect_equal(len(column), 18, f"columns of {line}")
        expect_equal(column[:2] + column[4:17], ["caller", "4930_1", "0", "no_response", "callee", "10.77.1.2", "g", "10.77.1.2:5060", "10.77.2.2:5060",
                                                str(record["duration_ms"]), str(record["sends"]), "0", "short", call.call_id, column[16]], "columns")
        expect_equal(column[17], "1", "seq")
        for _ in range(3):
            send_calls(softswitch, 20, 200)
            notifier.kill()
            notifier.start()
        expect(wait_until(lambda: len(cdr_lines(folder)) >= 61, 5), f"{len(cdr_lines(folder))} lines, wanted 61")
        fill_up(f"{folder}/fill")
        send_calls(softswitch, 60, 200)
        sink = notifier.wait_sink("c", lambda s: s["error"])
        expect(sink and "No space left" in sink["error"] and sink["lag"] > 0, f"status of a full disk: {sink}")
        said = edge.siprtx("status", check=False)
        expect(said.returncode == 0 and "No space left" in said.stdout, f"status {said.returncode}: {said.stdout}")
        os.unlink(f"{folder}/fill")
        expect(wait_until(lambda: len(cdr_lines(folder)) >= 121, 5), f"{len(cdr_lines(folder))} lines after there was room, wanted 121")
        calls = [seq_of(line) for line in of_calls(journal_lines(edge))]
        expect_equal((cdr_numbers(folder), len(calls)), (calls, 121), "numbers of the calls, and no other; calls")
        expect(len(edge.records()) > 121, "no record of the gateway was to be left out")
        expect(notifier.wait_sink("c", lambda s: not s["error"]), "the error stays in status")


@case(seconds=8)
def notify_named_in_status():
    """status: not running, running, not running any more; its exit status is that of the offload. One instance only; SIGHUP takes consumers in and out."""
    path = socket_of("status")
    with Edge(SHORT + stream("status")) as edge:
        said = edge.siprtx("status", check=False)
        expect(said.returncode == 0 and "siprtx-notify is not running" in said.stdout, f"before: {said.returncode} {said.stdout}")
        expect_equal(edge.json("status")["notify"]["running"], False, "running before")
        notifier = Notifier(edge)
        expect(notifier.wait_sink("status", lambda s: s["alive"]), notifier.log())
        said = edge.siprtx("status")
        expect("not running" not in said.stdout and "status" in said.stdout, f"while it runs: {said.stdout}")
        second = Notifier(edge, start=False)
        second.path += ".2"
        second.start()
        expect_equal(second.process.wait(5), 1, "exit status of a second one")
        expect("another siprtx-notify" in second.log(), f"the second one says {second.log()}")
        edge.configuration = SHORT + stream("status").replace("notify status", "notify other") + "[notify x]\nkind = exec\nrun = /bin/true\n"
        edge.write_configuration()
        notifier.process.send_signal(signal.SIGHUP)
        expect(notifier.wait_sink("other", lambda s: s["alive"]), f"after SIGHUP: {notifier.log()}")
        names = [s["name"] for s in edge.json("status")["notify"]["consumers"]]
        expect_equal(sorted(names), ["other", "x"], "consumers after SIGHUP")
        expect(os.path.exists(path), "the socket is gone")
        notifier.kill()
        expect(wait_until(lambda: "siprtx-notify is not running" in edge.siprtx("status").stdout, 8, 0.3), "status does not say that it was killed")


@case(seconds=4)
def notify_is_checked():
    """`siprtx check` names a socket's folder, a CDR folder and a program that are not there."""
    with Edge(SHORT + "[notify s]\nkind = stream\nto = unix:/nowhere/s\n[notify c]\nkind = cdr\nto = /nowhere/cdr\n"
              "[notify e]\nkind = exec\nrun = /nowhere/e\n") as edge:
        said = edge.siprtx("check", check=False)
        for words in ("notify s: ", "/nowhere is not there", "notify c: ", "/nowhere/cdr is not there", "notify e: ", "/nowhere/e is not there"):
            expect(words in said.stdout + said.stderr, f"check does not say {words!r}: {said.stdout}{said.stderr}")


@case(seconds=10)
def notify_needs_no_capability():
    """As the user that siprtxd becomes, with no capability at all: it tells, keeps its place, and a stranger may do neither."""
    with Edge(SHORT, start=False, user="nobody", max_transactions=1024) as edge:
        rights = Rights(edge, USER)
        path = f"{edge.directory}/log/s"
        edge.configuration += f"[notify s]\nkind = stream\nto = unix:{path}\n[notify c]\nkind = cdr\nto = {edge.directory}/log\n"
        edge.write_configuration()
        program = f"{edge.directory}/siprtx-notify"
        shutil.copy(f"{BUILD}/siprtx-notify", program)
        rights.start([])
        notifier = Notifier(edge, prefix=[*as_user(), program])
        expect(wait_until(lambda: os.path.exists(path), 5), f"no socket: {notifier.log()}")
        mine = identity(notifier.process.pid)
        expect_equal((mine["uid"], mine["effective"], mine["permitted"]), ({USER.pw_uid}, 0, 0), "user and capabilities")
        reader = Subscriber(path, "from 1\n")
        softswitch = edge.softswitch()
        edge.gateway()
        down_at_once(edge)
        send_calls(softswitch, 5, 100)
        lines = settled(edge, 5)
        expect_same_lines(reader.wait(len(lines), 3), lines, "as a plain user")
        expect(notifier.wait_sink("c", lambda s: s["sent"] == 5), f"CDR lines as a plain user: {notifier.sink('c')}")
        expect_equal(notifier.end(), 0, "exit status")
        games = [*as_user(user=pwd.getpwnam("games")), program]
        stranger = Notifier(edge, prefix=games).process
        expect_equal(stranger.wait(5), 1, "exit status of a stranger's")


def set_state(edge, state):
    """Writes a state into the only gateway of the map, in siprtxd's place."""
    pin = f"{edge.pin_path}/gateways"
    entry = json.loads(run("bpftool", "-j", "map", "dump", "pinned", pin).stdout)[0]
    key, value = ([int(b, 16) for b in entry[part]] for part in ("key", "value"))
    value[80:84] = state.to_bytes(4, "little")  # struct siprtx_gateway.state
    run("bpftool", "map", "update", "pinned", pin, "key", *map(str, key), "value", *map(str, value))


@case(seconds=10)
def notify_first_of_gateways_that_are_down():
    """A consumer that is new is told of a gateway that is down, once; with the record that said so, where there is one."""
    with Edge(SHORT) as edge:
        hook = f"{edge.directory}/hook"
        with open(hook, "w") as f:
            f.write(f"#!/bin/sh\necho \"$0 $SIPRTX_EVENT $SIPRTX_SEQ $SIPRTX_GATEWAY\" >> {edge.directory}/told\n")
        os.chmod(hook, 0o755)
        edge.siprtx("set", "health", "0")
        time.sleep(0.05)
        softswitch = edge.softswitch()
        edge.gateway()
        send_calls(softswitch, 3, 100)
        settled(edge, 3)
        edge.stop()
        set_state(edge, 2)
        edge.configuration += f"[notify a]\nkind = exec\nrun = {hook}\n[notify b]\nkind = exec\nrun = {hook}\non = gateway_up, gateway_suspect, exhausted\n"
        edge.write_configuration()

        def told():
            try:
                with open(f"{edge.directory}/told") as f:
                    return [line.split()[1:] for line in f]
            except FileNotFoundError:
                return []
        notifier = Notifier(edge)
        wait_until(told, 5)
        time.sleep(0.5)
        expect_equal(told(), [["gateway_down", "0", "10.77.2.2:5060"]], "told at the first start, no record left")
        notifier.end()
        notifier.start()
        time.sleep(1)
        expect_equal(len(told()), 1, "told at the second start")
        run(tool("add_record", "tests/peer/add_record.c", "libbpf"), edge.pin_path, "10.77.2.2", "5060", "g", "up", "down", "call")
        expect(wait_until(lambda: len(told()) >= 5, 5), f"told of new records: {told()}")
        edge.configuration += f"[notify d]\nkind = exec\nrun = {hook}\n"
        edge.write_configuration()
        before = len(told())
        notifier.process.send_signal(signal.SIGHUP)
        expect(wait_until(lambda: len(told()) > before, 5), f"a new consumer is told nothing: {notifier.log()}")
        time.sleep(0.5)
        expect_equal(told()[before:], [["gateway_down", "5", "10.77.2.2:5060"]], "what a new consumer is told")
