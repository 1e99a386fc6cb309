# SPDX-License-Identifier: GPL-2.0-or-later
"""What gateways are taken for, by the calls to them alone: up, suspect, down."""
import datetime
import json
import re
import socket
import struct
import threading
import time

from case import case, expect, expect_equal, expect_fields, only
from cases_evidence import gateway_entry
from edge import Edge, in_namespace, run, wait_until
from frames import checksum, udp4
from sip import Call, respond

A, B = "10.77.2.2", "10.77.2.3"
# 0, 0.2, 0.4: exhausted 0.6 s after the INVITE
END = 0.6
PROFILE = """[profile short]
resend_interval = 0.2,0.2
final_wait = 0.2
"""
ONE = f"{PROFILE}[gateway a]\naddress = {A}:5060\nprofile = short\non_down = fast\n"
TWO = PROFILE + "".join(f"[gateway {n}]\naddress = {a}:5060\nprofile = short\non_down = fast\ngroup = carriers\n" for n, a in (("a", A), ("b", B)))


def tune(edge, **tunables):
    """No probes; what else is not named is as short as can be."""
    for name, value in {"probe": 0, "suspect_after": 200, "state_hold": 200, **tunables}.items():
        edge.siprtx("set", name, str(value))
    time.sleep(0.05)


def changes(edge, gateway=A):
    return [r for r in edge.records() if r["event"].startswith("gateway_") and r["gateway"] == f"{gateway}:5060"]


def events(edge, gateway=A):
    return [r["event"].removeprefix("gateway_") for r in changes(edge, gateway)]


def state(edge, gateway=A):
    return gateway_entry(edge, f"{gateway}:5060")


def wait_state(edge, wanted, gateway=A, timeout=3):
    expect(wait_until(lambda: state(edge, gateway)["state"] == wanted, timeout, 0.05), f"{gateway} is not {wanted}: {state(edge, gateway)}, changes {changes(edge, gateway)}")


def make_down(edge, softswitch, gateway=A, calls=3):
    made = [softswitch.send(Call(to=gateway)) for _ in range(calls)]
    wait_state(edge, "down", gateway)
    return made


def answering(codes):
    """A gateway that answers the INVITEs of the calls to these users, {user: code}."""
    def on(party, arrival):
        m = re.match(rb"INVITE sip:([^@]+)@", arrival.data)
        if m and m.group(1).decode() in codes:
            party.socket.sendto(respond(arrival.data, codes[m.group(1).decode()]), arrival.peer)
    return on


