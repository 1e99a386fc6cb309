# SPDX-License-Identifier: GPL-2.0-or-later
"""The softswitch's gain: Kamailio with two gateways in turn, one of them dead; its CPU a call, and when callers hear something."""
import concurrent.futures
import contextlib
import os
import shutil
import time

from failover import MODES
from figure import Incomplete, Row, spread
from outage import ABSORB, ALONE, FORGET, WORLD, Outage, delays
from sink import percentile

LOADED, NEAR = 1000, 2500  # calls a second: Kamailio's core a quarter busy, and a half alone, four fifths with siprtx on it
FORGOTTEN = FORGET / 1000 + 0.2  # s after a run: nothing of it is left in Kamailio
LONG, SHORT = 2.5, 1.5  # s of calls: where they wait 1 or 2 s for the next gateway, those waits must overlap with new calls

# name: (mode of siprtx, Kamailio behind the edge rather than on it, rates, label)
BOTH = (LOADED, NEAR)
WAYS = {
    "alone": (ALONE, True, BOTH, "alone"),
    "absorb_inline": (ABSORB, True, BOTH, "absorb, inline"),
    "absorb_host": (ABSORB, False, (LOADED,), "absorb, host"),
    "fast_inline": (MODES["fast"], True, (LOADED,), "fast, inline"),
    "down_inline": (MODES["down-503"], True, BOTH, "reply-503, inline"),
    "down_host": (MODES["down-503"], False, BOTH, "reply-503, host"),
    "told_inline": (MODES["record"], True, (LOADED,), "set_state, inline"),
}
# "asked first": calls that began with the live gateway; "next": those that came to it from the dead one
FIGURES = (("CPU a call", "cpu_us", "us"), ("Kamailio's core busy", "busy_percent", "%"), ("asked first, p50", "first_ms.p50", "ms"),
           ("asked first, p99", "first_ms.p99", "ms"), ("next, p50", "switched_ms.p50", "ms"), ("next, p99", "switched_ms.p99", "ms"))
ROWS = tuple(Row(f"{rate}/s {label}: {what}", f"at_{rate}.{name}.{key}", unit)
             for rate in BOTH
             for name, label in (("healthy", "both alive"), *((n, w[3]) for n, w in WAYS.items()))
             for what, key, unit in FIGURES
             if key not in ("busy_percent", "first_ms.p50") or name in ("healthy", "alone"))


def figures(calls, used, load):
    """Of one run: CPU us a call by machine, the core's busy share while calls came in, and both kinds of delay."""
    result = {"cpu_us": used[0] / len(calls), "edge_us": used[1] / len(calls), "siprtxd_us": used[2] / len(calls),
              "busy_percent": used[0] / load / 1e4}
    for name, tried in (("first_ms", b"0"), ("switched_ms", b"1")):
        ordered = delays(calls, tried)
        if ordered:
            result.update({f"{name}.p50": percentile(ordered, .5) * 1000, f"{name}.p99": percentile(ordered, .99) * 1000, f"{name}.max": ordered[-1] * 1000})
    return result


def one_round(outages, idle):
    """Each way at each of its rates once. A run's CPU time is read when the next one is over: Kamailio has forgotten its calls by then."""
    result, owed = {}, None

    def collect():
        rate, name, of, load, calls, settle = owed
        used, seconds = settle()
        result[rate, name] = figures(calls, [u - i * seconds for u, i in zip(used, idle[of])], load)
    for rate in BOTH:
        for name in ("healthy", *WAYS):
            of = "alone" if name == "healthy" else name
            mode, _, rates, _ = WAYS[of]
            if rate not in rates:
                continue
            # a gateway that is alive, or known to be down, keeps nobody waiting
            load = SHORT if name == "healthy" or mode.notify or mode.on_down == "reply-503" else LONG
            if owed and owed[2] == of:
                time.sleep(FORGOTTEN)
                collect()
                owed = None
            calls, settle = outages[of].run(rate, int(rate * load), dead=name != "healthy")
            if owed:
                collect()
            owed = rate, name, of, load, calls, settle
    time.sleep(FORGOTTEN)
    collect()
    return result


def all_idle(outages, seconds=2):
    """By way: what it uses a second without any call, us."""
    before, start = {name: o.used() for name, o in outages.items()}, time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - start
    return {name: [(b - a) / elapsed for a, b in zip(before[name], o.used())] for name, o in outages.items()}


def nested(rounds):
    """The rounds' figures as spreads, "a.b" as {"a": {"b": ...}}."""
    result = {}
    for rate, name in rounds[0]:
        healthy = [r[rate, "healthy"]["cpu_us"] for r in rounds]
        mine = result.setdefault(f"at_{rate}", {}).setdefault(name, {})
        for key in rounds[0][rate, name]:
            *way, last = key.split(".")
            at = mine
            for part in way:
                at = at.setdefault(part, {})
            at[last] = spread([r[rate, name][key] for r in rounds])
        if name != "healthy":  # every second call goes to the dead gateway first
            mine["outage_us"] = spread([2 * (r[rate, name]["cpu_us"] - h) for r, h in zip(rounds, healthy)])
    return result


def measure(rounds=5, say=print):
    if not shutil.which("kamailio"):
        raise Incomplete("kamailio is not installed: scripts/install-deps bench")
    if os.cpu_count() < 2:
        raise Incomplete("two CPUs are needed, one for Kamailio's machine alone")
    allowed = os.sched_getaffinity(0)
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(len(WAYS)) as pool:
        outages = dict(zip(WAYS, pool.map(lambda w: stack.enter_context(Outage(w[0], w[1])), WAYS.values())))
        os.sched_setaffinity(0, {WORLD})
        stack.callback(os.sched_setaffinity, 0, allowed)
        list(pool.map(Outage.prepare, outages.values()))
        time.sleep(FORGOTTEN)
        idle = all_idle(outages)
        done = []
        for n in range(rounds):
            done.append(one_round(outages, idle))
            say(f"round {n + 1}: " + ", ".join(f"{name} {done[-1][LOADED, name]['cpu_us']:.0f}" for name in ("healthy", *WAYS)) + f" us a call at {LOADED}/s")
    return {"idle_us_per_s": {name: [round(v) for v in values] for name, values in idle.items()}, **nested(done)}
