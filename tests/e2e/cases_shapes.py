# SPDX-License-Identifier: GPL-2.0-or-later
"""Shapes on the wire: IPv6 extension headers, VLAN tags in the bytes, and what a response may add to the Via."""
import socket
import struct
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, in_namespace, run, wait_until
from flows import profile
from frames import Capture, checksum, udp4
from sip import Call, respond

IPV4, IPV6, VLAN, SERVICE_VLAN = 0x0800, 0x86dd, 0x8100, 0x88a8
HOP_BY_HOP, DESTINATION, UDP = 0, 60, 17
SHORT = profile() + profile("short6", "fd77:2::/64")


def options(words=0):
    """An options header of 8 x (words + 1) octets after its first byte, one experimental option in it to be skipped (RFC 8200 4.2, RFC 4727)."""
    return bytes([words, 0x1e, 4 + 8 * words]) + bytes(range(4 + 8 * words))


def udp6(source, destination, payload, extensions, hops=64, sport=5060):
    """An IPv6 packet; extensions: (number, what follows its next-header byte) in their order."""
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    datagram = struct.pack("!HHHH", sport, 5060, 8 + len(payload), 0) + payload
    total = checksum(addresses + struct.pack("!IHBB", len(datagram), 0, 0, UDP) + datagram) or 0xffff
    body = datagram[:6] + struct.pack("!H", total) + datagram[8:]
    following = UDP
    for number, rest in reversed(extensions):
        body, following = bytes([following]) + rest + body, number
    return struct.pack("!IHBB", 6 << 28, len(body), following, hops) + addresses + body


def address_of(namespace, interface):
    """The MAC; /sys shows this process's namespace only."""
    text = run("ip", "-n", namespace, "-br", "link", "show", interface).stdout
    return bytes.fromhex(text.split()[2].replace(":", ""))


