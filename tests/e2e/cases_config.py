# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong in the configuration or on the host is named: the line, the value, the remedy. Nothing is loaded then."""
import os

from case import case, expect, expect_equal, expect_times
from edge import Edge, run, wait_until
from sip import Call

GOOD = ("[siprtx]", "mode = inline", "inside = in0", "outside = out0", "pin_path = {pin_path}", "journal = {journal}")

# lines after the good ones (or in place of the one with the same key), the line to be named (0: no line), words of the sentence
WRONG = (
    (["[profile p]", "resend_interval = 1,1,1,1,1,1,1,1,1,1,1"], 8, ["11", "10"]),
    (["[profile p]", "resend_interval = 0.5,-1"], 8, ["-1"]),
    (["[profile p]", "resend_interval = 0.5,soon"], 8, ["soon"]),
    (["[profile p]", "resend_interval = 0.5,0.001"], 8, ["0.001"]),
    (["[profile p]", "resend_interval = 0.5,4000"], 8, ["4000"]),
    (["[profile p]", "resend_interval ="], 8, ["resend_interval"]),
    (["[profile p]", "send_retry = 11"], 8, ["11"]),
    (["[profile p]", "timeout_invite = -3"], 8, ["-3"]),
    (["[profile p]", "timeout_invite = 10x"], 8, ["10x"]),
    (["[profile p]", "colour = blue"], 8, ["colour"]),
    (["[gateway g]", "address = 192.0.2.300"], 8, ["192.0.2.300"]),
    (["[gateway g]", "address = 192.0.2.0/33"], 8, ["192.0.2.0/33"]),
    (["[gateway g]", "address = 192.0.2.1:99999"], 8, ["99999"]),
    (["[gateway g]", "address = 192.0.2.1", "profile = slow"], 9, ["slow"]),
    (["[gateway g]", "address = 192.0.2.1", "on_exhausted = panic"], 9, ["panic"]),
    (["[trunk t]"], 7, ["trunk"]),
    (["mode = bridge"], 2, ["bridge", "inline"]),
    (["max_transactions = 0"], 7, ["0"]),
    (["max_transactions = many"], 7, ["many"]),
    (["sip_ports = 5060,70000"], 7, ["70000"]),
    (["forward = fast"], 7, ["fast", "kernel"]),
    (["zerocopy = maybe"], 7, ["maybe"]),
    (["sender = udp"], 7, ["udp"]),
    (["inside = in9"], 0, ["in9"]),
    (["outside = in0"], 0, ["in0"]),
    (["journal = /nowhere/exhausted.jsonl"], 0, ["/nowhere"]),
    (["pin_path = /tmp/siprtx-pins"], 0, ["/tmp/siprtx-pins"]),
)


def written(edge, lines):
    """The configuration with `lines` in it."""
    text = [line.format(pin_path=edge.pin_path, journal=edge.journal_path) for line in GOOD]
    for line in lines:
        key = line.split(" = ")[0]
        same = [i for i, g in enumerate(text) if g.split(" = ")[0] == key]
        if same:
            text[same[0]] = line
        else:
            text.append(line)
    edge.write_configuration("\n".join(text) + "\n")


def nothing_loaded(edge):
    links = edge.run(edge.edge_ns, "ip", "link", "show").stdout
    return "xdp" not in links and not os.path.exists(edge.pin_path)


@case(seconds=20)
def wrong_configurations():
    """Each is refused by siprtxd, siprtxd --check and siprtx check in a sentence with line, value and remedy."""
    complaints = []
    with Edge(start=False) as edge:
        written(edge, [])
        good = edge.siprtxd("--check")
        expect_equal(good.returncode, 0, f"exit status of siprtxd --check on a good configuration: {good.stderr}")
        for lines, number, words in WRONG:
            written(edge, lines)
            for name, said in (("siprtxd", edge.siprtxd()), ("siprtxd --check", edge.siprtxd("--check")), ("siprtx check", edge.siprtx("check", check=False))):
                text = said.stdout + said.stderr
                if said.returncode != 1:
                    complaints.append(f"{name} with {lines}: exit status {said.returncode}")
                missing = [w for w in words + ([f"siprtx.conf:{number}"] if number else []) if w not in text]
                if missing or not text.strip():
                    complaints.append(f"{name} with {lines} does not name {missing}: {text!r}")
            if not nothing_loaded(edge):
                complaints.append(f"{lines}: something was loaded")
                edge.siprtx("unload", check=False)
        expect(not complaints, "\n       ".join([f"{len(complaints)} complaints", *complaints]))


