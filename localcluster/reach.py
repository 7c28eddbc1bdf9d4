"""What of a cluster is reached on the host's loopback, and where: the API, the public names, single Services.

`up` and the tests call it. Each function starts a proxy (see `loopback`) or leaves the one that runs as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcluster import loopback, node
from localcluster.loopback import Address, Mapping, Proxy
from localcluster.plan import GATEWAY_ADDRESS, INGRESS_ADDRESS
from localcluster.processes import Placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcluster.install import ServiceName
    from localcluster.kubectl import Kubectl
    from localcluster.plan import Cluster

LOOPBACK = "127.0.0.1"
EDGE_PORTS = (80, 443, 8883)
"""Of the public names: HTTP, HTTPS, and MQTT over TLS, which nobody answers until a service asks for it."""
PROMETHEUS_PORT = 9090
_API = "loopback-api"
_EDGE = "loopback-edge"
_GATEWAY = "loopback-gateway"
_PLAIN = "loopback-endpoints"
_PROMETHEUS = "loopback-prometheus"


def open_api(cluster: Cluster) -> str:
    """Lead a port of 127.0.0.1 to the API server, and return the URL there."""
    _open(cluster, _API, [(Address(LOOPBACK, cluster.ports.api), Address(LOOPBACK, 6443))])
    return f"https://{LOOPBACK}:{cluster.ports.api}"


def open_edge(cluster: Cluster) -> None:
    """Lead the public ports of the cluster's loopback address to ingress-nginx's Service."""
    _open(cluster, _EDGE, [(Address(cluster.edge, port), Address(str(INGRESS_ADDRESS), port)) for port in EDGE_PORTS])


def open_gateway(cluster: Cluster) -> None:
    """Lead the same ports of the Gateway's loopback address to the Gateway's Service."""
    _open(
        cluster,
        _GATEWAY,
        [(Address(cluster.gateway, port), Address(str(GATEWAY_ADDRESS), port)) for port in EDGE_PORTS],
    )


def open_prometheus(cluster: Cluster, kubectl: Kubectl) -> None:
    """Lead port 9090 of the cluster's loopback address to Prometheus."""
    target = service_address(kubectl, "monitoring", "prometheus", "http")
    _open(cluster, _PROMETHEUS, [(Address(cluster.edge, PROMETHEUS_PORT), target)])


def prometheus_url(cluster: Cluster) -> str:
    """Where Prometheus answers on the host's loopback."""
    return f"http://{cluster.edge}:{PROMETHEUS_PORT}"


def publish(cluster: Cluster, kubectl: Kubectl, service: ServiceName) -> None:
    """Make the plain endpoints of one service reachable on 127.0.0.1, instead of those that were.

    Raises:
        LocalClusterError: The service's Kubernetes Services are not there, or a port of the host is taken.
    """
    ports = cluster.ports
    wanted = (("http", "http", ports.http), ("mqtt", "mqtt", ports.mqtt), ("mqtt", "websocket", ports.websocket))
    targets = [
        (Address(LOOPBACK, port), service_address(kubectl, service.namespace, f"{service.name}-{suffix}", port_name))
        for suffix, port_name, port in wanted
    ]
    _open(cluster, _PLAIN, targets)


def service_address(kubectl: Kubectl, namespace: str, name: str, port_name: str) -> Address:
    """The address of a port of a Service in the cluster. Raises LocalClusterError when the Service is not there."""
    spec = kubectl.get("-n", namespace, f"service/{name}")["spec"]
    numbers = {port["name"]: port["port"] for port in spec["ports"]}
    return Address(spec["clusterIP"], numbers[port_name])


def require_free(cluster: Cluster, *, edge: bool, plain: bool, prometheus: bool) -> None:
    """Fail before any work when a port that will be listened on belongs to somebody else.

    Raises:
        LocalClusterError: One does; the message says which.
    """
    ports = cluster.ports
    wanted = {
        _API: [Address(LOOPBACK, ports.api)],
        _EDGE: [Address(cluster.edge, port) for port in EDGE_PORTS] if edge else [],
        _PLAIN: [Address(LOOPBACK, port) for port in (ports.http, ports.mqtt, ports.websocket)] if plain else [],
        _PROMETHEUS: [Address(cluster.edge, PROMETHEUS_PORT)] if prometheus else [],
    }
    for name, addresses in wanted.items():
        if not node.daemon(cluster, name).alive():
            for address in addresses:
                loopback.listen(address).close()


def _open(cluster: Cluster, name: str, targets: Sequence[tuple[Address, Address]]) -> None:
    mappings = tuple(Mapping(listen, target) for listen, target in targets)
    in_cgroup_only = Placement(cgroup_procs=node.placement(cluster).cgroup_procs)
    Proxy(node.daemon(cluster, name), cluster.netns_path, in_cgroup_only, mappings).start()
