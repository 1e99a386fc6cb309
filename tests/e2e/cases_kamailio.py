# SPDX-License-Identifier: GPL-2.0-or-later
"""Kamailio as the softswitch on siprtx's own host, its tm module's retransmission on."""
import re
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, wait_until
from flows import profile
from kamailio import CALLER, Kamailio, host
from sip import Call, branch_of

OWN = [0, .5, 1.5, 3.5]  # what tm sends by itself (RFC 3261 17.1.1.2)
TM_TOLERANCE = 0.250  # it looks at its timers sixteen times a second, and is one process among many here
# siprtx's own list is none of tm's: who sent a copy shows in its time
LIST = [0, .7, 1.4, 2.1, 2.8, 3.5, 4.2]
PROFILE = profile("steady", resend_interval="0.7,0.7,0.7,0.7,0.7,0.7", final_wait=0.5)
TWO = {"gateways": ["10.77.2.3/24"]}


def ruleset(edge, rules):
    edge.run(edge.edge_ns, "nft", "-f", "-", input=rules)


MASQUERADE = "table ip nat { chain out { type nat hook postrouting priority srcnat; oifname out0 masquerade; }; }"
FIREWALL = "table ip filter { chain forward { type filter hook forward priority filter; ip daddr 10.77.2.3 udp dport 5060 drop; }; }"


@case(seconds=8)
def kamailio_alone_sends_by_t1():
    """Without siprtx: Kamailio itself sends at 0, T1, 3 T1, 7 T1, gives up after fr_timer, and completes an answered call. What the other cases have to tell apart."""
    with Edge(forward_only=True, **TWO) as edge:
        edge.gateway()  # silent, and no ICMP either
        with Kamailio(edge, "10.77.2.2") as kamailio:
            call = kamailio.call("refused-call.xml")
            call.done(10)
            expect_times(kamailio.offsets(call), OWN, "INVITEs of a silent call", TM_TOLERANCE)
            kamailio.expect_codes(call, [100, 408])
            expect_equal(len({f.payload for f in kamailio.seen(call)}), 1, "different INVITEs")
        with Kamailio(edge, "10.77.2.3") as kamailio:
            gateway, call = kamailio.gateway("proxied-gateway.xml", "10.77.2.3", pause=1200), kamailio.call()
            for sipp in (call, gateway):
                sipp.done(10)
            expect_times(kamailio.offsets(call), OWN[:2], "INVITEs of an answered call", TM_TOLERANCE)
            kamailio.expect_codes(call, [100, 180, 200])


@case(seconds=8)
def kamailio_on_the_host_silent_gateway():
    """The gateway hears siprtx's list and nothing of Kamailio's: each datagram the first one byte for byte, checksums whole. One record; Kamailio ends the call by fr_timer."""
    with host(PROFILE) as edge, Kamailio(edge, "10.77.2.2") as kamailio:
        gateway, call = edge.gateway(), kamailio.call("refused-call.xml")
        first = kamailio.wait(call, 2, 3)[0]
        expect_fields(only(edge.json("show", "transactions")["transactions"], "transactions shown"), call_id=call.call_id, state="calling", taken=True,
                      gateway="10.77.2.2:5060", src=f"{kamailio.address}:5060", profile="steady")
        call.done(8)
        record = only(edge.wait_journal(call, 2), "records")
        expect_times(kamailio.offsets(call), LIST, "INVITEs")
        for f in kamailio.seen(call)[1:]:
            expect_equal(f.comparable(), first.comparable(), "a copy but for IP ID and checksums")
            expect(not f.half_made and f.checksums_ok(), "a copy has a wrong checksum")
        expect_equal([a.data for a in gateway.got], [first.payload] * len(LIST), "datagrams at the gateway's socket")
        expect_fields(record, reason="no_response", method="INVITE", call_id=call.call_id, branch=branch_of(first.payload), gateway="10.77.2.2:5060",
                      gateway_name="steady", profile="steady", src=f"{kamailio.address}:5060", sends=len(LIST), last_code=0, in_dialog=False)
        kamailio.expect_codes(call, [100, 408])
        counters = edge.counters()
        expect_equal((counters["captured"], counters["absorbed"]), (1, len(OWN) - 1), "counters captured, absorbed")


@case(seconds=6)
def kamailio_on_the_host_slow_gateway():
    """100 after 1.2 s, then 180 and 200: nothing is sent after the 100, and the call goes through to its BYE."""
    with host(PROFILE) as edge, Kamailio(edge, "10.77.2.2") as kamailio:
        gateway, call = kamailio.gateway("proxied-gateway.xml", pause=1200), kamailio.call()
        for sipp in (call, gateway):
            sipp.done(8)
        time.sleep(1.5)
        expect_times(kamailio.offsets(call), LIST[:2], "INVITEs")
        kamailio.expect_codes(call, [100, 180, 200])
        kamailio.expect_once(call, "ACK", "BYE")
        counters = edge.counters()
        expect_equal((counters["captured"], counters["absorbed"]), (1, 1), "counters captured, absorbed")
        expect_equal((edge.stats()["pending"], edge.journal()), (0, []), "transactions calling, records")


