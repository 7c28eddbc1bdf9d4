"""The service that is measured: exposed by ingress-nginx, encrypted, open to write."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from localcluster import plan
from localcluster.addons import cert_manager
from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl
from tests.e2e.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.plan import Cluster
    from tests.e2e.kubernetes import Kubernetes

_NAMESPACE: Final = "bench-edge"
HOST: Final = f"edge.{plan.DOMAIN}"
PLAIN: Final[dict[str, Any]] = {
    "version": "2.0.0",
    "http": {},
    "mqtt": {},
    "database": {"type": "Managed", "managed": {"storage": {"size": "1Gi", "whenDeleted": "Delete"}}},
    "exposure": {"type": "None"},
    "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
    # What is measured are the clients' own Observations.
    "monitoring": {"verifyDelivery": False},
}
"""Its spec without the edge, which is the floor's."""
EXPOSED: Final[dict[str, Any]] = {
    **PLAIN,
    "host": HOST,
    "exposure": {"type": "IngressNginx"},
    "certificate": {"issuerRef": {"name": cert_manager.ISSUER}},
}


@dataclass(frozen=True)
class Edge:
    """A service, and how clients outside the cluster reach it.

    Args:
        service: the service.
        cluster: whose loopback address stands for its host.
    """

    service: Service
    cluster: Cluster

    @property
    def url(self) -> ServiceUrl:
        """The SensorThings API."""
        return ServiceUrl.parse(self._endpoint("sensorthings"))

    @property
    def broker(self) -> BrokerUrl:
        """MQTT over TLS."""
        return BrokerUrl.parse(self._endpoint("mqtt"))

    @property
    def access(self) -> Access:
        """With the cluster's own CA."""
        return Access(authority=tls.Authority.read(self.cluster.authority), connect_to=ip_address(self.cluster.edge))

    def options(self) -> list[str]:
        """The same as options of a command line."""
        return [
            *("--url", str(self.url), "--mqtt", str(self.broker)),
            *("--cacert", str(self.cluster.authority), "--connect-to", self.cluster.edge),
        ]

    def _endpoint(self, name: str) -> str:
        (url,) = (each["url"] for each in self.service.body["status"]["endpoints"] if each["name"] == name)
        return str(url)


@contextmanager
def exposed(kubernetes: Kubernetes, cluster: Cluster) -> Iterator[Edge]:
    """The service, Ready; deleted at the end with its namespace."""
    kubernetes.create_namespace(_NAMESPACE)
    service = Service(kubernetes, _NAMESPACE, "edge")
    try:
        service.apply(**EXPOSED)
        service.await_ready()
        yield Edge(service, cluster)
    finally:
        kubernetes.run("delete", "namespace", _NAMESPACE, "--timeout=180s")
