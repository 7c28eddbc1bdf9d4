"""Custom resources as they were last seen. Filled by the handlers, read by the reconcile."""

from collections.abc import Iterator, Mapping
from typing import Any

from sensorthings_operator.clients.owned import ServiceKey

Body = Mapping[str, Any]


class Bodies:
    """The newest known body of each resource of a kind."""

    def __init__(self) -> None:
        self._bodies: dict[ServiceKey, Body] = {}

    def put(self, body: Body) -> frozenset[ServiceKey]:
        """Take a body in; the resources over which a pass should look because of it."""
        key = key_of(body)
        body = _without_managed_fields(body)
        known = self._bodies.get(key)
        if known is not None and not _is_newer(body, known):
            return frozenset()
        self._bodies[key] = body
        moved = self._changed(key, known, body)
        return moved | {key} if known is None or self._looked_at(known) != self._looked_at(body) else moved

    def wrote(self, body: Body) -> None:
        """Take in what a write of our own returned, where nothing else differs: of what others did the watch tells.

        It would be no news any more if it was known from here, and nobody would look.
        """
        known = self._bodies.get(key_of(body))
        if known is not None and self._others(known) == self._others(body):
            self.put(body)

    def remove(self, body: Body) -> frozenset[ServiceKey]:
        """Forget one that is gone, unless one of its name was made again; over which ones to look then."""
        key = key_of(body)
        known = self._bodies.get(key)
        moved: frozenset[ServiceKey] = frozenset()
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            del self._bodies[key]
            moved = self._changed(key, known, None)
        return moved | {key}

    def take(self, body: Body, *, deleted: bool) -> frozenset[ServiceKey]:
        """Take in what a watch tells; over which ones to look."""
        return self.remove(body) if deleted else self.put(body)

    def get(self, key: ServiceKey) -> Body | None:
        """The newest body."""
        return self._bodies.get(key)

    def __iter__(self) -> Iterator[ServiceKey]:
        return iter(list(self._bodies))

    def _changed(self, key: ServiceKey, before: Body | None, after: Body | None) -> frozenset[ServiceKey]:
        """Keep what is known beside the bodies; the others that it touches."""
        return frozenset()

    def _looked_at(self, body: Body) -> tuple[Any, ...]:
        """What a pass depends on: not labels, annotations or managed fields."""
        return (*self._others(body), body.get("status"))

    def _others(self, body: Body) -> tuple[Any, ...]:
        """What of it is not ours to write: what is asked for, and whether the resource stays."""
        metadata = body["metadata"]
        return (metadata["uid"], metadata.get("generation"), metadata.get("deletionTimestamp"))


def key_of(body: Body) -> ServiceKey:
    """Namespace and name."""
    return (body["metadata"]["namespace"], body["metadata"]["name"])


def _without_managed_fields(body: Body) -> Body:
    """They are as long as all the rest, and nobody asks for them."""
    return {**body, "metadata": {k: v for k, v in body["metadata"].items() if k != "managedFields"}}


def _is_newer(body: Body, known: Body) -> bool:
    return int(body["metadata"]["resourceVersion"]) > int(known["metadata"]["resourceVersion"])
