"""A small client of a SensorThings service over HTTP, because people look at theirs from outside the cluster.

Called by ``sensorthings observe`` and by the loader in ``examples/hamburg``. The MQTT side is in ``subscription``.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, Field

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import located_id
from sensorthings_operator.cli.errors import AnswerError, SensorThingsError
from sensorthings_operator.cli.tokens import Tokens
from sensorthings_operator.desired.delivery import MARK
from sensorthings_operator.desired.entities import EntityId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from yarl import URL

    from sensorthings_operator.cli.addresses import ServiceUrl

_CODE: Final = re.compile(r"^\s*(?P<code>\d+)\s*=\s*(?P<name>[^=]+?)\s*$")
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_REMEDIES: Final = {
    403: "The service does not allow this.",
    404: "Check --url and the identifier: there is nothing there.",
}
_ERROR_EXCERPT: Final = 200  # characters of an answer that is not what was asked for


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
    properties: dict[str, Any] | None = None
    thing: Annotated[Thing | None, Field(alias="Thing")] = None

    @property
    def is_of_delivery_check(self) -> bool:
        """Whether the operator verifies delivery by it, and no sensor fills it."""
        return MARK.items() <= (self.properties or {}).items()


DATASTREAM_QUERY: Final = {
    "$select": "id,name,unitOfMeasurement,properties",
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
        access: how it is reached from here.

    Raises:
        SensorThingsError: the access has credentials, and would send them unencrypted.
    """

    def __init__(
        self, url: ServiceUrl, *, timeout: float = 10.0, connections: int = 64, access: Access | None = None
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._connections = connections
        self.access = access or Access()
        self.access.refuse_cleartext(str(url), url.root.host, encrypted=url.root.scheme == "https")
        self._http: aiohttp.ClientSession | None = None
        self._tokens: Tokens | None = None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as opened:
            if self.access.credentials is not None:
                tokens = Tokens(self.access, self.access.credentials, timeout=self._timeout)
                self._tokens = await opened.enter_async_context(tokens)
            session = self.access.http(timeout=self._timeout, connections=self._connections)
            self._http = await opened.enter_async_context(session)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

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
            raise self._unexpected(f"POST {path}", url, status, body)
        return located_id(location)

    async def _read(self, url: URL) -> dict[str, Any]:
        status, _, body = await self._send("GET", url, None)
        if status != 200:
            raise self._unexpected(f"GET {url.name}", url, status, body)
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
        headers = dict(_JSON)
        if self._tokens is not None:
            headers["Authorization"] = f"Bearer {await self._tokens.current()}"
        try:
            async with self._http.request(method, url, data=body, headers=headers) as answer:
                return answer.status, answer.headers.get("Location", ""), await answer.read()
        except TimeoutError as error:
            raise SensorThingsError(
                f"The service did not answer within {self._timeout:g} s",
                where=str(url),
                remedy="Look whether its HTTP pods are ready and its database answers.",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(url, error) from error

    def _unreachable(self, url: URL, error: Exception) -> SensorThingsError:
        failed = tls.failure(error, url.host or "", self.access.authority)
        cause = error.os_error.strerror if isinstance(error, aiohttp.ClientConnectorError) else None
        what, remedy = failed or (
            f"The service cannot be reached: {cause or error}",
            "Check --url, and that the service runs.",
        )
        return SensorThingsError(what, where=str(url), remedy=remedy)

    def _unexpected(self, request: str, url: URL, status: int, body: bytes) -> AnswerError:
        said = "" if body.lstrip().startswith(b"<") else _excerpt(body)
        refused = f"{request} is refused: the" if status in {401, 403} else "The"
        what = f"{refused} service answered {status}{': ' if said else ''}{said}"
        return AnswerError(what, where=str(url), remedy=self._remedy(status), status=status)

    def _remedy(self, status: int) -> str:
        client = self.access.credentials.client_id if self.access.credentials else None
        if status == 401 and client is None:
            return "The service asks for a token for this: name a client with --client-credentials FILE."
        if status == 401:
            return (
                f"The service does not accept the token of client '{client}': it must be of the realm that "
                "spec.auth.keycloak.realm means. Compare token_url, and the clocks."
            )
        if status == 403 and client is not None:
            return (
                f"The token of client '{client}' lacks a role for this: in Keycloak, give its service account the "
                "role (read, create, update, delete) of the client that the service has there."
            )
        return _REMEDIES.get(status, "Look at the log of the service's HTTP pods.")


def _excerpt(body: bytes) -> str:
    """The beginning of an answer on one line; not for HTML, which says nothing to people in a terminal."""
    return " ".join(body[:_ERROR_EXCERPT].decode(errors="replace").split())
