# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests other than INVITE, once the tunable `methods` has them (RFC 3261 17.1.2)."""
import time

from case import case, expect, expect_equal, expect_times, only
from edge import Edge, wait_until
from sip import Call, respond

# a window of 1.8 s, a last interval of 0.6 s
SHORT = "[profile short]\nresend_interval = 0.2,0.4,0.6\nfinal_wait = 0.6\ntimeout_invite = 1\ntimeout_trying = 1\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"


def offsets(party, call, method):
    times = [a.time for a in party.of(call, method)]
    return [t - times[0] for t in times]


def turn_on(edge, methods):
    edge.siprtx("set", "methods", methods)
    time.sleep(0.1)


def call_of(softswitch, method, **keywords):
    """Sends a request of this method; its Call."""
    return softswitch.send(Call(method=method, **keywords))


def expect_no_record(edge):
    expect_equal(edge.journal(), [], "journal")
    expect_equal(edge.json("exhausted")["records"], [], "records in the map")
    for gateway in edge.json("show", "gateways")["gateways"]:
        for count in ("invites", "retransmissions", "answered", "exhausted", "silent_in_a_row", "timeouts", "cancelled"):
            expect_equal(gateway[count], 0, f"{count} of gateway {gateway['gateway']}")


@case(seconds=5)
def rule_48_unanswered():
    """BYE in a dialog, OPTIONS and CANCEL get no answer: the list to its end, byte for byte, and no record at all."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        turn_on(edge, "BYE,OPTIONS,CANCEL")
        calls = {"BYE": call_of(softswitch, "BYE", to_tag="g"), "OPTIONS": call_of(softswitch, "OPTIONS"), "CANCEL": call_of(softswitch, "CANCEL")}
        time.sleep(0.3)
        held = edge.json("show", "transactions")["transactions"]
        expect_equal(sorted(t["method"] for t in held), sorted(calls), "methods of the transactions held")
        expect("METHOD" in edge.siprtx("show", "transactions").stdout, "show transactions has no column METHOD")
        time.sleep(2.2)
        for method, call in calls.items():
            expect_times(offsets(gateway, call, method), [0, .2, .6, 1.2], method)
            expect(all(a.data == call.message for a in gateway.of(call)), f"a copy of the {method} differs from the original")
        stats = edge.stats()
        expect_equal((stats["unanswered_other"], stats["no_response"], stats["pending"], stats["journal_lines"]), (3, 0, 0, 0), "unanswered_other, no_response, pending, journal_lines")
        expect_equal((edge.counters()["captured_other"], edge.counters()["captured"]), (3, 0), "counters captured_other, captured")
        expect_no_record(edge)
        events = edge.json("events")["events"]
        expect_equal(sorted(e["method"] for e in events if e["event"] == "exhausted"), sorted(calls), "methods of the events of exhaustion")
        said = edge.siprtx("events", "-n", "100").stdout
        expect("BYE 4" in said and "no_response OPTIONS" in said and "INVITE" not in said, f"siprtx events says: {said}")


@case(seconds=4)
def rule_48_answered():
    """BYE, OPTIONS and CANCEL answered after the second: no further one; a later copy passes and arms nothing."""
    with Edge(SHORT) as edge:
        def on(party, arrival):
            if sum(a.data == arrival.data for a in party.got) == 2:
                party.socket.sendto(respond(arrival.data, 481), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        turn_on(edge, "BYE,OPTIONS,CANCEL")
        calls = {method: call_of(softswitch, method) for method in ("BYE", "OPTIONS", "CANCEL")}
        time.sleep(2.2)
        for method, call in calls.items():
            expect_times(offsets(gateway, call, method), [0, .2], method)
            only(softswitch.of(call), f"responses to {method} at the softswitch")
            softswitch.send(call)
        time.sleep(0.5)
        expect_equal([len(gateway.of(call)) for call in calls.values()], [3, 3, 3], "requests at the gateway after a late copy")
        expect_equal((edge.stats()["completed"], edge.stats()["unanswered_other"]), (3, 0), "completed, unanswered_other")
        expect_equal(edge.counters()["remembered"], 3, "counter remembered")
        expect_no_record(edge)


@case(seconds=5)
def rule_48_provisional_does_not_stop_it():
    """100, then silence: on at the last interval; one is answered at last, the other ends with the window; no stage's time-out."""
    with Edge(SHORT) as edge:
        answered, silent = Call(method="BYE"), Call(method="OPTIONS")

        def on(party, arrival):
            count = sum(a.data == arrival.data for a in party.got)
            if count == 1:
                party.socket.sendto(respond(arrival.data, 100), arrival.peer)
            if count == 3 and arrival.data == answered.message:
                party.socket.sendto(respond(arrival.data, 200), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        turn_on(edge, "all")
        softswitch.send(answered)
        softswitch.send(silent)
        time.sleep(1.7)
        expect_equal(edge.stats()["proceeding"], 1, "requests proceeding before the end of the window")
        time.sleep(1)
        expect_times(offsets(gateway, answered, "BYE"), [0, .2, .8], "answered by 200 after the third")
        expect_times(offsets(gateway, silent, "OPTIONS"), [0, .2, .8, 1.4], "never answered")
        expect_equal(len(softswitch.of(answered)), 2, "responses at the softswitch")
        stats = edge.stats()
        expect_equal((stats["unanswered_other"], stats["completed"], stats["trying_timeout"], stats["proceeding"]), (1, 1, 0, 0),
                     "unanswered_other, completed, trying_timeout, proceeding")
        expect_no_record(edge)


@case(seconds=4)
def rule_48_off_unless_asked_for():
    """As shipped no request but INVITE is taken; the counters say so."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        calls = [call_of(softswitch, method) for method in ("BYE", "OPTIONS", "REGISTER", "CANCEL")]
        time.sleep(1)
        expect_equal([len(gateway.of(call)) for call in calls], [1] * 4, "requests at the gateway")
        counters = edge.counters()
        expect_equal((counters["captured_other"], counters["other_method"], counters["cancel_unknown"]), (0, 3, 1), "captured_other, other_method, cancel_unknown")
        expect_equal(edge.stats()["taken"], 0, "transactions taken over")


@case(seconds=5)
def rule_32_48_own_copies_are_absorbed():
    """One datagram an interval, before a 1xx and after it; with forward = xdp too."""
    for forward in ("kernel", "xdp"):
        with Edge(SHORT, forward=forward) as edge:
            def on(party, arrival):
                if sum(a.data == arrival.data for a in party.got) == 2:
                    party.socket.sendto(respond(arrival.data, 100), arrival.peer)
            softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
            turn_on(edge, "BYE")
            call = call_of(softswitch, "BYE")
            for pause in (.1, .35, .45):
                time.sleep(pause)
                softswitch.send(call)
            time.sleep(1.4)
            expect_times(offsets(gateway, call, "BYE"), [0, .2, .6, 1.2], f"with forward = {forward}")
            counters = edge.counters()
            expect_equal((counters["absorbed"], counters["redirected"] + counters["forward_turn"]), (3, 2 if forward == "xdp" else 0), "counters absorbed, redirected")
            expect(all(a.data == call.message for a in gateway.of(call)), "a copy differs from the original")


@case(seconds=5)
def rule_17_48_cancel_is_held_and_ends_the_invite():
    """With CANCEL on: no INVITE after it, the CANCEL itself goes on until its 200; nothing is recorded."""
    with Edge(SHORT) as edge:
        def on(party, arrival):
            if sum(a.data == arrival.data for a in party.got) == 2 and arrival.data.startswith(b"CANCEL"):
                party.socket.sendto(respond(arrival.data, 200), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        turn_on(edge, "CANCEL")
        call = softswitch.send(Call())
        time.sleep(0.3)
        softswitch.send(call.request("CANCEL", body=False), "10.77.2.2")
        time.sleep(2)
        expect_times(offsets(gateway, call, "INVITE"), [0, .2], "INVITE")
        expect_times(offsets(gateway, call, "CANCEL"), [0, .2], "CANCEL")
        expect_equal((edge.stats()["cancelled"], edge.stats()["completed"]), (1, 1), "cancelled, completed")
        expect_equal((edge.counters()["cancel"], edge.counters()["cancel_unknown"]), (1, 0), "counters cancel, cancel_unknown")
        expect_equal(edge.journal(), [], "journal")


@case(seconds=5)
def rule_22_48_prack_never_completes_the_invite():
    """With PRACK on, its 200 ends the PRACK; the INVITE waits on for its own final response."""
    with Edge(SHORT) as edge:
        def on(party, arrival):
            code = 200 if arrival.data.startswith(b"PRACK") else 180
            party.socket.sendto(respond(arrival.data, code), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        turn_on(edge, "PRACK")
        call = softswitch.send(Call())
        softswitch.wait(call, 1, 1)
        softswitch.send(call.request("PRACK", branch=call.branch + "p", cseq=2, to_tag="gateway"), "10.77.2.2")
        wait_until(lambda: edge.stats()["completed"] == 1, 2)
        time.sleep(0.5)
        stats = edge.stats()
        expect_equal((stats["completed"], stats["proceeding"]), (1, 1), "completed, proceeding")
        expect_equal(only(edge.json("show", "transactions")["transactions"], "transactions")["method"], "INVITE", "method of what is held")


@case(seconds=7)
def rule_48_restart_while_proceeding():
    """kill -9 and a new controller after a 1xx: on at the last interval to the end of the window."""
    long = "[profile long]\nresend_interval = 0.5,2\nfinal_wait = 2.5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = long\n"
    with Edge(long) as edge:
        def on(party, arrival):
            if len(party.got) == 1:
                party.socket.sendto(respond(arrival.data, 100), arrival.peer)
        softswitch, gateway = edge.softswitch(), edge.gateway(on=on)
        turn_on(edge, "BYE")
        call = call_of(softswitch, "BYE")
        gateway.wait(call, 2, 2)
        edge.kill()
        edge.start()
        expect_equal((edge.stats()["adopted"], edge.stats()["proceeding"]), (1, 1), "adopted, proceeding")
        expect(wait_until(lambda: edge.stats()["unanswered_other"] == 1, 6), "it never ended")
        expect_times(offsets(gateway, call, "BYE"), [0, .5, 2.5, 4.5])
        expect_no_record(edge)


@case(seconds=4)
def rule_48_live_change_leaves_what_is_held():
    """`methods none` in mid-transaction: sent, absorbed and answered to the end; nothing new is taken."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        edge.siprtx("set", "abandon", "0")  # one copy and no more is a sign of its own
        turn_on(edge, "BYE")
        call, answered = call_of(softswitch, "BYE"), call_of(softswitch, "BYE")
        turn_on(edge, "none")
        later = call_of(softswitch, "BYE")
        softswitch.send(call)
        gateway.send(respond(answered.message, 200), "10.77.1.2")
        time.sleep(2)
        expect_times(offsets(gateway, call, "BYE"), [0, .2, .6, 1.2], "held")
        expect(len(gateway.of(answered)) <= 2, f"{len(gateway.of(answered))} of the BYE that was answered")
        expect_equal(len(gateway.of(later)), 1, "BYEs of a later call")
        expect_equal((edge.counters()["absorbed"], edge.counters()["captured_other"]), (1, 2), "counters absorbed, captured_other")
        expect_equal((edge.stats()["completed"], edge.stats()["unanswered_other"]), (1, 1), "completed, unanswered_other")


@case(seconds=5)
def rule_48_the_tunable():
    """By name and by number, shown as both; wrong bits are refused, or ignored, counted and named by check."""
    with Edge(SHORT) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        said = edge.siprtx("set", "methods", "BYE,OPTIONS").stdout
        expect("methods: 0 (none) -> 80 (BYE,OPTIONS)\n" in said and "/tunables key 8 0 0 0 value 0x50 0x00" in said, f"siprtx set prints: {said}")
        time.sleep(0.1)
        shown = edge.json("show", "tunables")["tunables"]["methods"]
        expect_equal((shown["value"], shown["names"], shown["in_force"], shown["in_force_names"]), (80, ["BYE", "OPTIONS"], 80, ["BYE", "OPTIONS"]), "show tunables -j")
        expect("80 (BYE,OPTIONS)" in edge.siprtx("show", "tunables").stdout, "show tunables does not name the methods")
        for word, wanted in (("all", "32760 (all)"), ("none", "0 (none)"), ("16", "16 (BYE)")):
            said = edge.siprtx("set", "methods", word).stdout
            expect(f"-> {wanted}\n" in said, f"siprtx set methods {word} prints: {said}")
        for word, cause in (("INVITE", "INVITE is always on"), ("ACK", "nothing answers an ACK"), ("2", "INVITE is always on"), ("OPTION", 'did you mean "OPTIONS"')):
            refused = edge.siprtx("set", "methods", word, check=False)
            expect(refused.returncode == 2 and cause in refused.stderr, f"siprtx set methods {word}: exit status {refused.returncode}, says {refused.stderr!r}")
        time.sleep(0.1)
        for value, cause in ((16 | 4, "bit of ACK (4)"), (16 | 2, "bit of INVITE (2)"), (1 << 15, "bits of no method (32768)")):
            before = edge.stats()["bad_values"]
            edge.bpftool_update("tunables", [8, 0, 0, 0], value)
            time.sleep(0.1)
            expect_equal(edge.stats()["bad_values"], before + 1, f"bad values with {value}")
            check = edge.siprtx("check", check=False).stdout
            expect(cause in check and "16 stays in force" in check, f"siprtx check says: {check}")
        bye, options = call_of(softswitch, "BYE"), call_of(softswitch, "OPTIONS")
        time.sleep(0.5)
        expect_equal((len(gateway.of(bye)), len(gateway.of(options))), (2, 1), "BYEs and OPTIONS at the gateway")
        edge.bpftool_update("tunables", [8, 0, 0, 0], 64)
        time.sleep(0.1)
        options = call_of(softswitch, "OPTIONS")
        time.sleep(0.4)
        expect_equal(len(gateway.of(options)), 2, "OPTIONS at the gateway, with the bit written by bpftool")
