"""Enters a node's network namespace for a moment: clients made inside reach pods and Services by their addresses.

A socket stays in the namespace in which it was made, and a thread starts in its starter's: so only the making has to
happen inside. The host gets no route to anything.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET: Final = 0x40000000  # sched.h; os.setns comes with Python 3.12
_HERE: Final = Path("/proc/thread-self/ns/net")


def _set(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextmanager
def inside(netns: Path) -> Iterator[None]:
    """Within this block, sockets and threads that are made are made in that network namespace."""
    outside = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _set(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _set(outside)
    finally:
        os.close(outside)
