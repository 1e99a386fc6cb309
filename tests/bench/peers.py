# SPDX-License-Identifier: GPL-2.0-or-later
"""
Against Kamailio's tm and SIPp: the same calls to a silent gateway, on one CPU.

Who pays for what is in silent.py: CPU 0 is the edge server with one of the three on it, the receive path of its
interfaces included; CPU 1 is everything else. What it takes while idle goes off.

Two lists, each the same for siprtx and Kamailio. The default one (0.5, 1, 2 and seven times 4 s) takes 32 s, so it is
run where the number of pending calls matters, at the highest rate. Elsewhere it is ten copies 0.375 s apart: as many
copies a second for each call a second, in an eighth of the time, with an eighth of the calls pending. SIPp doubles its T1
of 0.5 s.

CPU time, the parts of a call apart from each other: INVITEs come at INTAKE a second, and before the first copy is due
nothing else happens. Once they cease, and before the first call has had its ten copies, nothing but copies leaves: as
many a second as 1,000 or 3,000 calls a second make in the long run. An INVITE is measured from the edge's interface to
the gateway's socket; what the kernel alone takes to forward it, most of it the waking of a NAPI thread for each, stands
beside it. The two cannot be subtracted: whoever is awake already is not woken, so that siprtx's INVITEs cost less than
forwarding alone at times. What counts is the run time of all threads that work for the
peer: its own, NAPI's for its inside interface, ksoftirqd. The same of the whole CPU, with interrupts and what
going idle costs, but also with whatever else the machine does, stands below it.

A session attempt rate (RFC 7501 3.1) is sustained where every call's INVITE reached the gateway, every copy of its list
too, each once, and the copies' lateness p99 is at most ON_TIME_US. Copies that come early are on time here, as all of
Kamailio's are.
"""
import time

from contenders import Kamailio, Siprtx, Sipp, live_frames
from figure import Incomplete, Row, ratios, spread
from silent import Calls, Gateway, busy_ns, quiet, run_ns

STEP = 375  # ms; a multiple of the sixteenths of a second that Kamailio rounds up to
SHORT = [STEP] * 10
DEFAULT = [500, 1000, 2000] + [4000] * 7
DOUBLED = [500, 1000, 2000]  # as much of SIPp's as fits
INTAKE = 4000  # INVITEs a second while the CPU time of taking them in is measured
MS, SECOND = 1_000_000, 1_000_000_000
EARLY_US, LATE_US = 100_000, 100_000  # beyond that a copy is not of its list
ON_TIME_US = 5000
SHORT_SECONDS, DEFAULT_SECONDS = 5, 32.5  # until as many calls end as begin
RATES = (1000, 3000)
LATENESS_RATES = (100, 1000, 3000)
NAMES = ("siprtx", "kamailio")
LIVE_RATE, SIPP_RATE = 3000, 1000
WHOSE = ("own", "cpu")  # run time of all threads that work for the peer; busy time of CPU 0
SLOTS = 1 << 20
# calls a second: least, most, steps of the bisection
KAMAILIO_RATES = (2000, 10000, 3)
SIPRTX_RATES = (2000, 34000, 4)


def cost_rows(whose, of):
    aim = whose == WHOSE[0]
    for rate in RATES:
        yield Row(f"CPU a copy, {rate:,} calls/s{of}: siprtx", f"siprtx.{whose}.copy_us.{rate}", "us")
        yield Row("  Kamailio", f"kamailio.{whose}.copy_us.{rate}", "us")
        yield Row("  ratio", f"ratio.{whose}.copy.{rate}", "x", *(("at least 2", lambda v: v >= 2) if aim else ()))
    yield Row(f"CPU a copy, {LIVE_RATE:,} calls/s{of}: siprtx, live frames", f"siprtx.{whose}.copy_live_us", "us")
    yield Row("  ratio", f"ratio.{whose}.copy_live", "x", *(("at least 3", lambda v: v >= 3) if aim else ()))
    yield Row(f"CPU a silent INVITE on its way through{of}: siprtx", f"siprtx.{whose}.invite_us", "us")
    yield Row("  Kamailio", f"kamailio.{whose}.invite_us", "us")
    yield Row("  ratio", f"ratio.{whose}.invite", "x", *(("at least 50", lambda v: v >= 50) if aim else ()))
    yield Row("  the kernel's forwarding alone", f"forward_{whose}_us", "us")


