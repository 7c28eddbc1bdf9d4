"""Writes as Observations, POSTed to FROST-Server by a client that keeps its connection, as a connector does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.stacks.machines.stream import Answer

if TYPE_CHECKING:
    import aiohttp

PATIENCE: Final = 30.0
"""Seconds after which a client gives an answer up, and POSTs the next Observation."""
_CREATED: Final = 201
_UNKNOWN: Final = Answer(server="", timeline=0)
"""FROST-Server does not tell which machine stored an Observation."""


def name(number: int) -> str:
    """Name of a client's stream, by its number."""
    return f"client-{number}"


class NotCreatedError(Exception):
    """FROST-Server answered, and not with 201."""


@dataclass(frozen=True)
class Poster:
    """POSTs to one Datastream.

    Args:
        name: Of its stream.
        http: The session.
        url: Of the Datastream's Observations.
    """

    name: str
    http: aiohttp.ClientSession
    url: str

    async def write(self, number: int) -> Answer:
        """POST an Observation once and wait for the answer. Raises whatever went wrong."""
        # A result may be there twice for good reason, such as two clients; this pair may not.
        observation = {"result": number, "parameters": {"writer": self.name, "number": number}}
        async with self.http.post(self.url, json=observation) as answer:
            told = await answer.text()
        if answer.status != _CREATED:
            raise NotCreatedError(f"HTTP {answer.status}: {told[:200]}")
        return _UNKNOWN
