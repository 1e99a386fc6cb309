# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal of exhausted calls, and interfaces that come and go."""
import json
import os
import signal
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import BUILD, Edge, run, wait_until
from sip import Call, respond

SHORT = "[profile short]\nresend_interval = 0.3\nfinal_wait = 0.2\n[gateway g]\naddress = 10.77.0.0/16\nprofile = short\n"


@case(seconds=5)
def sighup_opens_the_journal_anew():
    """After logrotate's rename and SIGHUP the next record goes to the new file; the map keeps all, and the sequence goes on."""
    with Edge(SHORT) as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        first = softswitch.send(Call())
        only(edge.wait_journal(first, 3), "records")
        os.rename(edge.journal_path, edge.journal_path + ".1")
        edge.process.send_signal(signal.SIGHUP)
        expect(wait_until(lambda: os.path.exists(edge.journal_path), 2), "no new journal after SIGHUP")
        second = softswitch.send(Call())
        expect_fields(only(edge.wait_journal(second, 3), "records in the new file"), seq=2)
        expect_equal(len(edge.journal()), 1, "lines in the new file")
        listed = edge.json("show", "exhausted")["records"]
        expect_equal([r["call_id"] for r in sorted(listed, key=lambda r: r["seq"])], [first.call_id, second.call_id], "siprtx show exhausted")


@case(seconds=6)
def torn_line_is_repaired():
    """A last line without its end is cut off at start; whole lines stay, and the sequence goes on from them."""
    with Edge(SHORT, start=False) as edge:
        whole = json.dumps({"schema_version": 1, "seq": 41, "call_id": "before"}) + "\n"
        with open(edge.journal_path, "w") as f:
            f.write(whole + '{"schema_version": 1, "seq": 42, "ca')
        edge.start()
        softswitch = edge.softswitch()
        edge.gateway()
        call = softswitch.send(Call())
        expect_fields(only(edge.wait_journal(call, 3), "records"), seq=42)
        with open(edge.journal_path) as f:
            lines = f.readlines()
        expect_equal((len(lines), lines[0]), (2, whole), "lines, the first one")
        expect("torn" in edge.log() or "cut" in edge.log(), f"the log does not say that a line was cut: {edge.log()}")


@case(seconds=5)
def record_survives_a_kill():
    """A transaction that ran out while no controller lived is recorded once by the next one."""
    with Edge(SHORT) as edge:
        softswitch = edge.softswitch()
        edge.gateway()
        call = softswitch.send(Call())
        time.sleep(0.1)
        edge.kill()
        time.sleep(1.2)
        edge.start()
        only(edge.wait_journal(call, 3), "records")
        time.sleep(0.5)
        edge.kill()
        edge.start()
        time.sleep(0.5)
        only(edge.journal(call), "records after another restart")


@case(seconds=6)
def streams_tell_it_as_it_happens():
    """`siprtx -j events -f` and `siprtx -j exhausted -f` give one JSON line an event, as it happens."""
    with Edge(SHORT) as edge:
        paths = {name: f"{edge.directory}/{name}" for name in ("events", "exhausted")}
        for name, path in paths.items():
            with open(path, "w") as f:
                edge.popen(edge.edge_ns, f"{BUILD}/siprtx", "-c", edge.configuration_path, "-j", name, "-f", stdout=f)
        time.sleep(0.5)
        softswitch = edge.softswitch()
        edge.gateway()
        call = softswitch.send(Call())
        only(edge.wait_journal(call, 3), "records")
        time.sleep(0.6)

        def lines(name):
            with open(paths[name]) as f:
                return [json.loads(line) for line in f]
        events = [e for e in lines("events") if e["call_id"] == call.call_id]
        expect_equal([(e["event"], e["attempt"], e["nominal_ms"]) for e in events[:2]], [("new", 1, 0), ("send", 2, 300)], "events")
        expect_equal((events[-1]["event"], events[-1]["reason"]), ("exhausted", "no_response"), "last event")
        expect_equal(lines("exhausted"), edge.journal(), "siprtx exhausted -f against the journal")


