# SPDX-License-Identifier: GPL-2.0-or-later
"""Live tuning: one u32 a knob, at once, with no restart."""
import ipaddress
import time

from case import case, expect, expect_equal, expect_fields, expect_times, only
from edge import Edge, run, wait_until
from sip import Call


def lpm_key(prefix):
    """The key of gw_profile as bpftool takes it, an IPv4 prefix mapped into IPv6."""
    network = ipaddress.ip_network(prefix)
    address = network.network_address.packed
    bits = network.prefixlen + (96 if network.version == 4 else 0)
    return list(bits.to_bytes(4, "little")) + list((b"\0" * 10 + b"\xff\xff" if network.version == 4 else b"") + address)


@case(seconds=5)
def bpftool_retunes_profiles():
    """The next transaction follows the new intervals, a running one those it does not wait on yet."""
    with Edge("[profile own]\nresend_interval = 0.5,2,2\n[gateway g]\naddress = 10.77.2.3\nprofile = own\n", gateways=["10.77.2.3/24"]) as edge:
        softswitch, gateway, own = edge.softswitch(), edge.gateway(), edge.gateway("10.77.2.3")
        running = softswitch.send(Call(to="10.77.2.3"))
        time.sleep(0.1)
        edge.retune(7, 1, 700)
        edge.retune(7, 2, 300)
        edge.retune(7, 16, 250)
        edge.retune(0, 0, 200)
        edge.retune(0, 1, 300)
        edge.retune(0, 2, 0)
        time.sleep(0.1)
        call = softswitch.send(Call())
        record = only(edge.wait_journal(running, 4), "records of the running call")
        expect_times(own.offsets(running), [0, .5, 1.2, 1.5], "running call")
        expect(1750 <= record["duration_ms"] <= 1850, f"exhausted after {record['duration_ms']} ms, wanted 1750")
        expect_times(gateway.offsets(call), [0, .2, .5], "next call")
        expect_fields(only(edge.journal(call), "records of the next call"), sends=3, profile="standard")


@case(seconds=6)
def bad_values_are_ignored():
    """Out of range: the value last in force stays; counted once, named by check, mentioned by status."""
    with Edge() as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        expect_equal(edge.stats()["bad_values"], 0, "bad values at first")
        edge.retune(0, 1, 700)
        time.sleep(0.1)
        for field, value in ((0, 5), (1, 3600001), (10, 77)):
            edge.retune(0, field, value)
        edge.retune(2, 0, 0)
        edge.bpftool_update("tunables", [5, 0, 0, 0], 7)
        time.sleep(0.2)
        call = softswitch.send(Call())
        time.sleep(1.6)
        expect_times(gateway.offsets(call), [0, .5, 1.2])
        expect_equal(edge.stats()["bad_values"], 5, "bad values counted")
        check = edge.siprtx("check", check=False)
        told = check.stdout + check.stderr
        for word in ("standard", "fast-failover", "tick", "3600001", "77"):
            expect(word in told, f"siprtx check does not name {word}: {told}")
        status = edge.siprtx("status", check=False).stdout
        expect("out of range" in status, f"siprtx status does not mention the values: {status}")
        for field, value in ((0, 500), (1, 1000), (10, 10)):
            edge.retune(0, field, value)
        edge.retune(2, 0, 500)
        edge.siprtx("set", "tick", "500")
        expect("out of range" not in edge.siprtx("status", check=False).stdout, "siprtx status still mentions values mended since")


