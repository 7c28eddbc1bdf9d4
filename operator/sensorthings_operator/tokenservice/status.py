"""Writes what the token service knows of a connector into its status, and Events about what turned.

The operator's own field manager writes the rest of the status.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.connector import KIND
from sensorthings_operator.apply.events import Events
from sensorthings_operator.apply.status import Now, condition, is_warning, utc_now
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.connector import TOKEN_ISSUED
from sensorthings_operator.observe.bodies import Body
from sensorthings_operator.tokenservice.held import HeldToken
from sensorthings_operator.tokenservice.secrets import FIELD_MANAGER

_TOLD: Final = ("status", "reason", "message", "observedGeneration")


class TokenStatus:
    """The part of the status that is the token service's."""

    def __init__(self, client: KubernetesClient, events: Events, *, now: Now = utc_now) -> None:
        self._client = client
        self._events = events
        self._now = now

    async def tell(self, body: Body, verdict: Verdict, tokens: Mapping[str, HeldToken], *, ended: bool = False) -> None:
        """Bring it to this, where it is not so. Where tokens have ``ended``, the last one stands as it is.

        Raises:
            ApiError: The API server refused.
        """
        now, metadata, before = self._now(), body["metadata"], _condition(body)
        wanted = build(verdict, tokens, before, metadata["generation"], now)
        last = body.get("status", {}).get("token")
        if ended and last:
            wanted["token"] = last
        if stands(body.get("status", {}), wanted):
            return
        manifest = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {name: metadata[name] for name in ("name", "namespace", "uid")},
            "status": wanted,
        }
        try:
            await self._client.apply(manifest, field_manager=FIELD_MANAGER, subresource="status")
        except NotFoundError:
            # Deleted while the pass ran: there is nobody left to tell.
            return
        turned = before is None or (before["status"], before["reason"]) != (verdict.status, verdict.reason)
        if turned and is_warning(TOKEN_ISSUED, verdict):
            note = f"{TOKEN_ISSUED}={verdict.status}: {verdict.message}"
            self._events.tell(metadata, warning=True, reason=verdict.reason, note=note, now=now, kind=KIND)


def build(
    verdict: Verdict,
    tokens: Mapping[str, HeldToken],
    before: Mapping[str, Any] | None,
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    """What is to stand in the status: the condition, and from when and until when the newest token is good."""
    status: dict[str, Any] = {"conditions": [condition(TOKEN_ISSUED, verdict, before, generation, now)]}
    if tokens:
        newest = max(tokens.values(), key=lambda token: token.expires)
        status["token"] = {"issuedAt": newest.issued_at, "expiresAt": newest.expires_at}
    return status


def stands(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted stands."""
    found: Mapping[str, Any] = next((each for each in live.get("conditions", ()) if each["type"] == TOKEN_ISSUED), {})
    (asked,) = wanted["conditions"]
    return live.get("token") == wanted.get("token") and all(found.get(name) == asked[name] for name in _TOLD)


def _condition(body: Body) -> Mapping[str, Any] | None:
    told = body.get("status", {}).get("conditions", ())
    return next((each for each in told if each["type"] == TOKEN_ISSUED), None)
