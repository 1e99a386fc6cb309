# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bench module gives: figures of several rounds, with their median and spread, and the rows that show them."""
import statistics
from collections import namedtuple

# A row of the table. key: where the value is in the module's result ("a.b.c"); aim: in words, "" for none;
# holds: function of the row's median, None where there is no aim.
Row = namedtuple("Row", "what key unit aim holds", defaults=("", None))


class Incomplete(RuntimeError):
    """A copy was lost, doubled or late beyond what the figure allows: there is no figure then."""


def spread(values, digits=2):
    """Median, least and greatest of the rounds, and all of them in order."""
    return {"median": round(statistics.median(values), digits), "min": round(min(values), digits), "max": round(max(values), digits),
            "rounds": [round(v, digits) for v in values]}


def ratios(ours, theirs, digits=2):
    """Round by round, for the two were measured in alternation: ours / theirs."""
    return spread([a / b for a, b in zip(ours, theirs)], digits)


def find(result, key):
    """The value at "a.b.c", None where there is none."""
    for part in key.split("."):
        result = result.get(part) if isinstance(result, dict) else None
    return result
