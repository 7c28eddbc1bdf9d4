"""Calls to the SensorThings API of one HTTP pod (OGC 18-088), past Services and ingress. Used by ``delivery``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from sensorthings_operator.desired import addresses

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True)
class Pod:
    """A pod that is ready, as what it is now: another one, or its container started anew, is another value."""

    name: str
    uid: str
    address: str
    restarts: int = 0


class RefusedError(Exception):
    """A pod answered, and would not; for people."""


class UnreachableError(Exception):
    """A pod can't be reached; for people."""


@dataclass(frozen=True)
class SensorThings:
    """The API as one pod serves it. Paths are below the version, such as ``Datastreams(7)/Observations``.

    Every method raises RefusedError for an answer that is an error, and UnreachableError without an answer.
    """

    http: aiohttp.ClientSession
    pod: Pod
    root_path: str
    """What stands before /v1.1."""
    port: int = addresses.HTTP_PORT
    authorization: str = field(default="", repr=False)
    """The header of that name; empty where everybody may write."""

    async def marked(self, collection: str, condition: str) -> list[dict[str, Any]]:
        """Entities of a collection, a hundred at most, by a ``$filter``."""
        return await self.listed(f"{collection}?$filter={condition}&$top=100")

    async def listed(self, path: str) -> list[dict[str, Any]]:
        """Entities of a page."""
        return list((await self.get(path))["value"])

    async def get(self, path: str) -> dict[str, Any]:
        """Read."""
        _, _, content = await self._send("GET", path)
        parsed: dict[str, Any] = orjson.loads(content)
        return parsed

    async def exists(self, path: str) -> bool:
        """Whether there is an entity."""
        status, _, _ = await self._send("GET", f"{path}?$select=id", accepted=HTTPStatus.NOT_FOUND)
        return status == HTTPStatus.OK

    async def create(self, path: str, entity: Mapping[str, Any]) -> str:
        """Create an entity; its path."""
        _, location, _ = await self._send("POST", path, entity)
        return location.rpartition("/")[2]

    async def delete(self, path: str) -> None:
        """Delete what may be gone already."""
        await self._send("DELETE", path, accepted=HTTPStatus.NOT_FOUND)

    async def _send(
        self, method: str, path: str, entity: Mapping[str, Any] | None = None, *, accepted: int = HTTPStatus.OK
    ) -> tuple[int, str, bytes]:
        host = f"[{self.pod.address}]" if ":" in self.pod.address else self.pod.address
        url = f"http://{host}:{self.port}{self.root_path}/v1.1/{path}"
        headers = {"Authorization": self.authorization} if self.authorization else {}
        try:
            async with self.http.request(method, url, json=entity, headers=headers, timeout=_TIMEOUT) as answer:
                status, location, content = answer.status, answer.headers.get("Location", ""), await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(self.pod, error) from None
        if status >= HTTPStatus.MULTIPLE_CHOICES and status != accepted:
            what = f"{method} {path.partition('?')[0]}"
            raise RefusedError(f"pod {self.pod.name} answers {what} with {status}: look at its log and at the database")
        return status, location, content


def path_of(entity: Mapping[str, Any]) -> str:
    """Path of an entity, whatever its id is made of."""
    return str(entity["@iot.selfLink"]).rpartition("/")[2]


def unreachable(pod: Pod, error: Exception) -> UnreachableError:
    """What the network says of a pod, without what differs from time to time."""
    told = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return UnreachableError(f"the operator can't reach pod {pod.name} at {pod.address}: {told}")