@case(seconds=4)
def overrides_and_all_problems_at_once():
    """-o section.key=value wins over the file; one run names everything that is wrong; a missing file is said."""
    with Edge(start=False) as edge:
        edge.launch(("-o", "siprtx.sip_ports=5080", "-o", "profile standard.final_wait=1"))
        expect(wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 30), f"siprtx status is not 0: {edge.log()}")
        edge.stop()
        edge.siprtx("unload")
        said = edge.siprtxd("-o", "siprtx.mode=bridge", "-o", "siprtx.max_transactions=none", "-o", "gateway g.address=nowhere")
        for word in ("bridge", "none", "nowhere"):
            expect(word in said.stderr, f"siprtxd does not name {word}: {said.stderr}")
        os.unlink(edge.configuration_path)
        said = edge.siprtxd()
        expect(said.returncode == 1 and "siprtx.conf" in said.stderr, f"with no file: exit status {said.returncode}, {said.stderr!r}")
        expect_equal(edge.siprtxd("--nonsense").returncode, 2, "exit status of siprtxd --nonsense")
        expect_equal(edge.siprtx("nonsense", check=False).returncode, 2, "exit status of siprtx nonsense")


@case(seconds=4)
def full_file_system():
    """No room for the journal: said before anything is loaded."""
    with Edge(start=False) as edge:
        small = f"{edge.directory}/small"
        os.mkdir(small)
        run("mount", "-t", "tmpfs", "-o", "size=64k", "none", small)
        edge.mounts.append(small)
        written(edge, [f"journal = {small}/exhausted.jsonl"])
        said = edge.siprtxd()
        expect(said.returncode == 1 and small in said.stderr, f"exit status {said.returncode}, says {said.stderr!r}")
        expect(nothing_loaded(edge), "something was loaded")


@case(seconds=4)
def unload_is_refused_at_work():
    """The maps are not taken from under a siprtxd, not even where a pin of theirs is missing; the work goes on."""
    with Edge("[profile short]\nresend_interval = 0.3,0.3,0.3\n[gateway g]\naddress = 10.77.2.2\nprofile = short\n") as edge:
        os.unlink(f"{edge.pin_path}/lateness")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        call = softswitch.send(Call())
        refused = edge.siprtx("unload", check=False)
        expect(refused.returncode == 1 and "at work" in refused.stderr, f"unload said {refused.returncode} {refused.stderr}")
        gateway.wait(call, 4, 3)
        expect_times(gateway.offsets(call), [0, .3, .6, .9])
        edge.stop()
        edge.siprtx("unload")
        expect(not os.path.exists(edge.pin_path), "unload left pins")


@case(seconds=4)
def check_foresees_what_start_would_say():
    """Another XDP program, maps of another size, no folder for the pins: named by check with the line, and start fails too."""
    with Edge() as edge:
        edge.stop()
        edge.settings["max_transactions"] = 2048
        edge.write_configuration()
        for said in (edge.siprtx("check", check=False).stdout, edge.siprtxd("--check").stderr, edge.siprtxd().stderr):
            expect("siprtx.conf:5: max_transactions" in said and "1024" in said, f"another size: {said}")
        edge.siprtx("unload")
        edge.siprtx("load")
        other = f"[siprtx]\ninside = in0\noutside = out0\npin_path = {edge.pin_path}x\njournal = {edge.journal_path}\n"
        edge.write_configuration(other)
        for said in (edge.siprtx("check", check=False).stdout, edge.siprtxd().stderr):
            expect("siprtx.conf:3: outside" in said and "another XDP program" in said, f"another program: {said}")
        edge.write_configuration(other.replace(f"{edge.pin_path}x", f"{edge.pin_path}y/z"))
        for said in (edge.siprtx("check", check=False).stdout, edge.siprtxd().stderr):
            expect("siprtx.conf:4: pin_path" in said and "mkdir -p" in said, f"no folder: {said}")
        edge.write_configuration()
