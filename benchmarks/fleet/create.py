"""A whole fleet applied at once, until all children are there: by the operator, and by a bare client."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.fleet import services
from benchmarks.fleet.eyes import Eyes, key_of

if TYPE_CHECKING:
    from benchmarks.fleet.client import BareClient
    from benchmarks.fleet.services import Credentials
    from sensorthings_operator.desired.settings import OperatorSettings


@dataclass(frozen=True)
class Created:
    """How long it took, in seconds."""

    children: float
    """Until the last child was seen."""
    ready: float
    """Until the last service was seen Ready; 0 for the bare client, which writes no status."""


async def prepare(client: BareClient, fleet: list[tuple[str, str]], credentials: Credentials) -> None:
    """What has to be there before."""
    await client.apply_all([services.secret(*each, credentials) for each in fleet])


async def by_operator(
    client: BareClient, eyes: Eyes, fleet: list[tuple[str, str]], credentials: Credentials, settings: OperatorSettings
) -> Created:
    """Apply the services; the operator, which runs, does the rest."""
    begun = time.monotonic()
    live = await client.apply_all([services.service(*each) for each in fleet])
    ready = await eyes.all_ready([key_of(each) for each in live]) - begun
    # The names are known only now, and told apart only afterwards: that takes CPU which is not to be measured.
    wanted = [key_of(child) for each in live for child in services.children(each, credentials, settings)]
    return Created(await eyes.all_there(wanted) - begun, ready)


async def by_bare_client(
    client: BareClient, eyes: Eyes, fleet: list[tuple[str, str]], credentials: Credentials, settings: OperatorSettings
) -> Created:
    """Apply the children of services that are there already, all of them side by side: nothing waits for anything."""
    live = await client.apply_all([services.service(*each) for each in fleet])
    wanted = [child for each in live for child in services.children(each, credentials, settings)]
    begun = time.monotonic()
    await client.apply_all(wanted)
    return Created(await eyes.all_there([key_of(child) for child in wanted]) - begun, 0)
