# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, for people: a table on the terminal, the same in Markdown, and the section of a document that holds that."""
from figure import find

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def shown(value, unit):
    """A figure as text, and its least and greatest round, "" where it is one number."""
    if isinstance(value, dict):
        number, least, most = (shown(value[k], unit)[0] for k in ("median", "min", "max"))
        return number, f"{least} .. {most}"
    return (f"{value:,.0f}" if unit in ("pps", "/s", "B") or abs(value) >= 1000 else f"{value:,.2f}"), ""


def cells(module, result):
    """(what, median, unit, least .. greatest, aim, verdict) of each row that was measured."""
    for row in module.ROWS:
        value = find(result, row.key)
        if value is None:
            continue
        median = value["median"] if isinstance(value, dict) else value
        verdict = "" if row.holds is None else "ok" if row.holds(median) else "missed"
        number, around = shown(value, row.unit)
        yield row.what, number, row.unit, around, row.aim, verdict


def title(module):
    return " ".join(module.__doc__.split("\n\n")[0].split())


def text(name, module, result):
    """As wide as its longest cells."""
    rows = list(cells(module, result))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [f"{name}: {title(module)}"]
    for row in rows:
        line = (c.rjust(w) if i == 1 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths)))
        lines.append(f"  {'  '.join(line)}".rstrip())
    return "\n".join(lines)


def markdown(modules, kept):
    """All modules of `kept` (bench.json), a table each; `modules`: {name: module}."""
    parts = [f"Measured on {kept['machine']}."]
    for name, module in modules.items():
        if name not in kept:
            continue
        when = kept.get("measured", {}).get(name)
        parts.append(f"### {name}\n\n{title(module)}{f' Measured {when}.' if when else ''}")
        lines = ["| figure | median | | least .. greatest | aim | |", "|---|--:|---|---|---|---|"]
        for row in cells(module, kept[name]):
            lines.append("| " + " | ".join(c.replace("|", "&#124;") for c in row) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def renew(path, table):
    """Puts the table between BEGIN and END in the file; ValueError where it has them not."""
    with open(path) as f:
        before, begin, rest = f.read().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN} and {END}: put them where the table is to stand")
    with open(path, "w") as f:
        f.write(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")
