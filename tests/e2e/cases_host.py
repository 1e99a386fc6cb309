# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages taken at TC egress: the softswitch on siprtx's own machine (mode = host), and an edge with NAT of its own."""
import json
import mmap
import os
import socket
import struct
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from cases_absorb import own_copies
from cases_rights import LOADER, OPERATOR, USER, Rights, as_user, capabilities
from edge import Edge, in_namespace, run, wait_until
from frames import Capture, udp4
from sip import Call, respond

HOST = {"mode": "host", "inside": None}
HERE, HERE6 = "10.77.2.1", "fd77:2::1"  # the softswitch: the edge itself
SHORT = "[profile short]\nresend_interval = 0.3,0.3,0.3\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n[gateway g6]\naddress = fd77:2::/64\nprofile = short\n"
LONGER = SHORT.replace("0.3,0.3,0.3", "0.5,1,2,0.5")
MASQUERADE = "add table ip nat\nadd chain ip nat post { type nat hook postrouting priority 100 ; }\nadd rule ip nat post oifname out0 masquerade\n"
IP_RECVERR, MSG_ERRQUEUE = 11, 0x2000


def host(edge, address=HERE, port=5060):
    """The softswitch of host mode."""
    return edge.party(edge.edge_ns, address, port)


def tc(edge, *words, check=True):
    return edge.run(edge.edge_ns, "tc", *words, check=check).stdout


def has_clsact(edge):
    return "clsact" in tc(edge, "qdisc", "show", "dev", "out0")


def at_egress(edge):
    """The filters at TC egress of out0: {priority: description}, siprtx's without those of others."""
    filters = json.loads(tc(edge, "-j", "-s", "filter", "show", "dev", "out0", "egress") or "[]")
    return {f["pref"]: f for f in filters if "options" in f and (f["kind"] == "bpf" or "match" in f["options"])}


def foreign_filter(edge, priority):
    """Somebody else's: it counts what it sees, and lets it go on."""
    tc(edge, "filter", "add", "dev", "out0", "egress", "pref", str(priority), "u32", "match", "u32", "0", "0",
       "action", "mirred", "egress", "mirror", "dev", "lo", "continue")


def seen(edge):
    """How many packets the filters of others saw, by priority, at one moment."""
    filters = at_egress(edge)
    return [filters[p]["options"]["actions"][0]["stats"]["packets"] for p in sorted(filters) if filters[p]["kind"] != "bpf"]


def expect_copies(gateway, call, times=(0, .3, .6, .9), what="sends"):
    """At the gateway's socket, which takes no datagram with a wrong checksum."""
    gateway.wait(call, len(times), times[-1] + 2)
    time.sleep(0.4)
    expect_times(gateway.offsets(call), list(times), what)
    expect(all(a.data == call.message for a in gateway.of(call)), f"{what}: a copy differs from the original")


@case(seconds=6)
def host_silent_gateway():
    """mode = host: a silent gateway gets what this host sent again by the list, byte for byte, with whole checksums, with checksum offload and without, over IPv6 too."""
    with Edge(SHORT, **HOST) as edge, Capture(edge.gw_ns, "g0") as capture:
        for offload in ("on", "off"):
            edge.run(edge.edge_ns, "ethtool", "-K", "out0", "tx", offload)
            for here, there in ((HERE, "10.77.2.2"), (HERE6, "fd77:2::2")):
                softswitch, gateway = host(edge, here), edge.gateway(there)
                call = softswitch.send(Call(to=there, src=here))
                expect_copies(gateway, call, what=f"offload {offload}, to {there}")
                wait_until(lambda call=call: len(capture.of(call)) == 4, 2)
                frames = capture.of(call)
                expect_equal(frames[0].half_made, offload == "on", "the first checksum is left to the NIC")
                expect({f.comparable() for f in frames} == {frames[0].comparable()}, "a frame differs by more than IP ID and checksums")
                expect(all(f.checksums_ok() for f in frames[1:]), "a copy with a wrong checksum")
                record = only(edge.wait_journal(call, 4), "records")
                expect_fields(record, sends=4, reason="no_response", src=f"[{here}]:5060" if ":" in here else f"{here}:5060")
                for party in (softswitch, gateway):
                    edge.drop(party)
        status = edge.json("status")
        expect_equal([(i["name"], i["side"], i["capture"]) for i in status["interfaces"]], [("out0", "outside", "egress")], "interfaces in status")


