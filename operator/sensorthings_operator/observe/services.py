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
        self._by_host: dict[str, set[ServiceKey]] = {}

    def put(self, body: Body) -> frozenset[ServiceKey]:
        """Take a body in; the services over which a pass should look because of it."""
        key = key_of(body)
        body = _without_managed_fields(body)
        known = self._bodies.get(key)
        if known is not None and not _is_newer(body, known):
            return frozenset()
        self._bodies[key] = body
        metrics.SERVICES.set(len(self._bodies))
        moved = self._claim(key, known, body)
        return moved | {key} if known is None or _looked_at(known) != _looked_at(body) else moved

    def remove(self, body: Body) -> frozenset[ServiceKey]:
        """Forget a service that is gone, unless one of its name was made again; over which services to look then."""
        key = key_of(body)
        known = self._bodies.get(key)
        moved: frozenset[ServiceKey] = frozenset()
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            del self._bodies[key]
            moved = self._claim(key, known, None)
        metrics.SERVICES.set(len(self._bodies))
        return moved | {key}

    def holder_of_host(self, key: ServiceKey) -> ServiceKey | None:
        """Which service has the host that a service is to be reached at: the oldest that asks for it."""
        body = self._bodies.get(key)
        host = "" if body is None else _host(body)
        return min(self._by_host.get(host, ()), key=lambda each: _age(self._bodies[each]), default=None)

    def _claim(self, key: ServiceKey, before: Body | None, after: Body | None) -> frozenset[ServiceKey]:
        """Keep the index of hosts; the other services that ask for a host which changed hands."""
        hosts = ["" if body is None else _host(body) for body in (before, after)]
        if hosts[0] == hosts[1]:
            return frozenset()
        if hosts[0]:
            self._by_host[hosts[0]].discard(key)
        if hosts[1]:
            self._by_host.setdefault(hosts[1], set()).add(key)
        return frozenset(other for host in hosts for other in self._by_host.get(host, ()) if other != key)

    def get(self, key: ServiceKey) -> Body | None:
        """The newest body."""
        return self._bodies.get(key)

    def __iter__(self) -> Iterator[ServiceKey]:
        return iter(list(self._bodies))


def key_of(body: Body) -> ServiceKey:
    """Namespace and name."""
    return (body["metadata"]["namespace"], body["metadata"]["name"])


def _host(body: Body) -> str:
    """The host that a service is to be reached at from outside; empty where it is not to be."""
    spec = body.get("spec", {})
    asks = spec.get("exposure", {}).get("type") != "None" and not body["metadata"].get("deletionTimestamp")
    return str(spec.get("host", "")) if asks else ""


def _age(body: Body) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata.get("creationTimestamp", ""), metadata["uid"]


def _without_managed_fields(body: Body) -> Body:
    """They are as long as all the rest, and nobody asks for them."""
    return {**body, "metadata": {k: v for k, v in body["metadata"].items() if k != "managedFields"}}


def _is_newer(body: Body, known: Body) -> bool:
    return int(body["metadata"]["resourceVersion"]) > int(known["metadata"]["resourceVersion"])


def _looked_at(body: Body) -> tuple[Any, ...]:
    """What a pass depends on: not labels, annotations or managed fields."""
    metadata = body["metadata"]
    return (metadata["uid"], metadata.get("generation"), metadata.get("deletionTimestamp"), body.get("status"))
