"""The tables that a run on machines ends with."""

from __future__ import annotations

from tests.stacks.machines.results import Outcome, Results
from tests.stacks.machines.verdict import Verdict


def test_each_fault_is_a_row_and_what_never_happened_is_told() -> None:
    found = Verdict(acknowledged=120, lost=[("client-0", 3)], doubled=[], unasked=2, two_primaries=[])
    outcome = Outcome("the cable", found, failed=7, promoted=None, silent=1.26, silent_at_most=3, well=float("inf"))
    head, line, row = Results([outcome]).lines()
    assert [len(each.split(" | ")) for each in (head, line, row)] == [11] * 3
    assert row == "| the cable | 120 | 1 | 0 | 2 | never | 7 |  | 1.3 s | 3.0 s | never |"


def test_nothing_measured_is_no_table() -> None:
    assert list(Results().lines()) == []
    assert list(Results(seconds={"a restore": 2}).lines()) == [
        "",
        "| what | took |",
        "| --- | --- |",
        "| a restore | 2.0 s |",
    ]
