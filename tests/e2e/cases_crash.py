# SPDX-License-Identifier: GPL-2.0-or-later
"""The controller may die at any moment. A crowd of calls (tests/peer/crowd.c) while it is killed again and again."""
import array
import collections
import itertools
import json
import os
import random
import subprocess
import threading
import time

from case import case, expect, expect_equal, only, short, show
from cases_load import expect_free
from edge import Edge, run, tool, wait_until
from sip import Call, respond

INVITE_SENT, INVITE_ARRIVED, ANSWER_SENT, ANSWER_ARRIVED, ACK_SENT, ACK_ARRIVED, OTHER = range(1, 8)
INTERVALS = [.25, .5, 1, 1]
# where the link takes away the 200 behind a 180, the call rings on
PROFILE = "[profile short]\nresend_interval = 0.25,0.5,1,1\ntimeout_ringing = 5\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n"

# An INVITE on its way, and the tick in which the answer is noticed.
UNDER_WAY = 0.040


class Crowd:
    """Runs the crowd; .events is {call: [(seconds, what), ...]} after finish()."""

    def __init__(self, edge, rate, seconds, seed, answered, tail, own=()):
        self.path = f"{edge.directory}/crowd"
        self.seconds = seconds
        self.process = edge.popen(edge.sw_ns, tool("crowd", "tests/peer/crowd.c"), edge.sw_ns, edge.gw_ns, *map(str, (rate, seconds, seed, answered, tail)), self.path, *map(str, own),
                                  stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the crowd did not begin")

    def finish(self):
        summary = json.loads(self.process.communicate(timeout=self.seconds + 120)[0])
        expect(summary["complete"], "the crowd had no room for its notes")
        notes = array.array("Q")
        with open(self.path, "rb") as f:
            notes.frombytes(f.read())
        self.events = collections.defaultdict(list)
        for ns, rest in zip(notes[0::2], notes[1::2]):
            self.events[rest & 0xffffffff].append((ns / 1e9, rest >> 32))
        return summary["calls"]


def least_gap(times, intervals):
    """The smallest gap as a share of its interval. Where copies were left out it is longer than that, never shorter."""
    return min([(b - a) / intervals[min(i, len(intervals) - 1)] for i, (a, b) in enumerate(zip(times, times[1:]))], default=9)


def judge(crowd, records, intervals=INTERVALS, lossy=False, own=False):
    """
    What of the crowd's calls went otherwise than it may, whoever was dead meanwhile; silent calls that were not helped at
    all; a line of figures. `intervals`: the
    shortest that were in force; `lossy`: the link was down at times. What it lost is nobody's fault, and the kernel keeps the
    original back while it asks for the neighbour again: then one INVITE may come at any time, and the rest is judged by
    when the original was sent. `own`: the softswitch sends copies of its own, which pass while nobody sends in their place.
    At a change of hands two may come close: one in fifty may come less than half an interval after the one before.
    """
    wrong, unhelped, copies, close, least = [], [], 0, 0, 9
    recorded = collections.Counter(r["call_id"] for r in records)
    for call, events in sorted(crowd.events.items()):
        at = collections.defaultdict(list)
        for when, what in events:
            at[what].append(when)
        arrived, answered, n = sorted(at[INVITE_ARRIVED]), at[ANSWER_ARRIVED], recorded[f"crowd-{call}"]
        whole = arrived and len(at[ACK_ARRIVED]) == len(at[ACK_SENT]) and len(answered) == len(at[ANSWER_SENT])
        if at[OTHER] or not (whole or lossy):
            wrong.append(f"call {call}: a datagram of its own did not arrive: {dict(at)}")
            continue
        copies += max(len(arrived) - 1, 0)
        if len(arrived) > 1 + len(intervals) + own:
            wrong.append(f"call {call}: {len(arrived)} INVITEs")
        share = least_gap(arrived, intervals)
        if lossy and share < 0.9:
            share = max([share] + [least_gap(at[INVITE_SENT] + arrived[:i] + arrived[i + 1:], intervals) for i in range(len(arrived))])
        least = min(least, share)
        close += share < 0.5
        if share < 0.9 and not own:
            wrong.append(f"call {call}: {share:.2f} of an interval between two INVITEs, sent at 0, arrived at {show([t - at[INVITE_SENT][0] for t in arrived])}")
        if answered and arrived[-1] > answered[0] + UNDER_WAY:
            wrong.append(f"call {call}: an INVITE {arrived[-1] - answered[0]:.3f} s after its answer")
        if n > 1 or (n and answered):
            wrong.append(f"call {call}: {n} records, answered: {bool(answered)}")
        elif not (n or answered or lossy):
            unhelped.append(call)
            if len(arrived) > 1 and not own:
                wrong.append(f"call {call}: no record after {len(arrived)} INVITEs")
    if close > copies / 50:
        wrong.append(f"{close} of {copies} copies came close to the one before")
    return wrong, unhelped, f"{len(crowd.events)} calls, {copies} retransmissions, {close} of them close to the one before, least gap {least:.2f} of its interval, {len(records)} records"


class Trouble(threading.Thread):
    """Does something again and again, after a random time each, until told to end; .times counts."""

    def __init__(self, seed, shortest, longest, function):
        super().__init__()
        self.random, self.wait, self.function = random.Random(seed), (shortest, longest), function
        self.ending, self.times, self.error = False, 0, None
        self.start()

    def run(self):
        try:
            while not self.ending:
                time.sleep(self.random.uniform(*self.wait))
                self.function(self.random)
                self.times += 1
        except Exception as e:  # noqa: B902 - raised again in end()
            self.error = e

    def end(self):
        self.ending = True
        self.join()
        if self.error:
            raise self.error


def kill_again(edge):
    def kill(_):
        edge.kill()
        edge.launch()
    return kill


def crash_test(seconds, trouble=None, intervals=INTERVALS, lossy=False, before=None, started=None, after=None, judged=None, rate=500, own=(), **options):
    """`trouble`(edge) gives (shortest, longest, function) of what goes wrong beside the kills; SEED in the environment repeats a run; `own`: ms after the INVITE at which the softswitch sends it again by itself; `options` are Edge's."""
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
    with Edge(PROFILE, max_transactions=16384, start=False, **options) as edge:
        if before:
            before(edge)
        edge.start()
        if started:
            started(edge)
        free = edge.stats()["slots_free"]
        crowd = Crowd(edge, rate, seconds, seed, 50, 12, own)
        troubles = [Trouble(seed, .05, .5, kill_again(edge))]
        if trouble:
            troubles.append(Trouble(seed + 1, *trouble(edge)))
        time.sleep(seconds)
        for t in troubles:
            t.end()
        if after:
            after(edge)
        wait_until(lambda: edge.siprtx("status", check=False).returncode == 0, 15, 0.1)
        calls = crowd.finish()
        wait_until(lambda: edge.json("status", check=False)["slots"]["used"] == 0, 15, 0.5)
        wait_until(lambda: edge.json("status", check=False)["journal"]["not_on_disk"] == 0, 15, 0.5)
        records = edge.journal()
        wrong, unhelped, figures = judge(crowd, records, intervals, lossy, bool(own))
        figures = f"seed {seed}, {' and '.join(str(t.times) for t in troubles)} troubles, {figures}"
        # where a start took so long that there was no sign of life for 2 s, calls pass without help, and are counted
        counters = edge.counters()
        if unhelped:
            figures += f", {len(unhelped)} not captured for want of a living controller"
        if not (lossy or own):
            expect_equal(counters["captured"] + counters["no_controller"], calls, f"{figures}: captured and counted as not")
        expect(len(unhelped) <= counters["no_controller"], f"{figures}: {len(unhelped)} calls not helped, {counters['no_controller']} counted")
        expect(not wrong, f"{figures}: {len(wrong)} wrong: {short(wrong, 600)}")
        expect_equal(len(crowd.events), calls, "calls")
        seqs = [r["seq"] for r in edge.records()]
        expect(seqs == list(range(1, len(seqs) + 1)), "seq of the records is not 1, 2, 3 ...")
        if judged:
            figures += judged(edge, records)
        expect_free(edge, free)
        return figures


SECONDS = int(os.environ.get("CRASH_SECONDS", 30))


@case(seconds=SECONDS + 20, alone=True)
def killed_again_and_again():
    """500 calls a second, half of them answered; the controller is killed every 50 to 500 ms: each copy in time or left out, each silent call recorded once."""
    return crash_test(SECONDS)


@case(seconds=SECONDS // 3 + 20, alone=True)
def killed_with_capture_at_egress():
    """The same in host mode, where the classifier works at TC egress."""
    return crash_test(SECONDS // 3, mode="host", inside=None)


def small_disk(edge):
    """The journal on a file system of a size that is soon full."""
    folder = f"{edge.directory}/disk"
    os.mkdir(folder)
    run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder)
    edge.mounts.append(folder)
    edge.journal_path = f"{folder}/exhausted.jsonl"
    edge.write_configuration()


def fill_and_free(edge):
    """By turns no room at all, and much."""
    full = itertools.cycle((True, False))

    def remount(size, check=True):
        return run("mount", "-o", f"remount,size={size}", f"{edge.directory}/disk", check=check)

    def resize(_):
        if not next(full):
            return remount("64m")
        # what is on it already stays, and it cannot be made smaller than that; it grows while one looks
        for _ in range(20):
            used = os.stat(edge.journal_path).st_size // 1024 + 64 if os.path.exists(edge.journal_path) else 64
            if not remount(f"{used}k", check=False).returncode:
                return None
        raise RuntimeError("the disk cannot be made small")
    return .5, 2, resize


def room_again(edge):
    run("mount", "-o", "remount,size=256m", f"{edge.directory}/disk")


@case(seconds=SECONDS // 2 + 25, alone=True)
def killed_while_the_disk_fills():
    """The same while the journal's disk is full every other second: no record lost or doubled."""
    return crash_test(SECONDS // 2, fill_and_free, before=small_disk, after=room_again)


def flap(edge):
    """The outside link down for a moment."""
    def down_and_up(r):
        edge.run(edge.edge_ns, "ip", "link", "set", "out0", "down")
        time.sleep(r.uniform(.05, .5))
        edge.run(edge.edge_ns, "ip", "link", "set", "out0", "up")
    return .5, 2, down_and_up


@case(seconds=SECONDS // 2 + 25, alone=True)
def killed_while_the_link_flaps():
    """The same while the outside link goes down and up: nothing comes close to the copy before, nothing after the answer."""
    return crash_test(SECONDS // 2, flap, lossy=True)


@case(seconds=SECONDS // 2 + 25, alone=True)
def killed_while_the_softswitch_retransmits():
    """The same with a softswitch that sends copies of its own, at the very times at which siprtx does: while nobody sends in their place they pass, and count."""
    return crash_test(SECONDS // 2, own=[250, 750, 1750, 2750], rate=300)


FIRST, SECOND = (.2, .25, .3, .4), (.45, .5, .6, .8)


def retune(edge):
    """bpftool writes other intervals, and now and then nonsense."""
    profile = next(p["number"] for p in edge.json("profile", "list")["profiles"] if p["name"] == "short")

    def rewrite(r):
        edge.retune(profile, 0, int(r.choice(FIRST) * 1000))
        edge.retune(profile, 1, int(r.choice(SECOND) * 1000))
        edge.retune(profile, 2, r.choice((1000, 1200, 5, 0xffffffff)))
    return .05, .3, rewrite


@case(seconds=SECONDS // 2 + 25, alone=True)
def killed_while_the_profile_is_rewritten():
    """The same while bpftool rewrites the profile at random."""
    return crash_test(SECONDS // 2, retune, intervals=[min(FIRST), min(SECOND), 1, 1])


def answering(edge):
    edge.configuration += "on_exhausted = reply-503\n"
    edge.write_configuration()


def forgetful(edge):
    """The slots of calls that were answered are held no longer than the crowd listens."""
    edge.siprtx("set", "remember", "2000")


def each_answered_once(edge, records):
    stats = edge.stats()
    expect_equal((stats["not_replied"], stats["reply_slots"]), (0, 0), "calls not answered, slots of replies")
    # killed between the reply and its count: sent again by the next controller, not counted again
    expect(len(records) - 5 <= stats["replied"] <= len(records), f"{stats['replied']} calls answered, {len(records)} records")
    return f", {stats['replies_sent']} replies to {stats['replied']} of them"


@case(seconds=SECONDS // 2 + 25, alone=True)
def rule_50_killed_while_it_answers():
    """The same with reply-503 and a softswitch that never sends the ACK: each silent call is answered, and no slot of a reply is lost."""
    return crash_test(SECONDS // 2, before=answering, started=forgetful, judged=each_answered_once, rate=200)


@case(seconds=15)
def keys_are_forgotten_however_often_it_is_killed():
    """The key of an ended call goes after `remember`, and not a full `remember` after the last of many starts."""
    with Edge("[profile short]\nresend_interval = 0.3\nfinal_wait = 0.2\n[gateway g]\naddress = 10.77.2.0/24\nprofile = short\n") as edge:
        edge.siprtx("set", "remember", "4000")
        softswitch, gateway = edge.softswitch(), edge.gateway()
        silent, answered = softswitch.send(Call()), softswitch.send(Call())
        gateway.send(respond(gateway.wait(answered, 1, 2)[0].data, 200, "OK"), gateway.of(answered)[0].peer[0])
        only(edge.wait_journal(silent, 3), "records")
        ended = time.monotonic()

        def keys():
            buckets = json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{edge.pin_path}/txns").stdout)
            return sum(bool(e["at"]) for b in buckets for e in b["formatted"]["value"]["entry"])
        expect_equal(keys(), 2, "keys at the end of the calls")
        starts = 0
        while time.monotonic() < ended + 3:
            edge.kill()
            edge.start()
            starts += 1
            time.sleep(0.2)
        expect_equal(keys(), 2, f"keys after {starts} starts")
        # four seconds after the first start that found them ended, at the latest
        expect(wait_until(lambda: keys() == 0, 3, 0.1), f"{keys()} keys kept {time.monotonic() - ended:.1f} s after the end and {starts} starts")
        return f"gone {time.monotonic() - ended:.1f} s after the end, {starts} starts"
