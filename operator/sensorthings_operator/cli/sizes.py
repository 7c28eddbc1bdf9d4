"""Numbers of bytes for people. Used by commands that print tables."""

from typing import Final

_UNITS: Final = (("GiB", 2**30), ("MiB", 2**20), ("kiB", 2**10))


def size(number: float) -> str:
    """Bytes with the unit in which they are one or more."""
    for unit, bytes_ in _UNITS:
        if number >= bytes_:
            return f"{number / bytes_:.1f} {unit}"
    return f"{number:.0f} B"
