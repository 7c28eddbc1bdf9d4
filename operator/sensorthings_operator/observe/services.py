"""The SensorThingsServices as they were last seen. Filled by the handlers, read by the reconcile."""

from collections.abc import Iterator, Mapping
from typing import Any

from sensorthings_operator import metrics
from sensorthings_operator.clients.owned import ServiceKey

Body = Mapping[str, Any]


class Services:
    """The newest known body of each service."""

    def __init__(self) -> None:
        self._bodies: dict[ServiceKey, Body] = {}

    def put(self, body: Body) -> bool:
        """Take a body in; whether it tells something that a pass should look at."""
        key = key_of(body)
        body = _without_managed_fields(body)
        known = self._bodies.get(key)
        if known is not None and not _is_newer(body, known):
            return False
        self._bodies[key] = body
        metrics.SERVICES.set(len(self._bodies))
        return known is None or _looked_at(known) != _looked_at(body)

    def remove(self, body: Body) -> None:
        """Forget a service that is gone, unless one of its name was made again."""
        key = key_of(body)
        known = self._bodies.get(key)
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            del self._bodies[key]
        metrics.SERVICES.set(len(self._bodies))

    def get(self, key: ServiceKey) -> Body | None:
        """The newest body."""
        return self._bodies.get(key)

    def __iter__(self) -> Iterator[ServiceKey]:
        return iter(list(self._bodies))


def key_of(body: Body) -> ServiceKey:
    """Namespace and name."""
    return (body["metadata"]["namespace"], body["metadata"]["name"])


def _without_managed_fields(body: Body) -> Body:
    """They are as long as all the rest, and nobody asks for them."""
    return {**body, "metadata": {k: v for k, v in body["metadata"].items() if k != "managedFields"}}


def _is_newer(body: Body, known: Body) -> bool:
    return int(body["metadata"]["resourceVersion"]) > int(known["metadata"]["resourceVersion"])


def _looked_at(body: Body) -> tuple[Any, ...]:
    """What a pass depends on: not labels, annotations or managed fields."""
    metadata = body["metadata"]
    return (metadata["uid"], metadata.get("generation"), metadata.get("deletionTimestamp"), body.get("status"))