class Link:
    """Sends whole frames from one end of a veth to the other, as any device before an edge may build them."""

    def __init__(self, edge, namespace, interface, peer):
        self.head = address_of(edge.edge_ns, peer) + address_of(namespace, interface)

        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.bind((interface, 0))
            return s
        self.socket = in_namespace(namespace, make)

    def send(self, packet, *tags):
        """tags: (TPID, VLAN number), the outer first."""
        kind = IPV6 if packet[0] >> 4 == 6 else IPV4
        self.socket.send(self.head + b"".join(struct.pack("!HH", *tag) for tag in tags) + struct.pack("!H", kind) + packet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def softswitch_link(edge):
    return Link(edge, edge.sw_ns, "s0", "in0")


def frames_of(capture, call, count):
    branch = f"branch={call.branch};".encode()

    def seen():
        return [f for f in capture.frames if branch in f.data]
    wait_until(lambda: len(seen()) >= count, 3)
    return seen()


def expect_copies(frames, packet, count, what):
    """Ethernet as the edge writes it, then this packet with one hop less and not a byte else changed."""
    expect_equal(len(frames), count, f"{what}, frames at the gateway")
    wanted = packet[:7] + bytes([packet[7] - 1]) + packet[8:]
    for n, f in enumerate(frames, 1):
        expect_equal(f.data[14:], wanted, f"{what}, frame {n}")
    expect_equal({f.data[:14] for f in frames}, {frames[0].data[:14]}, f"{what}, Ethernet headers")


@case(seconds=6)
def rule_39_ipv6_extension_headers():
    """Hop-by-hop, destination options, both, and long ones: captured and sent again byte for byte; the gateway's socket takes them; an answer stops them."""
    shapes = {"hop-by-hop": [(HOP_BY_HOP, options())], "destination options": [(DESTINATION, options())],
              "both": [(HOP_BY_HOP, options(1)), (DESTINATION, options(2))]}
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture, softswitch_link(edge) as link:
        softswitch, gateway = edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2")
        calls, packets = {}, {}
        for answered in (False, True):
            for shape, extensions in shapes.items():
                what = f"{shape}{', answered' if answered else ''}"
                calls[what] = Call(to="fd77:2::2", src="fd77:1::2")
                packets[what] = udp6("fd77:1::2", "fd77:2::2", calls[what].message, extensions)
                link.send(packets[what])
        for what, call in calls.items():
            if what.endswith("answered"):
                gateway.wait(call, 2, 2)
                gateway.send(respond(call.message, 486), "fd77:1::2")
        time.sleep(1.3)
        for what, call in calls.items():
            wanted = [0, .3] if what.endswith("answered") else [0, .3, .6, .9]
            expect_copies(frames_of(capture, call, len(wanted)), packets[what], len(wanted), what)
            expect_times(gateway.offsets(call), wanted, what)
            expect(all(a.data == call.message for a in gateway.of(call)), f"{what}: what the gateway's socket got differs")
            records = edge.journal(call)
            if what.endswith("answered"):
                expect_equal((records, [a.data for a in softswitch.of(call)]), ([], [respond(call.message, 486)]), f"{what}: records, responses")
            else:
                expect_fields(only(records, f"records, {what}"), reason="no_response", sends=4, gateway="[fd77:2::2]:5060")
        expect_equal((edge.counters()["captured"], edge.counters()["ipv6_ext"]), (6, 0), "counters captured, ipv6_ext")


@case(seconds=5)
def rule_39_too_many_extension_headers():
    """More extension headers than siprtx steps over: passes byte for byte, once, counted."""
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture, softswitch_link(edge) as link:
        gateway, call = edge.gateway("fd77:2::2"), Call(to="fd77:2::2", src="fd77:1::2")
        packet = udp6("fd77:1::2", "fd77:2::2", call.message, [(DESTINATION, options())] * 5)
        link.send(packet)
        time.sleep(1)
        expect_copies(frames_of(capture, call, 1), packet, 1, "five destination options")
        expect_equal([a.data for a in gateway.of(call)], [call.message], "at the gateway's socket")
        expect_equal((edge.counters()["ipv6_ext"], edge.counters()["captured"]), (1, 0), "counters ipv6_ext, captured")


@case(seconds=6)
def rule_39_vlan_tags_in_the_bytes():
    """One and two tags (802.1Q, 802.1ad over 802.1Q) around IPv4 and IPv6: captured, the copies sent without them where the route has none, byte for byte; a tagged answer stops it. The first one is the kernel's, which has no such VLAN. Three tags: not looked into."""
    one, two, three = [(VLAN, 100)], [(SERVICE_VLAN, 200), (VLAN, 100)], [(SERVICE_VLAN, 300), (SERVICE_VLAN, 200), (VLAN, 100)]
    with Edge(SHORT) as edge, Capture(edge.gw_ns, "g0") as capture, softswitch_link(edge) as link, Link(edge, edge.gw_ns, "g0", "out0") as back:
        gateways = {4: edge.gateway(), 6: edge.gateway("fd77:2::2")}
        addresses = {4: ("10.77.1.2", "10.77.2.2"), 6: ("fd77:1::2", "fd77:2::2")}
        calls = {}
        for answered in (False, True):
            for tags in (one, two, three):
                for family, (source, to) in addresses.items():
                    call = calls[(family, len(tags), answered)] = Call(to=to, src=source)
                    call.packet = udp4(source, to, call.message, flags=0x4000) if family == 4 else udp6(source, to, call.message, [])
                    link.send(call.packet, *tags)
        for (family, tags, answered), call in calls.items():
            if answered and tags < 3:
                gateways[family].wait(call, 2, 2)
                source, to = addresses[family]
                answer = respond(call.message, 486)
                back.send(udp4(to, source, answer) if family == 4 else udp6(to, source, answer, []), *{1: one, 2: two}[tags])
        time.sleep(1.3)
        for (family, tags, answered), call in calls.items():
            what = f"IPv{family}, {tags} tags{', answered' if answered else ''}"
            wanted = [] if tags == 3 else [0, .3] if answered else [0, .3, .6]
            frames = frames_of(capture, call, len(wanted))
            if not wanted:
                expect_equal((len(frames), gateways[family].of(call)), (0, []), f"{what}: frames and datagrams at the gateway")
                continue
            expect_times(gateways[family].offsets(call), wanted, what)
            expect(all(a.data == call.message for a in gateways[family].of(call)), f"{what}: what the gateway's socket got differs")
            expect_equal({f.ethertype for f in frames}, {IPV6 if family == 6 else IPV4}, f"{what}: EtherTypes at the gateway")
            if family == 6:
                expect_copies(frames, call.packet, len(wanted), what)
            else:
                expect_equal({f.comparable() for f in frames}, {frames[0].comparable()}, f"{what}: frames but for IP ID and checksums")
                expect(all(f.ttl == 63 and f.checksums_ok() for f in frames), f"{what}: a wrong checksum or TTL")
        expect_equal((edge.counters()["captured"], edge.counters()["final"]), (8, 4), "counters captured, final")


@case(seconds=6)
def rule_13_15_what_a_response_adds_to_the_via():
    """received, IPv6 bare and bracketed (RFC 5118), IPv4, rport (RFC 3581), before the branch and after it, oc (RFC 7339), keep (RFC 6223): each stops it and passes byte for byte."""
    added = {"received, bare": ";received=fd77:1::2", "received, bracketed": ";received=[fd77:1::2]", "received with zeros": ";received=fd77:1:0:0:0:0:0:2",
             "received, IPv4": ";received=192.0.2.9", "rport": ";rport=40000", "rport and received": ";rport=40000;received=[fd77:1::2]",
             "overload": ";oc=20;oc-validity=500;oc-seq=1282321615.782;oc-algo=\"loss\"", "keep": ";keep=30"}
    places = {"after the branch": lambda message, text: message.replace(b";rport\r\n", text + b"\r\n", 1),
              "before the branch": lambda message, text: message.replace(b";rport\r\n", b"\r\n", 1).replace(b";branch=", text + b";branch=", 1)}
    with Edge(SHORT) as edge:
        parties = {6: (edge.softswitch("fd77:1::2"), edge.gateway("fd77:2::2")), 4: (edge.softswitch(), edge.gateway())}
        calls = []
        for family, (softswitch, gateway) in parties.items():
            for what, text in added.items():
                for place, put in places.items():
                    call = Call(to="fd77:2::2", src="fd77:1::2") if family == 6 else Call()
                    answer = put(respond(call.message, 180), text.encode())
                    expect(text.encode() in answer, "the test is wrong")
                    calls.append((f"IPv{family}, {what}, {place}", call, answer, softswitch, gateway))
        for _, call, _, softswitch, _ in calls:
            softswitch.send(call)
        for _, call, answer, _, gateway in calls:
            gateway.wait(call, 2, 2)
            gateway.send(answer, call.src)
        time.sleep(1.2)
        for what, call, answer, softswitch, gateway in calls:
            expect_times(gateway.offsets(call), [0, .3], what)
            expect_equal([a.data for a in softswitch.got if a.data == answer], [answer], f"{what}: at the softswitch")
        expect_equal((edge.counters()["provisional"], edge.counters()["response_unknown"]), (len(calls), 0), "counters provisional, response_unknown")
        return f"{len(calls)} responses"
