"""Waits until something holds, with a deadline; never for a time that was guessed."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_PAUSE_SECONDS = 0.05


def eventually(check: Callable[[], _T], *, seconds: float = 15) -> _T:
    """Call until it raises no AssertionError; its result. What it said last is raised at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
