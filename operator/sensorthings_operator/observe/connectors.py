"""The Connectors as they were last seen, by the service that they feed."""

from typing import Any, Final

from sensorthings_operator import metrics
from sensorthings_operator.api.parse import parse_connector
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.connector import TOKEN_ISSUED
from sensorthings_operator.desired.connector.feed import REVOKED_ANNOTATION, ROTATE_ANNOTATION, Connector
from sensorthings_operator.observe.bodies import Bodies, Body

_ANNOTATIONS: Final = (REVOKED_ANNOTATION, ROTATE_ANNOTATION)
_VOLATILE: Final = {"token", "arrivals"}
"""Of a status: they change all the time, and nothing depends on them."""


class Connectors(Bodies):
    """The newest known body of each connector, with indexes by service and by uid."""

    def __init__(self) -> None:
        super().__init__()
        self._by_service: dict[ServiceKey, set[ServiceKey]] = {}
        self._by_uid: dict[str, ServiceKey] = {}

    def of_service(self, key: ServiceKey) -> frozenset[ServiceKey]:
        """The connectors that name a service."""
        return frozenset(self._by_service.get(key, ()))

    def with_uid(self, uid: str) -> ServiceKey | None:
        """The connector with this uid."""
        return self._by_uid.get(uid)

    def _changed(self, key: ServiceKey, before: Body | None, after: Body | None) -> frozenset[ServiceKey]:
        metrics.CONNECTORS.set(len(self._bodies))
        for body, act in ((before, set.discard), (after, set.add)):
            if body is not None:
                act(self._by_service.setdefault(_service_key(body), set()), key)
        if before is not None:
            self._by_uid.pop(before["metadata"]["uid"], None)
        if after is not None:
            self._by_uid[after["metadata"]["uid"]] = key
        return frozenset()

    def _looked_at(self, body: Body) -> tuple[Any, ...]:
        status = {name: value for name, value in body.get("status", {}).items() if name not in _VOLATILE}
        return (*self._others(body), status)

    def _others(self, body: Body) -> tuple[Any, ...]:
        annotations = body["metadata"].get("annotations", {})
        issued = [each for each in body.get("status", {}).get("conditions", ()) if each["type"] == TOKEN_ISSUED]
        return (*super()._others(body), tuple(annotations.get(name) for name in _ANNOTATIONS), issued)


def connector_of(body: Body) -> Connector:
    """A connector as the builders see it.

    Raises:
        InvalidSpec: Its spec is not what its type asks for.
    """
    metadata = body["metadata"]
    return Connector(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        spec=parse_connector(body, unknown_fields="ignore").spec,
    )


def _service_key(body: Body) -> ServiceKey:
    reference = body.get("spec", {}).get("serviceRef", {})
    return (reference.get("namespace") or body["metadata"]["namespace"], reference.get("name", ""))