def lateness_rows():
    for rate in LATENESS_RATES:
        for name in ("siprtx", "kamailio", "sipp"):
            ours = name == "siprtx"
            yield Row(f"|lateness| p99, {rate:,} calls/s: {name}", f"{name}.lateness.{rate}.absolute_ms.p99", "ms", "at most 1" if ours else "", (lambda v: v <= 1) if ours else None)
            for share in ("p50", "p99", "p99.9", "max"):
                yield Row(f"  signed {share}", f"{name}.lateness.{rate}.late_ms.{share.replace('.', '_')}", "ms")
    for name in ("siprtx", "kamailio"):
        ours = name == "siprtx"
        yield Row(f"copies in a millisecond, 1,000 calls/s, p99.9: {name}", f"{name}.lateness.1000.in_ms.p99_9", "", "at most 20" if ours else "", (lambda v: v <= 20) if ours else None)
        yield Row("  p50", f"{name}.lateness.1000.in_ms.p50", "")
        yield Row("  max", f"{name}.lateness.1000.in_ms.max", "")


ROWS = (
    *cost_rows("own", ""),
    *cost_rows("cpu", ", whole CPU"),
    Row("memory a pending call: siprtx", "siprtx.bytes_per_call", "B"),
    Row("  Kamailio", "kamailio.bytes_per_call", "B"),
    Row("  ratio", "ratio.memory", "x", "at least 6.5", lambda v: v >= 6.5),
    *lateness_rows(),
    Row("session attempts on time and complete: siprtx", "siprtx.highest.rate", "/s"),
    Row("  Kamailio", "kamailio.highest.rate", "/s"),
    Row("  ratio", "ratio.highest", "x", "at least 5", lambda v: v >= 5),
    Row("  siprtx, pending", "siprtx.highest.pending", ""),
    Row("  siprtx, |lateness| p99", "siprtx.highest.absolute_ms.p99", "ms"),
)


def until(wall_ns):
    time.sleep(max(0, (wall_ns - time.time_ns()) / SECOND))


class Mark:
    """A moment, and how long the peer has run by then, and CPU 0 been busy, ns."""

    def __init__(self, peer, wall_ns=0):
        until(wall_ns)
        self.wall, (self.clock, busy) = time.time_ns(), busy_ns()
        self.spent = run_ns(peer.processes()), busy

    def share(self, later):
        """What both are of the time from here to `later`."""
        return [(b - a) / (later.clock - self.clock) for a, b in zip(self.spent, later.spent)]

    def used(self, later, idle, events):
        """us an event of both from here to `later`, beyond its idling."""
        return [(b - a - share * (later.clock - self.clock)) / 1000 / events for a, b, share in zip(self.spent, later.spent, idle)]


def complete(verdict, calls, what):
    """Raises Incomplete unless every call was heard, and every copy once and near its time."""
    if (verdict["calls"], verdict["missing"], verdict["doubled"]) != (calls, 0, 0):
        raise Incomplete(f"{what}: {verdict['calls']} of {calls} calls were heard, {verdict['missing']} copies are missing, {verdict['doubled']} came twice")
    if verdict["copies"] and (verdict["late_us"]["min"] < -EARLY_US or verdict["late_us"]["p99.9"] > LATE_US):
        raise Incomplete(f"{what}: copies are {verdict['late_us']} us late")
    return verdict


