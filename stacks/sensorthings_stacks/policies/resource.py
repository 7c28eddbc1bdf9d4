"""What a rule sees of a resource, and how it looks into properties that may be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resource:
    """What a program asks for."""

    type: str
    """Pulumi's type of it."""
    properties: Mapping[str, Any]
    """Its inputs, in the names of the wire: camelCase."""
    protect: bool = False
    """Whether Pulumi refuses to delete or replace it."""
    ignored: Sequence[str] = ()
    """Paths of properties whose changes are ignored."""

    def get(self, path: str) -> Any:
        """A property by its path; None where something on the way is not there."""
        return at(self.properties, path)

    def items(self, path: str) -> list[Any]:
        """The members of a list by its path; none where it is not there, or not known yet."""
        found = self.get(path)
        return list(found) if isinstance(found, Sequence) and not isinstance(found, str) else []


Rule = Callable[[Resource], Iterator[str]]
"""What is wrong with a resource, each in a sentence that says what to do."""


def at(value: Any, path: str) -> Any:
    """A member of nested objects by its path, with dots; None where something on the way is not there."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text within a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from texts(member, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence):
        for index, member in enumerate(value):
            yield from texts(member, f"{path}[{index}]")