@case(seconds=10)
def interface_goes_away():
    """An outside interface down, then deleted, while calls are pending: siprtxd lives and says so; the other one is served."""
    with Edge(SHORT, start=False, outside="out0,out1") as edge:
        run("ip", "link", "add", "out1", "netns", edge.edge_ns, "type", "veth", "peer", "name", "g1", "netns", edge.gw_ns)
        edge.run(edge.gw_ns, "ethtool", "-K", "g1", "gro", "on")
        for namespace, interface, address in ((edge.edge_ns, "out1", "10.77.3.1/24"), (edge.gw_ns, "g1", "10.77.3.2/24")):
            run("ip", "-n", namespace, "address", "add", address, "dev", interface)
            run("ip", "-n", namespace, "link", "set", interface, "up")
        edge.start()
        softswitch, gateway, other = edge.softswitch(), edge.gateway(), edge.gateway("10.77.3.2")

        def both(second):
            calls = Call(), Call(to="10.77.3.2")
            for call in calls:
                softswitch.send(call)
            expect(wait_until(lambda: len(other.of(calls[1])) == 2, 3), f"{second}: {len(other.of(calls[1]))} INVITEs at the other gateway, wanted 2")
            expect_times(other.offsets(calls[1]), [0, .3], f"{second}: the other gateway")
            return calls[0]
        call = both("before")
        gateway.wait(call, 2, 2)
        expect_times(gateway.offsets(call), [0, .3], "before")

        pending = softswitch.send(Call())
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "down")
        both("out0 down")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 3, 3), "siprtx status is not 3 with out0 down")
        status = edge.siprtx("status", check=False).stdout
        expect("out0" in status, f"siprtx status does not name out0: {status}")
        run("ip", "-n", edge.edge_ns, "link", "set", "out0", "up")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 5), f"siprtx status is not 0 with out0 up again: {edge.siprtx('status', check=False).stdout}")
        expect(len(gateway.of(pending)) >= 1, "the pending call vanished")

        softswitch.send(Call())
        run("ip", "-n", edge.edge_ns, "link", "delete", "out0")
        both("out0 deleted")
        time.sleep(0.5)
        both("later")
        expect_equal(edge.process.poll(), None, "exit status of siprtxd")
        expect_equal(edge.siprtx("status", check=False).returncode, 3, "exit status of siprtx status with out0 deleted")
        expect("out0" in edge.log(), "the log does not name out0")


@case(seconds=6)
def two_edges_side_by_side():
    """A second controller on the same pins ends with a sentence; a CLI works with the controller dead; unload leaves nothing."""
    with Edge(SHORT) as edge:
        second = edge.siprtxd()
        expect(second.returncode != 0, "a second siprtxd on the same pins started")
        expect(second.stderr.strip() and str(edge.process.pid) in second.stderr, f"it does not say who is there already: {second.stderr!r}")
        softswitch = edge.softswitch()

        def on(party, arrival):
            party.socket.sendto(respond(arrival.data, 183), arrival.peer)
        edge.gateway(on=on)
        held = softswitch.send(Call())
        softswitch.wait(held, 1, 1)
        time.sleep(0.1)
        listed = edge.json("show", "transactions")["transactions"]
        expect_equal([t["call_id"] for t in listed], [held.call_id], "siprtx show transactions")
        edge.kill()
        for what in ("transactions", "gateways", "exhausted", "tunables", "counters"):
            edge.siprtx("show", what)
        edge.siprtx("unload")
        expect(not os.path.exists(edge.pin_path) or not os.listdir(edge.pin_path), f"unload left pins in {edge.pin_path}")
        links = edge.run(edge.edge_ns, "ip", "link", "show").stdout
        expect("xdp" not in links, f"unload left a program: {links}")
        again = edge.siprtx("status", check=False)
        expect(again.returncode in (1, 3) and again.stdout + again.stderr, "siprtx status after unload")


