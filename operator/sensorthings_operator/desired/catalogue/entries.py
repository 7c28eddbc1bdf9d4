"""What is sent to catalogues of datasets: an entry for each, whose it is, and how that is told.

An entry that does not carry the uid of its service is somebody else's, and is never touched.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

SERVICE_EXTRA: Final = "sensorthings_service"
"""The mark: the uid of the service that an entry was made for."""
DATASET_EXTRA: Final = "sensorthings_dataset"
"""Which dataset of the service it is about."""


@dataclass(frozen=True)
class Entry:
    """One dataset."""

    key: str
    """Tells it from others of the service, whatever it is named."""
    name: str
    """In the address of its page; one for all of a catalogue."""
    content: str
    """The fields of it, as JSON with its keys in order: the same content is the same text."""

    @property
    def fields(self) -> dict[str, Any]:
        """The fields."""
        read: dict[str, Any] = json.loads(self.content)
        return read
