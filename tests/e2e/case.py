# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case is made of: its registration and its assertions."""

DEFAULT = [0, .5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]

# Two busy cores run a dozen edges at once here; the bench measures how late a retransmission is, these cases whether it is right.
TOLERANCE = 0.040

registry = []


class Case:
    def __init__(self, function, seconds, alone):
        self.function, self.seconds, self.alone = function, seconds, alone
        self.name = function.__name__
        self.help = " ".join((function.__doc__ or "").split())


def case(seconds=5, alone=False):
    """`seconds` it takes, so that the longest start first; `alone`: nothing else runs meanwhile."""
    def register(function):
        registry.append(Case(function, seconds, alone))
        return function
    return register


class Failed(AssertionError):
    pass


def expect(condition, message):
    if not condition:
        raise Failed(message)


def short(value, most=300):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what}: {short(got)}, wanted {short(wanted)}")


def show(offsets):
    return "[" + " ".join(f"{o:.3f}" for o in offsets) + "]"


def expect_times(got, wanted, what="sends", tolerance=TOLERANCE):
    """Arrival times in seconds after the first, each within `tolerance`: the first may be late itself."""
    wrong = len(got) != len(wanted) or any(abs(g - w) > tolerance for g, w in zip(got, wanted))
    expect(not wrong, f"{what} at {show(got)}, wanted {show(wanted)}")
    return max((g - w for g, w in zip(got, wanted)), default=0)


def expect_fields(record, **wanted):
    for key, value in wanted.items():
        expect(record.get(key) == value, f"{key} is {record.get(key)!r}, wanted {value!r}, in {record}")


def only(records, what):
    expect(len(records) == 1, f"{len(records)} {what}, wanted one: {records}")
    return records[0]
