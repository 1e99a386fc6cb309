# SPDX-License-Identifier: GPL-2.0-or-later
"""What is shipped in examples/: `siprtx check` has nothing to say of the configurations, Kamailio takes its own, the hooks say what they should."""
import glob
import os
import re
import stat
import subprocess
import xml.dom.minidom

from case import case, expect, expect_equal
from edge import ROOT, Edge, run

EXAMPLES = os.path.join(ROOT, "examples")


@case(seconds=6)
def examples_pass_siprtx_check():
    """Each examples/*/siprtx.conf, inline as it is and with the two lines changed for mode = host: no error, no warning."""
    with Edge(start=False) as edge:
        for path in sorted(glob.glob(f"{EXAMPLES}/*/siprtx.conf")):
            with open(path) as f:
                text = f.read()
            place = f"pin_path = {edge.pin_path}\njournal = {edge.journal_path}\n"
            inline = text.replace("eth0", "in0").replace("eth1", "out0").replace("[profile", f"{place}[profile", 1)
            # where the page beside it has them put
            inline = inline.replace("/usr/local/lib/siprtx", os.path.dirname(path)).replace("/var/lib/siprtx/cdr", edge.directory)
            host = re.sub(r"(?m)^inside = .*\n", "", inline).replace("mode = inline", "mode = host")
            expect(inline != text and "mode = host" in host, f"{path} has another form: the test is wrong")
            for mode, written in (("inline", inline), ("host", host)):
                edge.write_configuration(written)
                said = edge.siprtx("check", check=False)
                about = [line for line in (said.stdout + said.stderr).splitlines() if re.search(r"siprtx\.conf:\d+|profile|gateway |notify ", line)]
                expect_equal(about, [], f"what check says of {os.path.relpath(path, ROOT)}, {mode}")


@case(seconds=2)
def examples_kamailio_configuration():
    """kamailio -c takes examples/kamailio/kamailio.cfg, and dispatcher.list as it is."""
    run("kamailio", "-c", "-f", f"{EXAMPLES}/kamailio/kamailio.cfg", "-A", "LISTEN=udp:127.0.0.1:5060", "-A", f'CARRIERS="{EXAMPLES}/kamailio/dispatcher.list"')


HOOKS = {"asterisk": ("asterisk", ["-rx", "database put siprtx carrier-a down"], ["-rx", "database del siprtx carrier-a"]),
         "freeswitch": ("fs_cli", ["-x", "hash insert/siprtx/carrier-a/down"], ["-x", "hash delete/siprtx/carrier-a"]),
         "vos3000": ("logger", ["-t", "siprtx", "gateway carrier-a (192.0.2.10:5060): down, exhausted"], ["-t", "siprtx", "gateway carrier-a (192.0.2.10:5060): up, probed"])}


@case(seconds=2)
def examples_hooks_say_what_they_should():
    """gateway-state of each example, run as siprtx-notify runs it: the command it gives on down and up; none for a name that is no name."""
    with Edge(forward_only=True) as edge:
        for name, (program, down, up) in HOOKS.items():
            said = f"{edge.directory}/{name}.said"
            fake = f"{edge.directory}/{program}"
            with open(fake, "w") as f:
                f.write(f'#!/bin/sh\nfor a; do printf "%s\\n" "$a"; done > {said}\n')
            os.chmod(fake, stat.S_IRWXU)
            for event, reason, gateway, wanted in (("gateway_down", "exhausted", "carrier-a", down), ("gateway_up", "probed", "carrier-a", up),
                                                   ("gateway_down", "exhausted", "x down; reboot", None), ("gateway_down", "exhausted", "", None)):
                env = {"PATH": f"{edge.directory}:/usr/bin:/bin", "SIPRTX_EVENT": event, "SIPRTX_GATEWAY_NAME": gateway, "SIPRTX_REASON": reason,
                       "SIPRTX_GATEWAY": "192.0.2.10:5060"}
                subprocess.run([f"{EXAMPLES}/{name}/gateway-state"], env=env, check=True, stdin=subprocess.DEVNULL)
                got = open(said).read().splitlines() if os.path.exists(said) else None
                expect_equal(got, wanted, f"what {name}/gateway-state gave to {program} on {event} of {gateway!r}")
                if got:
                    os.unlink(said)


@case(seconds=1)
def examples_freeswitch_is_xml():
    """The FreeSWITCH files are well-formed."""
    for path in glob.glob(f"{EXAMPLES}/freeswitch/*.xml"):
        xml.dom.minidom.parse(path)
