# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kamailio as the softswitch: a stateful proxy on the edge host itself, or inside it, between a caller and the gateways.

    with host() as edge, Kamailio(edge, "10.77.2.2") as kamailio:
        gateway, call = kamailio.gateway("proxied-gateway.xml", pause=1200), kamailio.call()
        call.done(5)
        expect_times(kamailio.offsets(call), [0, .5])

Its tm module sends what nobody answers again by timers of its own (RFC 3261 17.1.1.2 and 17.1.2.2, T1 0.5 s, T2 4 s),
and answers the caller with a 408 when `fr_timer` seconds have gone by without any response.
"""
import itertools
import socket

from case import expect_equal
from edge import Edge, wait_until
from flows import Sipp
from frames import Capture

CALLER = "10.77.1.2"

CONFIGURATION = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
auto_aliases=no
dns=no
rev_dns=no
disable_tcp=yes
listen=udp:{here}:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "tmx.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("tm", "fr_timer", {fr_timer})
modparam("tm", "fr_inv_timer", 60000)
modparam("tm", "retr_timer1", 500)
modparam("tm", "retr_timer2", {t2})

request_route {{
	if (!mf_process_maxfwd_header("10")) {{
		sl_send_reply("483", "Too Many Hops");
		exit;
	}}
	if (has_totag()) {{
		if (loose_route() || (is_method("ACK") && t_check_trans()))
			t_relay();
		exit;
	}}
	if (is_method("CANCEL")) {{
		if (t_check_trans())
			t_relay();
		exit;
	}}
	t_check_trans();
	record_route();
	t_on_failure("{next}");
	$du = "sip:{first}:5060";
	t_relay();
}}

failure_route[NEXT] {{
	if (t_is_canceled() || !(t_branch_timeout() || t_check_status("408|503")))
		exit;
	$du = "sip:{last}:5060";
	t_relay();
}}

failure_route[NONE] {{
	exit;
}}
"""


def host(configuration="", **options):
    """An edge whose softswitch runs on it: mode = host."""
    return Edge(configuration, mode="host", inside=None, **options)


class Kamailio:
    """`gateways`: one, or two of which the second is tried once the first was silent for `fr_timer` seconds. `inside`: it runs in the softswitch's namespace."""

    def __init__(self, edge, *gateways, fr_timer=5, t2=4, inside=False):
        self.edge, self.numbers = edge, itertools.count(1)
        # its only socket, for the caller too
        self.namespace, self.address = (edge.sw_ns, CALLER) if inside else (edge.edge_ns, "10.77.2.1")
        self.caller_link = "lo" if inside else "s0"
        self.path, self.log_path = f"{edge.directory}/kamailio.cfg", f"{edge.directory}/kamailio.log"
        with open(self.path, "w") as f:
            f.write(CONFIGURATION.format(here=self.address, fr_timer=int(fr_timer * 1000), t2=int(t2 * 1000), first=gateways[0], last=gateways[-1],
                                         next="NEXT" if len(gateways) > 1 else "NONE"))

    def start(self):
        with open(self.log_path, "w") as log:
            self.process = self.edge.popen(self.namespace, "kamailio", "-DD", "-E", *self.options(), "-f", self.path, "-Y", self.edge.directory,
                                           stdout=log, stderr=log, cwd=self.edge.directory)
        if not wait_until(lambda: self.process.poll() is not None or self.edge.run(self.namespace, "ss", "-Hlun", f"src {self.address}:5060").stdout, 20):
            raise RuntimeError(f"kamailio does not listen: {self.log()[-1500:]}")
        if self.process.poll() is not None:
            raise RuntimeError(f"kamailio ended with {self.process.returncode}: {self.log()[-1500:]}")

    def stop(self):
        self.process.terminate()  # its children too; a kill would leave them
        self.process.wait(10)

    def __enter__(self):
        self.start()
        self.at_gateway, self.at_caller = Capture(self.edge.gw_ns, "g0"), Capture(self.edge.sw_ns, self.caller_link)
        return self

    def options(self):
        return ["-m", "16", "-M", "4"]

    def __exit__(self, *_):
        for capture in (self.at_gateway, self.at_caller):
            capture.__exit__()
        self.stop()

    def log(self):
        with open(self.log_path, errors="backslashreplace") as f:
            return f.read()

    def call(self, scenario="proxied-call.xml", namespace=None, address=CALLER, **keywords):
        """A caller's call to Kamailio: a Sipp."""
        number = next(self.numbers)
        return Sipp(self.edge, namespace or self.edge.sw_ns, scenario, address, 5060 + number, number, remote=self.address, **keywords)

    def gateway(self, scenario, address="10.77.2.2", namespace=None, **keywords):
        return Sipp(self.edge, namespace or self.edge.gw_ns, scenario, address, 5060, f"gateway-{address}", **keywords)

    def of(self, call, frames, what, address=None):
        """The frames of the call among these that begin with `what`."""
        mark = f"Call-ID: {call.call_id}\r\n".encode()
        return [f for f in list(frames) if f.protocol == 17 and f.payload.startswith(what.encode()) and mark in f.payload
                and (not address or socket.inet_ntoa(f.from_to[4:8]) == address)]

    def seen(self, call, what="INVITE ", address=None):
        """The frames of the call that reached the gateways, or the one at `address`, and begin with `what`."""
        return self.of(call, self.at_gateway.frames, what, address)

    def wait(self, call, count, timeout, **keywords):
        wait_until(lambda: len(self.seen(call, **keywords)) >= count, timeout, 0.005)
        return self.seen(call, **keywords)

    def offsets(self, call, address=None, since=None):
        """When the INVITEs of the call reached the gateways, in seconds after the first or after `since`."""
        times = [f.time for f in self.seen(call, address=address)]
        return [t - (times[0] if since is None else since) for t in times]

    def codes(self, call):
        """Status codes of the INVITE's responses that reached the caller, in their order."""
        return [int(f.payload[8:11]) for f in self.of(call, self.at_caller.frames, "SIP/2.0 ") if b" INVITE\r\n" in f.payload]

    def expect_codes(self, call, wanted):
        """SIPp may be ahead of the capture."""
        wait_until(lambda: len(self.codes(call)) >= len(wanted), 2)
        expect_equal(self.codes(call), wanted, "responses at the caller")

    def expect_once(self, call, *what):
        for method in what:
            self.wait(call, 1, 2, what=f"{method} ")
        expect_equal([len(self.seen(call, f"{method} ")) for method in what], [1] * len(what), f"how often {', '.join(what)} reached the gateway")