@case(seconds=5)
def commands_retune():
    """`siprtx set` and `siprtx profile set` do the same, print the bpftool line, and refuse what is out of range."""
    with Edge() as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        for arguments, command in ((("profile", "set", "standard", "interval_1", "0.2"), "profiles"), (("profile", "set", "standard", "interval_2", "0.4"), "profiles"),
                                   (("set", "dup_window", "20"), "tunables")):
            said = edge.siprtx(*arguments).stdout
            expect("bpftool map update pinned" in said and f"/{command} key" in said, f"siprtx {' '.join(arguments)} prints: {said}")
        time.sleep(0.1)
        call = softswitch.send(Call())
        time.sleep(0.8)
        expect_times(gateway.offsets(call), [0, .2, .6])
        for arguments in (("set", "tick", "7"), ("set", "nonsense", "1"), ("set", "tick", "7x"), ("profile", "set", "standard", "interval_1", "0.001"),
                          ("profile", "set", "nobody", "interval_1", "1")):
            refused = edge.siprtx(*arguments, check=False)
            expect(refused.returncode in (1, 2) and refused.stderr.strip(), f"siprtx {' '.join(arguments)}: exit status {refused.returncode}, says {refused.stderr!r}")
        line = next(w for w in edge.siprtx("set", "capture", "0").stdout.splitlines() if "bpftool" in w)
        edge.siprtx("set", "capture", "1")
        run(*line[line.index("bpftool"):].split())
        time.sleep(0.1)
        call = softswitch.send(Call())
        time.sleep(0.5)
        expect_equal(len(gateway.of(call)), 1, "INVITEs with capture off, by the line that siprtx printed")
        expect_equal(edge.counters()["no_controller"], 1, "counter no_controller")


@case(seconds=5)
def gateways_choose_profiles():
    """gw_profile by longest prefix, live; a gateway with a port of its own before it."""
    configuration = """[profile a]
resend_interval = 0.2
[profile b]
resend_interval = 0.4
[profile c]
resend_interval = 0.6
[gateway all]
address = 10.77.2.0/24
profile = a
[gateway one]
address = 10.77.2.3
profile = b
[gateway port]
address = 10.77.2.3:5070
profile = c
"""
    with Edge(configuration, gateways=["10.77.2.3/24"], sip_ports="5060,5070") as edge:
        softswitch = edge.softswitch()
        gateways = [edge.gateway(), edge.gateway("10.77.2.3"), edge.gateway("10.77.2.3", 5070)]

        def offsets():
            calls = [Call(to=g.address) for g in gateways]
            for call, g in zip(calls, gateways):
                softswitch.send(call, port=g.port)
            time.sleep(0.9)
            return [g.offsets(call) for call, g in zip(calls, gateways)]
        for got, wanted in zip(offsets(), (.2, .4, .6)):
            expect_times(got, [0, wanted])
        edge.bpftool_update("gw_profile", lpm_key("10.77.2.2/32"), 9)
        run("bpftool", "map", "delete", "pinned", f"{edge.pin_path}/gw_profile", "key", *map(str, lpm_key("10.77.2.3/32")))
        for got, wanted in zip(offsets(), (.6, .2, .6)):
            expect_times(got, [0, wanted])
        names = wait_until(lambda: {r["gateway"]: (r["gateway_name"], r["profile"]) for r in edge.journal()[-3:]} if len(edge.journal()) == 6 else None, 3)
        expect_equal(names, {"10.77.2.2:5060": ("all", "c"), "10.77.2.3:5060": ("one", "a"), "10.77.2.3:5070": ("port", "c")}, "gateway_name and profile in the records")


@case(seconds=6)
def unknown_profile_of_a_gateway():
    """gw_profile gets the number of no profile: ignored, counted, named by check; the profile last in force stays."""
    configuration = "[profile a]\nresend_interval = 0.2,0.2\n[gateway all]\naddress = 10.77.2.0/24\nprofile = a\n"
    with Edge(configuration) as edge:
        softswitch, gateway = edge.softswitch(), edge.gateway()
        first = softswitch.send(Call())
        edge.wait_journal(first, 4)
        time.sleep(.4)  # the gateway's entry is written
        for profile in (16, 99):
            edge.bpftool_update("gw_profile", lpm_key("10.77.2.0/24"), profile)
            call = softswitch.send(Call())
            record = only(edge.wait_journal(call, 4), "records")
            expect_times(gateway.offsets(call), [0, .2, .4])
            expect_fields(record, profile="a", sends=3, reason="no_response")
            expect_equal(edge.counters()["bad_profile"], 1 if profile == 16 else 2, "counter bad_profile")
            said = edge.siprtx("check", check=False).stdout
            expect(f"10.77.2.0/24 has profile {profile}" in said, f"check says {said}")
