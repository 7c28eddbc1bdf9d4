"""Applies the Secrets of services, and makes the values that only they hold. Used by the reconcile.

What is drawn or issued has a field manager of its own, so that applying the Secret without it leaves it alone.
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from sensorthings_operator.apply import certificates
from sensorthings_operator.apply.outcome import Outcome
from sensorthings_operator.apply.owners import GENERATED_FIELD_MANAGER, Owners, require_ours
from sensorthings_operator.apply.stamps import needed, stamp
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.desired.metadata import (
    CERTIFICATE_HOSTS_ANNOTATION,
    FIELD_MANAGER,
    GENERATED_KEYS_ANNOTATION,
    Manifest,
)

_GENERATED_BYTES: Final = 24


class Secrets:
    """Brings Secrets to their manifests, by a look at each: they are not watched."""

    def __init__(self, client: KubernetesClient, store: OwnedStore, owners: Owners) -> None:
        self._client = client
        self._store = store
        self._owners = owners

    async def apply(self, manifest: Manifest) -> dict[str, Any]:
        """Bring a Secret to its manifest, make the values it lacks, and give the Secret as it is.

        Raises:
            ApiError: The API server refused.
            OwnerGoneError: The service is gone.
        """
        described = manifest["metadata"]
        live = await self._read(described["namespace"], described["name"])
        if live is None:
            await self._owners.require_owner(manifest)
        else:
            require_ours(live, described)
            self._store.put("Secret", live)
        annotations = described.get("annotations", {})
        live = await self._draw(manifest, annotations.get(GENERATED_KEYS_ANNOTATION, ""), live)
        live = await self._issue(manifest, annotations.get(CERTIFICATE_HOSTS_ANNOTATION, ""), live)
        known = self._store.get("Secret", described["namespace"], described["name"])
        stamped = stamp(manifest)
        if live is None or needed(stamped, known) is not Outcome.UNCHANGED:
            live = await self._client.apply(stamped, field_manager=FIELD_MANAGER)
            self._store.put("Secret", live)
        return live

    async def remove(self, namespace: str, name: str, owner_uid: str) -> None:
        """Delete a Secret that a service has no use for any more, where it is its own.

        Raises:
            ApiError: The API server refused.
        """
        live = await self._read(namespace, name)
        owners = [] if live is None else live["metadata"].get("ownerReferences", [])
        if live is None or owner_uid not in {owner["uid"] for owner in owners}:
            return
        with suppress(NotFoundError):
            await self._client.delete(SECRETS, namespace, name, uid=live["metadata"]["uid"])
        self._store.remove("Secret", namespace, name, live["metadata"]["uid"])

    async def _read(self, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return await self._client.get(SECRETS, namespace, name)
        except NotFoundError:
            return None

    async def _draw(self, manifest: Manifest, keys: str, live: dict[str, Any] | None) -> dict[str, Any] | None:
        """Draw what is missing, at random; what somebody put in meanwhile is theirs, and a conflict."""
        missing = [key for key in keys.split(",") if key and key not in (live or {}).get("data", {})]
        if not missing:
            return live
        drawn = {key: secrets.token_urlsafe(_GENERATED_BYTES).encode() for key in missing}
        return await self._put(manifest, drawn, force=False)

    async def _issue(self, manifest: Manifest, hosts: str, live: dict[str, Any] | None) -> dict[str, Any] | None:
        """Issue certificates where they are due, whoever spoiled them."""
        if not hosts:
            return live
        held = {key: b64decode(value) for key, value in (live or {}).get("data", {}).items()}
        named, now = hosts.split(","), datetime.now(UTC)
        if not certificates.are_due(held, named, now):
            return live
        return await self._put(manifest, certificates.issue(held, named, now), force=True)

    async def _put(self, manifest: Manifest, values: Mapping[str, bytes], *, force: bool) -> dict[str, Any]:
        described = manifest["metadata"]
        made = {
            **{field: manifest[field] for field in ("apiVersion", "kind", "type")},
            "metadata": {"name": described["name"], "namespace": described["namespace"]},
            "data": {key: b64encode(value).decode() for key, value in values.items()},
        }
        live = await self._client.apply(made, field_manager=GENERATED_FIELD_MANAGER, force=force)
        self._store.put("Secret", live)
        return live
