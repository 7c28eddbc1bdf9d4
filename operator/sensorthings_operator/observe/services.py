"""The SensorThingsServices as they were last seen, and which of them has a host."""

from sensorthings_operator import metrics
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.observe.bodies import Bodies, Body


class Services(Bodies):
    """The newest known body of each service, with an index by host."""

    def __init__(self) -> None:
        super().__init__()
        self._by_host: dict[str, set[ServiceKey]] = {}

    def holder_of_host(self, key: ServiceKey) -> ServiceKey | None:
        """Which service has the host that a service is to be reached at: the oldest that asks for it."""
        body = self._bodies.get(key)
        host = "" if body is None else _host(body)
        return min(self._by_host.get(host, ()), key=lambda each: _age(self._bodies[each]), default=None)

    def _changed(self, key: ServiceKey, before: Body | None, after: Body | None) -> frozenset[ServiceKey]:
        """Keep the index of hosts; the other services that ask for a host which changed hands."""
        metrics.SERVICES.set(len(self._bodies))
        hosts = ["" if body is None else _host(body) for body in (before, after)]
        if hosts[0] == hosts[1]:
            return frozenset()
        if hosts[0]:
            self._by_host[hosts[0]].discard(key)
        if hosts[1]:
            self._by_host.setdefault(hosts[1], set()).add(key)
        return frozenset(other for host in hosts for other in self._by_host.get(host, ()) if other != key)


def _host(body: Body) -> str:
    """The host that a service is to be reached at from outside; empty where it is not to be."""
    spec = body.get("spec", {})
    asks = spec.get("exposure", {}).get("type") != "None" and not body["metadata"].get("deletionTimestamp")
    return str(spec.get("host", "")) if asks else ""


def _age(body: Body) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata.get("creationTimestamp", ""), metadata["uid"]
