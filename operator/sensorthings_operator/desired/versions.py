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
    oldest_postgresql: int
    """Major version of PostgreSQL, and ``oldest_postgis`` of PostGIS: FROST-Server names none, so it is those that its
    own tests run on, 11 with 2.5 in 2.0 and 14 with 3.2 since 2.1 (``TestSuite.java`` of each tag;
    https://github.com/FraunhoferIOSB/FROST-Server/issues/2253)."""
    oldest_postgis: tuple[int, int]
    metrics: bool = False
    """Whether it tells Prometheus metrics of its own: 2.6.0 and later do."""


_VERSIONS: Final = (
    FrostVersion("2.0.0", tested=True, oldest_postgresql=11, oldest_postgis=(2, 5)),
    FrostVersion("2.8.0", tested=False, oldest_postgresql=14, oldest_postgis=(3, 2), metrics=True),
)

VERSIONS: Final = {entry.version: entry for entry in _VERSIONS}
"""Versions that spec.version may name."""
