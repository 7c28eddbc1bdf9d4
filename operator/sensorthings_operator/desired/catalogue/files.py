"""What is published of a service, as files."""

from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 1_000_000
"""Of all files together: a ConfigMap takes a MiB, and the API server some of that for what it writes beside it."""


@dataclass(frozen=True)
class Documents:
    """Files by their names, and what is wrong with them."""

    files: dict[str, str]
    datasets: int
    problems: tuple[str, ...]
    most: int = MOST_BYTES

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(text.encode()) for text in self.files.values())

    @property
    def fits(self) -> bool:
        """Into a ConfigMap."""
        return self.size <= self.most
