"""Writes Events about services. Used where a status is written and where a child is put right."""

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sensorthings_operator.api.base import API_VERSION, GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import EVENTS
from sensorthings_operator.desired.metadata import FIELD_MANAGER

_LOG: Final = logging.getLogger(__name__)
_LONGEST_NOTE: Final = 1024
"""Of an Event (events.k8s.io/v1, note)."""


class Events:
    """Tells; that an Event was refused is logged and stops nothing."""

    def __init__(self, client: KubernetesClient, *, instance: str) -> None:
        self._client = client
        self._instance = instance

    async def tell(self, body: Mapping[str, Any], *, warning: bool, reason: str, note: str, now: datetime) -> None:
        """One Event about a service."""
        try:
            await self._create(body, warning=warning, reason=reason, note=note, now=now)
        except ApiError as error:
            # The status says the same, or nearly; a namespace that is being deleted takes no Events.
            where = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            _LOG.warning("Event %s was refused: %s", reason, error, extra={"service": where})

    async def _create(self, body: Mapping[str, Any], *, warning: bool, reason: str, note: str, now: datetime) -> None:
        metadata = body["metadata"]
        await self._client.create(
            EVENTS,
            metadata["namespace"],
            {
                "apiVersion": EVENTS.api_version,
                "kind": EVENTS.kind,
                "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
                "type": "Warning" if warning else "Normal",
                "reason": reason,
                "note": note[:_LONGEST_NOTE],
                "action": "Reconcile",
                "regarding": {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                },
                "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "reportingController": f"{GROUP}/{FIELD_MANAGER}",
                "reportingInstance": self._instance,
            },
        )
