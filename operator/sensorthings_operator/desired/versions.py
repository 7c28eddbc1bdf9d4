"""What goes with which version of FROST-Server. Read by the builders and by validation.

A version that is not listed is refused: an upgrade is a decision of somebody who has seen it work.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class FrostVersion:
    """One release of FROST-Server."""

    version: str
    tested: bool
    """Whether it was run by this project's tests; the others were only rendered."""
    metrics: bool = False
    """Whether it tells Prometheus metrics of its own: 2.6.0 and later do."""


_VERSIONS: Final = (
    FrostVersion("2.0.0", tested=True),
    FrostVersion("2.8.0", tested=False, metrics=True),
)

VERSIONS: Final = {entry.version: entry for entry in _VERSIONS}
"""Versions that spec.version may name."""
