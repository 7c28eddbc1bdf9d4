"""Writes Events about services beside their passes. Used where a status is written and where a child is put right.

As in client-go's recorder, they wait in line and are sent one after the other: no pass waits for one or fails with it.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

import aiohttp

from sensorthings_operator.api.base import API_VERSION, GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import EVENTS
from sensorthings_operator.desired.metadata import FIELD_MANAGER

_LOG: Final = logging.getLogger(__name__)
_LONGEST_NOTE: Final = 1024
"""Of an Event (events.k8s.io/v1, note)."""
_LONGEST_LINE: Final = 1000
"""Events that may wait: an API server that takes none for long must not fill the memory."""


class Events:
    """Tells; what can't be told is logged and stops nothing, for the status says the same, or nearly."""

    def __init__(self, client: KubernetesClient, *, instance: str) -> None:
        self._client = client
        self._instance = instance
        self._line: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_LONGEST_LINE)

    def tell(  # noqa: PLR0913 - what an Event is made of
        self, service: Mapping[str, str], *, warning: bool, reason: str, note: str, now: datetime, kind: str = KIND
    ) -> None:
        """One Event about the service, or another ``kind`` of ours, with this namespace, name and uid."""
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{service['name']}.{uuid.uuid4().hex[:16]}", "namespace": service["namespace"]},
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "note": note[:_LONGEST_NOTE],
            "action": "Reconcile",
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": kind,
                **{field: service[field] for field in ("name", "namespace", "uid")},
            },
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": f"{GROUP}/{FIELD_MANAGER}",
            "reportingInstance": self._instance,
        }
        try:
            self._line.put_nowait(event)
        except asyncio.QueueFull:
            _log_untold(event, "too many wait already")

    async def run(self) -> NoReturn:
        """Send what waits, for ever."""
        while True:
            event = await self._line.get()
            try:
                await self._client.create(EVENTS, event["metadata"]["namespace"], event)
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                # A namespace that is being deleted takes no Events.
                _log_untold(event, error)
            finally:
                self._line.task_done()

    async def drain(self, seconds: float) -> None:
        """Wait until all are sent; after ``seconds`` the rest is given up."""
        try:
            await asyncio.wait_for(self._line.join(), seconds)
        except TimeoutError:
            _LOG.warning("%d Events are given up at the stop", self._line.qsize())


def _log_untold(event: Mapping[str, Any], why: object) -> None:
    where = f"{event['metadata']['namespace']}/{event['regarding']['name']}"
    _LOG.warning("Event %s can't be told: %s", event["reason"], why, extra={"service": where})
