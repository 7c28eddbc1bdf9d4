"""Runs a coroutine on a clock that jumps: where nothing is left to do but wait, the waiting is over at once.

Chance is the same in each run, as the time is.
"""

import asyncio
import functools
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _JumpingSelector(selectors.DefaultSelector):
    passed = 0.0  # seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # Only another thread could wake this loop.
            return super().select(None)
        self.passed += timeout
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds that were waited for."""
        return self._jumping.passed


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end on a new jumping loop."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def on_virtual_time(test: Callable[_P, Coroutine[Any, Any, None]]) -> Callable[_P, None]:
    """Make a test of a coroutine function."""

    @functools.wraps(test)
    def runs(*args: _P.args, **kwargs: _P.kwargs) -> None:
        random.seed(1)
        run(test(*args, **kwargs))

    return runs


async def until(event: Awaitable[_T], *, seconds: float = 1e6) -> _T:
    """Wait, but not for ever: a test that hangs tells nothing."""
    return await asyncio.wait_for(event, seconds)
