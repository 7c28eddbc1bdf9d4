"""Asks a service how many Observations of a connector arrive, and when the newest was made. Used by its probe.

Of the service's own data (OGC 18-088, sections 9.3.3.3 to 9.3.3.5), so that it is true for whatever feeds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from urllib.parse import quote

import aiohttp

from sensorthings_operator.clients.access import NOBODY, AccessError, AccessSource, SignIn
from sensorthings_operator.clients.sensorthings import Pod, RefusedError, SensorThings, UnreachableError
from sensorthings_operator.conditions.observed import Answer

WINDOW: Final = timedelta(minutes=5)
NOT_ASKED: Final = "NotAsked"


@dataclass(frozen=True)
class ArrivalTarget:
    """Which Observations are looked for, and where."""

    pod: Pod
    """Of the HTTP module."""
    root_path: str
    condition: str
    """A ``$filter`` of Observations."""
    sign_in: SignIn = NOBODY


@dataclass(frozen=True)
class Arrivals(Answer):
    """What was found."""

    newest: str = ""
    """phenomenonTime of the newest Observation, the end of one that lasts; empty where there is none."""
    per_minute: int = 0


class ArrivalsReader:
    """An async context manager."""

    def __init__(self, source: AccessSource, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._source = source
        self._now = now

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def ask(self, target: ArrivalTarget) -> Answer:
        """What arrived; never raises for what the service answers."""
        try:
            return await self._asked(target)
        except (RefusedError, UnreachableError, AccessError) as error:
            return Answer(holds=False, reason=NOT_ASKED, message=str(error))

    async def _asked(self, target: ArrivalTarget) -> Arrivals:
        access = await self._source.of(target.sign_in)
        api = SensorThings(self._http, target.pod, target.root_path, authorization=access.authorization)
        since = (self._now() - WINDOW).strftime("%Y-%m-%dT%H:%M:%SZ")
        recent = await api.get(_query(f"({target.condition}) and phenomenonTime ge {since}", count=True))
        found = recent["value"] or (await api.get(_query(target.condition)))["value"]
        minutes = WINDOW.total_seconds() / 60
        return Arrivals(
            holds=True,
            reason="Asked",
            message="",
            newest=str(found[0]["phenomenonTime"]).rpartition("/")[2] if found else "",
            per_minute=round(int(recent.get("@iot.count", 0)) / minutes),
        )


def _query(condition: str, *, count: bool = False) -> str:
    counted = "&$count=true" if count else ""
    asked = quote(condition, safe="/(),':")
    return f"Observations?$filter={asked}&$orderby=phenomenonTime%20desc&$top=1&$select=phenomenonTime{counted}"
