"""Figures of the databases' servers for Prometheus, of the last look at each. The operator registers the collector.

They change all the time, so they wake no pass and stand in no status.
"""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.databasehosts import HostSeen
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.observe.services import Services

PREFIX: Final = "sensorthings_database_host"


class DatabaseFigures(Collector):
    """Gauges of all servers of all databases.

    Args:
        services: That exist.
        answer: The last answer of a service's database.
    """

    def __init__(self, services: Services, answer: Callable[[ServiceKey], Answer | None]) -> None:
        self._services = services
        self._answer = answer

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each figure."""
        families = _Families()
        for key in self._services:
            answer = self._answer(key)
            for host in () if answer is None else answer.hosts:
                families.add([*key, host.look.host], host)
        yield from families.all()


class _Families:
    """What one collection fills."""

    def __init__(self) -> None:
        self._up = _family("up", "1 where the server answered the last time that it was asked, else 0.")
        self._info = _family(
            "info", "1 for what a server said of itself, and its primary of it.", "role", "version", "postgis", "sync"
        )
        self._lag_seconds = _family("lag_seconds", "How old what a standby shows is at most, in seconds.")
        self._lag_bytes = _family("lag_bytes", "Write-ahead log of the primary that a standby has not replayed.")
        self._connections = _family("connections", "Connections in use, and how many may be.", "state")
        self._size = _family("size_bytes", "Size of the service's database, without the write-ahead log.")

    def all(self) -> tuple[GaugeMetricFamily, ...]:
        """Every family."""
        return (self._up, self._info, self._lag_seconds, self._lag_bytes, self._connections, self._size)

    def add(self, where: list[str], host: HostSeen) -> None:
        """What is known of a server."""
        look = host.look
        self._up.add_metric(where, look.trouble is None)
        if look.trouble is not None:
            return
        self._info.add_metric([*where, look.role or "", version(look.version), look.postgis, host.sync_state], 1)
        self._size.add_metric(where, look.size_bytes)
        if look.tightest is not None:
            self._connections.add_metric([*where, "used"], look.tightest.used)
            self._connections.add_metric([*where, "limit"], look.tightest.limit)
        if host.lag is not None:
            self._lag_bytes.add_metric(where, host.lag.bytes)
        if host.lag is not None and host.lag.seconds is not None:
            self._lag_seconds.add_metric(where, host.lag.seconds)


def version(number: int) -> str:
    """PostgreSQL's server_version_num as people write it (since version 10)."""
    return f"{number // 10000}.{number % 10000}"


def _family(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", documentation, labels=["namespace", "service", "host", *labels])