def records(edge, wanted):
    """One of each call, in this order of numbers, none twice."""
    expect(wait_until(lambda: len(edge.journal()) >= len(wanted), 5), f"{len(edge.journal())} records in the journal, wanted {len(wanted)}")
    time.sleep(0.3)
    lines = edge.journal()
    expect_equal([r["call_id"] for r in lines], [c.call_id for c in wanted], "calls in the journal")
    expect_equal(sorted({r["seq"] for r in lines}), [r["seq"] for r in lines], "numbers in the journal")
    return [r["seq"] for r in lines]


@case(seconds=14)
def journal_read_only_at_restart():
    """A journal that cannot be opened at the start: siprtxd serves, says so, keeps the records in the map and makes up for it, killed in between or with new maps."""
    with Edge(SHORT, start=False) as edge:
        folder = f"{edge.directory}/disk"
        os.mkdir(folder)
        run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder)
        edge.mounts.append(folder)
        edge.journal_path = f"{folder}/exhausted.jsonl"
        edge.write_configuration()
        edge.start()
        softswitch, gateway = edge.softswitch(), edge.gateway()

        def mount(how):
            run("mount", "-o", f"remount,{how}", folder)

        def launch():
            edge.launch()
            expect(wait_until(lambda: edge.process.poll() is not None or edge.json("status", check=False)["state"] == "degraded", 15), edge.log())
            expect_equal(edge.process.poll(), None, f"exit status of siprtxd, {edge.log()[-800:]}")

        def silent():
            call = softswitch.send(Call())
            gateway.wait(call, 2, 2)
            expect_times(gateway.offsets(call), [0, .3])
            return call

        def in_map(calls):
            expect(wait_until(lambda: [r["call_id"] for r in edge.json("exhausted")["records"]] == [c.call_id for c in calls], 3), f"in the map: {edge.json('exhausted')}")
        calls = [silent()]
        records(edge, calls)
        edge.kill()
        mount("ro")
        launch()
        status = edge.siprtx("status", check=False)
        expect("Read-only file system" in status.stdout and "the journal" in status.stdout, f"status says {status.stdout}")
        expect("cannot be opened: Read-only file system" in edge.log(), f"the log says {edge.log()}")
        said = edge.siprtx("check", check=False)
        expect(said.returncode == 0 and "is on a read-only file system" in said.stdout, f"check says {said}")
        calls.append(silent())
        in_map(calls)
        expect_equal(edge.json("status", check=False)["journal"]["not_on_disk"], 1, "records not on disk")
        edge.kill()
        launch()
        calls.append(silent())
        in_map(calls)
        expect_equal(len(edge.journal()), 1, "lines in the journal while it is read-only")
        mount("rw")
        expect_equal(records(edge, calls), [1, 2, 3], "numbers")
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 3), edge.siprtx("status", check=False).stdout)
        calls.append(silent())
        records(edge, calls)
        edge.stop()
        edge.siprtx("unload")
        mount("ro")
        launch()
        new = [silent()]
        in_map(new)
        mount("rw")
        calls += new
        before = records(edge, calls)
        edge.kill()
        edge.start()
        calls.append(silent())
        expect_equal(records(edge, calls)[:-1], before, "numbers after another start")


@case(seconds=6)
def journal_folder_gone_at_restart():
    """Its folder is not there at a restart: siprtxd serves, and writes once it is; a file that is no journal is never written."""
    with Edge(SHORT, start=False) as edge:
        folder = f"{edge.directory}/log"
        os.mkdir(folder)
        edge.journal_path = f"{folder}/exhausted.jsonl"
        edge.write_configuration()
        edge.start()
        softswitch, gateway = edge.softswitch(), edge.gateway()
        edge.stop()
        os.rename(folder, folder + ".away")
        edge.launch()
        expect(wait_until(lambda: "cannot be opened: No such file or directory" in edge.log(), 10), edge.log())
        call = softswitch.send(Call())
        gateway.wait(call, 2, 2)
        expect_times(gateway.offsets(call), [0, .3])
        time.sleep(.5)
        os.mkdir(folder)
        records(edge, [call])
        edge.stop()
        with open(edge.journal_path, "w") as f:
            f.write("a list of what to buy\n")
        refused = edge.siprtxd()
        expect(refused.returncode == 1 and "not one of siprtx's" in refused.stderr, f"siprtxd says {refused}")
