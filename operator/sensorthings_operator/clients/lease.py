"""The Lease by which at most one operator acts at a time (coordination.k8s.io/v1). Held by the operator while it works.

The rules and the times are those of client-go's leader election: a Lease is taken over only when its holder has not
renewed it for as long as this operator itself has watched, so that clocks that differ do no harm; a holder that can't
renew it stops well before anybody else may take it; and a holder renews it by the resource version of its own last
write, without a read.
"""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import LEASES

DURATION_SECONDS: Final = 15
"""How long after the last renewal others wait before they take it over."""
RENEW_DEADLINE_SECONDS: Final = 10.0
"""How long a holder that can't renew it goes on."""
RETRY_SECONDS: Final = 2.0
"""Between two renewals, or two tries to take it."""
_CONFLICT: Final = 409
_LOG: Final = logging.getLogger(__name__)
_FIELD_MANAGER: Final = "sensorthings-operator-lease"
_Unreachable: Final = (ApiError, aiohttp.ClientError, TimeoutError)


class Lease:
    """One Lease, seen by one who holds it or wants to.

    Args:
        client: for the API.
        namespace: in which it lies.
        name: of the Lease.
        identity: of this process, such as the pod's name: whoever has the same may take it over at once.
    """

    def __init__(self, client: KubernetesClient, *, namespace: str, name: str, identity: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._seen: tuple[str, float] = ("", 0.0)
        """The resource version that was seen last, and since when, on the event loop's clock."""
        self._own_version: str | None = None
        """The resource version of this operator's own last write: while the Lease has it, nobody else took it."""

    async def acquire(self) -> None:
        """Wait until this operator holds it."""
        told = ""
        while True:
            try:
                holder = await self._try()
            except _Unreachable as error:
                holder = ""
                why = f"can't be had: {error}"
            else:
                why = f"is held by {holder}" if holder else "was written by somebody else just now"
            if holder is None:
                return
            if why != told:
                _LOG.warning("Lease %s/%s %s", self._namespace, self._name, why)
                told = why
            await asyncio.sleep(RETRY_SECONDS)

    async def hold(self) -> None:
        """Renew it until it is lost to somebody else, or could not be renewed for too long."""
        clock = asyncio.get_running_loop().time
        renewed = clock()
        while clock() - renewed < RENEW_DEADLINE_SECONDS:
            await asyncio.sleep(RETRY_SECONDS)
            begun = clock()
            try:
                async with asyncio.timeout(max(0.1, renewed + RENEW_DEADLINE_SECONDS - begun)):
                    holder = await self._try()
            except _Unreachable as error:
                _LOG.warning("Lease %s/%s can't be renewed: %s", self._namespace, self._name, error)
                continue
            if holder:
                _LOG.error("Lease %s/%s was taken by %s", self._namespace, self._name, holder)
                return
            if holder is None:
                renewed = begun
        _LOG.error("Lease %s/%s could not be renewed in time", self._namespace, self._name)

    async def release(self) -> None:
        """Give it up, so that the next operator need not wait; nothing where it is not ours or can't be reached."""
        free = {"holderIdentity": None, "renewTime": _now(), "leaseDurationSeconds": 1}
        try:
            if not await self._write_unread(free):
                live = await self._read()
                if live is not None and live["spec"].get("holderIdentity") == self._identity:
                    await self._write(_version(live), free)
        except _Unreachable as error:
            _LOG.warning("Lease %s/%s is left to expire: %s", self._namespace, self._name, error)
        self._own_version = None

    async def _try(self) -> str | None:
        """Take it or renew it; None where that was done, else who holds it, empty where somebody wrote it meanwhile."""
        if await self._write_unread({"renewTime": _now()}):
            return None
        live = await self._read()
        if live is None:
            return await self._keep(self._create())
        spec = live["spec"]
        holder: str | None = spec.get("holderIdentity")
        if holder == self._identity:
            return await self._keep(self._write(_version(live), {"renewTime": _now()}))
        if holder and not self._is_expired(live):
            return holder
        taken = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": _now(),
            "renewTime": _now(),
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1,
        }
        return await self._keep(self._write(_version(live), taken))

    async def _write_unread(self, spec: dict[str, Any]) -> bool:
        """Write to it as it was after this operator's last write; False where it is another by now, or not known."""
        # Whatever comes instead of an answer, an error or being cancelled: the write may be stored, so it is forgotten.
        version, self._own_version = self._own_version, None
        if version is None:
            return False
        try:
            return await self._keep(self._write(version, spec)) is None
        except NotFoundError:
            return False

    def _is_expired(self, live: dict[str, Any]) -> bool:
        clock = asyncio.get_running_loop().time()
        version = _version(live)
        if version != self._seen[0]:
            self._seen = (version, clock)
        return clock - self._seen[1] > float(live["spec"].get("leaseDurationSeconds") or DURATION_SECONDS)

    async def _keep(self, write: Awaitable[dict[str, Any]]) -> str | None:
        """None where the write made it this operator's, empty where somebody else wrote before."""
        try:
            stored = await write
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
            return ""
        self._own_version = _version(stored)
        return None

    async def _read(self) -> dict[str, Any] | None:
        try:
            return await self._client.get(LEASES, self._namespace, self._name)
        except NotFoundError:
            return None

    async def _create(self) -> dict[str, Any]:
        now = _now()
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        }
        return await self._client.create(LEASES, self._namespace, self._manifest({"name": self._name}, spec))

    async def _write(self, version: str, spec: dict[str, Any]) -> dict[str, Any]:
        described = {"name": self._name, "namespace": self._namespace, "resourceVersion": version}
        return await self._client.merge(self._manifest(described, spec), field_manager=_FIELD_MANAGER)

    def _manifest(self, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}


def _version(live: dict[str, Any]) -> str:
    version: str = live["metadata"]["resourceVersion"]
    return version


def _now() -> str:
    """As MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
