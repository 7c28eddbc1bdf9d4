"""A small client of a SensorThings service over HTTP, because people look at theirs from outside the cluster.

Called by ``sensorthings observe`` and by the loader in ``examples/hamburg``. The MQTT side is in ``subscription``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, Field

from sensorthings_operator.cli.addresses import EntityId, located_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from yarl import URL

    from sensorthings_operator.cli.addresses import ServiceUrl

_CODE: Final = re.compile(r"^\s*(?P<code>\d+)\s*=\s*(?P<name>[^=]+?)\s*$")
_ERROR_EXCERPT: Final = 200  # characters of an answer that is not what was asked for


class SensorThingsError(Exception):
    """Something a person must act on: what was wrong, where, and what to do."""

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{what}\n  at {where}\n  {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class AnswerError(SensorThingsError):
    """The service answered, with a status that is not the one asked for."""

    def __init__(self, what: str, *, where: str, remedy: str, status: int) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status


class Unit(BaseModel):
    """``unitOfMeasurement`` of a Datastream; each part may be null (SensorThings 1.1, table 11)."""

    model_config = ConfigDict(frozen=True)
    name: str | None = None
    symbol: str | None = None
    definition: str | None = None

    def codes(self) -> dict[int, str]:
        """The code list that Hamburg writes into ``definition`` (``0=dark,1=red``); empty where it is anything else."""
        matches = [_CODE.match(entry) for entry in (self.definition or "").split(",")]
        found = [match for match in matches if match]
        return {int(match["code"]): match["name"] for match in found} if len(found) == len(matches) else {}


class Thing(BaseModel):
    """The part of a Thing that is shown next to an Observation."""

    model_config = ConfigDict(frozen=True)
    id: Annotated[EntityId, Field(alias="@iot.id")]
    name: str


class Datastream(BaseModel):
    """The part of a Datastream that a reader of its Observations needs."""

    model_config = ConfigDict(frozen=True)
    id: Annotated[EntityId, Field(alias="@iot.id")]
    name: str
    unit: Annotated[Unit, Field(alias="unitOfMeasurement")] = Unit()
    thing: Annotated[Thing | None, Field(alias="Thing")] = None


DATASTREAM_QUERY: Final = {
    "$select": "id,name,unitOfMeasurement",
    "$expand": "Thing($select=id,name)",
    "$orderby": "id",
}
"""What a ``Datastream`` is read with, in an order that paging needs."""


class SensorThings:
    """A client of one service, with kept-alive connections; an async context manager.

    Args:
        url: the service.
        timeout: seconds for one request, with connecting.
        connections: how many requests may be under way at once; others wait for a place.
    """

    def __init__(self, url: ServiceUrl, *, timeout: float = 10.0, connections: int = 64) -> None:
        self.url = url
        self._timeout = timeout
        self._connections = connections
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def read(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """GET one entity or one page.

        Raises:
            SensorThingsError: the service does not answer, or (AnswerError) not with 200 and JSON.
        """
        return await self._read(self.url.at(path, query))

    async def collect(self, path: str, query: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """GET a collection, page after page.

        Raises:
            SensorThingsError: as ``read``; also for a page that leads back to itself.
        """
        url: URL | None = self.url.at(path, query)
        while url is not None:
            page = await self._read(url)
            for entity in page.get("value", []):
                yield entity
            link = page.get("@iot.nextLink")
            following = self.url.here(link) if link else None
            if following == url:
                raise SensorThingsError(
                    "The next page is the same page again", where=str(url), remedy="Report it to who runs the service."
                )
            url = following

    async def create(self, path: str, entity: Mapping[str, Any]) -> EntityId:
        """POST an entity; the service's answer 201 is its acknowledgement.

        Raises:
            SensorThingsError: the service does not answer, or (AnswerError) not with 201.
        """
        url = self.url.at(path)
        status, location, body = await self._send("POST", url, orjson.dumps(entity))
        if status != 201:
            raise _unexpected(url, status, body)
        return located_id(location)

    async def _read(self, url: URL) -> dict[str, Any]:
        status, _, body = await self._send("GET", url, None)
        if status != 200:
            raise _unexpected(url, status, body)
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise SensorThingsError(
                f"The answer is not a SensorThings entity: {_excerpt(body)!r}",
                where=str(url),
                remedy="Is this the URL of a SensorThings service, down to the version (…/v1.1)?",
            )
        return answer

    async def _send(self, method: str, url: URL, body: bytes | None) -> tuple[int, str, bytes]:
        if self._http is None:
            message = "SensorThings is used outside 'async with'"
            raise RuntimeError(message)
        try:
            async with self._http.request(method, url, data=body) as answer:
                return answer.status, answer.headers.get("Location", ""), await answer.read()
        except TimeoutError as error:
            raise SensorThingsError(
                f"The service did not answer within {self._timeout:g} s",
                where=str(url),
                remedy="Look whether its HTTP pods are ready and its database answers.",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            cause = error.os_error.strerror if isinstance(error, aiohttp.ClientConnectorError) else None
            raise SensorThingsError(
                f"The service cannot be reached: {cause or error}",
                where=str(url),
                remedy="Check --url, and that the service runs.",
            ) from error


def _unexpected(url: URL, status: int, body: bytes) -> AnswerError:
    remedies = {
        401: "The service asks for a login for this; anonymous access is not allowed.",
        403: "The service does not allow this.",
        404: "Check --url and the identifier: there is nothing there.",
    }
    remedy = remedies.get(status, "Look at the log of the service's HTTP pods.")
    said = "" if body.lstrip().startswith(b"<") else _excerpt(body)
    what = f"The service answered {status}{': ' if said else ''}{said}"
    return AnswerError(what, where=str(url), remedy=remedy, status=status)


def _excerpt(body: bytes) -> str:
    """The beginning of an answer on one line; not for HTML, which says nothing to people in a terminal."""
    return " ".join(body[:_ERROR_EXCERPT].decode(errors="replace").split())