@case(seconds=6)
def kamailio_on_the_host_answering_gateway():
    """Calls answered at once: no copy, nothing absorbed, each message of either side arrives once."""
    with host(PROFILE) as edge, Kamailio(edge, "10.77.2.2") as kamailio:
        gateway = kamailio.gateway("proxied-gateway.xml", options=("-m", "3"))
        calls = [kamailio.call() for _ in range(3)]
        for sipp in (*calls, gateway):
            sipp.done(8)
        for call in calls:
            kamailio.expect_once(call, "INVITE", "ACK", "BYE")
            kamailio.expect_codes(call, [100, 180, 200])
        counters, stats = edge.counters(), edge.stats()
        expect_equal((counters["captured"], counters["absorbed"], stats["pending"]), (3, 0, 0), "counters captured, absorbed, transactions calling")
        expect_equal(edge.journal(), [], "records")


@case(seconds=8)
def kamailio_gets_its_work_back():
    """SIGKILL in mid-transaction: a second later Kamailio's own copies reach the gateway again, one each of its steps, and it ends the call by fr_timer."""
    with host(PROFILE) as edge, Kamailio(edge, "10.77.2.2", t2=1) as kamailio:
        edge.gateway()
        call = kamailio.call("refused-call.xml")
        kamailio.wait(call, 3, 4)
        time.sleep(0.3)
        edge.kill()  # at 1.7 s
        call.done(8)
        # tm's own copy at 2.5 s is the last one that siprtx's last heartbeat takes away
        offsets = kamailio.offsets(call)
        expect_times(offsets[:3], LIST[:3], "INVITEs before the kill")
        expect_times(offsets[3:], [3.5, 4.5], "INVITEs after it", TM_TOLERANCE)
        expect_equal(len({f.payload for f in kamailio.seen(call)}), 1, "different INVITEs")
        kamailio.expect_codes(call, [100, 408])


def forked_call(edge, kamailio):
    """Gateway A is silent, so that Kamailio gives it up without a word and sends the call to B, which answers after 1.2 s. Nothing more to A; B is served by the list until it answers; the call goes through."""
    a, b = edge.gateway(), kamailio.gateway("proxied-gateway.xml", "10.77.2.3", pause=1200)
    call = kamailio.call()
    for sipp in (call, b):
        sipp.done(10)
    time.sleep(1)
    expect_times(kamailio.offsets(call, "10.77.2.2"), LIST[:4], "INVITEs at A")
    expect_times(kamailio.offsets(call, "10.77.2.3"), LIST[:2], "INVITEs at B")
    for address in ("10.77.2.2", "10.77.2.3"):
        first, *copies = kamailio.seen(call, address=address)
        expect_equal({f.comparable() for f in copies}, {first.comparable()}, f"copies to {address} but for IP ID and checksums")
        expect(all(not f.half_made and f.checksums_ok() for f in copies), f"a copy to {address} has a wrong checksum")
    expect_equal({x.peer for x in a.got}, {("10.77.2.1", 5060)}, "senders of A's datagrams")
    kamailio.expect_codes(call, [100, 180, 200])
    kamailio.expect_once(call, "ACK", "BYE")
    # Kamailio's own copies: at T1 and 3 T1 to A, at T1 to B
    counters, stats = edge.counters(), edge.stats()
    expect_equal((counters["captured"], counters["absorbed"]), (2, 3), "counters captured, absorbed")
    expect_equal((stats["superseded"], stats["pending"], edge.journal()), (1, 0, []), "superseded, transactions calling, records")
    return call


@case(seconds=9)
def rule_18_kamailio_forks_to_the_next_gateway():
    """Kamailio gives gateway A up in silence and sends the call to B: nothing more to A, B is served by the list until it answers; no record."""
    with host(PROFILE, **TWO) as edge, Kamailio(edge, "10.77.2.2", "10.77.2.3", fr_timer=2.5) as kamailio:
        call = forked_call(edge, kamailio)
        event = only([e for e in edge.json("events", "-n", "100")["events"] if e["event"] == "given_up"], "events that say given up")
        expect_fields(event, call_id=call.call_id, reason="superseded", gateway="10.77.2.2:5060")


@case(seconds=9)
def kamailio_on_a_bridged_host():
    """The outside interface is a port of a bridge that has the host's address: captured, absorbed and answered as without."""
    with host(PROFILE, start=False, **TWO) as edge:
        for words in ("link add br0 type bridge", "address flush dev out0", "link set out0 master br0", "address add 10.77.2.1/24 dev br0", "link set br0 up"):
            edge.run(edge.edge_ns, "ip", *words.split())
        edge.run(edge.edge_ns, "ping", "-c", "1", "-W", "3", "10.77.2.2")
        edge.start()
        with Kamailio(edge, "10.77.2.2", "10.77.2.3", fr_timer=2.5) as kamailio:
            forked_call(edge, kamailio)


