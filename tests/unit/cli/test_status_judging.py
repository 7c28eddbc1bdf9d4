"""Which reasons of conditions ask for somebody: the command line's judgement and the operator's must not part."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator import conditions
from sensorthings_operator.cli.status import judging
from sensorthings_operator.cli.status.model import State, worst

if TYPE_CHECKING:
    from collections.abc import Iterator


def _verdicts() -> Iterator[tuple[str, bool]]:
    """Reason, and whether it is expected, of each literal verdict that is False."""
    for path in Path(conditions.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Verdict":
                continue
            status, reason = node.args[:2]
            expected = [each.value for each in node.keywords if each.arg == "expected"]
            known = not expected or isinstance(expected[0], ast.Constant)
            if isinstance(status, ast.Constant) and status.value == "False" and known:
                text = reason.values[-1] if isinstance(reason, ast.JoinedStr) else reason
                if isinstance(text, ast.Constant):
                    yield str(text.value), bool(expected)


_SUMMARY_RESTS: Final = {"Settled", "NothingInTheWay", "Paused"}
"""Of Reconciling and Stalled, whose False is good."""


@pytest.mark.parametrize(("reason", "expected"), sorted(set(_verdicts())))
def test_what_the_operator_expects_asks_for_nobody(reason: str, expected: bool) -> None:
    state = judging.not_true(reason)
    if reason not in _SUMMARY_RESTS:
        assert (state is not State.TROUBLE) is expected, f"say in cli/status/judging.py what {reason} asks for"


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("HTTPStarting", State.WAITING),
        ("SchemaUpdating", State.WAITING),
        ("RollingOut", State.WAITING),
        ("Hibernated", State.OFF),
        ("MQTTScaledToZero", State.OFF),
        ("CrashLoopBackOff", State.TROUBLE),
        ("DatabaseUnreachable", State.TROUBLE),
        ("SomethingOfALaterRelease", State.TROUBLE),
    ],
)
def test_reasons(reason: str, state: State) -> None:
    assert judging.not_true(reason) is state


@given(st.lists(st.sampled_from(list(State))))
def test_the_worst_is_one_of_them_and_none_is_worse(states: list[State]) -> None:
    order = list(State)
    found = worst(*states)
    assert found in (states or [State.OK])
    assert all(order.index(state) <= order.index(found) for state in states)
