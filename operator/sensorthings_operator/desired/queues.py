"""How many messages may wait, by the memory of the containers that hold them. Used by the builders of bus and modules.

A queue that is full loses messages, and one that outgrows its container loses all of them with the process.
"""

from typing import Final

from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.quantities import memory_bytes

HEAP_PERCENT: Final = 60
"""MaxRAMPercentage of the modules' JVM."""

_QUEUES_PERCENT: Final = 25
"""Of the heap, for all queues of a module together."""
_ENTITY_BYTES: Final = 8192
"""Of an entity that waits in a module: about FROST-Server's own limit of an MQTT packet, which is 8092 bytes."""
_FEWEST: Final = 100
_BUS_PERCENT: Final = 50
"""Of the bus's memory, for what waits for modules that are away."""
_BUS_MESSAGE_BYTES: Final = 1536
"""Of what waits on the bus, at least: an Observation without a payload to speak of."""


def module_queue(resources: Manifest, queues: int) -> str:
    """Entities that fit into each of so many queues of a module, as FROST-Server's settings take it."""
    room = memory_bytes(resources) * HEAP_PERCENT // 100 * _QUEUES_PERCENT // 100
    return str(max(_FEWEST, room // queues // _ENTITY_BYTES))


def bus_queue(resources: Manifest, sessions: int) -> tuple[int, int]:
    """Messages, and bytes of them, that may wait on the bus for one session whose subscriber is away.

    Args:
        resources: of the bus.
        sessions: all of whose subscribers could be away.
    """
    share = memory_bytes(resources) * _BUS_PERCENT // 100 // sessions
    return share // _BUS_MESSAGE_BYTES, share