@case(seconds=9)
def kamailio_in_a_container():
    """Kamailio in a container of the host, which masquerades: mode = host takes what the host forwards, with its own address."""
    with host(PROFILE, **TWO) as edge, Kamailio(edge, "10.77.2.2", "10.77.2.3", fr_timer=2.5, inside=True) as kamailio:
        ruleset(edge, MASQUERADE)
        forked_call(edge, kamailio)


@case(seconds=6)
def rule_28_call_of_a_gateway_through_kamailio():
    """A call that comes from the gateway to a subscriber inside who is slow: Kamailio's copies go there by its own timers, its responses leave as they are, nothing is captured."""
    with host(PROFILE) as edge, Kamailio(edge, CALLER) as kamailio:
        subscriber = kamailio.gateway("proxied-gateway.xml", CALLER, namespace=edge.sw_ns, pause=1200)
        call = kamailio.call(namespace=edge.gw_ns, address="10.77.2.2")
        for sipp in (call, subscriber):
            sipp.done(8)
        wait_until(lambda: len(kamailio.of(call, kamailio.at_gateway.frames, "SIP/2.0 ")) >= 4, 2)
        invites = kamailio.of(call, kamailio.at_caller.frames, "INVITE ")
        expect_times([f.time - invites[0].time for f in invites], OWN[:2], "INVITEs at the subscriber", TM_TOLERANCE)
        responses = kamailio.of(call, kamailio.at_gateway.frames, "SIP/2.0 ")
        expect_equal([int(f.payload[8:11]) for f in responses], [100, 180, 200, 200], "responses at the gateway, to INVITE and BYE")
        counters = edge.counters()
        expect_equal((counters["captured"], counters["absorbed"]), (0, 0), "counters captured, absorbed")


@case(seconds=6)
def rule_17_kamailio_cancels_once_it_may():
    """The caller gives up while the gateway is silent; Kamailio sends its CANCEL after the 180 (RFC 3261 9.1). Until then the list goes on, then nothing; no record."""
    with host(PROFILE) as edge, Kamailio(edge, "10.77.2.2") as kamailio:
        gateway, call = kamailio.gateway("provisional.xml", pause=1200, code=180), kamailio.call("cancel.xml", pause=400)
        for sipp in (call, gateway):
            sipp.done(8)
        time.sleep(1.5)
        expect_times(kamailio.offsets(call), LIST[:2], "INVITEs")
        kamailio.expect_codes(call, [100, 487])
        kamailio.expect_once(call, "CANCEL", "ACK")
        expect_equal((edge.counters()["cancel"], edge.stats()["cancelled"], edge.journal()), (1, 1, []), "counter cancel, cancelled, records")


@case(seconds=7)
def kamailio_waits_for_the_ack():
    """confirm = 1: Kamailio refuses a call of the gateway, and that 408 goes out by siprtx's list, none of Kamailio's copies beside it, until the ACK."""
    with host(PROFILE) as edge, Kamailio(edge, CALLER, fr_timer=1) as kamailio:
        edge.siprtx("set", "confirm", "1")
        time.sleep(0.1)
        edge.softswitch()  # a silent subscriber
        gateway, call = edge.gateway(), Call(to=kamailio.address, src="10.77.2.2")

        def refusals():
            return [a for a in gateway.got if a.data.startswith(b"SIP/2.0 408 ")]
        gateway.send(call)
        expect(wait_until(lambda: len(refusals()) == 3, 6, 0.005), f"{len(refusals())} responses, not 3")
        to_tag = re.search(rb"To: [^\r]*;tag=([^\r]*)", refusals()[0].data).group(1).decode()
        gateway.send(call.request("ACK", to_tag=to_tag, body=False), kamailio.address)
        time.sleep(2.5)
        got = refusals()
        expect_times([a.time - got[0].time for a in got], LIST[:3], "408s at the gateway")
        expect_equal(len({a.data for a in got}), 1, "different 408s")
        counters = edge.counters()
        expect_equal((counters["response_captured"], counters["absorbed"], counters["confirmed"]), (1, 1, 1), "counters response_captured, absorbed, confirmed")


@case(seconds=9)
def kamailio_behind_a_masquerading_edge():
    """capture = egress, the edge masquerades: the copies carry its address as the first datagram does; A is silent, B answers, and the call goes through."""
    with Edge(PROFILE, capture="egress", **TWO) as edge, Kamailio(edge, "10.77.2.2", "10.77.2.3", fr_timer=2.5, inside=True) as kamailio:
        ruleset(edge, MASQUERADE)
        forked_call(edge, kamailio)


@case(seconds=4)
def firewall_on_the_edge_is_heeded():
    """capture = egress: what the edge's FORWARD chain drops is never captured, and no copy of it leaves."""
    with Edge(PROFILE, capture="egress", **TWO) as edge:
        ruleset(edge, FIREWALL)
        softswitch, passed, dropped = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        other = softswitch.send(Call(to="10.77.2.3"))
        call = softswitch.send(Call())
        passed.wait(call, 3, 3)
        expect_times(passed.offsets(call), LIST[:3])
        expect_equal(dropped.of(other), [], "datagrams of the call that the firewall drops")
        expect_equal(edge.counters()["captured"], 1, "counter captured")