def forwarding(peer):
    """us an INVITE that the kernel alone forwards, of its threads and of the CPU."""
    quiet()
    gateway, start = Gateway(peer.edge), time.time_ns() + 1000 * MS
    calls = Calls(peer.edge, INTAKE, INTAKE * 3 // 2, start, peer.to)
    idle = Mark(peer, start - 800 * MS).share(Mark(peer, start - 100 * MS))
    a, b = Mark(peer, start + 200 * MS), Mark(peer, start + 1400 * MS)
    sent = calls.done()["sent"]
    time.sleep(0.05)
    verdict = complete(gateway.judge([3600000], 0, (a.wall, b.wall)), sent, "forwarding")
    return a.used(b, idle, verdict["periods"][0]["calls"])


def loading(rate):
    """Seconds until as many calls are pending as make the copies of `rate` calls a second."""
    return rate * sum(SHORT) / 1000 / INTAKE


def cost(peer, rate):
    """us an INVITE and a copy, with as many copies a second as `rate` calls a second make, each of the peer and of the CPU; and how many calls are pending."""
    quiet()
    seconds = loading(rate)
    gateway, start = Gateway(peer.edge), time.time_ns() + 1000 * MS
    calls = Calls(peer.edge, INTAKE, int(INTAKE * seconds), start, peer.to)
    idle = Mark(peer, start - 800 * MS).share(Mark(peer, start - 100 * MS))
    first, taken = Mark(peer, start - 20 * MS), Mark(peer, start + (STEP - 70) * MS)  # Kamailio is up to 62.5 ms early
    ceased, full = Mark(peer, start + int(seconds * SECOND) + 30 * MS), Mark(peer, start + (sum(SHORT) - 80) * MS)
    sent = calls.done()["sent"]
    verdict = complete(gateway.judge(SHORT, full.wall - 100 * MS, (first.wall, taken.wall), (ceased.wall, full.wall)), sent, f"{type(peer).__name__}, {rate} calls/s")
    intake, copies = verdict["periods"]
    return first.used(taken, idle, intake["calls"]), ceased.used(full, idle, copies["copies"]), sent


def in_ms(table):
    return {key.replace(".", "_"): value / 1000 for key, value in table.items()}


def run_calls(peer, rate, seconds):
    """Calls at `rate` for so long. Judged: all copies due until 0.2 s before they cease; the last second's copies in one millisecond."""
    gateway, start = Gateway(peer.edge), time.time_ns() + 200 * MS
    end = start + int(seconds * SECOND)
    if isinstance(peer, Sipp):
        peer.calls(rate, int(rate * seconds))
    else:
        calls = Calls(peer.edge, rate, int(rate * seconds), start, peer.to)
    until(end + 100 * MS)  # what was sent in the last moment is still on its way
    sent = None if isinstance(peer, Sipp) else calls.done()["sent"]
    verdict = gateway.judge(peer.intervals, end - 200 * MS, (end - SECOND, end))
    verdict["sent"] = verdict["calls"] if sent is None else sent
    return verdict


def lateness(peer, rate):
    verdict = run_calls(peer, rate, SHORT_SECONDS)
    complete(verdict, verdict["sent"], f"{type(peer).__name__} at {rate} calls/s")
    counts = {key.replace(".", "_"): value for key, value in verdict["periods"][0]["in_ms"].items()}
    return {"copies": verdict["copies"], "late_ms": in_ms(verdict["late_us"]), "absolute_ms": in_ms(verdict["absolute_us"]), "in_ms": counts}


def sustains(peer, rate, seconds):
    """The verdict where the peer keeps up with the rate, and why not where it does not."""
    verdict = run_calls(peer, rate, seconds)
    try:
        complete(verdict, verdict["sent"], f"{rate} calls/s")
    except Incomplete as e:
        return None, str(e)
    late = verdict["late_us"]["p99"]
    return (verdict, f"p99 {late} us late") if late <= ON_TIME_US else (None, f"{rate} calls/s: p99 {late} us late")


def highest(contender, low, high, steps, say):
    """The greatest of the rates tried between these that is sustained with the short list."""
    least = low
    for _ in range(steps):
        rate = (low + high) // 200 * 100
        with contender() as peer:
            verdict, why = sustains(peer, rate, SHORT_SECONDS)
        say(f"  {type(peer).__name__} at {rate:,} calls/s: {'sustained, ' if verdict else ''}{why}")
        low, high = (rate, high) if verdict else (low, rate)
    if low == least:
        raise Incomplete(f"{type(peer).__name__} sustained none of the rates tried")
    return low


def cpu_and_memory(rounds, say):
    """Rounds in alternation, of each peer: CPU time a copy and an INVITE, memory a pending call; and of forwarding."""
    live = [] if live_frames() else None
    forward, result = [], {name: {"copy": {rate: [] for rate in RATES}, "invite": [], "memory": []} for name in NAMES}
    for n in range(rounds):
        for name, contender in (("siprtx", lambda: Siprtx(SHORT, started=False)), ("kamailio", lambda: Kamailio(SHORT))):
            found = result[name]
            with contender() as peer:
                if name == "siprtx":
                    forward.append(forwarding(peer))
                    peer.start()
                for rate in RATES:
                    before = peer.own()
                    invite, copy, sent = cost(peer, rate)
                    found["copy"][rate].append(copy)
                    pending = peer.bytes_per_call(before, sent)
                    if rate != RATES[-1]:
                        time.sleep(loading(rate) + 0.8)  # until the last call's end
                found["invite"].append(invite)
                found["memory"].append(pending)
            shown = ", ".join("{:.2f} ({:.2f})".format(*found["copy"][rate][-1]) for rate in RATES)
            say(f"  round {n + 1}, {name}: {shown} us a copy, {found['invite'][-1][0]:.2f} ({found['invite'][-1][1]:.2f}) us an INVITE, {pending:,.0f} bytes a call")
        if live is not None:
            with Siprtx(SHORT, sender="live-frames") as peer:
                live.append(cost(peer, LIVE_RATE)[1])
            say("  round {}, siprtx with live frames: {:.2f} ({:.2f}) us a copy".format(n + 1, *live[-1]))
    return forward, result, live


def measure(rounds, say):
    forward, found, live = cpu_and_memory(rounds, say)
    result = {name: {"bytes_per_call": spread(found[name]["memory"], 0), "lateness": {}} for name in NAMES}
    result["sipp"] = {"lateness": {}}
    result["ratio"] = {"memory": ratios(found["kamailio"]["memory"], found["siprtx"]["memory"])}
    for i, whose in enumerate(WHOSE):
        for name in NAMES:
            result[name][whose] = {"invite_us": spread([v[i] for v in found[name]["invite"]]),
                                   "copy_us": {str(rate): spread([v[i] for v in found[name]["copy"][rate]]) for rate in RATES}}
        ours, theirs = result["siprtx"][whose], result["kamailio"][whose]
        result["ratio"][whose] = {"invite": ratios(theirs["invite_us"]["rounds"], ours["invite_us"]["rounds"]),
                                  "copy": {str(rate): ratios(theirs["copy_us"][str(rate)]["rounds"], ours["copy_us"][str(rate)]["rounds"]) for rate in RATES}}
        if live:
            ours["copy_live_us"] = spread([v[i] for v in live])
            result["ratio"][whose]["copy_live"] = ratios(theirs["copy_us"][str(LIVE_RATE)]["rounds"], ours["copy_live_us"]["rounds"])
        result[f"forward_{whose}_us"] = spread([v[i] for v in forward])
    for rate in LATENESS_RATES:
        for name, contender in (("siprtx", lambda: Siprtx(SHORT)), ("kamailio", lambda: Kamailio(SHORT)), ("sipp", lambda: Sipp(DOUBLED))):
            if name == "sipp" and rate != SIPP_RATE:
                continue
            with contender() as peer:
                quiet()
                found = result[name]["lateness"][str(rate)] = lateness(peer, rate)
                say(f"  {name}, {rate:,} calls/s: ms late {found['late_ms']}, copies in one ms {found['in_ms']}")
    theirs = highest(lambda: Kamailio(SHORT, shm_mib=2048), *KAMAILIO_RATES, say)
    ours = highest(lambda: Siprtx(SHORT, most=SLOTS // 4), *SIPRTX_RATES, say)
    result["kamailio"]["highest"] = {"rate": theirs}
    result["siprtx"]["highest"] = whole_list(min(ours, SLOTS * 1000 // sum(DEFAULT) - 500), say)
    result["ratio"]["highest"] = round(result["siprtx"]["highest"]["rate"] / theirs, 2)
    return result


def whole_list(rate, say):
    """With the default list a rate that the short one allowed, or the next one below that is sustained."""
    for _ in range(2):
        with Siprtx(DEFAULT, most=SLOTS) as peer:
            verdict, why = sustains(peer, rate, DEFAULT_SECONDS)
        say(f"  siprtx at {rate:,} calls/s with the default list: {'sustained, ' if verdict else ''}{why}")
        if verdict:
            return {"rate": rate, "pending": rate * sum(DEFAULT) // 1000, "late_ms": in_ms(verdict["late_us"]), "absolute_ms": in_ms(verdict["absolute_us"])}
        rate = rate * 4 // 5
    raise Incomplete("siprtx sustains with the default list much less than with the short one")