@case(seconds=8)
def health_suspect_down_up():
    """Three calls without an answer: suspect; exhausted: down; a 180: up. Each change is in the map at once, a record, an event, a line of the log and a view."""
    with Edge(ONE) as edge:
        tune(edge)
        codes = {}
        softswitch, gateway = edge.softswitch(), edge.gateway(on=answering(codes))
        follower = edge.popen(edge.edge_ns, f"{edge.build}/siprtx", "-c", edge.configuration_path, "events", "-f", stdout=open(f"{edge.directory}/follow", "w"))
        started = time.time()
        calls = [softswitch.send(Call()) for _ in range(2)]
        time.sleep(0.35)
        expect_fields(state(edge), state="up", state_why="none", unanswered=2, state_changes=0, admin="auto", group="", on_down="fast")
        for call in calls:
            only(edge.wait_journal(call, 3), "records of a call")
        expect_equal(events(edge), [], "changes after two calls")
        third = softswitch.send(Call())
        wait_state(edge, "suspect", timeout=0.5)
        expect(wait_until(lambda: changes(edge), 1), "no record of the change")
        expect_fields(changes(edge)[0], event="gateway_suspect", reason="silent", sends=3, gateway=f"{A}:5060", gateway_name="a", call_id="", src="", first_send="")
        expect(not edge.journal(third), "it was exhausted before it was suspect")
        wait_state(edge, "down")
        down = state(edge)
        expect_fields(down, state_why="exhausted", silent_in_a_row=3, bypass="fast", state_changes=2, probes=0)
        expect(down["state_age_us"] < 2e6, f"since: {down}")
        raw = json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{edge.pin_path}/gateways").stdout)
        values = [e["formatted"]["value"] for e in raw if e["formatted"]["key"]["port"] == 5060]
        expect_fields(only(values, "entries of the map"), state=2, state_why=2, bypass=1, silent=3, state_changes=2)
        status = edge.siprtx("status", check=False)
        expect_equal(status.returncode, 0, "exit status of siprtx status, a gateway being down")
        expect(re.search(rf"(?m)^gateways +1 down, 0 suspect: a \({A}:5060\) down for .*, calls shortened$", status.stdout), f"status: {status.stdout}")
        expect_equal([g["name"] for g in edge.json("status")["gateways"]["not_up"]], ["a"], "status -j")
        for _ in range(3):  # nothing new comes of more of them
            softswitch.send(Call())
        time.sleep(END + 0.2)
        expect_equal(events(edge), ["suspect", "down"], "changes")
        call = Call()
        codes[call.user] = 180
        softswitch.send(call)
        wait_state(edge, "up")
        expect_fields(state(edge), state_why="response", silent_in_a_row=0, unanswered=0, bypass="none")
        expect(wait_until(lambda: events(edge) == ["suspect", "down", "up"], 1), f"changes: {changes(edge)}")
        expect_equal([r["reason"] for r in changes(edge)], ["silent", "exhausted", "response"], "reasons")
        keys = list(edge.journal(calls[0])[0])
        for record in changes(edge):
            expect_equal(list(record), keys, "keys of a record")
            expect(abs(datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00")).timestamp() - started) < 8, f"ts: {record}")
        told = [e for e in edge.json("events", "-n", "500")["events"] if e["event"] == "gateway"]
        expect_equal([(e["state"], e["reason"], e["gateway"]) for e in told], [(s, r, f"{A}:5060") for s, r in (("suspect", "silent"), ("down", "exhausted"), ("up", "response"))], "events")
        stats = edge.stats()
        expect_equal([stats[k] for k in ("gateways_suspect", "gateways_down", "gateways_bypassed", "state_changes")], [0, 0, 0, 3], "stats")
        table = edge.siprtx("exhausted").stdout
        expect("gateway suspect: silent" in table and "gateway down: exhausted" in table and "gateway up: response" in table, f"siprtx exhausted: {table}")
        log = edge.log()
        for line in (f"gateway a ({A}:5060) is suspect: 3 calls in a row without any answer after 0.2 s.",
                     f"gateway a ({A}:5060) is down: 3 calls in a row exhausted; its calls are sent by the shorter schedule until it answers.",
                     f"gateway a ({A}:5060) is up: it answered a call."):
            expect(line in log, f"the log lacks: {line}")
        follower.terminate()
        follower.wait()
        with open(f"{edge.directory}/follow") as f:
            expect(re.search(r"\*\*\*.*down: exhausted", f.read()), "siprtx events -f does not tell")
        only([e for e in edge.json("exhausted", "-n", "100")["records"] if e["event"] == "gateway_down"], "gateway_down in the map")


@case(seconds=12)
def health_one_in_three_is_never_down():
    """Two of three calls are exhausted, for six seconds: never down, nor with another order. Then none is answered, and it is."""
    with Edge(ONE) as edge:
        tune(edge)
        codes = {}
        softswitch = edge.softswitch()
        edge.gateway(on=answering(codes))
        for i in range(60):
            call = Call()
            if i % 3 == (i // 15) % 3:
                codes[call.user] = (100, 180, 486, 503)[i % 4]
            softswitch.send(call)
            time.sleep(0.1)
        time.sleep(END)
        expect("down" not in events(edge), f"changes: {changes(edge)}")
        expect(len(edge.exhausted()) >= 39, f"{len(edge.exhausted())} calls were exhausted: the test is wrong")
        make_down(edge, softswitch)


@case(seconds=9)
def health_flapping_keeps_the_hold():
    """A gateway that answers for half a second and is silent for the next: its state lasts a second at least, and does change."""
    with Edge(ONE) as edge:
        tune(edge, state_hold=1000, suspect_after=100, down_calls=2)
        awake = threading.Event()
        softswitch = edge.softswitch()
        edge.gateway(on=lambda party, arrival: awake.is_set() and party.socket.sendto(respond(arrival.data, 486), arrival.peer))
        for _ in range(7):
            for switch in (awake.clear, awake.set):
                switch()
                for _ in range(10):
                    softswitch.send(Call())
                    time.sleep(0.05)
        time.sleep(0.3)
        stamps = [datetime.datetime.fromisoformat(r["ts"].replace("Z", "+00:00")).timestamp() for r in changes(edge)]
        gaps = [b - a for a, b in zip(stamps, stamps[1:])]
        expect(len(gaps) >= 2, f"changes: {changes(edge)}")
        expect(min(gaps) >= 0.998, f"seconds between changes: {gaps}")
        return f"{len(stamps)} changes, {min(gaps):.3f} s apart at least"


@case(seconds=9)
def health_last_of_a_group_stays_open():
    """Two gateways of a group, down one after the other: the first one is bypassed, the second not; when the first is up again, the second is."""
    with Edge(TWO, gateways=[f"{B}/24"]) as edge:
        tune(edge)
        codes = {}
        softswitch = edge.softswitch()
        edge.gateway(on=answering(codes)), edge.gateway(B)
        make_down(edge, softswitch)
        expect_fields(state(edge), bypass="fast", group="carriers")
        make_down(edge, softswitch, B)
        expect_equal((state(edge)["bypass"], state(edge, B)["bypass"]), ("fast", "none"), "bypass of both, both down")
        expect("for its group has no other gateway" in edge.log(), "the log does not say why b is not bypassed")
        call = Call()
        codes[call.user] = 486
        softswitch.send(call)
        wait_state(edge, "up")
        expect_equal((state(edge)["bypass"], state(edge, B)["bypass"]), ("none", "fast"), "bypass of both, a up")
        expect_equal(edge.stats()["gateways_bypassed"], 1, "stat gateways_bypassed")


def forged_unreachable(call):
    """ICMP port unreachable as from the gateway, quoting the whole of this call's INVITE."""
    quote = udp4("10.77.1.2", A, call.message)
    icmp = struct.pack("!BBHI", 3, 3, 0, 0) + quote
    return icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]


@case(seconds=8)
def health_forged_icmp_never_marks():
    """icmp_ends is on, and each of 20 calls to a gateway that would answer is ended by forged ICMP: unreachable, and the gateway is up. Its silence marks it."""
    with Edge(ONE) as edge:
        tune(edge, icmp_ends=1, suspect_calls=1, down_calls=2)
        softswitch, _ = edge.softswitch(), edge.gateway()
        raw = in_namespace(edge.gw_ns, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        calls = []
        for _ in range(20):
            calls.append(softswitch.send(Call()))
            time.sleep(0.02)
            raw.sendto(forged_unreachable(calls[-1]), ("10.77.1.2", 0))
            time.sleep(0.05)
        raw.close()
        time.sleep(END)
        expect(wait_until(lambda: len(edge.exhausted()) == 20, 2), f"{len(edge.exhausted())} records, wanted 20")
        expect_equal({r["reason"] for r in edge.exhausted()}, {"unreachable"}, "reasons: the ICMP was not believed, the test is wrong")
        expect_fields(state(edge), state="up", state_changes=0, silent_in_a_row=0, unanswered=0, exhausted=20)
        make_down(edge, softswitch, calls=2)


@case(seconds=12)
def health_bad_numbers_never_mark():
    """One caller's calls are never answered, ten a second of them; another's is answered now and then. The gateway stays up; without the other it is down."""
    with Edge(ONE) as edge:
        tune(edge, suspect_after=400)
        codes = {}
        softswitch = edge.softswitch()
        edge.gateway(on=answering(codes))
        for i in range(50):
            softswitch.send(Call(user=f"bad{i}"))
            if i % 3 == 0:
                good = Call()
                codes[good.user] = 180
                softswitch.send(good)
            time.sleep(0.1)
        expect(len(edge.exhausted()) >= 40, f"{len(edge.exhausted())} calls were exhausted: the test is wrong")
        expect_fields(state(edge), state="up", state_changes=0, silent_in_a_row=0)
        # in a dialog they say nothing either
        for _ in range(6):
            softswitch.send(Call(to_tag="there"))
        time.sleep(END + 0.3)
        expect_fields(state(edge), state="up", state_changes=0)
        make_down(edge, softswitch)


@case(seconds=12)
def health_operator_holds():
    """siprtx gateway NAME down, up and auto act at once and against all calls; its bpftool line does too; wrong use names the remedy."""
    with Edge(ONE) as edge:
        tune(edge, state_hold=60000)
        codes = {}
        softswitch = edge.softswitch()
        edge.gateway(on=answering(codes))

        def answered():
            call = Call()
            codes[call.user] = 486
            softswitch.send(call)
            softswitch.wait(call, 1, 1)
        answered()
        held = edge.siprtx("gateway", "a", "down").stdout.splitlines()
        expect_equal(held[0], f"{A}:5060 a: auto -> down, it is down", "what it prints")
        expect_fields(state(edge), state="down", state_why="operator", bypass="fast", admin="down")
        answered()
        time.sleep(0.4)
        expect_fields(state(edge), state="down", admin="down", invites=2, answered=2)
        up = edge.json("gateway", f"{A}:5060", "up")["gateways"]
        expect_fields(only(up, "gateways"), admin="up", former="down", state="up", bypass="none")
        for _ in range(4):
            softswitch.send(Call())
        time.sleep(END + 0.3)
        expect_fields(state(edge), state="up", state_why="operator")
        run(*held[1].split())
        expect(wait_until(lambda: state(edge)["state"] == "down", 0.5, 0.02), f"the bpftool line did nothing: {state(edge)}")
        expect(wait_until(lambda: state(edge)["invites"] == 6, 0.5, 0.05), f"the counts that the line brought back stay: {state(edge)}")
        expect_equal(edge.siprtx("gateway", A, "auto").stdout.splitlines()[0], f"{A}:5060 a: down -> auto, it is up", "what it prints")
        expect_equal([(r["event"], r["reason"]) for r in changes(edge)], [(f"gateway_{s}", "operator") for s in ("down", "up", "down", "up")], "records")
        for arguments, words in ((("gateway", "b", "down"), "there is no gateway \"b\""), (("gateway", "a", "off"), "give up or down, or auto"), (("gateway", "a"), "wants 2 arguments")):
            wrong = edge.siprtx(*arguments, check=False)
            expect_equal(wrong.returncode, 2, f"exit status of {arguments}")
            expect(words in wrong.stderr, f"{arguments}: {wrong.stderr}")
        # health 0: none is judged
        edge.siprtx("gateway", "a", "down")
        edge.siprtx("set", "health", "0")
        wait_state(edge, "up", timeout=0.5)
        expect_fields(state(edge), state_why="unknown")


@case(seconds=8)
def health_on_down_changes_live():
    """on_down of a gateway that is down, written by bpftool: acted on within half a second; siprtxd leaves it as it was written."""
    with Edge(ONE) as edge:
        tune(edge)
        softswitch, _ = edge.softswitch(), edge.gateway()
        make_down(edge, softswitch)
        line = edge.siprtx("gateway", "a", "auto").stdout.splitlines()[1].split()
        at = line.index("value") + 2 + 8  # behind profile and on_exhausted
        expect_equal(line[at], "01", "on_down in the map, the test looks at the wrong byte if this is another")
        line[at] = "00"
        run(*line)
        expect(wait_until(lambda: state(edge)["bypass"] == "none", 0.5, 0.02), f"not acted on: {state(edge)}")
        softswitch.send(Call())
        time.sleep(END + 0.5)
        expect_fields(state(edge), on_down="pass", bypass="none", state="down", invites=4)


@case(seconds=12)
def health_state_outlives_the_controller():
    """siprtxd is killed while one is down and another had two calls without an answer: states and rows go on; a response brings the first one up."""
    with Edge(TWO, gateways=[f"{B}/24"]) as edge:
        tune(edge)
        codes = {}
        softswitch = edge.softswitch()
        edge.gateway(on=answering(codes)), edge.gateway(B)
        make_down(edge, softswitch)
        for _ in range(2):
            softswitch.send(Call(to=B))
        expect(wait_until(lambda: state(edge, B)["silent_in_a_row"] == 2, 3), f"{state(edge, B)}")
        before = state(edge)
        edge.kill()
        expect_fields(state(edge), state="down", bypass="fast")
        edge.start()
        time.sleep(0.5)
        after = state(edge)
        expect_equal([after[k] for k in ("state", "state_why", "bypass", "state_changes", "silent_in_a_row")],
                     [before[k] for k in ("state", "state_why", "bypass", "state_changes", "silent_in_a_row")], "the gateway after the restart")
        expect_equal((events(edge), edge.stats()["gateways_down"]), (["suspect", "down"], 1), "changes, stat gateways_down")
        softswitch.send(Call(to=B))
        wait_state(edge, "down", B)
        expect_equal((state(edge)["bypass"], state(edge, B)["bypass"]), ("fast", "none"), "bypass of both")
        call = Call()
        codes[call.user] = 180
        softswitch.send(call)
        wait_state(edge, "up")
        expect_equal(events(edge), ["suspect", "down", "up"], "changes")


REPLIES = f"{PROFILE}[gateway a]\naddress = {A}:5060\nprofile = short\n[gateway b]\naddress = {B}:5060\nprofile = short\non_exhausted = reply-408\n"


@case(seconds=9)
def health_late_responses_bring_up():
    """What comes after the end says that the gateway lives: a late 486; a late 180 where siprtx has answered the call, and the 200 to its CANCEL alone."""
    with Edge(REPLIES, gateways=[f"{B}/24"]) as edge:
        tune(edge)
        softswitch, a, b = edge.softswitch(), edge.gateway(), edge.gateway(B)
        late = make_down(edge, softswitch)[0]
        a.send(respond(late.message, 486), "10.77.1.2")
        wait_state(edge, "up", timeout=1)
        expect_fields(state(edge), state_why="response")
        calls = make_down(edge, softswitch, B)
        b.send(respond(calls[0].message, 180), "10.77.1.2")
        wait_state(edge, "up", B, timeout=1)
        # down once more, and then nothing but the answer to the CANCEL
        make_down(edge, softswitch, B)
        cancel = only([d for d in b.of(calls[0], "CANCEL")][:1], "CANCELs")
        b.send(respond(cancel.data, 200), "10.77.1.2")
        wait_state(edge, "up", B, timeout=1)
        expect_equal(events(edge, B), ["suspect", "down", "up"] * 2, "changes")


@case(seconds=8)
def health_bad_codes_count_as_set():
    """503 to every call: nothing, until bad_codes has it; then suspect and down, though a 100 comes first. A 486 brings it up."""
    with Edge(ONE) as edge:
        tune(edge)
        final = [503]

        def on(party, arrival):
            if arrival.data.startswith(b"INVITE "):
                for code in (100, final[0]):
                    party.socket.sendto(respond(arrival.data, code), arrival.peer)
        softswitch = edge.softswitch()
        edge.gateway(on=on)

        def call():
            made = softswitch.send(Call())
            softswitch.wait(made, 2, 1)
        for _ in range(5):
            call()
        time.sleep(0.3)
        expect_fields(state(edge), state="up", state_changes=0, silent_in_a_row=0)
        edge.siprtx("set", "bad_codes", "2")
        time.sleep(0.1)
        for _ in range(3):
            call()
        wait_state(edge, "down", timeout=1)
        expect_equal([(r["event"], r["reason"]) for r in changes(edge)], [("gateway_suspect", "exhausted"), ("gateway_down", "exhausted")], "records")
        final[0] = 486
        call()
        wait_state(edge, "up", timeout=1)
