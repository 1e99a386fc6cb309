# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's tables, of a sample: what tests/bench/run prints of what was measured."""
import json
import os
import subprocess
import tempfile

from case import case, expect, expect_equal
from edge import ROOT

RUN = os.path.join(ROOT, "tests", "bench", "run")
PERFORMANCE = os.path.join(ROOT, "docs", "performance.md")
SAMPLE = {"machine": "2 x Sample, Linux 6.1", "measured": {"packet": "2026-01-01, 5 rounds"},
          "packet": {"non_sip_tax_ns": {"median": 7.5, "min": 7, "max": 1234.4, "rounds": []}, "invite_capture_ns": 351, "rules": {"bye_ns": 100}}}


def markdown(folder, *arguments):
    return subprocess.run([RUN, "--markdown", *arguments], env={**os.environ, "BUILD": folder}, capture_output=True, text=True, check=False)


@case(seconds=2)
def bench_table_of_a_sample():
    """A row for each figure that was measured, median, least and greatest, the aim and whether it is reached; and into docs/performance.md between its marks, the rest untouched."""
    with tempfile.TemporaryDirectory() as folder:
        expect(markdown(folder).returncode, "there is nothing to print, and the exit status is 0")
        with open(f"{folder}/bench.json", "w") as f:
            json.dump(SAMPLE, f)
        said = markdown(folder).stdout
        for row in ("| tax on a packet that is not SIP | 7.50 | ns | 7.00 .. 1,234 | at most 8 | ok |", "| INVITE captured, cold | 351.00 | ns |  | at most 350 | missed |",
                    "Measured on 2 x Sample, Linux 6.1.", "Measured 2026-01-01, 5 rounds."):
            expect(row in said, f"no {row!r} in {said}")
        expect_equal(said.count("\n| ") - said.count("| figure |"), 3, "rows")
        with open(PERFORMANCE) as f:
            before = f.read()
        copy = f"{folder}/copy.md"
        with open(copy, "w") as f:
            f.write(before)
        for _ in range(2):
            expect_equal(markdown(folder, copy).returncode, 0, "exit status")
        with open(copy) as f:
            after = f.read()
        begin, end = "<!-- bench: begin -->", "<!-- bench: end -->"
        expect_equal(after.split(begin)[1].split(end)[0].strip(), said.strip(), "the section")
        expect_equal((after.split(begin)[0], after.split(end)[1]), (before.split(begin)[0], before.split(end)[1]), "what is around it")
        with open(copy, "w") as f:
            f.write("no marks\n")
        expect("put them where the table is to stand" in markdown(folder, copy).stderr, "a file without marks: no remedy named")