@case(seconds=10)
def rule_32_host_own_copies_are_absorbed():
    """mode = host: the softswitch's own copies go no further, and its socket hears of no error; one datagram an interval on the wire."""
    with Edge(**HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        softswitch.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        early, late = Call(src=HERE), Call(src=HERE)
        threads = [own_copies(softswitch, early, [0, .45, 1.4, 3.4]), own_copies(softswitch, late, [0, .5, 1.55, 3.6])]
        for thread in threads:
            thread.join()  # an error of sendto() would end it early
        time.sleep(0.3)
        for call, what in ((early, "early copies"), (late, "late copies")):
            expect_times(gateway.offsets(call), [0, .5, 1.5, 3.5], what)
        counters = edge.counters()
        expect(counters["absorbed"] >= 5, f"absorbed {counters['absorbed']}, wanted 5 or more")
        try:
            heard = softswitch.socket.recvmsg(1, 512, MSG_ERRQUEUE)
        except BlockingIOError:
            heard = None
        expect_equal(heard, None, "errors at the softswitch's socket")
        expect_equal(softswitch.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR")


@case(seconds=5)
def rule_19_host_answers_stop_it():
    """mode = host: a provisional response stops the copies, a final one ends the call; both reach the softswitch, whose own copy passes after that."""
    with Edge(SHORT, **HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        gateway.wait(call, 2, 2)
        gateway.send(respond(call.message, 100), HERE)
        softswitch.wait(call, 1, 1)
        time.sleep(0.7)
        softswitch.send(call)
        gateway.wait(call, 3, 1)
        gateway.send(respond(call.message, 486), HERE)
        softswitch.wait(call, 2, 1)
        ack = softswitch.send(call.request("ACK", body=False), "10.77.2.2")
        expect(wait_until(lambda: gateway.got[-1].data == ack, 1), "the ACK did not arrive")
        expect_equal([a.data.split()[0] for a in gateway.of(call)], [b"INVITE"] * 3 + [b"ACK"], "at the gateway")
        expect_equal([a.data[8:11] for a in softswitch.of(call)], [b"100", b"486"], "at the softswitch")
        expect_equal(edge.journal(call), [], "records")
        counters = edge.counters()
        expect_equal((counters["captured"], counters["provisional"], counters["final"], counters["copy_answered"]), (1, 1, 1, 1), "counters")


@case(seconds=6)
def host_killed_controller_gives_the_work_back():
    """mode = host, kill -9: the softswitch's own copies pass within a second; a new controller goes on."""
    with Edge(LONGER, **HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        gateway.wait(call, 2, 2)
        edge.kill()
        dead = time.time()
        own_copies(softswitch, call, [.2, 1.1, 1.6]).join()
        time.sleep(0.2)
        expect_times([a.time - dead for a in gateway.of(call) if a.time > dead + 1], [1.1, 1.6], "own copies after the kill")
        expect(at_egress(edge), "the filter went with the controller")
        edge.start()
        after = softswitch.send(Call(src=HERE))
        gateway.wait(after, 2, 2)
        expect_times(gateway.offsets(after)[:2], [0, .5], "a call of the new controller")


@case(seconds=4)
def host_bundles_and_pieces():
    """mode = host: two messages in one bundle (UDP_SEGMENT) pass unhelped, counted; one that the socket got in pieces (MSG_MORE) is taken whole."""
    with Edge(SHORT, **HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        first, second = Call(src=HERE, size=700), Call(src=HERE, size=700)
        bundle = host(edge, port=5070)
        bundle.socket.setsockopt(socket.IPPROTO_UDP, 103, len(first.message))
        expect_equal(len(first.message), len(second.message), "length of the second: the test is wrong")
        bundle.send(first.message + second.message, "10.77.2.2")
        pieces = Call(src=HERE)
        softswitch.socket.connect(("10.77.2.2", 5060))
        for at in range(0, len(pieces.message), 200):
            softswitch.socket.send(pieces.message[at:at + 200], socket.MSG_MORE if at + 200 < len(pieces.message) else 0)
        expect_copies(gateway, pieces, what="sent in pieces")
        expect_equal([[a.data for a in gateway.of(c)] for c in (first, second)], [[first.message], [second.message]], "the bundle at the gateway")
        counters = edge.counters()
        expect_equal((counters["gso"], counters["captured"]), (1, 1), "counters gso, captured")


def send_mapped(namespace, interface, frame):
    """Sends a frame out of memory that is not the skb's own (PACKET_TX_RING): only Ethernet is in its linear part."""
    def body():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(263, 13, struct.pack("IIII", 4096, 1, 4096, 1))  # SOL_PACKET, PACKET_TX_RING: one block, one frame
        s.bind((interface, 0))
        with mmap.mmap(s.fileno(), 4096) as ring:
            ring[32:32 + len(frame)] = frame
            ring[8:12] = struct.pack("I", len(frame))
            ring[0:8] = struct.pack("L", 1)  # TP_STATUS_SEND_REQUEST
            s.send(b"")
        s.close()
    in_namespace(namespace, body)


@case(seconds=4)
def egress_headers_elsewhere():
    """A frame whose headers are not in the skb's linear part: they are fetched there, and the message is taken."""
    with Edge(SHORT, **HOST) as edge:
        gateway = edge.gateway()
        macs = [json.loads(run("ip", "-n", n, "-j", "link", "show", i).stdout)[0]["address"] for n, i in ((edge.gw_ns, "g0"), (edge.edge_ns, "out0"))]
        call = Call(src=HERE)
        frame = b"".join(bytes.fromhex(m.replace(":", "")) for m in macs) + b"\x08\x00" + udp4(HERE, "10.77.2.2", call.message)
        send_mapped(edge.edge_ns, "out0", frame)
        expect_copies(gateway, call)
        expect_equal((edge.counters()["captured"], edge.counters()["truncated"]), (1, 0), "counters captured, truncated")


@case(seconds=4)
def egress_behind_a_bridge():
    """capture = egress where this host bridges and routes nothing: the copies have the softswitch's own MAC, its own copies are absorbed, an answer ends it."""
    with Edge(SHORT, start=False, capture="egress") as edge, Capture(edge.gw_ns, "g0") as capture:
        for command in ("link add br0 type bridge", "addr flush dev out0", "addr flush dev in0", "link set in0 master br0", "link set out0 master br0", "link set br0 up"):
            run("ip", "-n", edge.edge_ns, *command.split())
        run("ip", "-n", edge.sw_ns, "addr", "add", "10.77.2.9/24", "dev", "s0")
        edge.start()
        softswitch, gateway = edge.softswitch("10.77.2.9"), edge.gateway()
        expect(wait_until(lambda: softswitch.socket.sendto(b"hello", ("10.77.2.2", 5060)) and gateway.got, 5, 0.1), "nothing crosses the bridge")
        call = Call(src="10.77.2.9")
        own_copies(softswitch, call, [0, .28, .55]).join()
        expect_copies(gateway, call)
        wait_until(lambda: len(capture.of(call)) == 4, 2)
        frames = capture.of(call)
        expect_equal({f.comparable() for f in frames}, {frames[0].comparable()}, "frames but for IP ID and checksums")
        expect(frames[0].ttl == 64 and all(f.checksums_ok() for f in frames[1:]), "TTL and checksums")
        answered = softswitch.send(Call(src="10.77.2.9"))
        gateway.wait(answered, 2, 2)
        gateway.send(respond(answered.message, 183), "10.77.2.9")
        softswitch.wait(answered, 1, 1)
        time.sleep(0.7)
        expect_equal(len(gateway.of(answered)), 2, "INVITEs of the answered call")
        expect_equal(edge.counters()["absorbed"], 2, "counter absorbed")


@case(seconds=6)
def egress_behind_nat():
    """capture = egress on an edge that masquerades: the gateway sees the NAT address in every copy, the softswitch's own copies are absorbed, the answer finds its way and stops it. With capture = xdp check names the remedy."""
    with Edge(SHORT, capture="egress") as edge:
        edge.run(edge.edge_ns, "nft", "-f", "-", input=MASQUERADE)
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = Call()
        own_copies(softswitch, call, [0, .28, .55]).join()
        expect_copies(gateway, call)
        expect_equal({a.peer[0] for a in gateway.of(call)}, {HERE}, "source addresses at the gateway")
        expect_equal(len({a.peer for a in gateway.of(call)}), 1, "source ports at the gateway")
        expect_fields(only(edge.wait_journal(call, 3), "records"), sends=4)
        answered = softswitch.send(Call())
        a = gateway.wait(answered, 2, 2)[-1]
        gateway.socket.sendto(respond(a.data, 180), a.peer)
        softswitch.wait(answered, 1, 1)
        time.sleep(0.7)
        expect_equal((len(gateway.of(answered)), len(softswitch.of(answered))), (2, 1), "INVITEs and 180s of the answered call")
        counters = edge.counters()
        expect_equal((counters["captured"], counters["absorbed"]), (2, 2), "counters captured, absorbed")
        said = edge.siprtx("check", check=False).stdout
        expect("netfilter:" not in said, f"check with capture = egress: {said}")
        said = edge.siprtx("-o", "siprtx.capture=xdp", "check", check=False).stdout
        expect("translates addresses (nftables chain post of table nat)" in said and "capture = egress" in said, f"check with capture = xdp: {said}")


@case(seconds=4)
def check_names_a_filter_in_forward():
    """A FORWARD chain that drops, or conntrack where the rules may not be read: check names capture = egress as the remedy; nothing without either."""
    with Edge(start=False) as edge:
        def check(*prefix):
            return edge.run(edge.edge_ns, *prefix, f"{edge.directory}/siprtx", "-c", edge.configuration_path, "check", check=False).stdout
        Rights(edge)
        expect("netfilter:" not in check(), f"check without netfilter: {check()}")
        edge.run(edge.edge_ns, "nft", "-f", "-", input="add table inet f\nadd chain inet f fw { type filter hook forward priority 0 ; }\n")
        expect("netfilter:" not in check(), f"check with an empty chain: {check()}")
        edge.run(edge.edge_ns, "nft", "add", "rule", "inet", "f", "fw", "ct", "state", "invalid", "drop")
        expect("filters what it forwards (nftables chain fw of table f)" in check() and "capture = egress" in check(), f"check with a filter: {check()}")
        edge.softswitch().send(b"hello", "10.77.2.2")
        said = check(*capabilities("bpf", "net_raw", "dac_override"))
        expect("conntrack is active" in said and "capture = egress" in said, f"check without CAP_NET_ADMIN: {said}")


@case(seconds=8)
def egress_foreign_filters_survive():
    """Others' filters at TC egress, before and behind siprtx's: they see what passes, live through load, renewal and unload, and so does the qdisc; at siprtx's own priority they are named, and nothing is done."""
    with Edge(SHORT, start=False, **HOST) as edge:
        tc(edge, "qdisc", "add", "dev", "out0", "clsact")
        foreign_filter(edge, 10)
        edge.start()
        foreign_filter(edge, 60000)
        softswitch, gateway = host(edge), edge.gateway()
        before = seen(edge)
        call = Call(src=HERE)
        own_copies(softswitch, call, [0, .28, .55]).join()  # the copies are seen by the one before alone
        expect_copies(gateway, call)
        expect_equal(sorted(at_egress(edge)), [10, 50600, 60000], "filters")
        grown = [after - b for after, b in zip(seen(edge), before)]
        expect(grown[0] >= 3 and grown[1] >= 1 and grown[0] - grown[1] == 2, f"the filters saw {grown} packets, wanted two more before siprtx's")
        edge.siprtx("load")
        edge.stop()
        edge.siprtx("unload")
        expect_equal(sorted(at_egress(edge)), [10, 60000], "filters after unload")
        before = seen(edge)
        softswitch.send(Call(src=HERE))
        grown = [after - b for after, b in zip(seen(edge), before)]
        expect(grown[0] >= 1 and grown[0] == grown[1], f"after unload the filters saw {grown} packets, wanted the same number")
        foreign_filter(edge, 50600)
        for said in (edge.siprtx("check", check=False).stdout, edge.siprtx("load", check=False).stderr, edge.siprtxd().stderr):
            expect("another filter has siprtx's priority 50600 at TC egress of out0" in said and "tc filter del dev out0 egress pref 50600" in said, f"the place is taken: {said}")
        expect(not os.path.exists(edge.pin_path) and "xdp" not in edge.run(edge.edge_ns, "ip", "link").stdout, "something was left half done")
        expect_equal(sorted(at_egress(edge)), [10, 50600, 60000], "filters after a load that failed")


@case(seconds=8)
def egress_qdisc_goes_with_siprtx():
    """The clsact qdisc goes where siprtx made it, by unload or by a configuration that takes messages at XDP; not where it was there before, nor where somebody else has a filter on it by then."""
    with Edge(SHORT, start=False, **HOST) as edge:
        def load(**settings):
            edge.settings = {**edge.settings, **settings}
            edge.write_configuration()
            edge.siprtx("load")
        load()
        expect(has_clsact(edge) and at_egress(edge), "no filter after load")
        tc(edge, "filter", "del", "dev", "out0", "egress", "pref", "50600")  # as after a crash between the qdisc and the filter
        edge.siprtx("unload")
        expect(not has_clsact(edge), "unload left the qdisc of a load that was cut short")
        load()
        load(mode="inline", inside="in0", capture="xdp")
        expect(not has_clsact(edge), "the qdisc stays with capture = xdp")
        expect_equal([e for e in os.listdir(edge.pin_path) if e.startswith(("egress_", "clsact_", "renewed_"))], [], "pins of the filter")
        tc(edge, "qdisc", "add", "dev", "out0", "clsact")
        load(capture="egress")
        expect(at_egress(edge) and "xdp" not in edge.run(edge.edge_ns, "ip", "link", "show", "in0").stdout, "what capture = egress loads")
        edge.siprtx("unload")
        expect(has_clsact(edge) and not at_egress(edge), "unload took a qdisc that was there before")
        tc(edge, "qdisc", "del", "dev", "out0", "clsact")
        load()
        # as after a crash between the note and the qdisc, or where somebody was faster
        tc(edge, "qdisc", "del", "dev", "out0", "clsact")
        edge.siprtx("load")
        foreign_filter(edge, 10)
        edge.siprtx("unload")
        expect_equal(sorted(at_egress(edge)), [10], "filters after unload")


@case(seconds=8)
def egress_load_that_fails_is_undone():
    """Two outside interfaces, and the second one takes no filter: a first load leaves nothing, a renewal leaves the former program at work. The older qdisc ingress is named beforehand."""
    with Edge(SHORT, start=False, **HOST) as edge:
        def load(outside):
            edge.settings["outside"] = outside
            edge.write_configuration()
            return edge.siprtx("load", check=False)
        for command in ("link add out1 type veth peer name g1", "link set out1 up"):
            run("ip", "-n", edge.edge_ns, *command.split())
        os.makedirs(f"{edge.pin_path}/clsact_out1")  # in the way of the note that the qdisc is siprtx's
        refused = load("out0,out1")
        expect(refused.returncode == 1 and "no filter can be put at TC egress of out1" in refused.stderr, f"load said {refused.returncode} {refused.stderr}")
        expect("xdp" not in edge.run(edge.edge_ns, "ip", "link").stdout and "clsact" not in tc(edge, "qdisc", "show"), "something was left half done")
        expect_equal(os.listdir(edge.pin_path), ["clsact_out1"], "pins after a load that failed")
        expect_equal(load("out0").returncode, 0, "exit status of a load that can be")
        former, pins = at_egress(edge)[50600]["options"]["prog"]["id"], sorted(os.listdir(edge.pin_path))
        expect_equal(load("out0,out1").returncode, 1, "exit status of a renewal that cannot be")
        expect_equal(at_egress(edge)[50600]["options"]["prog"]["id"], former, "program at egress of out0")
        expect_equal(sorted(os.listdir(edge.pin_path)), pins, "pins after a renewal that failed")
        os.rmdir(f"{edge.pin_path}/clsact_out1")
        tc(edge, "qdisc", "add", "dev", "out1", "ingress")
        for said in (edge.siprtx("check", check=False).stdout, load("out0,out1").stderr):
            expect('out1 has the qdisc "ingress"' in said and "tc qdisc del dev out1 ingress" in said, f"with the qdisc ingress: {said}")
        tc(edge, "qdisc", "del", "dev", "out1", "ingress")
        expect_equal(load("out0,out1").returncode, 0, "exit status once it can be")
        edge.siprtx("unload")
        expect("clsact" not in tc(edge, "qdisc", "show"), "unload left a qdisc")


@case(seconds=12)
def egress_filter_taken_off_comes_back():
    """The qdisc taken off by somebody, and the interface made anew: status says so, siprtxd puts the filter back within seconds, calls are helped again."""
    with Edge(SHORT, **HOST) as edge:
        softswitch, gateway = host(edge), edge.gateway()
        former = at_egress(edge)[50600]["options"]["prog"]["id"]
        edge.process.send_signal(19)  # SIGSTOP: nobody mends it meanwhile
        tc(edge, "qdisc", "del", "dev", "out0", "clsact")
        said = edge.siprtx("status", check=False)
        expect("no program is at TC egress of outside interface out0" in said.stdout and said.returncode == 3, f"status says {said.returncode} {said.stdout}")
        edge.process.send_signal(18)
        expect(wait_until(lambda: at_egress(edge), 20), "the filter did not come back")
        expect_equal(at_egress(edge)[50600]["options"]["prog"]["id"], former, "program, which is pinned still")
        expect(wait_until(lambda: not edge.siprtx("status", check=False).returncode, 20, 0.1), edge.siprtx("status", check=False).stdout)
        expect_copies(gateway, softswitch.send(Call(src=HERE)), what="after the qdisc was taken off")
        expect_equal(edge.log().count("programs attached again"), 1, "times it was said")
        for command in ("link del out0", f"link add out0 type veth peer name g0 netns {edge.gw_ns}", "link set out0 up", f"addr add {HERE}/24 dev out0"):
            run("ip", "-n", edge.edge_ns, *command.split())
        for command in ("link set g0 up", "addr add 10.77.2.2/24 dev g0", "route add default via 10.77.2.1"):
            run("ip", "-n", edge.gw_ns, *command.split(), check=False)
        expect(wait_until(lambda: at_egress(edge) and not edge.siprtx("status", check=False).returncode, 20, 0.1), edge.siprtx("status", check=False).stdout)
        expect_copies(gateway, softswitch.send(Call(src=HERE)), what="on the new interface")
        edge.stop()
        edge.siprtx("unload")
        expect(not has_clsact(edge), "unload left the qdisc")


@case(seconds=8)
def egress_filter_taken_off_without_rights():
    """As above, of a siprtxd that is a plain user: it says once what root must do, the group sees in status what is missing, calls pass; after siprtx load all is well."""
    with Edge(SHORT, start=False, user="nobody", max_transactions=128, **HOST) as edge:
        rights = Rights(edge, USER)
        rights.start([])
        softswitch, gateway = host(edge), edge.gateway()
        expect_copies(gateway, softswitch.send(Call(src=HERE)))
        member = as_user(user=OPERATOR, groups=str(USER.pw_gid))
        expect_equal(rights.run(member, "siprtx", "status").returncode, 0, "exit status of siprtx status for a member of the group")
        tc(edge, "qdisc", "del", "dev", "out0", "clsact")
        expect(wait_until(lambda: "systemctl restart siprtx-load" in edge.log(), 5), f"no word of the missing right: {edge.log()[-500:]}")
        said = rights.run(member, "siprtx", "status")
        expect(said.returncode == 3 and "no program is at TC egress of outside interface out0" in said.stdout, f"status says {said.returncode} {said.stdout}")
        passed = softswitch.send(Call(src=HERE))
        time.sleep(1)
        expect_equal(len(gateway.of(passed)), 1, "INVITEs of a call without the filter")
        expect_equal(edge.log().count("systemctl restart siprtx-load"), 1, "times it was said")
        edge.siprtx("load")
        expect(wait_until(lambda: not edge.siprtx("status", check=False).returncode, 5, 0.1), edge.siprtx("status", check=False).stdout)
        expect_copies(gateway, softswitch.send(Call(src=HERE)), what="after siprtx load")


@case(seconds=6)
def egress_renewed_in_place():
    """siprtx load at work: the filter gets the new program in place, no call is dropped and no copy twice; three capabilities are enough."""
    with Edge(LONGER, start=False, **HOST) as edge:
        rights = Rights(edge)
        expect_equal(rights.run(capabilities(*LOADER), "siprtx", "load").returncode, 0, "exit status of siprtx load")
        rights.start(capabilities("net_raw"))
        softswitch, gateway = host(edge), edge.gateway()
        call = softswitch.send(Call(src=HERE))
        former = at_egress(edge)[50600]["options"]["prog"]["id"]
        r = rights.run(capabilities(*LOADER), "siprtx", "load")
        expect_equal(r.returncode, 0, f"exit status of siprtx load at work: {r.stderr}")
        now = at_egress(edge)
        expect(list(now) == [50600] and now[50600]["options"]["prog"]["id"] != former, f"the filters are {now}")
        later = Call(src=HERE)
        own_copies(softswitch, later, [0, .45, 1.4]).join()
        gateway.wait(later, 3, 3)
        expect_times(gateway.offsets(later)[:3], [0, .5, 1.5], "with the new program")
        expect_times(gateway.offsets(call), [0, .5, 1.5, 3.5, 4][:len(gateway.of(call))], "across the renewal", tolerance=0.1)  # the verifier is at work meanwhile
        expect(edge.counters()["absorbed"] >= 1, "no copy of the softswitch was absorbed")
        expect_equal(edge.siprtx("status", check=False).returncode, 0, "exit status of siprtx status")


@case(seconds=6)
def rule_49_egress_next_hop_moves():
    """The next hop's MAC changes in mid-transaction: the next copy goes to the new one, on a host that forwards and on one that does not, to a neighbour and by way of a router."""
    for forwards in (1, 0):
        with Edge(SHORT.replace("0.3,0.3,0.3", "0.5,0.8,0.5").replace("10.77.2.0/24", "0.0.0.0/0"), gateways=("198.51.100.7/32",), **HOST) as edge, Capture(edge.gw_ns, "g0") as capture:
            edge.run(edge.edge_ns, "sysctl", "-qw", f"net.ipv4.ip_forward={forwards}")
            run("ip", "-n", edge.edge_ns, "route", "add", "198.51.100.0/24", "via", "10.77.2.2")
            softswitch, gateways = host(edge), [edge.gateway(), edge.gateway("198.51.100.7")]
            calls = [softswitch.send(Call(to=g.address, src=HERE)) for g in gateways]
            for gateway, call in zip(gateways, calls):
                gateway.wait(call, 2, 2)
            new = "02:77:00:00:00:99"
            run("ip", "-n", edge.gw_ns, "link", "set", "g0", "address", new)
            run("ip", "-n", edge.edge_ns, "neigh", "replace", "10.77.2.2", "lladdr", new, "nud", "reachable", "dev", "out0")
            for call in calls:
                wait_until(lambda call=call: len(capture.of(call)) == 4, 4)
                expect_equal([f.destination == new for f in capture.of(call)], [False, False, True, True], f"copies to the new MAC, {call.to}, forwarding {forwards}")


@case(seconds=6)
def egress_what_cannot_be():
    """Configurations that contradict capture at egress are refused in a sentence with line, value and remedy, and nothing is loaded."""
    wrong = (
        ("mode = host\ninside = in0\noutside = out0\n", 3, "inside has no meaning with mode = host"),
        ("mode = host\noutside = out0\ncapture = xdp\n", 4, "XDP does not see what this host sends"),
        ("mode = host\noutside = out0\nforward = xdp\n", 4, "forward = xdp cannot be with capture at egress"),
    )
    with Edge(start=False) as edge:
        for text, line, words in wrong:
            edge.write_configuration(f"[siprtx]\n{text}")
            for said in (edge.siprtxd(), edge.siprtx("check", check=False)):
                expect(said.returncode == 1 and words in said.stdout + said.stderr and f"siprtx.conf:{line}" in said.stdout + said.stderr,
                       f"{text!r}: {said.returncode} {said.stdout}{said.stderr}")
        expect(not os.path.exists(edge.pin_path) and not has_clsact(edge), "something was loaded")
