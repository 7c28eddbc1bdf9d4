"""Waits for what a running cluster does sooner or later: asks again until a deadline, never just sleeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds that anything may take on a busy machine, unless a test says otherwise."""
_INTERVAL: Final = 0.1


def eventually(what: str, ask: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Ask until the answer is true; returns it. Fails the test when the seconds have passed, naming the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}; last seen: {answer!r}"
        time.sleep(_INTERVAL)
